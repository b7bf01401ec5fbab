"""The last page: the published animation beside a run of its shape, recipes against rivals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
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
