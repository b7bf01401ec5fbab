"""Detectors and rivals: ROC and PR curves, reliability, the league, robustness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.metrics import precision_recall_curve, roc_curve

from semcal_utils.show.style import COLOURS, RECIPE_COLOURS, frame_or_new, legend_above, percent

SERIES = [COLOURS[name] for name in ("real", "general", "right", "wrong", "filtered", "oracle")]
FIRST_RECALL = 0.02
UNDEFINED: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "color": COLOURS["quiet"],
    "style": "italic",
}


def plot_roc(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]], *, ax: Axes | None = None
) -> Axes:
    """Draw ROC curves, one per world.

    Args:
        scores: By name, truth (n,) bool and score (n,), higher for over-represented items.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 4.6, 4.2)
    ax.plot([0, 1], [0, 1], color="#DDDDDD", linewidth=1.2)
    for colour, (name, (truth, score)) in zip(SERIES, scores.items(), strict=False):
        if not _both(truth):
            continue
        false, true, _ = roc_curve(truth, score)
        ax.plot(false, true, color=colour, label=name)
    ax.set(xlabel="false alarms", ylabel="over-represented items found", xlim=(-0.02, 1.02))
    ax.set_ylim(-0.02, 1.02)
    percent(percent(ax), "x")
    _legend_or_note(ax, "lower right")
    return ax


def plot_precision_recall(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]], *, ax: Axes | None = None
) -> Axes:
    """Draw precision against recall, one curve per world; arguments as in `plot_roc`."""
    ax = frame_or_new(ax, 4.6, 4.2)
    for colour, (truth, score) in zip(SERIES, scores.values(), strict=False):
        if not _both(truth):
            continue
        precision, recall, _ = precision_recall_curve(truth, score)
        # Of the very first few items the precision is all or nothing.
        steady = recall >= FIRST_RECALL
        ax.plot(recall[steady], precision[steady], color=colour)
        ax.axhline(np.mean(truth), color=colour, linewidth=0.9, linestyle=":")
    ax.set(xlabel="over-represented items found (recall)", ylabel="precision", ylim=(0, 1.02))
    percent(percent(ax), "x")
    if not ax.lines:
        _legend_or_note(ax, "lower left")
    return ax


def plot_claims(curves: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw claimed against observed share of over-represented items.

    Args:
        curves: By name, a table with `claimed` and `observed`.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 4.6, 4.2)
    ax.plot([0, 1], [0, 1], color="#CCCCCC", linewidth=1.2)
    for colour, (name, curve) in zip(
        (COLOURS["rejected"], COLOURS["real"]), curves.items(), strict=False
    ):
        ax.plot(curve["claimed"], curve["observed"], "o-", color=colour, markersize=5, label=name)
    ax.set(xlabel="claimed probability", ylabel="observed share", xlim=(-0.03, 1.03))
    ax.set_ylim(-0.03, 1.03)
    percent(percent(ax), "x")
    _legend_or_note(ax, "upper left")
    return ax


def plot_auc_against_reduction(
    league: pd.DataFrame,
    paths: Mapping[str, pd.DataFrame],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw every method's AUC against its reduction, and two paths that part the two.

    Args:
        league: Rows of one world with `auc`, `reduction` and `form`.
        paths: By name, a table with `auc` and `reduction`, drawn as a line.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 7.4, 4.2)
    for colour, (name, path) in zip(
        (COLOURS["wrong"], COLOURS["right"]), paths.items(), strict=False
    ):
        ax.plot(path["auc"], path["reduction"], "-", color=colour, linewidth=1.4, label=name)
        ax.plot(path["auc"], path["reduction"], ".", color=colour, markersize=6)
    for form, colour in RECIPE_COLOURS.items():
        rows = league[league["form"] == form]
        ax.plot(
            rows["auc"],
            rows["reduction"],
            "o",
            color=colour,
            markersize=8,
            label=f"league, {form}",
            markeredgecolor="white",
        )
    if not league["reduction"].notna().any():
        ax.text(0.5, 0.5, "undefined: nothing to reduce", transform=ax.transAxes, **UNDEFINED)
    ax.set(xlabel="item-level AUC", ylabel="deception reduction", xlim=(0.48, 1.02))
    ax.set_ylim(-0.05, 1.06)
    percent(ax)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def _both(truth: np.ndarray) -> bool:
    return bool(np.any(truth) and not np.all(truth))


def _legend_or_note(ax: Axes, place: str) -> None:
    if not ax.get_legend_handles_labels()[1]:
        ax.text(0.5, 0.5, "undefined here", transform=ax.transAxes, **UNDEFINED)
    elif place == "above":
        legend_above(ax)
    else:
        ax.legend(loc=place)
