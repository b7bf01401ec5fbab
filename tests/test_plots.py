"""Every figure takes an ax, returns it, and shows the numbers it was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from semcal_utils import show


def heights(ax):
    return sorted(round(patch.get_height(), 6) for patch in ax.patches)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_label_bars_show_every_share_in_its_own_colour(ax):
    table = pd.DataFrame({"general": [0.8, 0.2], "real": [0.5, 0.5]}, index=["heads", "tails"])
    assert show.plot_label_bars(table, ax=ax) is ax
    assert heights(ax) == [0.2, 0.5, 0.5, 0.8]
    colours = {plt.matplotlib.colors.to_hex(patch.get_facecolor()).upper() for patch in ax.patches}
    assert colours == {show.COLOURS["general"].upper(), show.COLOURS["real"].upper()}


def test_a_heat_map_writes_shares_and_hatches_what_is_undefined(ax):
    table = pd.DataFrame({"mild": [0.97, np.nan]}, index=["pictures", "texts"])
    show.plot_heat_map(table, ax=ax)
    assert texts(ax) == ["97.0%", "undefined"]
    assert [patch.get_hatch() for patch in ax.patches] == ["////"]


def test_words_are_drawn_once_each_with_their_sum(ax):
    show.plot_token_contributions(
        [["a", "fire"], ["two", "$cows$"]], [[0.1, -2.0], [0.0, 0.5]], ax=ax
    )
    assert texts(ax) == ["a", "fire", "-1.90", "two", r"\$cows\$", "+0.50"]


def test_clipped_words_do_not_count_in_the_sum(ax):
    clipped = [[True, False]]
    show.plot_token_contributions([["a", "fire"]], [[0.1, -2.0]], clipped=clipped, ax=ax)
    assert texts(ax)[-1] == "-2.00"


def test_a_coin_stream_shows_every_coin(ax):
    is_heads = np.array([True, True, False, True])
    accepted = np.array([True, False, True, False])
    show.plot_coin_stream(is_heads, accepted, columns=2, ax=ax)
    counts = [len(points.get_offsets()) for points in ax.collections]
    assert counts == [1, 2, 1, 0]


def test_the_coin_filter_states_its_pass_rate():
    drawing = show.draw_coin_filter(0.8, 0.5, 1.0, rng=np.random.default_rng(0))
    assert repr(drawing).startswith("bound M 2.50 (heads kept 25%, tails 100%), pass rate 40%")
    assert drawing.html.count("<circle") == 240 + 4


def test_wrong_captions_are_marked_without_relying_on_colour():
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 2
    figure = show.plot_captioned_pictures(pictures, ["a dog", "a cat"], right=[True, False])
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["a dog", "✗ a cat"]
    plt.close(figure)


def test_items_that_cannot_be_read_and_signs_without_a_shape_are_drawn_all_the_same():
    spectra = [np.zeros((4, 6)), None]
    figure = show.plot_captioned_sounds(spectra, ["a\x07dog\nmeant: $5", "The sound is silent."])
    said = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert said[0] == ["a�dog\nmeant: \\$5"]
    assert said[1] == ["The sound is silent.", "cannot be read"]
    figure.canvas.draw()
    plt.close(figure)


def test_a_long_caption_makes_its_own_row_higher_and_no_other():
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 4
    long = "\n".join(["one line"] * 5)
    short = show.plot_captioned_pictures(pictures, ["a"] * 4, columns=2)
    mixed = show.plot_captioned_pictures(pictures, ["a", "a", "a", long], columns=2)
    grown = mixed.get_figheight() - short.get_figheight()
    assert grown == pytest.approx(4 * 0.131)
    tops = [
        figure.get_figheight() * (1 - figure.axes[2].get_position().y1) for figure in (short, mixed)
    ]
    assert tops[0] == pytest.approx(tops[1])
    plt.close("all")


def test_ranked_bars_stand_in_their_order_with_their_numbers(ax):
    moved = pd.Series({"$duck": 3.0, "fire": -40.0})
    show.plot_ranked_bars(moved, number="+,.0f", ax=ax)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [r"\$duck", "fire"]
    assert [round(bar.get_width()) for bar in ax.patches] == [3, -40]
    assert texts(ax) == ["+3", "-40"]
    assert ax.yaxis_inverted()


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


def test_the_lowest_perplexity_of_a_column_is_bold(ax):
    table = pd.DataFrame({"stream": [3.0, 4.0], "world": [5.0, 3.5]}, index=["general", "real"])
    show.plot_relative_table(table, ax=ax)
    bold = [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]
    assert bold == ["3.00", "3.50"]


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


def test_percent_axes_read_as_percentages(ax):
    show.percent(ax)
    assert ax.yaxis.get_major_formatter()(0.25) == "25%"
