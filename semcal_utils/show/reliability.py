"""Does a ratio keep its word? Reliability of items, acceptance by label against the oracle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above, percent

_SERIES = (COLOURS["general"], COLOURS["real"], COLOURS["right"])
_MARKERS = ("s", "o", "^")


def plot_reliability(tables: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw predicted against observed P(real|c) in a balanced pool, with two standard errors.

    Args:
        tables: Per name (before, after), columns `predicted`, `observed` and `standard_error`.
        ax: Frame to draw in.
    """
    ax = _frame_with_diagonal(ax)
    for number, (name, table) in enumerate(tables.items()):
        ax.errorbar(
            table["predicted"],
            table["observed"],
            2 * table["standard_error"],
            fmt=f"{_MARKERS[number % 3]}-",
            color=_SERIES[number % 3],
            markersize=5.5,
            elinewidth=1.1,
            linewidth=1.3,
            capsize=2.5,
            label=name,
        )
    ax.set(xlabel="predicted r/(1 + r)", ylabel="observed share of real captions")
    return _as_square_of_shares(ax, -0.02, 1.02)


def plot_acceptance_against_oracle(
    oracle: pd.Series, achieved: Mapping[str, pd.Series], *, ax: Axes | None = None
) -> Axes:
    """Draw each label's mean acceptance against the one that would give the world.

    Args:
        oracle: Acceptance per label of a filter that sees the label, at most one.
        achieved: Per name (before, after), the mean acceptance per label.
        ax: Frame to draw in.
    """
    ax = _frame_with_diagonal(ax)
    for number, (name, means) in enumerate(achieved.items()):
        ax.plot(
            oracle,
            means[oracle.index],
            _MARKERS[number % 3],
            color=_SERIES[number % 3],
            markersize=7,
            alpha=0.85,
            label=name,
        )
    ax.set(xlabel="acceptance of the label oracle", ylabel="mean acceptance of the label")
    return _as_square_of_shares(ax, -0.03, 1.05)


def _frame_with_diagonal(ax: Axes | None) -> Axes:
    ax = frame_or_new(ax, 4.6, 4.2)
    ax.plot([0, 1], [0, 1], ":", color=COLOURS["quiet"], linewidth=1.2)
    return ax


def _as_square_of_shares(ax: Axes, low: float, high: float) -> Axes:
    """Give both axes the same range of percentages, so that the diagonal means equal."""
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    percent(ax)
    percent(ax, "x")
    ax.grid(axis="x")
    legend_above(ax)
    return ax


def plot_labels_needed(
    lost: pd.DataFrame, *, needed: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what the choice of s loses against hindsight over the number of labels it was made on.

    Args:
        lost: Columns `size` (labelled captions) and `lost` (deception reduction), a row per draw.
        needed: Number of labels to mark.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, 4.6, 3.6)
    by_size = lost.groupby("size")["lost"]
    sizes = np.array(sorted(lost["size"].unique()))
    low, middle, high = (by_size.quantile(q)[sizes].to_numpy() for q in (0.1, 0.5, 0.9))
    ax.fill_between(sizes, low, high, color=COLOURS["filtered"], alpha=0.3, linewidth=0)
    ax.plot(sizes, high, color=COLOURS["filtered"], linewidth=1.2, label="9 in 10 draws lose less")
    ax.plot(sizes, middle, "o-", color=COLOURS["real"], markersize=5, label="median draw")
    ax.axhline(0.02, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    if needed is not None:
        ax.axvline(needed, color=COLOURS["ink"], linestyle="--", linewidth=1.1)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="labelled captions that choose s", ylabel="deception reduction lost")
    ax.set_ylim(min(0.0, float(np.min(low))), None)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    legend_above(ax, 1)
    return ax
