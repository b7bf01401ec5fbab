"""Recipes side by side: what each removes, beside the oracles, and how near its stream comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import (
    COLOURS,
    frame_or_new,
    legend_above,
    percent,
    reach_of,
    readable_on,
)

_COLOURS = (COLOURS["rejected"], COLOURS["filtered"], COLOURS["real"], COLOURS["right"])
_FEW_COLOURS = {1: (COLOURS["filtered"],), 2: (COLOURS["real"], COLOURS["filtered"])}
_TICKS = {
    "label oracle": (COLOURS["oracle"], "-"),
    "caption oracle": (COLOURS["wrong"], "-"),
    "forecast": (COLOURS["wrong"], ":"),
}


def plot_recipes(
    comparison: pd.DataFrame,
    worlds: Sequence[str],
    *,
    oracles: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the deception reduction of each recipe at each world, with intervals.

    Args:
        comparison: Columns `world`, `recipe`, `reduction`, `low`, `high` and `pass rate`; a
            reduction that is nan is said to be undefined.
        worlds: Which to draw, in order.
        oracles: Index: worlds. Columns `label oracle`, `caption oracle`, `forecast`: the
            reductions that they reach, drawn as ticks over the world's bars.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    for recipe, colour, places, width, rows in _groups(comparison, worlds):
        value = rows["reduction"].to_numpy(float)
        ax.bar(
            places,
            value,
            width * 0.92,
            color=colour,
            yerr=reach_of(value, rows),
            error_kw={"ecolor": COLOURS["ink"], "elinewidth": 1.1, "capsize": 3},
            label=recipe,
        )
        for place, reduction, rate in zip(places, value, rows["pass rate"], strict=True):
            if np.isfinite(reduction):
                text, ink = (
                    f"{reduction:.1%}\npass {rate:.0%}",
                    readable_on(mpl.colors.to_rgb(colour)),
                )
            else:
                text, ink = f"pass\n{rate:.0%}", COLOURS["quiet"]
            # A bar too short to hold its number carries it on top.
            high = np.isfinite(reduction) and reduction > 0.16
            bottom = 0.025 if high or not np.isfinite(reduction) else max(reduction, 0) + 0.05
            ax.text(
                place,
                bottom,
                text,
                ha="center",
                fontsize=7.8,
                color=ink if high or not np.isfinite(reduction) else COLOURS["ink"],
                linespacing=1.2,
            )
    _mark_undefined(ax, comparison, worlds)
    _draw_ticks(ax, oracles, worlds)
    ax.set_xticks(range(len(worlds)), worlds)
    ax.set_xlim(-0.55, len(worlds) - 0.45)
    ax.set(ylabel="deception reduction")
    lows = comparison["low"].to_numpy(float)
    ax.set_ylim(min(0.0, float(np.nanmin([0.0, *lows]))), 1.06)
    percent(ax)
    legend_above(ax, 6)
    return ax


def plot_kept_divergence(
    comparison: pd.DataFrame, worlds: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw how far each recipe's kept stream is from the world, over the noise of a perfect filter.

    Args:
        comparison: Columns `world`, `recipe`, `kl`, `kl low`, `kl high` (KL(kept‖R) with its
            interval, nats) and `noise band` (what a perfect filter that keeps as much stays below
            with probability 95 %).
        worlds: Which to draw, in order.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    least = 1e-4
    for recipe, colour, places, width, rows in _groups(comparison, worlds):
        ax.bar(places, rows["noise band"], width * 0.92, bottom=0, color="#DDDDDD", zorder=1)
        value = np.maximum(rows["kl"].to_numpy(float), least)
        ends = np.maximum(rows[["kl low", "kl high"]].to_numpy(float).T, least)
        # The interval is shifted by the bias, so that the plug-in value may lie outside it.
        ax.vlines(places, ends[0], ends[1], color=COLOURS["ink"], linewidth=1.2, zorder=2)
        ax.plot(places, value, "o", color=colour, markersize=7, label=recipe, zorder=3)
    ax.bar(0, np.nan, color="#DDDDDD", label="noise of a perfect filter (95 %)")
    ax.set_yscale("log")
    ax.set_ylim(least * 0.8, None)
    ax.set_xticks(range(len(worlds)), worlds)
    ax.set_xlim(-0.55, len(worlds) - 0.45)
    ax.set(ylabel="KL(kept‖R), nats")
    legend_above(ax, 5)
    return ax


def draw_intervals(estimates: Sequence[Any], stream: str, *, ax: Axes) -> Axes:
    """Draw intervals over the points of `plot_metric_by_world`.

    Args:
        estimates: Per world in order, an object with `low` and `high`; nan draws nothing.
        stream: Whose they are (`general`, `filtered`), for the colour.
        ax: Frame that holds the points.
    """
    ends = np.array([[estimate.low, estimate.high] for estimate in estimates], dtype=float)
    places = np.arange(len(ends))
    ax.vlines(places, ends[:, 0], ends[:, 1], color=COLOURS[stream], linewidth=5, alpha=0.35)
    if np.isfinite(ends).any():
        ax.set_ylim(top=max(ax.get_ylim()[1], float(np.nanmax(ends)) * 1.04))
    return ax


def _groups(
    comparison: pd.DataFrame, worlds: Sequence[str]
) -> Iterator[tuple[str, str, np.ndarray, float, pd.DataFrame]]:
    """Each recipe with its colour, the places of its bars, their width and its rows in order."""
    recipes = list(dict.fromkeys(comparison["recipe"]))
    width = 0.84 / max(len(recipes), 1.4)
    colours = _FEW_COLOURS.get(len(recipes), _COLOURS)
    for number, recipe in enumerate(recipes):
        rows = comparison[comparison["recipe"] == recipe].set_index("world").loc[[*worlds]]
        places = np.arange(len(rows)) + (number - (len(recipes) - 1) / 2) * width
        yield recipe, colours[number % len(colours)], places, width, rows


def _mark_undefined(ax: Axes, comparison: pd.DataFrame, worlds: Sequence[str]) -> None:
    for place, world in enumerate(worlds):
        rows = comparison[comparison["world"] == world]
        if rows["reduction"].isna().all():
            text = "undefined:\nnothing to reduce"
            ax.text(place, 0.4, text, ha="center", color=COLOURS["quiet"], style="italic")


def _draw_ticks(ax: Axes, oracles: pd.DataFrame | None, worlds: Sequence[str]) -> None:
    if oracles is None:
        return
    for name in oracles:
        colour, style = _TICKS.get(str(name), (COLOURS["quiet"], "--"))
        values = oracles.loc[[*worlds], name].to_numpy(float)
        places = np.flatnonzero(np.isfinite(values))
        ax.hlines(
            values[places],
            places - 0.45,
            places + 0.45,
            color=colour,
            linestyle=style,
            linewidth=1.8,
            label=str(name),
        )
