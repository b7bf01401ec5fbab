"""What captions tell about labels: commonest doubts, and the stream that they forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above, percent


def plot_doubts(doubts: pd.Series, *, ax: Axes | None = None) -> Axes:
    """Draw the commonest doubts of a confusion of captions as bars, the commonest on top.

    Args:
        doubts: Shares T_kj indexed by pairs (true label, label read), largest first.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    places = range(len(doubts))
    ax.barh(places, doubts, height=0.62, color=COLOURS["filtered"])
    ax.set_yticks(places, [f"{true} → {read}" for true, read in doubts.index])
    ax.invert_yaxis()
    for place, share in zip(places, doubts, strict=True):
        ax.text(share, place, f" {share:.1%}", va="center", fontsize=8.5, color=COLOURS["ink"])
    ax.set(xlim=(0, 1.22 * float(doubts.max())), xlabel="share of the true label's weight")
    ax.xaxis.set_visible(False)
    ax.spines["bottom"].set_visible(False)
    ax.grid(visible=False)
    return ax


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


def plot_forecast_reduction(forecast: pd.Series, *, ax: Axes | None = None) -> Axes:
    """Draw the forecast deception reduction of every world under the label oracle's 100 %.

    Args:
        forecast: Reductions by world; 1 is perfect.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 4.0, 3.6)
    places = range(len(forecast))
    ax.bar(places, forecast, width=0.58, color=COLOURS["filtered"])
    ax.axhline(1, color=COLOURS["oracle"], linewidth=1.2)
    for place, share in zip(places, forecast, strict=True):
        inside = share > 0.12
        ax.text(
            place,
            share - 0.03 if inside else max(share, 0) + 0.02,
            f"{share:.1%}",
            ha="center",
            va="top" if inside else "bottom",
            fontweight="bold",
        )
    ax.text(len(forecast) - 0.5, 1.015, "label oracle", ha="right", va="bottom", fontsize=9)
    ax.set_xticks(places, forecast.index)
    ax.set(ylabel="forecast deception reduction", ylim=(min(0.0, 1.1 * forecast.min()), 1.09))
    return percent(ax)
