"""The last page: the published animation beside a run of its shape, recipes against rivals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import COLOURS, RECIPE_COLOURS, frame_or_new, legend_above, percent


def plot_same_shape(
    drawn: Mapping[str, np.ndarray],
    published: float,
    floor: float,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw reductions of runs of one shape as densities, and the published one as a line.

    Args:
        drawn: By name, (repeats,) reductions; the one named `a perfect filter` is filled grey.
        published: The published reduction.
        floor: A perfect filter's mean reduction with so few items.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 8.4, 3.8)
    colours = RECIPE_COLOURS | {"a perfect filter": "#BBBBBB"}
    lowest = min(float(np.quantile(values, 0.001)) for values in drawn.values())
    edges = np.linspace(min(lowest, published) - 0.002, 1.0, 90).tolist()
    for name, values in drawn.items():
        colour = colours.get(name, COLOURS["right"])
        filled = name == "a perfect filter"
        ax.hist(
            values,
            edges,
            density=True,
            histtype="stepfilled" if filled else "step",
            color=colour,
            alpha=0.55 if filled else 1.0,
            linewidth=1.9,
            label=name,
        )
    ax.axvline(published, color=COLOURS["wrong"], linewidth=2)
    ax.annotate(
        f"published {published:.1%}",
        (published, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-6, 0),
        textcoords="offset points",
        ha="right",
        va="top",
        color=COLOURS["wrong"],
        fontweight="bold",
    )
    ax.axvline(floor, color=COLOURS["ink"], linestyle=":", linewidth=1.4)
    ax.set(xlabel="deception reduction with this many accepted items", ylabel="density")
    ax.set_yticks([])
    percent(ax, "x")
    legend_above(ax, 4)
    return ax


def plot_models_and_rivals(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the language models beside the best rival, per dataset and world.

    Args:
        table: Columns `dataset`, `world`, `side`, `reduction`, `low`, `high`.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 8.8, 3.8)
    if table.empty:
        ax.text(0.5, 0.5, "undefined here", transform=ax.transAxes, ha="center")
        return ax
    places = list(dict.fromkeys(zip(table["dataset"], table["world"], strict=True)))
    sides = list(dict.fromkeys(table["side"]))
    colours = [COLOURS["real"], COLOURS["general"], COLOURS["right"]]
    for number, (side, colour) in enumerate(zip(sides, colours, strict=False)):
        rows = table[table["side"] == side].set_index(["dataset", "world"])
        x = np.arange(len(places)) + (number - (len(sides) - 1) / 2) * 0.22
        found = rows.reindex(pd.MultiIndex.from_tuples(places))
        ax.vlines(x, found["low"], found["high"], color=colour, linewidth=3, alpha=0.45)
        ax.plot(x, found["reduction"], "o", color=colour, markersize=7, label=side)
    ax.set_xticks(
        range(len(places)), [f"{world}\n{dataset}" for dataset, world in places], fontsize=8.5
    )
    ax.set(ylabel="deception reduction", xlim=(-0.6, len(places) - 0.4))
    ax.set_ylim(None, 1.015)
    percent(ax)
    legend_above(ax, 3)
    return ax
