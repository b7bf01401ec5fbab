"""What the stream is made of: pictures with captions, sentences, sounds."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
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
        right: Where given, captions are green when right and marked ✗ when wrong.
        width: Of the figure, in inches.
    """
    rows = -(-len(pictures) // columns)
    side = width / columns
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, rows * (side + 0.42)), layout="constrained", squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for number, (ax, picture, caption) in enumerate(
        zip(axes.flat, pictures, captions, strict=False)
    ):
        ax.imshow(np.asarray(picture), interpolation="lanczos")
        text = textwrap.fill(caption.replace("$", r"\$"), 24)
        colour = COLOURS["ink"]
        if right is not None:
            colour = COLOURS["right"] if right[number] else COLOURS["wrong"]
            text = text if right[number] else f"✗ {text}"
        ax.text(
            0.5,
            -0.04,
            text,
            transform=ax.transAxes,
            ha="center",
            va="top",
            fontsize=8,
            color=colour,
        )
    figure.set_layout_engine("constrained", hspace=0.16, h_pad=0.16)
    return figure


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
    figure, axes = plt.subplots(rows, columns, figsize=(8.6, 0.72 * rows), squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.99, bottom=0.01, wspace=0.04, hspace=0.06)
    for ax in axes.flat:
        ax.set_axis_off()
        ax.set(xlim=(0, 1), ylim=(0, 1))
    for ax, (label, lines) in zip(axes.flat, cards, strict=False):
        ax.text(0, 0.96, label, fontsize=8.5, fontweight="bold", color=COLOURS["real"], va="top")
        ax.text(0, 0.70, "\n".join(lines), fontsize=8.5, color=COLOURS["ink"], va="top")
    return figure
