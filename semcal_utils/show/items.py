"""What the stream is made of: pictures and sounds with captions, sentences, words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from semcal_utils.show.style import (
    COLOURS,
    DIVERGING,
    Look,
    frame_or_new,
    legend_above,
    note_undefined,
    plain,
    readable_on,
)


def plot_captioned_items(
    items: Sequence[Any],
    captions: Sequence[str],
    *,
    sounds: bool = False,
    columns: int | None = None,
    right: Sequence[bool] | None = None,
    width: float = 8.0,
) -> Figure:
    """Draw pictures, or sounds as their spectra, in a grid, each over its caption.

    Args:
        items: PIL images or arrays (height, width, 3) of pictures; log-mel spectra (bands, frames)
            of sounds in dB, lowest band first; None where one cannot be read.
        captions: One per item, of one or more lines; shown as plain text.
        sounds: Whether the items are sounds.
        columns: Items per line; 6 pictures or 4 sounds if omitted.
        right: Where given, captions of wrong ones are red and marked ✗.
        width: Of the figure, in inches.
    """
    columns = columns or (4 if sounds else 6)
    ratio = 0.5 if sounds else 1.0
    figure, frames = _captioned_frames(captions, right, columns, width, ratio)
    for ax, item in zip(frames, items, strict=True):
        if item is None:
            ax.set(xlim=(0, 1), ylim=(0, 1))
            ax.add_patch(Rectangle((0, 0), 1, 1, facecolor="#EEEEEE"))
            note_undefined(ax, "cannot be read")
        elif sounds:
            ax.imshow(np.asarray(item), origin="lower", aspect="auto", cmap="magma")
        else:
            # Small pictures are enlarged smoothly; their proportions are kept inside the frame.
            pixels = np.asarray(item)
            smooth = "lanczos" if max(pixels.shape[:2]) > 8 else "nearest"
            ax.imshow(pixels, interpolation=smooth)
    return figure


def _captioned_frames(
    captions: Sequence[str], right: Sequence[bool] | None, columns: int, width: float, ratio: float
) -> tuple[Figure, list[Axes]]:
    """Lay out frames of one shape (height = ratio · width) with a caption under each."""
    side, pad = width / columns, 0.03 * width / columns
    wrong = [not ok for ok in right] if right is not None else [False] * len(captions)
    texts = [
        _wrapped(f"✗ {caption}" if missed else caption, round(side * 16.5))
        for caption, missed in zip(captions, wrong, strict=True)
    ]
    # A row is as high as its longest caption needs.
    lines = [text.count("\n") + 1 for text in texts]
    heights = [
        side * ratio + 0.13 + 0.131 * max(lines[start : start + columns])
        for start in range(0, len(texts), columns)
    ]
    height = sum(heights)
    figure = plt.figure(figsize=(width, height))
    frames = []
    for number, (text, missed) in enumerate(zip(texts, wrong, strict=True)):
        row, column = divmod(number, columns)
        bottom = height - sum(heights[:row]) - side * ratio + pad
        size = (side - 2 * pad) / width, (side * ratio - 2 * pad) / height
        ax = figure.add_axes(((column * side + pad) / width, bottom / height, *size))
        ax.set_axis_off()
        look = {"ha": "center", "va": "top", "fontsize": 7.8, "linespacing": 1.05}
        colour = COLOURS["wrong" if missed else "ink"]
        ax.text(0.5, -0.04, text, transform=ax.transAxes, color=colour, **look)
        frames.append(ax)
    return figure, frames


def _wrapped(text: str, letters: int, most: int = 4) -> str:
    """Wrap every line of a text, each to at most a few lines, so that captions stay captions."""
    # Captions may hold anything; control characters have no shape to draw.
    shown = "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in text)
    return "\n".join(
        "\n".join(textwrap.wrap(line, letters, max_lines=most, placeholder=" …"))
        for line in plain(shown).split("\n")
    )


def plot_sentences(sentences: Sequence[str], labels: Sequence[str]) -> Figure:
    """Draw sentences as a page of cards, each under the name of its label.

    Args:
        sentences: Plain text; long ones are wrapped.
        labels: One per sentence.
    """
    columns, width = 2, 62
    cards = [
        (label, textwrap.wrap(plain(sentence), width, max_lines=3, placeholder=" …"))
        for sentence, label in zip(sentences, labels, strict=True)
    ]
    rows = -(-len(cards) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(8.6, 0.6 * rows), squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.99, bottom=0.01, wspace=0.04, hspace=0.06)
    for ax in axes.flat:
        ax.set_axis_off()
        ax.set(xlim=(0, 1), ylim=(0, 1))
    for ax, (label, lines) in zip(axes.flat, cards, strict=False):
        ax.text(0, 0.96, label, fontsize=8.5, fontweight="bold", color=COLOURS["real"], va="top")
        ax.text(0, 0.70, "\n".join(lines), fontsize=8.5, color=COLOURS["ink"], va="top")
    return figure


def plot_token_contributions(
    tokens: Sequence[Sequence[str]],
    contributions: Sequence[Sequence[float]],
    *,
    clipped: Sequence[Sequence[bool]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw captions as rows of coloured words: blue speaks for the world, orange for the stream.

    Args:
        tokens: Per caption, its pieces as readable text.
        contributions: Per caption, log R − log G of each piece, in nats.
        clipped: Per caption, whether a piece was left out of the ratio (drawn faint).
        ax: Frame to draw in.
    """
    rows = len(tokens)
    ax = frame_or_new(ax, 8.0, 0.42 * rows + 0.7)
    scale = max(float(np.quantile(np.abs(np.concatenate([*contributions])), 0.98)), 1e-9)
    ax.figure.canvas.draw()
    renderer = ax.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    ax.set(xlim=(0, 1), ylim=(-rows + 0.4, 0.6))
    ax.set_axis_off()
    for row, (pieces, values) in enumerate(zip(tokens, contributions, strict=True)):
        faint = [False] * len(pieces) if clipped is None else clipped[row]
        x = 0.0
        for piece, value, is_faint in zip(pieces, values, faint, strict=True):
            if x > 0.9:
                ax.text(x, -row, "…", fontsize=9.2, va="center")
                break
            colour = DIVERGING(0.5 + 0.5 * float(np.clip(value / scale, -1, 1)))
            text = ax.text(
                x, -row, plain(piece), fontsize=9.2, va="center", alpha=0.65 if is_faint else 1.0,
                color=COLOURS["quiet"] if is_faint else readable_on(colour),
                bbox={
                    "boxstyle": "round,pad=0.22", "facecolor": "white" if is_faint else colour,
                    "edgecolor": "#D9D9D9", "linewidth": 0.6,
                },
            )  # fmt: skip
            box = text.get_window_extent(renderer).transformed(ax.transData.inverted())
            x = box.x1 + 0.014
        total = sum(value for value, is_faint in zip(values, faint, strict=True) if not is_faint)
        at_the_right: Look = {"ha": "right", "va": "center", "fontsize": 9.5, "fontweight": "bold"}
        ax.text(1.0, -row, f"{total:+.2f}", **at_the_right)
    return ax


def plot_token_log_probs(
    tokens: Sequence[str],
    log_prob_general: Sequence[float],
    log_prob_real: Sequence[float],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw each token's log-probability under both models, joined by a line.

    Args:
        tokens: Readable pieces, in reading order.
        log_prob_general: Nats, one per token.
        log_prob_real: Nats, one per token.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    places = np.arange(len(tokens))
    ax.vlines(places, log_prob_general, log_prob_real, color="#BBBBBB", linewidth=2)
    ax.plot(places, log_prob_general, "o", color=COLOURS["general"], label="general", markersize=8)
    ax.plot(places, log_prob_real, "o", color=COLOURS["real"], label="real", markersize=6)
    names = [plain(token) for token in tokens]
    ax.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set(ylabel="log p(token), nats")
    ax.set_ylim(None, 0.25)
    legend_above(ax)
    return ax
