"""Curves: agreement with a diagonal, detectors, and what a bound or a power buys and costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import precision_recall_curve, roc_curve

from semcal_utils.show.style import (
    COLOURS,
    Look,
    colours_of,
    frame_or_new,
    legend_above,
    note_undefined,
    percent,
)

FIRST_RECALL = 0.02
BEFORE_AND_AFTER = tuple(COLOURS[name] for name in ("general", "real", "right", "wrong"))


def plot_against_diagonal(
    tables: Mapping[str, pd.DataFrame],
    x: str,
    y: str,
    *,
    error: str | None = None,
    line: str = "o-",
    ax: Axes | None = None,
) -> Axes:
    """Draw shares against the shares that they should equal, which lie on the diagonal.

    Args:
        tables: Per name (before, after), the columns `x`, `y` and `error`.
        x: Column of what is claimed or wanted.
        y: Column of what is observed.
        error: Column of standard errors of `y`; two of them are drawn as bars.
        line: How points are drawn and joined.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 4.6, 4.2)
    ax.plot([0, 1], [0, 1], ":", color=COLOURS["quiet"], linewidth=1.2)
    colours = colours_of(tables, BEFORE_AND_AFTER)
    for name, table in tables.items():
        bars = None if error is None else 2 * table[error]
        look: Look = {"markersize": 5.5, "elinewidth": 1.1, "linewidth": 1.3, "capsize": 2.5}
        ax.errorbar(table[x], table[y], bars, fmt=line, color=colours[name], label=name, **look)
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", xlabel=x, ylabel=y)
    percent(percent(ax), "x").grid(axis="x")
    if not tables:
        return note_undefined(ax)
    legend_above(ax)
    return ax


def plot_roc(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]], *, ax: Axes | None = None
) -> Axes:
    """Draw ROC curves, one per world.

    Args:
        scores: By name, truth (n,) bool and score (n,), higher for over-represented items; one of
            a single class has no curve.
        ax: Frame to draw in.
    """
    curves = {}
    for name, (truth, score) in _with_both_classes(scores).items():
        false, true, _ = roc_curve(truth, score)
        curves[name] = pd.DataFrame({"false alarms": false, "over-represented found": true})
    return plot_against_diagonal(curves, "false alarms", "over-represented found", line="-", ax=ax)


def plot_precision_recall(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]], *, ax: Axes | None = None
) -> Axes:
    """Draw precision against recall, one curve per world; arguments as in `plot_roc`."""
    ax = frame_or_new(ax, 4.6, 4.2)
    judged = _with_both_classes(scores)
    colours = colours_of(judged, BEFORE_AND_AFTER)
    for name, (truth, score) in judged.items():
        precision, recall, _ = precision_recall_curve(truth, score)
        # Of the very first few items the precision is all or nothing.
        steady = recall >= FIRST_RECALL
        ax.plot(recall[steady], precision[steady], color=colours[name])
        ax.axhline(np.mean(truth), color=colours[name], linewidth=0.9, linestyle=":")
    ax.set(xlabel="over-represented items found (recall)", ylabel="precision", ylim=(0, 1.02))
    percent(percent(ax), "x")
    return ax if ax.lines else note_undefined(ax)


def plot_bound_curve(
    curve: pd.DataFrame, marked: Mapping[str, float], *, ax: Axes | None = None
) -> Axes:
    """Draw what a larger bound M buys (less deception) and what it costs (fewer items).

    Args:
        curve: A row per bound: `log_bound`, `kl` (KL(kept‖R) over labels), both in nats,
            `pass_rate` and, if known as from `bound_curve`, `kl_guarantee`, `noise_floor` and
            `total`, in nats.
        marked: Bounds to mark, log M in nats, by name.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 8.0, 4.0)
    x = curve["log_bound"]
    ax.plot(x, curve["kl"], color=COLOURS["filtered"], linewidth=2.4, label="KL(kept‖R), labels")
    ax.set(xlabel="log bound log M, nats", ylabel="nats", xlim=(x.min(), x.max()))
    ax.set_ylim(0, None)
    if "noise_floor" in curve:
        floor, guarantee = curve["noise_floor"], curve["kl_guarantee"]
        ax.fill_between(x, 0, floor, color="#DDDDDD", label="noise floor of what is kept")
        ax.plot(x, guarantee, "--", color=COLOURS["ink"], label="guarantee −log(1 − δ)")
        ax.plot(x, curve["total"], ":", color=COLOURS["quiet"], label="guarantee + noise floor")
        # Logarithmic, or the noise floor would vanish beside the loss of a small bound.
        top = float(np.nanmax(curve[["kl", "kl_guarantee", "total"]]))
        ax.set_yscale("log")
        ax.set_ylim(0.25 * floor[floor > 0].min(), 1.6 * max(top, 1e-3))
    right = ax.twinx()
    right.plot(x, curve["pass_rate"], color=COLOURS["general"], label="pass rate")
    right.set(ylim=(0, 1.03))
    right.set_ylabel("pass rate", color=COLOURS["general"])
    percent(right).grid(visible=False)
    right.spines["right"].set_visible(True)
    for number, (name, place) in enumerate(sorted(marked.items(), key=lambda mark: mark[1])):
        ax.axvline(place, color=COLOURS["quiet"], linestyle=":", linewidth=1.3)
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
        ax.text(
            place, 0.97 - 0.085 * (number % 3), f" {name}", transform=ax.get_xaxis_transform(),
            fontsize=9, color=COLOURS["quiet"], va="top", bbox=behind,
        )  # fmt: skip
    entries = zip(ax.get_legend_handles_labels(), right.get_legend_handles_labels(), strict=True)
    handles, names = (one + other for one, other in entries)
    legend_above(ax, 3, handles=handles, labels=names)
    return ax


def plot_sharpening(
    curves: Mapping[str, pd.DataFrame],
    *,
    chosen: float,
    minimum_pass_rate: float,
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
    colours = (COLOURS["real"], COLOURS["filtered"])
    for (name, curve), colour in zip(curves.items(), colours, strict=False):
        ax.plot(curve["power"], curve["deception_reduction"], color=colour, label=name)
        at = curve.loc[(curve["power"] - chosen).abs().idxmin()]
        ax.plot(chosen, at["deception_reduction"], "o", color=colour, markersize=7)
    ax.plot(first["power"], first["pass_rate"], "--", color=COLOURS["general"], label="pass rate")
    too_few = first.loc[first["pass_rate"] < minimum_pass_rate, "power"]
    if len(too_few):
        ax.axvspan(too_few.min(), first["power"].max(), color="#F1F1F1", linewidth=0, zorder=0)
    ax.axvline(chosen, color=COLOURS["ink"], linestyle="--", linewidth=1.1)
    ax.text(chosen + 0.08, 0.03, f"chosen s = {chosen:g}", fontsize=9.5, color=COLOURS["ink"])
    ax.axvline(1, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    lowest = np.nanmin([0.0, *(curve["deception_reduction"].min() for curve in curves.values())])
    ax.set(xlabel="sharpening power s", ylabel="share", ylim=(max(lowest, -0.5), 1.04))
    ax.set_xlim(first["power"].min(), first["power"].max())
    legend_above(percent(ax))
    return ax


def plot_labels_needed(
    lost: pd.DataFrame, *, needed: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what the choice of s loses against the best s over the number of labels it was made on.

    Args:
        lost: Columns `size` (labelled captions) and `lost` (deception reduction), a row per draw.
        needed: Number of labels to mark.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 4.6, 3.6)
    spread = lost.groupby("size")["lost"].quantile([0.1, 0.5, 0.9]).unstack()
    sizes, light = spread.index, COLOURS["filtered"]
    ax.fill_between(sizes, spread[0.1], spread[0.9], color=light, alpha=0.3, linewidth=0)
    ax.plot(sizes, spread[0.9], color=light, linewidth=1.2, label="9 in 10 draws lose less")
    ax.plot(sizes, spread[0.5], "o-", color=COLOURS["real"], markersize=5, label="median draw")
    ax.axhline(0.02, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    if needed is not None:
        ax.axvline(needed, color=COLOURS["ink"], linestyle="--", linewidth=1.1)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="labelled captions that choose s", ylabel="deception reduction lost")
    ax.set_ylim(min(0.0, spread[0.1].min()), None)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    legend_above(ax, 1)
    return ax


def _with_both_classes(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: pair for name, pair in scores.items() if np.any(pair[0]) and not np.all(pair[0])}
