"""The argument against artefact detectors, as one picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import COLOURS, percent

DETECTORS = {"artefact detector": COLOURS["general"], "semantic calibration": COLOURS["real"]}
MEASURES = {
    "auc": ("auc", "auc_low", "auc_high", "AUC"),
    "reduction": ("reduction", "low", "high", "deception reduction"),
}


def plot_artefact_argument(
    first: pd.DataFrame, second: pd.DataFrame, unit: str, axes: Mapping[str, Axes]
) -> Mapping[str, Axes]:
    """Draw both streams: traces that fade, and authentic items in false proportion.

    Args:
        first: Columns `strength`, `detector`, `auc`, `reduction` and their intervals.
        second: One row per detector with the same columns.
        unit: What the strength is.
        axes: Frames named `auc`, `reduction` and `authentic`.
    """
    strengths = np.sort(first["strength"].unique())
    for name, (value, low, high, label) in MEASURES.items():
        ax = axes[name]
        for detector, colour in DETECTORS.items():
            rows = first[first["detector"] == detector].sort_values("strength")
            x = np.arange(len(rows))
            if not rows[value].notna().any():
                continue
            ax.fill_between(x, rows[low], rows[high], color=colour, alpha=0.18, linewidth=0)
            ax.plot(x, rows[value], "o-", color=colour, label=detector, markersize=5)
        ax.set_xticks(range(len(strengths)), [f"{strength:g}" for strength in strengths])
        ax.tick_params(axis="x", labelrotation=35 if strengths[-1] < 0.01 else 0)
        ax.invert_xaxis()
        ax.set(xlabel=f"{unit}\nthe generator improves  →", ylabel=label)
    axes["auc"].axhline(0.5, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    axes["auc"].text(
        0.98,
        0.505,
        "chance",
        transform=axes["auc"].get_yaxis_transform(),
        ha="right",
        va="bottom",
        fontsize=8.5,
        color=COLOURS["quiet"],
    )
    axes["auc"].set_ylim(0.4, 1.04)
    axes["reduction"].set_ylim(-0.1, 1.06)
    axes["reduction"].axhline(0, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    percent(axes["reduction"])
    _plot_authentic(second, axes["authentic"])
    axes["auc"].set_title("Fakes carry a trace: who finds them?")
    axes["reduction"].set_title("… and what does the stream gain?")
    axes["authentic"].set_title("No fakes, false proportions")
    named = axes["auc"] if first["reduction"].isna().all() else axes["reduction"]
    named.legend(loc="center right")
    return axes


def _plot_authentic(second: pd.DataFrame, ax: Axes) -> None:
    """Bars of both measures for authentic items in false proportion."""
    table = second.set_index("detector")
    for place, (value, low, high, _) in enumerate(MEASURES.values()):
        for shift, (detector, colour) in zip((-0.2, 0.2), DETECTORS.items(), strict=True):
            found, least, most = table.loc[detector, [value, low, high]]
            if not np.isfinite(found):
                ax.text(place + shift, 0.03, "undefined", ha="center", rotation=90, fontsize=8.5)
                continue
            ax.bar(place + shift, max(found, 0.0), 0.36, color=colour)
            ax.vlines(place + shift, least, most, color=COLOURS["ink"], linewidth=1.2)
            text = f"{found:.2f}" if value == "auc" else f"{round(found, 2) + 0.0:.0%}"
            ax.text(place + shift, max(most, 0.0) + 0.02, text, ha="center", fontsize=9.5)
    ax.axhline(0.5, xmin=0.02, xmax=0.48, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    ax.set_xticks([0, 1], ["AUC", "deception reduction"])
    ax.set_xlim(-0.55, 1.55)
    ax.set_ylim(-0.1, 1.12)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
