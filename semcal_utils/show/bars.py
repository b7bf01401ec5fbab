"""Bars: labels side by side, estimates with their intervals, ranked names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from semcal_utils.show.style import (
    COLOURS,
    KEPT_SERIES,
    colours_of,
    frame_or_new,
    legend_above,
    note_undefined,
    percent,
    plain,
    reach_of,
    readable_on,
)

_TICKS = {
    "label oracle": (COLOURS["oracle"], "-"),
    "caption oracle": (COLOURS["wrong"], "-"),
    "forecast": (COLOURS["wrong"], ":"),
}


def plot_label_bars(
    frequencies: pd.DataFrame, *, ax: Axes | None = None, legend: bool = True
) -> Axes:
    """Draw label frequencies side by side.

    Args:
        frequencies: One row per label, one column per distribution; the columns `general`, `real`
            and `filtered` have their own colours.
        ax: Frame to draw in.
        legend: Whether to name the columns above the frame.
    """
    ax = frame_or_new(ax)
    colours = [COLOURS.get(str(column), COLOURS["rejected"]) for column in frequencies]
    frequencies.rename(index=plain).plot.bar(
        ax=ax, width=0.84, color=colours, edgecolor="white", linewidth=0.5, legend=False
    )
    plt.setp(ax.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")
    ax.grid(axis="x", visible=False)
    ax.set(xlabel="", ylabel="share of items")
    percent(ax)
    if legend:
        legend_above(ax, columns=frequencies.shape[1])
    return ax


def plot_ranked_bars(
    values: pd.Series,
    *,
    number: str = ".1%",
    colour: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw named numbers as lying bars in the order given, the first on top.

    Args:
        values: Numbers of either sign by name; names are untrusted text.
        number: How they are written at the ends of the bars.
        colour: Of all bars; blue above zero and amber below if omitted.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, height=4.2)
    by_sign = [COLOURS["real"] if value > 0 else COLOURS["general"] for value in values]
    bars = ax.barh(np.arange(len(values)), values, height=0.68, color=colour or by_sign)
    ax.bar_label(bars, [f"{value:{number}}" for value in values], padding=3, fontsize=8.5)
    ax.set_yticks(np.arange(len(values)), [plain(name) for name in values.index])
    ax.invert_yaxis()
    ax.axvline(0, color=COLOURS["quiet"], linewidth=0.8)
    ax.margins(x=0.16)
    ax.xaxis.set_visible(False)
    ax.spines["bottom"].set_visible(False)
    ax.grid(visible=False)
    return ax


def plot_bars_with_intervals(
    table: pd.DataFrame,
    group: str,
    side: str,
    *,
    value: str = "value",
    number: str = ".0%",
    colours: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates as groups of bars with their intervals, each with its number written on it.

    Args:
        table: Columns `group`, `side`, `value`, `low`, `high` and, where more is to be written on
            a bar, `note`; a value that is nan is said to be undefined.
        group: Column of what stands apart, such as the world.
        side: Column of what stands side by side, such as the recipe.
        value: Column of the estimates.
        number: How they are written.
        colours: By side.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    if table.empty:
        return note_undefined(ax)
    for name, colour, places, width, rows in groups_side_by_side(table, group, side, colours):
        values = rows[value].to_numpy(float)
        ax.bar(
            places, np.nan_to_num(values), width * 0.92, color=colour, label=name,
            yerr=reach_of(values, rows), error_kw={"ecolor": COLOURS["ink"], "elinewidth": 1.2},
        )  # fmt: skip
        notes = rows["note"].fillna("") if "note" in rows else [""] * len(rows)
        for place, estimate, high, note in zip(places, values, rows["high"], notes, strict=True):
            if np.isnan(estimate):
                ax.text(place, 0.14, "undefined", ha="center", rotation=90, color=COLOURS["quiet"])
            written = [] if np.isnan(estimate) else [f"{estimate:{number}}"]
            # A bar too short to hold its number carries it on top.
            inside = estimate > 0.16
            ax.text(
                place, 0.025 if inside or not written else max(high, 0.0) + 0.025,
                "\n".join([*written, note]).rstrip(), ha="center", fontsize=7.8, linespacing=1.2,
                color=readable_on(to_rgb(colour)) if inside else COLOURS["ink"],
            )  # fmt: skip
    groups = list(dict.fromkeys(table[group]))
    ax.set_xticks(range(len(groups)), groups)
    ax.set_xlim(-0.55, len(groups) - 0.45)
    ax.set_ylim(min(0.0, float(np.nanmin([0.0, *table["low"]]))), 1.06)
    if number.endswith("%"):
        percent(ax)
    legend_above(ax, 6)
    return ax


def plot_recipes(
    comparison: pd.DataFrame, *, oracles: pd.DataFrame | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the deception reduction of each recipe at each world, with intervals.

    Args:
        comparison: Columns `world`, `recipe`, `reduction`, `low`, `high` and `pass rate`; a
            reduction that is nan is said to be undefined.
        oracles: Index: worlds in order. Columns `label oracle`, `caption oracle`, `forecast`: the
            reductions that they reach, drawn as ticks over the world's bars.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    for name, values in {} if oracles is None else oracles.astype(float).items():
        places = np.flatnonzero(np.isfinite(values))
        colour, style = _TICKS[name]
        ax.hlines(
            values.iloc[places], places - 0.45, places + 0.45, color=colour, linestyle=style,
            linewidth=1.8, label=name, zorder=3,
        )  # fmt: skip
    notes = [f"pass {rate:.0%}" for rate in comparison["pass rate"]]
    plot_bars_with_intervals(
        comparison.assign(note=notes), "world", "recipe", value="reduction", number=".1%",
        colours=colours_of(comparison["recipe"], KEPT_SERIES), ax=ax,
    )  # fmt: skip
    ax.set(ylabel="deception reduction")
    return ax


def plot_verdicts(shares: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw what becomes of over-represented and of other items at the threshold.

    Args:
        shares: By world, a table with index `over-represented` and `not over-represented` and
            columns `value`, `low`, `high`: the share that was called over-represented.
        ax: Frame to draw in.
    """
    rows = [table.rename_axis("kind").assign(world=world) for world, table in shares.items()]
    table = pd.concat(rows).reset_index() if rows else pd.DataFrame()
    kinds = {"over-represented": COLOURS["general"], "not over-represented": COLOURS["real"]}
    ax = plot_bars_with_intervals(table, "world", "kind", colours=kinds, ax=ax)
    ax.set(ylabel="called over-represented")
    return ax


def plot_kept_divergence(comparison: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far each recipe's kept stream is from the world, over the noise of a perfect filter.

    Args:
        comparison: Columns `world`, `recipe`, `kl`, `kl low`, `kl high` (KL(kept‖R) with its
            interval, nats) and `noise band` (what a perfect filter that keeps as much stays below
            with probability 95 %).
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    least = 1e-4
    colours = colours_of(comparison["recipe"], KEPT_SERIES)
    for recipe, colour, places, width, rows in groups_side_by_side(
        comparison, "world", "recipe", colours
    ):
        ax.bar(places, rows["noise band"], width * 0.92, color="#DDDDDD", zorder=1)
        value, low, high = rows[["kl", "kl low", "kl high"]].clip(lower=least).to_numpy(float).T
        # The interval is shifted by the bias, so that the plug-in value may lie outside it.
        ax.vlines(places, low, high, color=COLOURS["ink"], linewidth=1.2, zorder=2)
        ax.plot(places, value, "o", color=colour, markersize=7, label=recipe, zorder=3)
    ax.bar(0, np.nan, color="#DDDDDD", label="noise of a perfect filter (95 %)")
    ax.set_yscale("log")
    ax.set_ylim(least * 0.8, None)
    worlds = list(dict.fromkeys(comparison["world"]))
    ax.set_xticks(range(len(worlds)), worlds)
    ax.set_xlim(-0.55, len(worlds) - 0.45)
    ax.set(ylabel="KL(kept‖R), nats")
    legend_above(ax, 5)
    return ax


def groups_side_by_side(
    table: pd.DataFrame, group: str, side: str, colours: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str, np.ndarray, float, pd.DataFrame]]:
    """Give each side its colour, the places of its bars, their width and its rows by group."""
    groups, sides = (list(dict.fromkeys(table[column])) for column in (group, side))
    width = 0.84 / max(len(sides), 1.4)
    for number, (name, colour) in enumerate((colours or colours_of(sides)).items()):
        rows = table[table[side] == name].set_index(group).reindex(groups)
        places = np.arange(len(groups)) + (number - (len(sides) - 1) / 2) * width
        yield name, colour, places, width, rows
