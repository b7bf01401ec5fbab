"""Items, their captions and their tokens are drawn as they are, whatever they hold."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from semcal_utils import show
from semcal_utils.show.coin_stream import draw_coin_filter


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_wrong_captions_are_marked_without_relying_on_colour():
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 2
    figure = show.plot_captioned_items(pictures, ["a dog", "a cat"], right=[True, False])
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["a dog", "✗ a cat"]
    plt.close(figure)


def test_items_that_cannot_be_read_and_signs_without_a_shape_are_drawn_all_the_same():
    spectra = [np.zeros((4, 6)), None]
    figure = show.plot_captioned_items(
        spectra, ["a\x07dog\nmeant: $5", "The sound is silent."], sounds=True
    )
    said = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert said[0] == ["a�dog\nmeant: \\$5"]
    assert said[1] == ["The sound is silent.", "cannot be read"]
    figure.canvas.draw()
    plt.close(figure)


def test_a_long_caption_makes_its_own_row_higher_and_no_other():
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 4
    long = "\n".join(["one line"] * 5)
    short = show.plot_captioned_items(pictures, ["a"] * 4, columns=2)
    mixed = show.plot_captioned_items(pictures, ["a", "a", "a", long], columns=2)
    grown = mixed.get_figheight() - short.get_figheight()
    assert grown == pytest.approx(4 * 0.131)
    tops = [
        figure.get_figheight() * (1 - figure.axes[2].get_position().y1) for figure in (short, mixed)
    ]
    assert tops[0] == pytest.approx(tops[1])
    plt.close("all")


def test_sentences_are_cards_with_their_label_and_no_formula():
    figure = show.plot_sentences(["It costs $5 and $6.", "word " * 90, "short"], ["a", "b", "c"])
    said = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert said[0] == "a"
    assert said[1] == r"It costs \$5 and \$6."
    assert said[3].count("\n") == 2
    assert said[3].endswith(" …")
    assert len(figure.axes) == 4
    plt.close(figure)


def test_words_are_drawn_once_each_with_their_sum(ax):
    show.plot_token_contributions(
        [["a", "fire"], ["two", "$cows$"]], [[0.1, -2.0], [0.0, 0.5]], ax=ax
    )
    assert texts(ax) == ["a", "fire", "-1.90", "two", r"\$cows\$", "+0.50"]


def test_clipped_words_do_not_count_in_the_sum(ax):
    clipped = [[True, False]]
    show.plot_token_contributions([["a", "fire"]], [[0.1, -2.0]], clipped=clipped, ax=ax)
    assert texts(ax)[-1] == "-2.00"


def test_tokens_stand_in_reading_order_under_both_models(ax):
    show.plot_token_log_probs(["a", " $5", "end"], [-1.0, -2, -0.5], [-2.0, -1, -0.5], ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", r" \$5", "end"]
    general, real = ax.get_lines()
    assert list(general.get_ydata()) == [-1.0, -2, -0.5]
    assert list(real.get_ydata()) == [-2.0, -1, -0.5]


def test_a_coin_stream_shows_every_coin(ax):
    is_heads = np.array([True, True, False, True])
    accepted = np.array([True, False, True, False])
    show.plot_coin_stream(is_heads, accepted, columns=2, ax=ax)
    counts = [len(points.get_offsets()) for points in ax.collections]
    assert counts == [1, 2, 1, 0]


def test_the_coin_filter_states_its_pass_rate():
    drawing = draw_coin_filter(0.8, 0.5, 1.0, rng=np.random.default_rng(0))
    assert repr(drawing).startswith("bound M 2.50 (heads kept 25%, tails 100%), pass rate 40%")
    assert drawing.html.count("<circle") == 240 + 4
