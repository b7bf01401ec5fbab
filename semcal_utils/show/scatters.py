"""Histograms, and points that trade one number for another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from semcal_utils.show.style import (
    COLOURS,
    RECIPE_COLOURS,
    SERIES,
    Look,
    frame_or_new,
    legend_above,
    note_undefined,
    percent,
)


def plot_histograms(
    values: Mapping[str, np.ndarray],
    colours: Mapping[str, str],
    *,
    marked: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw histograms over one another, in the same bins.

    Args:
        values: Numbers by name, shape (n,) each.
        colours: By name.
        marked: Numbers to mark by name, such as a published one.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    marked = marked or {}
    everything = np.concatenate([*values.values()])
    low, high = np.quantile(everything, [0.002, 0.998])
    edges = np.linspace(min([low, *marked.values()]), max([high, *marked.values()]), 60).tolist()
    for name, numbers in values.items():
        colour = colours[name]
        look: Look = {"histtype": "stepfilled", "facecolor": (colour, 0.5), "edgecolor": colour}
        ax.hist(numbers, edges, label=name, **look)
    for (name, number), style in zip(marked.items(), ("-", ":", "--"), strict=False):
        ax.axvline(number, color=COLOURS["ink"], linestyle=style, linewidth=1.6, label=name)
    legend_above(ax, 3)
    return ax


def plot_auc_against_reduction(
    league: pd.DataFrame, paths: Mapping[str, pd.DataFrame], *, ax: Axes | None = None
) -> Axes:
    """Draw every method's AUC against its reduction, and two paths that part the two.

    Args:
        league: Rows of one world with `auc`, `reduction` and `form`.
        paths: By name, a table with `auc` and `reduction`, drawn as a line.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 7.4, 4.2)
    colours = (COLOURS["wrong"], COLOURS["right"])
    for colour, (name, path) in zip(colours, paths.items(), strict=False):
        ax.plot(path["auc"], path["reduction"], ".-", color=colour, linewidth=1.4, label=name)
    for form, colour in RECIPE_COLOURS.items():
        rows = league[league["form"] == form]
        ax.scatter(
            rows["auc"], rows["reduction"], 60, colour, edgecolor="white", label=f"league, {form}"
        )
    if not league["reduction"].notna().any():
        note_undefined(ax, "undefined: nothing to reduce")
    ax.set(xlabel="item-level AUC", ylabel="deception reduction", xlim=(0.48, 1.02))
    ax.set_ylim(-0.05, 1.06)
    percent(ax).legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def plot_cost_and_gain(results: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw deception reduction against pass rate, with a line to each label oracle.

    Args:
        results: Columns `dataset`, `world`, `deception reduction`, `low`, `high`, `pass rate`,
            `label oracle` and `oracle's pass rate`; rows without a reduction are left out.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 7.4, 3.9)
    shown = results.dropna(subset=["deception reduction"])
    for place, (dataset, rows) in enumerate(shown.groupby("dataset", sort=False)):
        colour = SERIES[place % len(SERIES)]
        x, y = rows["pass rate"], rows["deception reduction"]
        top_x, top_y = rows["oracle's pass rate"], rows["label oracle"]
        ax.vlines(x, rows["low"], rows["high"], color=colour, alpha=0.35, linewidth=3)
        ax.plot(np.array([x, top_x]), np.array([y, top_y]), color=colour, alpha=0.35, linewidth=1.2)
        ax.scatter(top_x, top_y, 46, facecolor="white", edgecolor=colour, zorder=3)
        ax.scatter(x, y, 46, color=colour, label=str(dataset), zorder=3)
    ax.scatter([], [], 46, facecolor="white", edgecolor=COLOURS["oracle"], label="label oracle")
    for world, rows in shown.groupby("world", sort=False):
        top = rows["oracle's pass rate"].mean(), rows["label oracle"].max()
        above: Look = {"xytext": (0, 10), "textcoords": "offset points", "ha": "center"}
        ax.annotate(str(world), top, **above, fontweight="bold", color=COLOURS["ink"])
    lost = 1 - float(shown[["deception reduction", "low"]].min().min()) if len(shown) else 1.0
    lowest, highest = 1 - 1.1 * max(lost, 0.005), 1 + 0.25 * max(lost, 0.005)
    ax.set(xlabel="pass rate", ylabel="deception reduction")
    ax.margins(x=0.12)
    ax.set_ylim(lowest, highest)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if lost > 0.05 else 1))
    # The names of the worlds stand above 100 %, where no reduction can be.
    ax.set_yticks([tick for tick in ax.get_yticks() if lowest <= tick <= 1 + 1e-9])
    legend_above(percent(ax, "x"))
    return ax
