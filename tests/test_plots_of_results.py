"""Figures show the numbers that they are given, under names that a reader understands."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from semcal_utils import show
from semcal_utils.show.style import reach_of


def texts(ax):
    return [text.get_text() for text in ax.texts]


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


def test_the_histogram_parts_items_by_what_the_stream_has_too_much_of(ax):
    ratios = np.r_[np.full(40, -1.0), np.full(20, 1.0)]
    show.plot_log_ratio_histogram(ratios, ratios < 0, ax=ax)
    over, under = (sum(bar.get_height() for bar in container) for container in ax.containers)
    assert (over, under) == (40, 20)
    assert legend(ax)[0] == "label over-represented in the stream"


def test_spreads_are_in_the_order_of_what_labels_should_reach_and_show_their_means(ax):
    table = pd.DataFrame(
        {"label": ["a"] * 5 + ["b"] * 5, "kept": [0.9] * 5 + [0.1, 0.2, 0.3, 0.4, 0.5]}
    )
    wanted = pd.Series({"a": 1.0, "b": 0.2, "never": 0.5})
    show.plot_spread_by_label(table, "kept", targets=wanted, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "never", "b"]
    diamonds = [line.get_xdata() for line in ax.get_lines() if line.get_marker() == "D"]
    means = [places[0] for places in diamonds if len(places)]
    assert means == [pytest.approx(0.9), pytest.approx(0.3)]
    assert ax.get_lines()[-1].get_xdata().tolist() == [1.0, 0.5, 0.2]
    assert legend(ax)[-1] == "label oracle"


def test_spreads_without_targets_are_in_the_order_of_names(ax):
    items = pd.DataFrame({"label": ["b", "a", "a"], "words": [2, 1, 3]})
    show.plot_spread_by_label(items, "words", ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_the_bound_shows_what_it_buys_and_what_it_costs(ax):
    bounds = np.linspace(0, 2, 5)
    show.plot_bound_trade_off(bounds, np.exp(-bounds), 0.4 - bounds / 10, 1.3, ax=ax)
    assert legend(ax) == ["deception of what is kept", "pass rate"]
    assert list(ax.get_lines()[-1].get_xdata()) == [1.3, 1.3]
    right = next(other for other in ax.figure.axes if other is not ax)
    assert right.get_ylabel() == "pass rate"


def test_tokens_stand_in_reading_order_under_both_models(ax):
    show.plot_token_log_probs(["a", " $5", "end"], [-1.0, -2, -0.5], [-2.0, -1, -0.5], ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", r" \$5", "end"]
    general, real = ax.get_lines()
    assert list(general.get_ydata()) == [-1.0, -2, -0.5]
    assert list(real.get_ydata()) == [-2.0, -1, -0.5]


def test_the_captioners_progress_ends_in_its_last_accuracy(ax):
    history = pd.DataFrame(
        {
            "step": [10, 20, 30],
            "topic_accuracy": [0.5, 0.9, np.nan],
            "meaning_accuracy": [np.nan, 0.6, 0.855],
        }
    )
    show.plot_captioner_progress(history, things="sounds", ax=ax)
    assert texts(ax) == ["90.0%", "85.5%"]
    assert ax.get_ylabel() == "share of held-out sounds"


def test_a_confusion_writes_every_share_of_a_hundredth_or_more(ax):
    table = pd.DataFrame([[0.995, 0.005], [0.25, 0.75]], index=["a", "b"], columns=["a", "b"])
    show.plot_heat_map(table, number=".0%", least=0.01, ax=ax)
    assert sorted(filter(None, texts(ax))) == ["100%", "25%", "75%"]


def test_sentences_are_cards_with_their_label_and_no_formula():
    figure = show.plot_sentences(["It costs $5 and $6.", "word " * 90, "short"], ["a", "b", "c"])
    said = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert said[0] == "a"
    assert said[1] == r"It costs \$5 and \$6."
    assert said[3].count("\n") == 2
    assert said[3].endswith(" …")
    assert len(figure.axes) == 4
    plt.close(figure)


def test_error_bars_reach_down_and_up_and_never_the_other_way():
    intervals = pd.DataFrame({"low": [0.5, 1.02, np.nan], "high": [0.9, 1.05, np.nan]})
    reach = reach_of(np.array([0.8, 1.0, 0.7]), intervals)
    assert reach[:, 0] == pytest.approx([0.3, 0.1])
    assert reach[:, 1] == pytest.approx([0.0, 0.05])
    assert np.isnan(reach[:, 2]).all()
