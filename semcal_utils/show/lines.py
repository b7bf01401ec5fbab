"""Lines: measures over worlds, over strengths of a trial, and over a stream as it flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import (
    COLOURS,
    Look,
    colours_of,
    frame_or_new,
    legend_above,
    note_undefined,
    percent,
)


def plot_lines_by_world(
    table: pd.DataFrame,
    label: str,
    *,
    intervals: Mapping[str, Sequence[Any]] | None = None,
    shares: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw one measure per world as connected points, one line per stream.

    Args:
        table: Index: worlds; columns: streams (`general`, `filtered`, `oracle`).
        label: What the measure is, with its unit.
        intervals: Per stream, an object with `low` and `high` for each world in order; nan draws
            nothing.
        shares: Whether the values are shares of 1, to be written as percentages.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    names = {"general": "stream", "filtered": "kept", "oracle": "label oracle"}
    for stream in table:
        style = ":" if stream == "oracle" else "-"
        colour = COLOURS[stream]
        ax.plot(table[stream], style, marker="o", color=colour, label=names[stream])
        ends = [(one.low, one.high) for one in (intervals or {}).get(stream, ())]
        if ends:
            ax.vlines(table.index, *np.transpose(ends), color=colour, linewidth=5, alpha=0.35)
    ax.set(ylabel=label)
    ax.set_ylim(0, None)
    return percent(ax) if shares else ax


def plot_lines_with_bands(
    table: pd.DataFrame,
    x: str,
    line: str,
    *,
    value: str = "reduction",
    low: str | None = "low",
    high: str = "high",
    colours: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates as connected points over bands of their intervals.

    Args:
        table: A row per point; points whose value is nan are left out.
        x: Column of what runs across.
        line: Column that names the line of a point.
        value: Column of the estimates.
        low: Column of the lower ends of the intervals; None if there are none.
        high: Column of the upper ends.
        colours: By line.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    defined = table.dropna(subset=[value]).sort_values(x)
    for name, colour in (colours or colours_of(table[line])).items():
        rows = defined[defined[line] == name]
        if len(rows) and low is not None:
            ax.fill_between(rows[x], rows[low], rows[high], color=colour, alpha=0.15, linewidth=0)
        if len(rows):
            ax.plot(rows[x], rows[value], "o-", color=colour, label=name, markersize=4.5)
    return ax


def plot_loss_curves(
    history: pd.DataFrame, *, ax: Axes | None = None, title: str = "", legend: bool = True
) -> Axes:
    """Draw training and held-out loss over steps; the lowest held-out one is marked and named.

    Args:
        history: Columns `step`, `split` (`train` or `held_out`) and `loss` (nats per token).
        ax: Frame to draw in.
        title: Name of the model.
        legend: Whether to show one.
    """
    ax = frame_or_new(ax)
    train, held_out = (history[history["split"] == split] for split in ("train", "held_out"))
    blue = COLOURS["real"]
    ax.plot(train["step"], train["loss"], color=COLOURS["rejected"], label="training")
    ax.plot(held_out["step"], held_out["loss"], "o-", color=blue, markersize=3.5, label="held out")
    if len(held_out):
        best = held_out.loc[held_out["loss"].idxmin()]
        ax.plot(best["step"], best["loss"], "o", color=blue, markersize=7)
        corner: Look = {"transform": ax.transAxes, "ha": "right", "va": "top"}
        ax.text(1, 0.96, f"{best['loss']:.2f}", **corner, color=blue, fontweight="bold")
        # The first steps start at log(vocabulary) and would flatten everything after them.
        low, high = history["loss"].min(), held_out["loss"].max()
        ax.set_ylim(low - 0.1 * (high - low) - 0.02, high + 0.25 * (high - low) + 0.05)
    ax.locator_params(axis="x", nbins=3)
    ax.set(xlabel="step", ylabel="loss, nats per token", title=title)
    if legend:
        ax.legend(loc="upper right", bbox_to_anchor=(1, 0.9))
    return ax


def plot_few_labels(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw reduction against the number of labelled captions, with the range over draws.

    Args:
        table: Columns `labels`, `method`, `reduction`; `labels` 0 is the form that reads none.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 7.4, 3.8)
    colours = colours_of(table["method"])
    reduction = table[table["labels"] > 0].groupby(["labels", "method"])["reduction"]
    ranges = reduction.agg(["mean", "min", "max"]).reset_index()
    plot_lines_with_bands(
        ranges, "labels", "method", value="mean", low="min", high="max", colours=colours, ax=ax
    )
    unlabelled = table[table["labels"] == 0].dropna(subset=["reduction"])
    for method, level in unlabelled.set_index("method")["reduction"].items():
        ax.axhline(level, color=colours[method], linestyle=":", label=f"{method}, no label")
    sizes = sorted(ranges["labels"].unique())
    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="labelled captions", ylabel="deception reduction")
    percent(ax)
    if not ax.lines:
        return note_undefined(ax)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def plot_convergence(
    seen: np.ndarray,
    paths: Mapping[str, np.ndarray],
    floor: np.ndarray | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw deception as the stream flows: of all items, and of those that were kept.

    Args:
        seen: Items seen so far, shape (steps,).
        paths: KL(stream‖R) in nats by name (`general`, `filtered`, `oracle`), shape (steps,) each.
        floor: What chance alone gives the kept items, shape (steps,); drawn as a band from 0.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    names = {
        "general": "the stream as it comes",
        "filtered": "what the filter keeps",
        "oracle": "what a filter that knew the label keeps",
    }
    if floor is not None:
        ax.fill_between(
            seen, 1e-5, floor, color="#EFEFEF", label="noise floor of the kept items", linewidth=0
        )
    for name, path in paths.items():
        style = ":" if name == "oracle" else "-"
        ax.plot(seen, path, style, color=COLOURS[name], label=names[name])
    ax.set_yscale("log")
    ax.set(xlabel="items seen", ylabel="deception KL(·‖R), nats")
    lowest = min(float(np.nanmin(np.maximum(path, 1e-4))) for path in paths.values())
    ax.set_ylim(max(lowest * 0.6, 1e-4), None)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return ax


def plot_alarm_paths(
    paths: Mapping[str, np.ndarray], *, alpha: float, ax: Axes | None = None
) -> Axes:
    """Draw the evidence on many simulated streams: the median, the middle 90 %, and one stream.

    Args:
        paths: log E in nats, shape (streams, items), by name (`deceptive`, `honest`).
        alpha: the false-alarm rate that is accepted; the alarm is raised at E = 1/alpha.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    colours = {"deceptive": COLOURS["general"], "honest": COLOURS["real"]}
    for name, path in paths.items():
        tens = path / np.log(10)
        seen = np.arange(1, path.shape[-1] + 1)
        low, middle, high = np.quantile(tens, [0.05, 0.5, 0.95], axis=0)
        ax.fill_between(seen, low, high, color=colours[name], alpha=0.2, linewidth=0)
        ax.plot(seen, middle, color=colours[name], label=f"{name} stream")
        ax.plot(seen, tens[0], color=colours[name], linewidth=0.8, alpha=0.9)
    _draw_limit(ax, -np.log10(alpha), f"alarm: E = {1 / alpha:g}")
    ax.set_xscale("log")
    ax.set_xlim(1, max(path.shape[-1] for path in paths.values()))
    ax.set_ylim(-5, 12)
    ax.set_yticks(range(-4, 13, 4), [f"$10^{{{t}}}$" for t in range(-4, 13, 4)])
    ax.set(xlabel="items seen", ylabel="evidence E")
    legend_above(ax, columns=2)
    return ax


def plot_alarm_times(
    times: Mapping[str, np.ndarray], *, items: int, alpha: float, ax: Axes | None = None
) -> Axes:
    """Draw, per kind of stream, the share that has raised the alarm after so many items.

    Args:
        times: items until the alarm by name, shape (streams,); inf where it stayed silent.
        items: how long the streams are.
        alpha: drawn as the line that an honest stream must stay under.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    seen = np.unique(np.geomspace(1, items, 200).astype(int))
    for (name, found), style in zip(times.items(), cycle(["-", "--", "-.", ":"]), strict=False):
        share = (np.asarray(found)[:, None] <= seen).mean(axis=0)
        honest = name in ("honest", "baseline")
        ax.plot(seen, share, style, color=COLOURS["real" if honest else "general"], label=name)
    _draw_limit(ax, alpha, f"α = {alpha:.0%}")
    ax.set_xscale("log")
    ax.set(xlabel="items seen", ylabel="streams that raised the alarm", xlim=(1, items))
    ax.set_ylim(-0.02, 1.02)
    legend_above(percent(ax), columns=3)
    return ax


def _draw_limit(ax: Axes, height: float, name: str) -> None:
    """Draw a dashed line with its name at the first item."""
    ax.axhline(height, color=COLOURS["wrong"], linestyle="--", linewidth=1.3)
    place: Look = {"xytext": (3, 4), "textcoords": "offset points"}
    ax.annotate(name, (1, height), **place, color=COLOURS["wrong"], fontsize=9.5)
