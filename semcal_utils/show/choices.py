"""What the choice of a bound, a sharpening power or a recipe buys, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above, percent


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


def plot_sharpening(
    curves: Mapping[str, pd.DataFrame],
    *,
    chosen: float | None = None,
    minimum_pass_rate: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw deception reduction and pass rate over the sharpening power s.

    Args:
        curves: Per part of the data, columns `power`, `deception_reduction` and `pass_rate`; the
            first part is the one that s is chosen on.
        chosen: The power in use, marked on every curve.
        minimum_pass_rate: Least share to keep; powers that keep less are shaded.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    first = next(iter(curves.values()))
    for (name, curve), colour in zip(
        curves.items(), (COLOURS["real"], COLOURS["filtered"]), strict=False
    ):
        ax.plot(curve["power"], curve["deception_reduction"], color=colour, label=name)
        if chosen is not None:
            at = curve.loc[(curve["power"] - chosen).abs().idxmin()]
            ax.plot(chosen, at["deception_reduction"], "o", color=colour, markersize=7)
    ax.plot(first["power"], first["pass_rate"], "--", color=COLOURS["general"], label="pass rate")
    if minimum_pass_rate is not None:
        too_few = first.loc[first["pass_rate"] < minimum_pass_rate, "power"]
        if len(too_few):
            ax.axvspan(too_few.min(), first["power"].max(), color="#F1F1F1", linewidth=0, zorder=0)
    if chosen is not None:
        ax.axvline(chosen, color=COLOURS["ink"], linestyle="--", linewidth=1.1)
        ax.text(chosen + 0.08, 0.03, f"chosen s = {chosen:g}", fontsize=9.5, color=COLOURS["ink"])
    ax.axvline(1, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    lowest = min(float(curve["deception_reduction"].min()) for curve in curves.values())
    lowest = lowest if np.isfinite(lowest) else 0.0
    ax.set(xlabel="sharpening power s", ylabel="share", ylim=(min(0.0, max(lowest, -0.5)), 1.04))
    ax.set_xlim(first["power"].min(), first["power"].max())
    percent(ax)
    legend_above(ax)
    return ax
