"""How far the kept stream is from the world: convergence, trade-offs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above, percent


def plot_cost_and_gain(results: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw deception reduction against pass rate, with a line to each label oracle.

    Args:
        results: Columns `dataset`, `world`, `deception reduction`, `low`, `high`, `pass rate`,
            `label oracle` and `oracle's pass rate`; rows without a reduction are left out.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 7.4, 3.9)
    colours = [COLOURS["real"], COLOURS["general"], COLOURS["right"], COLOURS["wrong"]]
    shown = results.dropna(subset=["deception reduction"])
    for place, (dataset, rows) in enumerate(shown.groupby("dataset", sort=False)):
        colour = colours[place % len(colours)]
        x, y = rows["pass rate"], rows["deception reduction"]
        top_x, top_y = rows["oracle's pass rate"], rows["label oracle"]
        ax.vlines(x, rows["low"], rows["high"], color=colour, alpha=0.35, linewidth=3)
        ax.plot(np.array([x, top_x]), np.array([y, top_y]), color=colour, alpha=0.35, linewidth=1.2)
        ax.scatter(top_x, top_y, 46, facecolor="white", edgecolor=colour, zorder=3)
        ax.scatter(x, y, 46, color=colour, label=str(dataset), zorder=3)
    ax.scatter([], [], 46, facecolor="white", edgecolor=COLOURS["oracle"], label="label oracle")
    for world, rows in shown.groupby("world", sort=False):
        ax.annotate(
            str(world),
            (rows["oracle's pass rate"].mean(), rows["label oracle"].max()),
            xytext=(0, 10),
            textcoords="offset points",
            ha="center",
            fontweight="bold",
            color=COLOURS["ink"],
        )
    lost = 1 - float(shown[["deception reduction", "low"]].min().min()) if len(shown) else 1.0
    lowest, highest = 1 - 1.1 * max(lost, 0.005), 1 + 0.25 * max(lost, 0.005)
    ax.set(xlabel="pass rate", ylabel="deception reduction")
    ax.margins(x=0.12)
    ax.set_ylim(lowest, highest)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if lost > 0.05 else 1))
    # The names of the worlds stand above 100 %, where no reduction can be.
    ax.set_yticks([tick for tick in ax.get_yticks() if lowest <= tick <= 1 + 1e-9])
    percent(ax, "x")
    legend_above(ax)
    return ax
