"""Tables as pictures: the darker a cell, the larger its share."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from semcal_utils.show.style import COLOURS, SEQUENTIAL, Look, frame_or_new, plain


def plot_heat_map(
    table: pd.DataFrame,
    *,
    written: pd.DataFrame | None = None,
    number: str = ".1%",
    least: float = -np.inf,
    ax: Axes | None = None,
) -> Axes:
    """Draw a table of shares as a heat map; undefined cells are hatched and say so.

    Args:
        table: Shares of 1; nan where undefined.
        written: Texts of the cells, of the table's shape; the shares themselves if omitted.
        number: How shares are written.
        least: Smaller shares are coloured but not written.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 7.0, 0.75 * len(table) + 1.3)
    if written is None:
        written = table.map(lambda share: f"{share:{number}}" if share >= least else "")
    sns.heatmap(
        table.rename(index=plain, columns=plain).astype(float), vmin=0, vmax=1, cmap=SEQUENTIAL,
        mask=table.isna(), annot=written, fmt="", cbar=False, ax=ax,
        annot_kws={"fontsize": 11 if len(table) <= 6 else 8.5},
    )  # fmt: skip
    for row, column in np.argwhere(table.isna().to_numpy()):
        # A number here would claim what nobody measured.
        hatched: Look = {"facecolor": "#F4F4F4", "edgecolor": "#DDDDDD", "hatch": "////"}
        ax.add_patch(Rectangle((column, row), 1, 1, **hatched))
        ax.text(
            column + 0.5, row + 0.5, "undefined", ha="center", va="center", fontsize=9.5,
            color=COLOURS["quiet"],
        )  # fmt: skip
    if table.shape[1] > 6:
        plt.setp(ax.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
    ax.tick_params(axis="y", labelrotation=0)
    ax.set(xlabel="", ylabel="")
    return ax


def plot_relative_table(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a table of positive numbers, each column coloured relative to its lowest.

    Args:
        table: Numbers where less is better, such as perplexities; the lowest are bold.
        ax: Frame to draw in.
    """
    excess = table / table.min() - 1
    scale = max(float(np.median(excess.to_numpy()[excess.to_numpy() > 0])), 1e-9)
    shade = 0.75 * np.exp(-excess / scale)
    ax = plot_heat_map(shade, written=table.map("{:.2f}".format), ax=ax or frame_or_new(None, 6.4))
    for text, is_lowest in zip(ax.texts, (excess == 0).to_numpy().ravel(), strict=True):
        text.set_fontweight("bold" if is_lowest else "normal")
    return ax
