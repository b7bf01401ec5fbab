"""What the stream is made of: pictures with captions, sentences, sounds."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from semcal_utils.show.style import COLOURS


def plot_captioned_pictures(
    pictures: Sequence[Any],
    captions: Sequence[str],
    *,
    columns: int = 6,
    right: Sequence[bool] | None = None,
    width: float = 8.0,
) -> Figure:
    """Draw pictures in a grid, each over its caption.

    Args:
        pictures: PIL images or arrays (height, width, 3); None where one cannot be read.
        captions: One per picture, of one or more lines; shown as plain text.
        columns: Pictures per line.
        right: Where given, captions of wrong ones are red and marked ✗.
        width: Of the figure, in inches.
    """
    figure, frames = _captioned_frames(captions, right, columns, width, ratio=1.0)
    for ax, picture in zip(frames, pictures, strict=True):
        if picture is None:
            _draw_unreadable(ax)
            continue
        pixels = np.asarray(picture)
        # Small pictures are enlarged smoothly; their proportions are kept inside the frame.
        ax.imshow(pixels, interpolation="lanczos" if max(pixels.shape[:2]) > 8 else "nearest")
    return figure


def plot_captioned_sounds(
    spectra: Sequence[np.ndarray],
    captions: Sequence[str],
    *,
    columns: int = 4,
    right: Sequence[bool] | None = None,
    width: float = 8.0,
) -> Figure:
    """Draw sounds as log-mel spectra (time across, pitch up), each over its caption.

    Args:
        spectra: Arrays (bands, frames) in dB, lowest band first; None where one cannot be read.
        captions: One per sound, of one or more lines; shown as plain text.
        columns: Sounds per line.
        right: Where given, captions of wrong ones are red and marked ✗.
        width: Of the figure, in inches.
    """
    figure, frames = _captioned_frames(captions, right, columns, width, ratio=0.5)
    for ax, spectrum in zip(frames, spectra, strict=True):
        if spectrum is None:
            _draw_unreadable(ax)
        else:
            ax.imshow(np.asarray(spectrum), origin="lower", aspect="auto", cmap="magma")
    return figure


def _draw_unreadable(ax: Axes) -> None:
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.add_patch(Rectangle((0, 0), 1, 1, facecolor="#EEEEEE"))
    ax.text(0.5, 0.5, "cannot be read", ha="center", va="center", color=COLOURS["quiet"])


def _captioned_frames(
    captions: Sequence[str], right: Sequence[bool] | None, columns: int, width: float, ratio: float
) -> tuple[Figure, list[Axes]]:
    """Lay out frames of one shape (height = ratio · width) with a caption under each."""
    side = width / columns
    marks = ["" if right is None or ok else "✗ " for ok in right or [True] * len(captions)]
    texts = [
        _wrapped(mark + caption, round(side * 16.5))
        for mark, caption in zip(marks, captions, strict=True)
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
    for number, text in enumerate(texts):
        row, column = divmod(number, columns)
        top = 1 - sum(heights[:row]) / height
        pad = 0.03 * side
        frame = (
            (column * side + pad) / width,
            top - (side * ratio - pad) / height,
            (side - 2 * pad) / width,
            (side * ratio - 2 * pad) / height,
        )
        ax = figure.add_axes(frame)
        ax.set_axis_off()
        ax.text(
            0.5,
            -0.04,
            text,
            transform=ax.transAxes,
            ha="center",
            va="top",
            fontsize=7.8,
            color=COLOURS["wrong"] if marks[number] else COLOURS["ink"],
            linespacing=1.05,
        )
        frames.append(ax)
    return figure, frames


def _wrapped(text: str, letters: int, most: int = 4) -> str:
    """Wrap every line of a text, each to at most a few lines, so that captions stay captions."""
    # Captions may hold anything; control characters have no shape to draw.
    shown = "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in text)
    return "\n".join(
        "\n".join(textwrap.wrap(line, letters, max_lines=most, placeholder=" …"))
        for line in shown.replace("$", r"\$").split("\n")
    )


def plot_sentences(sentences: Sequence[str], labels: Sequence[str]) -> Figure:
    """Draw sentences as a page of cards, each under the name of its label.

    Args:
        sentences: Plain text; long ones are wrapped.
        labels: One per sentence.
    """
    columns, width = 2, 62
    cards = [
        (label, textwrap.wrap(sentence.replace("$", r"\$"), width, max_lines=3, placeholder=" …"))
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
