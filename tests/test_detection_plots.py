"""Figures of notebooks 06 and 07 show the numbers they were given, and say what is undefined."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from semcal_utils import show


def texts(ax):
    return [text.get_text() for text in ax.texts]


def labels(ax):
    return ax.get_legend_handles_labels()[1]


ONE_CLASS = {"severe": (np.zeros(4, bool), np.arange(4.0))}
TWO_CLASSES = {"severe": (np.array([False, True, True]), np.array([0.0, 2.0, 1.0]))}


@pytest.mark.parametrize("draw", [show.plot_roc, show.plot_precision_recall])
def test_curves_of_one_class_are_undefined_and_say_so(draw, ax):
    assert draw(TWO_CLASSES, ax=ax) is ax
    assert not any("undefined" in text for text in texts(ax))
    plt.close(ax.figure)
    _, other = show.new_figure()
    draw(ONE_CLASS, ax=other)
    assert any("undefined" in text for text in texts(other))


def test_a_perfect_roc_curve_passes_the_upper_left_corner(ax):
    show.plot_roc(TWO_CLASSES, ax=ax)
    x, y = ax.lines[-1].get_data()
    assert (0.0, 1.0) in set(zip(x, y, strict=True))


def test_verdicts_draw_a_bar_per_kind_and_say_which_are_undefined(ax):
    kinds = ["over-represented", "not over-represented"]
    table = pd.DataFrame(
        {"value": [0.8, np.nan], "low": [0.7, np.nan], "high": [0.9, np.nan]}, index=kinds
    )
    show.plot_verdicts({"severe": table}, ax=ax)
    assert [round(patch.get_height(), 6) for patch in ax.patches] == [0.8, 0]
    assert [text for text in texts(ax) if text] == ["80%", "undefined"]
    assert labels(ax) == kinds


def test_verdicts_of_no_world_are_undefined(ax):
    show.plot_verdicts({}, ax=ax)
    assert texts(ax) == ["undefined here"]


def league(reduction):
    return pd.DataFrame(
        {
            "method": ["a", "a", "b", "label oracle"],
            "form": ["item_calibrated", "label_matched", "label_matched", "oracle"],
            "reduction": reduction,
            "low": reduction,
            "high": reduction,
            "pass_rate": 0.5,
            "auc": 0.8,
        }
    )


def test_rows_are_ordered_by_their_best_dot_and_may_write_their_numbers(ax):
    entries = league([0.3, 0.5, 0.9, 1.0])[:3]
    show.plot_dots_with_intervals(entries, "method", "form", written=True, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert any("90.0%, keeps 50%" in text for text in texts(ax))
    assert set(labels(ax)) == {"item_calibrated", "label_matched"}


def test_unranked_rows_stand_in_their_order_from_the_top(ax):
    show.plot_dots_with_intervals(league(0.5), "method", "form", ranked=False, ax=ax)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["label oracle", "b", "a"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda table, ax: show.plot_dots_with_intervals(table, "method", "form", ax=ax),
        lambda table, ax: show.plot_auc_against_reduction(table, {}, ax=ax),
    ],
)
def test_a_league_without_reductions_says_so(draw, ax):
    draw(league(np.nan), ax)
    assert any("nothing to reduce" in text for text in texts(ax))


def test_seeds_get_a_dot_each_and_methods_a_tick(ax):
    table = pd.DataFrame(
        {"seed": [1, 2], "method": "a", "form": "item_calibrated", "reduction": [0.4, 0.6]}
    )
    show.plot_dots_with_intervals(table, "method", "form", ax=ax)
    assert ax.lines[0].get_xdata().tolist() == [0.4, 0.6]
    assert np.isclose(ax.lines[1].get_xdata()[0], 0.5)


def test_few_labels_draw_means_ranges_and_what_needs_no_label(ax):
    table = pd.DataFrame(
        {"labels": [0, 20, 20, 40], "method": "a", "reduction": [0.2, 0.4, 0.6, 0.9]}
    )
    show.plot_few_labels(table, ax=ax)
    assert np.allclose(ax.lines[0].get_ydata(), [0.5, 0.9])
    assert set(labels(ax)) == {"a", "a, no label"}


def test_lines_run_over_their_bands_and_leave_undefined_points_out(ax):
    rows = pd.DataFrame(
        {"strength": [1.0, 0.0, 0.5], "method": "m", "reduction": [0.5, 0.9, np.nan]}
    )
    show.plot_lines_with_bands(rows.assign(low=0.1, high=1.0), "strength", "method", ax=ax)
    assert ax.lines[0].get_ydata().tolist() == [0.9, 0.5]
    assert labels(ax) == ["m"]


def test_the_artefact_argument_runs_from_strong_traces_to_none():
    figure, axes = plt.subplot_mosaic([["auc", "reduction", "authentic"]])
    rows = [
        {"strength": s, "detector": d, "auc": a, "auc_low": a, "auc_high": a,
         "reduction": r, "low": r, "high": r}
        for d, s, a, r in (
            ("artefact detector", 0.0, 0.5, 0.0), ("artefact detector", 1.0, 1.0, 0.9),
            ("semantic calibration", 0.0, 0.9, 0.95), ("semantic calibration", 1.0, 0.9, 0.95),
        )
    ]  # fmt: skip
    first = pd.DataFrame(rows)
    second = first[first["strength"] == 0.0].assign(reduction=[0.0, np.nan])
    show.plot_artefact_argument(first, second, "grey levels", axes)
    left, right = axes["auc"].get_xlim()
    assert left > right
    assert any(text.get_text() == "undefined" for text in axes["authentic"].texts)
    plt.close(figure)


def test_the_published_number_stands_beside_runs_of_its_shape(ax):
    rng = np.random.default_rng(0)
    drawn = {
        "a perfect filter": rng.normal(0.98, 0.005, 500),
        "paper": rng.normal(0.97, 0.005, 500),
    }
    show.plot_same_shape(drawn, 0.978, 0.98, ax=ax)
    assert any("published 97.8%" in text for text in texts(ax))
    assert set(labels(ax)) == set(drawn)
