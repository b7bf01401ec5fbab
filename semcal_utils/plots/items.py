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
    figure.get_layout_engine().set(hspace=0.16, h_pad=0.16)  # type: ignore[union-attr]
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
