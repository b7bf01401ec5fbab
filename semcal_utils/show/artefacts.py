"""The argument against artefact detectors, as one picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.bars import plot_bars_with_intervals
from semcal_utils.show.lines import plot_lines_with_bands
from semcal_utils.show.style import COLOURS, percent

DETECTORS = {"artefact detector": COLOURS["general"], "semantic calibration": COLOURS["real"]}


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
    table = first.assign(place=np.searchsorted(strengths, first["strength"]))
    measures = {"auc": ("auc_low", "auc_high"), "reduction": ("low", "high")}
    chance = {"auc": 0.5, "reduction": 0.0}
    for name, (low, high) in measures.items():
        ax = axes[name]
        plot_lines_with_bands(
            table, "place", "detector", value=name, low=low, high=high, colours=DETECTORS, ax=ax
        )
        ax.axhline(chance[name], color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
        ax.set_xticks(range(len(strengths)), [f"{strength:g}" for strength in strengths])
        ax.tick_params(axis="x", labelrotation=35 if strengths[-1] < 0.01 else 0)
        ax.invert_xaxis()
        ax.set_xlabel(f"{unit}\nthe generator improves  →")
    axes["auc"].set(ylim=(0.4, 1.04), ylabel="AUC (dotted: chance)")
    percent(axes["reduction"]).set(ylim=(-0.1, 1.06), ylabel="deception reduction")
    axes["auc"].set_title("Fakes carry a trace: who finds them?")
    axes["reduction"].set_title("… and what does the stream gain?")
    legend_in = "auc" if first["reduction"].isna().all() else "reduction"
    axes[legend_in].legend(loc="center right")
    auc = second.assign(measure="AUC", value=second["auc"])
    auc = auc.assign(low=second["auc_low"], high=second["auc_high"])
    reduction = second.assign(measure="deception reduction", value=second["reduction"])
    plot_bars_with_intervals(
        pd.concat([auc, reduction]), "measure", "detector", number=".2f", colours=DETECTORS,
        ax=axes["authentic"],
    )  # fmt: skip
    axes["authentic"].legend_ = None
    axes["authentic"].set_title("No fakes, false proportions")
    return axes
