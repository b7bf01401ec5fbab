"""What the choice of a bound, a sharpening power or a recipe buys, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.plots.style import COLOURS, frame_or_new, legend_above, percent, readable_on


def plot_bound_trade_off(
    log_bounds: np.ndarray,
    pass_rate: np.ndarray,
    deception: np.ndarray,
    chosen: float,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a larger bound M buys (less deception) and what it costs (fewer items).

    Args:
        log_bounds: log M, nats, shape (bounds,).
        pass_rate: Share kept at each bound.
        deception: KL(kept‖R) at each bound, nats.
        chosen: The bound in use, log M in nats.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    ax.plot(log_bounds, deception, color=COLOURS["filtered"], label="deception of what is kept")
    ax.set(xlabel="log bound log M, nats", ylabel="KL(kept‖R), nats")
    ax.set_ylim(0, None)
    right = ax.twinx()
    right.plot(log_bounds, pass_rate, "--", color=COLOURS["general"], label="pass rate")
    right.set(ylabel="pass rate", ylim=(0, 1.03))
    percent(right)
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    ax.axvline(chosen, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    handles = [*ax.get_lines()[:1], *right.get_lines()]
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.1)
    return ax


def plot_sharpening(curves: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw deception reduction and pass rate over the sharpening power s.

    Args:
        curves: Per part of the data, columns `power`, `deception_reduction` and `pass_rate`; the
            first part is the one that s is chosen on.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    colours = [COLOURS["real"], COLOURS["filtered"]]
    for number, (name, curve) in enumerate(curves.items()):
        ax.plot(curve["power"], curve["deception_reduction"], color=colours[number], label=name)
        best = curve.loc[curve["deception_reduction"].idxmax()]
        ax.plot(best["power"], best["deception_reduction"], "o", color=colours[number])
    chosen = next(iter(curves.values()))
    ax.plot(chosen["power"], chosen["pass_rate"], "--", color=COLOURS["general"], label="pass rate")
    ax.axvline(1, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    lowest = min(float(curve["deception_reduction"].min()) for curve in curves.values())
    ax.set(xlabel="sharpening power s", ylabel="share", ylim=(min(0.0, max(lowest, -0.5)), 1.04))
    percent(ax)
    legend_above(ax)
    return ax


def plot_recipes(
    comparison: pd.DataFrame, severities: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw the deception reduction of each recipe at each severity, with intervals.

    Args:
        comparison: Columns `severity`, `recipe`, `reduction`, `low`, `high` and `pass rate`.
        severities: Which to draw, in order.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    recipes = list(dict.fromkeys(comparison["recipe"]))
    colours = [COLOURS["rejected"], COLOURS["filtered"], COLOURS["real"]]
    width = 0.8 / len(recipes)
    for number, recipe in enumerate(recipes):
        rows = (
            comparison[comparison["recipe"] == recipe].set_index("severity").loc[list(severities)]
        )
        places = np.arange(len(rows)) + (number - (len(recipes) - 1) / 2) * width
        value = rows["reduction"].to_numpy(float)
        errors = np.abs(rows[["low", "high"]].to_numpy(float).T - value)
        ax.bar(
            places,
            value,
            width * 0.92,
            color=colours[number % len(colours)],
            yerr=errors,
            error_kw={"ecolor": COLOURS["ink"], "elinewidth": 1.1, "capsize": 3},
            label=recipe,
        )
        for place, reduction, rate in zip(places, value, rows["pass rate"], strict=True):
            if np.isfinite(reduction):
                text = f"{reduction:.1%}\npass {rate:.0%}"
                colour = readable_on(mpl.colors.to_rgb(colours[number % len(colours)]))
                ax.text(
                    place,
                    max(reduction, 0) * 0.06,
                    text,
                    ha="center",
                    fontsize=7.6,
                    color=colour,
                    linespacing=1.2,
                )
    ax.set_xticks(range(len(severities)), severities)
    ax.set(ylabel="deception reduction")
    ax.set_ylim(min(0.0, float(np.nanmin(comparison["low"].to_numpy(float)))), 1.05)
    percent(ax)
    legend_above(ax)
    return ax
