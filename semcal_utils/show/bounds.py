"""What the bound M buys and costs, with its guarantee and the noise of a finite stream."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import COLOURS, frame_or_new, percent


def plot_bound_curve(
    curve: pd.DataFrame, marks: Mapping[str, float], *, ax: Axes | None = None
) -> Axes:
    """Draw KL, guarantee, noise and pass rate over the bound.

    Args:
        curve: From `bound_curve`, a row per bound: `log_bound`, `kl_guarantee`, `noise_floor`,
            `total` (nats), `pass_rate`, and `kl` (KL(kept‖R) over labels, nats).
        marks: Bounds to mark, log M in nats, by name.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 8.0, 4.0)
    x = curve["log_bound"].to_numpy(float)
    ax.fill_between(
        x,
        0,
        curve["noise_floor"],
        color="#DDDDDD",
        linewidth=0,
        label="noise floor of what is kept",
    )
    ax.plot(x, curve["kl"], color=COLOURS["filtered"], linewidth=2.4, label="KL(kept‖R), labels")
    ax.plot(x, curve["kl_guarantee"], "--", color=COLOURS["ink"], label="guarantee −log(1 − δ)")
    ax.plot(x, curve["total"], ":", color=COLOURS["quiet"], label="guarantee + noise floor")
    ax.set(xlabel="log bound log M, nats", ylabel="nats", xlim=(x.min(), x.max()))
    # Logarithmic, or the noise floor would vanish beside the loss of a small bound.
    floor = curve["noise_floor"].to_numpy(float)
    top = float(np.nanmax(curve[["kl", "kl_guarantee", "total"]].to_numpy(float)))
    ax.set_yscale("log")
    ax.set_ylim(0.25 * float(np.nanmin(floor[floor > 0], initial=1.0)), 1.6 * max(top, 1e-3))
    right = ax.twinx()
    right.plot(x, curve["pass_rate"], color=COLOURS["general"], label="pass rate")
    right.set(ylim=(0, 1.03))
    right.set_ylabel("pass rate", color=COLOURS["general"])
    percent(right)
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    for number, (name, place) in enumerate(sorted(marks.items(), key=lambda mark: mark[1])):
        ax.axvline(place, color=COLOURS["quiet"], linestyle="-.", linewidth=1.0)
        level = 0.97 - 0.085 * (number % 3)
        ax.text(
            place,
            level,
            f" {name}",
            transform=ax.get_xaxis_transform(),
            fontsize=9,
            color=COLOURS["quiet"],
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
        )
    handles, names = (one + other for one, other in zip(*_entries(ax, right), strict=True))
    ax.legend(handles, names, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.1)
    return ax


def _entries(ax: Axes, right: Axes) -> tuple[tuple[list, list], tuple[list, list]]:
    return ax.get_legend_handles_labels(), right.get_legend_handles_labels()
