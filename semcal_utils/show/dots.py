"""Dots on rows: methods with their intervals, labels with what they should reach."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from semcal_utils.show.style import (
    COLOURS,
    Look,
    along_rows,
    colours_of,
    frame_or_new,
    legend_above,
    note_undefined,
    percent,
    plain,
)


def plot_dots_with_intervals(
    table: pd.DataFrame,
    row: str,
    side: str,
    *,
    ranked: bool = True,
    written: bool = False,
    colours: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw deception reductions as dots, a row per method or world, with the intervals they have.

    Args:
        table: Columns `row`, `side` and `reduction`, where known `low` and `high`, and `pass_rate`
            if it is to be written; several dots of one row and side (a dot per seed) get a tick at
            their mean.
        row: Column that names the rows.
        side: Column of what is told apart by colour, such as the recipe.
        ranked: Whether the row with the highest reduction stands on top; else the first row does.
        written: Whether reduction and pass rate are written at the right.
        colours: By side, from the lowest lane of a row to the highest.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 8.2, 4.8)
    best = table.groupby(row, sort=False)["reduction"].max()
    names = [*(best.sort_values(na_position="first") if ranked else best[::-1]).index]
    colours = colours or colours_of(table[side])
    for number, (name, colour) in enumerate(colours.items()):
        lane = 0.75 * ((number + 0.5) / len(colours) - 0.5)
        rows = table[table[side] == name].dropna(subset=["reduction"])
        y = np.array([names.index(one) for one in rows[row]]) + lane
        if rows.empty:
            continue
        if "low" in rows:
            ax.hlines(y, rows["low"], rows["high"], color=colour, linewidth=3, alpha=0.45)
        ax.plot(rows["reduction"], y, "o", color=colour, alpha=0.8, markersize=6, label=plain(name))
        if rows[row].duplicated().any():
            means = rows.groupby(row)["reduction"].mean()
            places = [names.index(one) + lane for one in means.index]
            ax.plot(means, places, "|", color=COLOURS["ink"], markersize=13, markeredgewidth=1.6)
        if written:
            for place, reduction, rate in zip(y, rows["reduction"], rows["pass_rate"], strict=True):
                ax.text(
                    1.015, place, f"{reduction:6.1%}, keeps {rate:.0%}", va="center", fontsize=8.5,
                    transform=ax.get_yaxis_transform(),
                )  # fmt: skip
    ax.set_yticks(range(len(names)), [plain(name) for name in names])
    ax.set_ylim(-0.6, len(names) - 0.4)
    told = ", 95 % interval" if "low" in table else ""
    ax.set(xlabel=f"deception reduction{told}", xlim=(None, 1.01))
    percent(along_rows(ax), "x")
    if not table["reduction"].notna().any():
        return note_undefined(ax, "undefined: nothing to reduce")
    legend_above(ax)
    return ax


def plot_dots_by_label(
    table: pd.DataFrame, target: str, colours: Mapping[str, str], *, ax: Axes | None = None
) -> Axes:
    """Draw numbers of each label as joined dots, beside a tick at what they should be.

    Args:
        table: A row per label; the column `target` and those that `colours` names.
        target: Column of the ticks; sets the order of labels.
        colours: By column, in the order of the legend.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 7.2, 4.0)
    table = table.sort_values(target)
    places = np.arange(len(table))
    drawn = table[[*colours]]
    ax.hlines(places, drawn.min(axis=1), drawn.max(axis=1), color="#CCCCCC", linewidth=2, zorder=1)
    for name, colour in colours.items():
        marker, size = ("|", 190) if name == target else ("o", 50)
        ax.scatter(table[name], places, size, colour, marker=marker, label=name, linewidths=2)
    ax.set_yticks(places, [plain(label) for label in table.index])
    ax.set_xlim(0, None)
    legend_above(along_rows(ax))
    return ax


def plot_spread_by_label(
    items: pd.DataFrame,
    value: str,
    *,
    targets: pd.Series | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the spread of a number within each label: middle half, 5 to 95 %, median and mean.

    Args:
        items: Columns `label` and `value`.
        value: Column of the number.
        targets: What each label's mean should be, drawn as ticks; sets the order of labels.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, height=4.2)
    ordered = sorted(items["label"].unique())
    if targets is not None:
        ordered = targets.sort_values(ascending=False).index
    mean = {"marker": "D", "markerfacecolor": COLOURS["real"], "markeredgecolor": "none"}
    sns.boxplot(
        items, x=value, y="label", order=ordered, whis=(5, 95), showfliers=False, width=0.5,
        color=COLOURS["filtered"], saturation=1, linecolor=COLOURS["ink"], linewidth=1.1,
        showmeans=True, meanprops={**mean, "markersize": 6}, ax=ax,
    )  # fmt: skip
    ax.plot([], [], "D", color=COLOURS["real"], markersize=6, label="mean (box: middle half)")
    if targets is not None:
        look: Look = {"color": COLOURS["ink"], "markersize": 17, "markeredgewidth": 2.4}
        ax.plot(targets[ordered], range(len(ordered)), "|", label="label oracle", **look)
    ax.set_yticks(range(len(ordered)), [plain(label) for label in ordered])
    ax.set(ylabel="")
    legend_above(along_rows(ax))
    return ax
