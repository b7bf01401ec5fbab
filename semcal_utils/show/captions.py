"""What captions tell about labels: commonest doubts, and the stream that they forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above, percent


def plot_forecast_frequencies(
    labels: Sequence[str],
    general: NDArray[np.float64],
    real: NDArray[np.float64],
    kept: NDArray[np.float64],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw, label by label, the way from the stream to the kept stream, and the world it aims at.

    Args:
        labels: (K,) names.
        general: (K,) frequencies of the stream.
        real: (K,) frequencies of the world.
        kept: (K,) frequencies of the kept stream.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    order = np.argsort(real)
    places = np.arange(len(order))
    ax.hlines(places, general[order], kept[order], color="#CCCCCC", linewidth=2.5, zorder=1)
    for shares, colour, marker, size, name in (
        (general, COLOURS["general"], "o", 42, "stream G"),
        (real, COLOURS["real"], "|", 190, "world R"),
        (kept, COLOURS["filtered"], "o", 42, "kept, forecast"),
    ):
        width = 2.4 if marker == "|" else 0.8
        ax.scatter(
            shares[order], places, s=size, color=colour, marker=marker, linewidths=width, label=name
        )
    ax.set_yticks(places, [labels[place] for place in order])
    ax.set(xlabel="share of the labels", xlim=(0, None))
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    percent(ax, "x")
    legend_above(ax)
    return ax
