"""Lines, curves and scatters show the numbers they were given."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from semcal_utils import show
from semcal_utils.acceptance.bounds import bound_curve


def texts(ax):
    return [text.get_text() for text in ax.texts]


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_convergence_draws_every_path_and_what_chance_alone_gives(ax):
    seen = np.array([10, 100, 1000])
    paths = {"general": np.array([0.5, 0.4, 0.4]), "filtered": np.array([0.3, 0.05, 0.01])}
    show.plot_convergence(seen, paths, np.array([0.3, 0.03, 0.003]), ax=ax)
    assert legend(ax) == [
        "noise floor of the kept items",
        "the stream as it comes",
        "what the filter keeps",
    ]
    np.testing.assert_allclose(ax.get_lines()[1].get_ydata(), paths["filtered"])
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[0] < 0.01


def test_a_measure_by_world_is_one_line_for_each_stream_with_its_intervals(ax):
    table = pd.DataFrame({"general": [0.1, 0.4], "oracle": [0.0, 0.01]}, index=["mild", "moderate"])
    ends = {"general": [SimpleNamespace(low=0.05, high=0.2), SimpleNamespace(low=0.3, high=0.6)]}
    show.plot_lines_by_world(table, "pass rate", intervals=ends, shares=True, ax=ax)
    assert [line.get_label() for line in ax.get_lines()] == ["stream", "label oracle"]
    assert [line.get_linestyle() for line in ax.get_lines()] == ["-", ":"]
    drawn = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert drawn == [[0.05, 0.2], [0.3, 0.6]]
    assert ax.get_ylabel() == "pass rate"
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] > 0.6


def test_lines_run_over_their_bands_and_leave_undefined_points_out(ax):
    rows = pd.DataFrame(
        {"strength": [1.0, 0.0, 0.5], "method": "m", "reduction": [0.5, 0.9, np.nan]}
    )
    show.plot_lines_with_bands(rows.assign(low=0.1, high=1.0), "strength", "method", ax=ax)
    show.plot_lines_with_bands(rows, "strength", "method", low=None, ax=ax)
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.9, 0.5]] * 2
    assert len(ax.collections) == 1
    assert labels(ax) == ["m", "m"]


def test_few_labels_draw_means_ranges_and_what_needs_no_label(ax):
    table = pd.DataFrame(
        {"labels": [0, 20, 20, 40], "method": "a", "reduction": [0.2, 0.4, 0.6, 0.9]}
    )
    show.plot_few_labels(table, ax=ax)
    assert np.allclose(ax.lines[0].get_ydata(), [0.5, 0.9])
    assert set(labels(ax)) == {"a", "a, no label"}


def test_the_alarm_figures_show_their_shares_and_the_line(ax):
    paths = {"deceptive": np.cumsum(np.ones((20, 50)), axis=1), "honest": np.zeros((20, 50))}
    show.plot_alarm_paths(paths, alpha=0.05, ax=ax)
    assert "alarm: E = 20" in texts(ax)
    ax.clear()
    times = {"honest": np.full(10, np.inf), "severe": np.r_[np.full(5, 3.0), np.full(5, 40.0)]}
    show.plot_alarm_times(times, items=100, alpha=0.05, ax=ax)
    severe = next(line for line in ax.lines if line.get_label() == "severe")
    assert severe.get_ydata()[-1] == 1.0
    assert np.interp(10, severe.get_xdata(), severe.get_ydata()) == 0.5


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
    assert "undefined" in texts(axes["authentic"])
    plt.close(figure)


def test_observed_shares_stand_against_the_diagonal_with_two_standard_errors(ax):
    table = pd.DataFrame(
        {"predicted": [0.2, 0.8], "observed": [0.3, 0.7], "standard_error": [0.05, 0.02]}
    )
    tables = {"before": table, "calibrated": table}
    show.plot_against_diagonal(tables, "predicted", "observed", error="standard_error", ax=ax)
    bars = ax.collections[0].get_segments()
    assert bars[0][:, 1] == pytest.approx([0.2, 0.4])
    assert labels(ax) == ["before", "calibrated"]


ONE_CLASS = {"severe": (np.zeros(4, bool), np.arange(4.0))}


TWO_CLASSES = {"severe": (np.array([False, True, True]), np.array([0.0, 2.0, 1.0]))}


@pytest.mark.parametrize("draw", [show.plot_roc, show.plot_precision_recall])
@pytest.mark.parametrize(("scores", "undefined"), [(TWO_CLASSES, False), (ONE_CLASS, True)])
def test_curves_of_one_class_are_undefined_and_say_so(draw, scores, undefined, ax):
    assert draw(scores, ax=ax) is ax
    assert ("undefined here" in texts(ax)) == undefined


def test_a_perfect_roc_curve_passes_the_upper_left_corner(ax):
    show.plot_roc(TWO_CLASSES, ax=ax)
    x, y = ax.lines[-1].get_data()
    assert (0.0, 1.0) in set(zip(x, y, strict=True))


def test_a_bound_shows_what_it_buys_what_it_costs_and_the_marked_ones(ax):
    log_ratio = np.random.default_rng(0).normal(size=500)
    curve = bound_curve(log_ratio, np.linspace(0, 2, 9), labels=5).assign(kl=0.1)
    show.plot_bound_curve(curve, {"in use": 1.0, "optimum": 0.5}, ax=ax)
    assert {text.strip() for text in texts(ax)} == {"in use", "optimum"}
    assert legend(ax)[-1] == "pass rate"
    assert ax.get_yscale() == "log"


def test_a_bound_without_a_guarantee_is_a_curve_of_deception_and_pass_rate(ax):
    bounds = np.linspace(0, 2, 5)
    curve = pd.DataFrame({"log_bound": bounds, "kl": 0.4 - bounds / 10, "pass_rate": 0.5})
    show.plot_bound_curve(curve, {"exact": 1.3}, ax=ax)
    assert legend(ax) == ["KL(kept‖R), labels", "pass rate"]
    assert list(ax.get_lines()[-1].get_xdata()) == [1.3, 1.3]
    right = next(other for other in ax.figure.axes if other is not ax)
    assert right.get_ylabel() == "pass rate"


def test_the_chosen_power_is_marked_and_powers_that_keep_too_little_are_shaded(ax):
    curve = pd.DataFrame(
        {"power": [0.0, 1.0, 2.0], "deception_reduction": [0, 0.6, 0.9], "pass_rate": [1, 0.4, 0.1]}
    )
    show.plot_sharpening({"choice": curve}, chosen=1.0, minimum_pass_rate=0.2, ax=ax)
    assert "chosen s = 1" in texts(ax)
    assert len(ax.patches) == 1


def test_labels_needed_shows_the_median_and_the_ninth_tenth(ax):
    lost = pd.DataFrame({"size": [25] * 10 + [100] * 10, "lost": [*np.arange(10) / 100, *[0] * 10]})
    show.plot_labels_needed(lost, needed=100, ax=ax)
    assert ax.lines[1].get_ydata() == pytest.approx([0.045, 0])
    assert ax.lines[0].get_ydata() == pytest.approx([0.081, 0])


def test_the_loss_curve_names_its_best_held_out_loss(ax):
    history = pd.DataFrame(
        {
            "step": [1, 2, 3, 1, 2, 3],
            "split": ["train"] * 3 + ["held_out"] * 3,
            "loss": [3.0, 2.0, 1.0, 3.1, 2.2, 2.4],
        }
    )
    show.plot_loss_curves(history, ax=ax)
    assert texts(ax) == ["2.20"]


def test_histograms_share_their_bins_and_mark_numbers_beyond_them(ax):
    values = {"over": np.full(40, -1.0), "under": np.full(20, 1.0)}
    colours = {"over": "orange", "under": "blue"}
    show.plot_histograms(values, colours, marked={"published 97.8%": 3.0}, ax=ax)
    assert set(labels(ax)) == {"published 97.8%", "over", "under"}
    assert ax.get_lines()[0].get_xdata()[0] == 3.0
    low, high = ax.get_xlim()
    assert low < -1
    assert high > 3


def test_cost_and_gain_leave_out_what_is_undefined(ax):
    table = pd.DataFrame(
        {
            "dataset": ["pictures"] * 2 + ["texts"],
            "world": ["baseline", "mild", "mild"],
            "deception reduction": [np.nan, 0.9, 0.8],
            "low": [np.nan, 0.85, 0.7],
            "high": [np.nan, 0.95, 0.9],
            "pass rate": [1.0, 0.6, 0.5],
            "label oracle": [np.nan, 1.0, 1.0],
            "oracle's pass rate": [1.0, 0.65, 0.6],
        }
    )
    show.plot_cost_and_gain(table, ax=ax)
    assert texts(ax) == ["mild"]
    assert legend(ax) == ["pictures", "texts", "label oracle"]
    reached = [collection.get_offsets().tolist() for collection in ax.collections]
    intervals = [c.get_segments() for c in ax.collections if hasattr(c, "get_segments")]
    assert [one[0].tolist() for one in intervals] == [
        [[0.6, 0.85], [0.6, 0.95]],
        [[0.5, 0.7], [0.5, 0.9]],
    ]
    assert ax.get_ylim()[0] < 0.7
    assert max(ax.get_yticks()) == pytest.approx(1)
    assert [[0.6, 0.9]] in reached
    assert [[0.5, 0.8]] in reached
    assert [[0.65, 1.0]] in reached


def test_percent_axes_read_as_percentages(ax):
    show.percent(ax)
    assert ax.yaxis.get_major_formatter()(0.25) == "25%"
