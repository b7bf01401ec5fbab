"""Palette, type and frames shared by every figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

Look = dict[str, Any]
"""How matplotlib or a browser is to draw something: options by name."""

COLOURS = {
    "general": "#E69F00",
    "real": "#0072B2",
    "filtered": "#56B4E9",
    "rejected": "#999999",
    "oracle": "#333333",
    "ink": "#222222",
    "quiet": "#767676",
    "wrong": "#D55E00",
    "right": "#009E73",
}
RECIPE_COLOURS = {
    "paper": COLOURS["rejected"],
    "item_calibrated": COLOURS["filtered"],
    "label_matched": COLOURS["real"],
}
SERIES = tuple(COLOURS[n] for n in ("real", "general", "right", "wrong", "filtered", "oracle"))
"""For lines that have no colour of their own."""

KEPT_SERIES = (COLOURS["filtered"], COLOURS["real"], COLOURS["right"])
"""For kept streams that no recipe names."""

# Blue speaks for the world, orange for the stream; white is neither.
DIVERGING = LinearSegmentedColormap.from_list(
    "stream_world", ["#B35806", "#F1A340", "#FEE0B6", "#FFFFFF", "#C6DBEF", "#56A0D3", "#08519C"]
)
SEQUENTIAL = LinearSegmentedColormap.from_list(
    "reduction", ["#FFFFFF", "#D6EAF8", "#7FBFE3", "#2A83BD", "#084B83"]
)


def use_style() -> None:
    """Set fonts, sizes and frames for all figures of a notebook."""
    mpl.rcParams.update(
        {
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "font.family": "DejaVu Sans",
            "font.size": 10.5,
            "axes.titlesize": 11.5,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlepad": 9,
            "axes.labelsize": 10.5,
            "axes.labelcolor": COLOURS["ink"],
            "axes.edgecolor": "#BBBBBB",
            "axes.linewidth": 0.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "grid.color": "#E7E7E7",
            "grid.linewidth": 0.8,
            "xtick.labelsize": 9.5,
            "ytick.labelsize": 9.5,
            "xtick.color": COLOURS["ink"],
            "ytick.color": COLOURS["ink"],
            "xtick.major.size": 0,
            "ytick.major.size": 0,
            "legend.frameon": False,
            "legend.fontsize": 9.5,
            "lines.linewidth": 1.8,
            "savefig.facecolor": "white",
            "svg.hashsalt": "semcal",
        }
    )


def new_figure(width: float = 8.0, height: float = 3.6) -> tuple[Figure, Axes]:
    """Return a figure with one frame; sizes in inches."""
    figure, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return figure, ax


def panel_grid(
    rows: int, columns: int, *, width: float = 8.0, height: float = 3.6, **options: Any
) -> tuple[Figure, np.ndarray]:
    """Return a figure with rows × columns frames as an array; sizes in inches."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **options
    )
    return figure, axes


def percent(ax: Axes, axis: str = "y") -> Axes:
    """Write an axis of shares as percentages."""
    getattr(ax, f"{axis}axis").set_major_formatter(PercentFormatter(1.0, decimals=0))
    return ax


def frame_or_new(ax: Axes | None, width: float = 8.0, height: float = 3.6) -> Axes:
    """Return `ax`, or the frame of a new figure."""
    return new_figure(width, height)[1] if ax is None else ax


def colours_of(names: Iterable[str], series: Sequence[str] = SERIES) -> dict[str, str]:
    """Return a colour for each name: its own if it has one, else the next of a series."""
    unnamed = cycle(series)
    own = COLOURS | RECIPE_COLOURS
    return {name: own[name] if name in own else next(unnamed) for name in dict.fromkeys(names)}


def note_undefined(ax: Axes, told: str = "undefined here") -> Axes:
    """Say in the middle of an empty frame that there is nothing to draw."""
    look: Look = {"ha": "center", "va": "center", "color": COLOURS["quiet"], "style": "italic"}
    ax.text(0.5, 0.5, told, transform=ax.transAxes, **look)
    return ax


def plain(text: object) -> str:
    """Return a name in which matplotlib finds no mathematics."""
    return str(text).replace("$", r"\$")


def along_rows(ax: Axes) -> Axes:
    """Rule a frame whose names stand at its left: lines from the axis of numbers only."""
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    return ax


def reach_of(values: np.ndarray, intervals: pd.DataFrame) -> np.ndarray:
    """Return how far error bars reach down and up, (2, n), for matplotlib's `yerr`.

    Args:
        values: (n,) estimates.
        intervals: n rows with columns `low` and `high`; an end beyond its estimate reaches nowhere.
    """
    low, high = intervals[["low", "high"]].to_numpy(float).T
    return np.clip([values - low, high - values], 0.0, None)


def legend_above(ax: Axes, columns: int = 4, **options: Any) -> None:
    """Put the legend over the frame, right-aligned, where it hides no data."""
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=columns,
        borderaxespad=0.1,
        columnspacing=1.2,
        handlelength=1.2,
        **options,
    )


def readable_on(colour: tuple[float, ...]) -> str:
    """Return black or white, whichever reads better on a colour (relative luminance)."""
    red, green, blue = colour[:3]
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else COLOURS["ink"]
