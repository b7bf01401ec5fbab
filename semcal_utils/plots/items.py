"""What the stream is made of: pictures with captions, sentences, sounds."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semcal_utils.plots.style import COLOURS, frame_or_new


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
        pictures: PIL images or arrays (height, width, 3).
        captions: One per picture; shown as plain text.
        columns: Pictures per line.
        right: Where given, captions of wrong ones are red and marked ✗.
        width: Of the figure, in inches.
    """
    figure, frames = _captioned_frames(captions, right, columns, width, ratio=1.0)
    for ax, picture in zip(frames, pictures, strict=True):
        ax.imshow(np.asarray(picture), interpolation="lanczos")
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
        spectra: Arrays (bands, frames) in dB, lowest band first.
        captions: One per sound; shown as plain text.
        columns: Sounds per line.
        right: Where given, captions of wrong ones are red and marked ✗.
        width: Of the figure, in inches.
    """
    figure, frames = _captioned_frames(captions, right, columns, width, ratio=0.5)
    for ax, spectrum in zip(frames, spectra, strict=True):
        ax.imshow(np.asarray(spectrum), origin="lower", aspect="auto", cmap="magma")
    return figure


def _captioned_frames(
    captions: Sequence[str], right: Sequence[bool] | None, columns: int, width: float, ratio: float
) -> tuple[Figure, list[Axes]]:
    """Lay out frames of one shape (height = ratio · width) with a caption under each."""
    rows = -(-len(captions) // columns)
    side, caption_height = width / columns, 0.52
    height = rows * (side * ratio + caption_height)
    letters = round(side * 16.5)
    figure = plt.figure(figsize=(width, height))
    frames = []
    for number, caption in enumerate(captions):
        row, column = divmod(number, columns)
        top = 1 - row * (side * ratio + caption_height) / height
        pad = 0.03 * side
        frame = (
            (column * side + pad) / width,
            top - (side * ratio - pad) / height,
            (side - 2 * pad) / width,
            (side * ratio - 2 * pad) / height,
        )
        ax = figure.add_axes(frame)
        ax.set_axis_off()
        is_wrong = right is not None and not right[number]
        text = ("✗ " if is_wrong else "") + caption.replace("$", r"\$")
        ax.text(
            0.5,
            -0.04,
            textwrap.fill(text, letters),
            transform=ax.transAxes,
            ha="center",
            va="top",
            fontsize=7.8,
            color=COLOURS["wrong"] if is_wrong else COLOURS["ink"],
            linespacing=1.05,
        )
        frames.append(ax)
    return figure, frames


def plot_sentence_lengths(items: pd.DataFrame, *, ax: Any = None) -> Any:
    """Draw how many words the captions of each label have.

    Args:
        items: Columns `label` and `caption`.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    words = items["caption"].str.split().str.len()
    longest = int(words.quantile(0.995))
    labels = sorted(items["label"].unique())
    data = [words[items["label"] == label].clip(upper=longest) for label in labels]
    ax.boxplot(
        data,
        vert=False,
        widths=0.55,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "#F6DFA4", "edgecolor": COLOURS["general"]},
        medianprops={"color": COLOURS["ink"], "linewidth": 1.6},
        whiskerprops={"color": COLOURS["general"]},
        capprops={"color": COLOURS["general"]},
        tick_labels=labels,
    )
    ax.set(xlabel="words in a caption")
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    return ax


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
