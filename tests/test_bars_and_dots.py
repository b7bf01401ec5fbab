"""Bars, dots and tables show the numbers they were given, and say what is undefined."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from semcal_utils import show
from semcal_utils.show.style import reach_of


def texts(ax):
    return [text.get_text() for text in ax.texts]


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def test_label_bars_show_every_share_in_its_own_colour(ax):
    table = pd.DataFrame({"general": [0.8, 0.2], "real": [0.5, 0.5]}, index=["heads", "tails"])
    assert show.plot_label_bars(table, ax=ax) is ax
    assert sorted(patch.get_height() for patch in ax.patches) == [0.2, 0.5, 0.5, 0.8]
    colours = {plt.matplotlib.colors.to_hex(patch.get_facecolor()).upper() for patch in ax.patches}
    assert colours == {show.COLOURS["general"].upper(), show.COLOURS["real"].upper()}


def test_ranked_bars_stand_in_their_order_with_their_numbers(ax):
    moved = pd.Series({"$duck": 3.0, "fire": -40.0})
    show.plot_ranked_bars(moved, number="+,.0f", ax=ax)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [r"\$duck", "fire"]
    assert [round(bar.get_width()) for bar in ax.patches] == [3, -40]
    assert texts(ax) == ["+3", "-40"]
    assert ax.yaxis_inverted()


COMPARISON = pd.DataFrame(
    {
        "world": ["baseline", "baseline", "severe", "severe"],
        "recipe": ["paper", "label_matched", "paper", "label_matched"],
        "reduction": [np.nan, np.nan, 0.8, 0.99],
        "low": [np.nan, np.nan, 0.7, 0.98],
        "high": [np.nan, np.nan, 0.9, 1.0],
        "pass rate": [0.5, 0.95, 0.3, 0.25],
        "kl": [0.001, 0.0, 0.2, 0.01],
        "kl low": [0.0, 0.0, 0.1, 0.0],
        "kl high": [0.004, 0.001, 0.3, 0.02],
        "noise band": [0.004, 0.004, 0.01, 0.012],
    }
)


def test_recipes_write_reduction_and_pass_rate_and_say_what_is_undefined(ax):
    reach = pd.DataFrame(
        {"label oracle": [np.nan, 1.0], "forecast": [np.nan, 0.7]}, index=["baseline", "severe"]
    )
    assert show.plot_recipes(COMPARISON, oracles=reach, ax=ax) is ax
    written = texts(ax)
    assert "99.0%\npass 25%" in written
    assert "80.0%\npass 30%" in written
    assert written.count("undefined") == 2
    assert "pass 95%" in written
    assert {"paper", "label_matched", "label oracle", "forecast"} == set(labels(ax))


def test_a_recipe_that_harms_has_room_below_zero(ax):
    harmful = COMPARISON.assign(reduction=-0.4, low=-0.6, high=-0.2)
    show.plot_recipes(harmful, ax=ax)
    assert ax.get_ylim()[0] <= -0.6


def test_kept_divergences_stand_over_the_noise_of_a_perfect_filter(ax):
    show.plot_kept_divergence(COMPARISON, ax=ax)
    bands = [round(patch.get_height(), 6) for patch in ax.patches[:4]]
    assert bands == [0.004, 0.01, 0.004, 0.012]
    points = np.concatenate([line.get_ydata() for line in ax.lines])
    assert 0.2 in points
    assert ax.get_yscale() == "log"


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


def test_error_bars_reach_down_and_up_and_never_the_other_way():
    intervals = pd.DataFrame({"low": [0.5, 1.02, np.nan], "high": [0.9, 1.05, np.nan]})
    reach = reach_of(np.array([0.8, 1.0, 0.7]), intervals)
    assert reach[:, 0] == pytest.approx([0.3, 0.1])
    assert reach[:, 1] == pytest.approx([0.0, 0.05])
    assert np.isnan(reach[:, 2]).all()


def test_dots_of_each_label_stand_beside_the_tick_that_orders_them(ax):
    table = pd.DataFrame(
        {"stream": [0.5, 0.5], "world": [0.9, 0.1], "kept": [0.8, 0.2]}, index=["$fire", "food"]
    )
    colours = {"stream": "orange", "world": "blue", "kept": "cyan"}
    show.plot_dots_by_label(table, "world", colours, ax=ax)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["food", r"\$fire"]
    joined, *dots = ax.collections
    drawn = {each.get_label(): each.get_offsets()[:, 0].tolist() for each in dots}
    assert drawn == {"stream": [0.5, 0.5], "world": [0.1, 0.9], "kept": [0.2, 0.8]}
    ends = [segment[:, 0].tolist() for segment in joined.get_segments()]
    assert ends == [[0.1, 0.5], [0.5, 0.9]]


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
    assert labels(ax)[-1] == "label oracle"


def test_spreads_without_targets_are_in_the_order_of_names(ax):
    items = pd.DataFrame({"label": ["b", "a", "a"], "words": [2, 1, 3]})
    show.plot_spread_by_label(items, "words", ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


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


def test_a_heat_map_writes_shares_and_hatches_what_is_undefined(ax):
    table = pd.DataFrame({"mild": [0.97, np.nan]}, index=["pictures", "texts"])
    show.plot_heat_map(table, ax=ax)
    assert texts(ax) == ["97.0%", "undefined"]
    assert [patch.get_hatch() for patch in ax.patches] == ["////"]


def test_a_confusion_writes_every_share_of_a_hundredth_or_more(ax):
    table = pd.DataFrame([[0.995, 0.005], [0.25, 0.75]], index=["a", "b"], columns=["a", "b"])
    show.plot_heat_map(table, number=".0%", least=0.01, ax=ax)
    assert sorted(filter(None, texts(ax))) == ["100%", "25%", "75%"]


def test_the_lowest_perplexity_of_a_column_is_bold(ax):
    table = pd.DataFrame({"stream": [3.0, 4.0], "world": [5.0, 3.5]}, index=["general", "real"])
    show.plot_relative_table(table, ax=ax)
    bold = [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]
    assert bold == ["3.00", "3.50"]
