"""Which starting point of the real model removes more of the deception."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from semcal_utils.show.style import COLOURS, frame_or_new, percent

STARTS = {"general": "from the general model", "scratch": "from fresh weights"}


def plot_starts(table: pd.DataFrame, *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw one pair of points per world: the reduction by either start, and what lies between.

    Args:
        table: Index: worlds. Columns `general` and `scratch`: deception reductions.
        ax: Frame to draw in.
        legend: Whether to show one.
    """
    ax = frame_or_new(ax)
    places = np.arange(len(table))
    ax.vlines(
        places,
        table.min(axis=1),
        table.max(axis=1),
        color=COLOURS["rejected"],
        linewidth=2,
        zorder=1,
    )
    for start, colour, face in (
        ("general", COLOURS["general"], COLOURS["general"]),
        ("scratch", COLOURS["ink"], "white"),
    ):
        ax.scatter(
            places,
            table[start],
            s=70,
            color=face,
            edgecolor=colour,
            linewidth=1.8,
            label=STARTS[start],
            zorder=2,
        )
        others = table["scratch" if start == "general" else "general"]
        for place, value, other in zip(places, table[start], others, strict=True):
            ax.annotate(
                f"{value:.1%}",
                (place, value),
                (9, 0 if abs(value - other) > 0.03 else (6 if value >= other else -6)),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=COLOURS["ink"],
            )
    ax.set_xticks(places, table.index)
    ax.set_xlim(-0.4, len(places) - 0.35)
    low = min(0.9, float(table.min().min()))
    ax.set_ylim(low - 0.12 * (1.02 - low), 1.02)
    ax.set_ylabel("deception reduction")
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    percent(ax)
    if legend:
        ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.13), ncols=2)
    return ax
