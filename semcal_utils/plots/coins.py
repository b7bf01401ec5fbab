"""The coin of the first notebook: two chances, one ratio, one bound."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semcal_utils.plots.distributions import plot_label_bars
from semcal_utils.plots.style import COLOURS, frame_or_new, legend_above, panel_grid


def plot_coin_stream(
    is_heads: np.ndarray, accepted: np.ndarray, *, columns: int = 40, ax: Axes | None = None
) -> Axes:
    """Draw a stream of coins in reading order: dropped ones hollow.

    Args:
        is_heads: shape (coins,).
        accepted: shape (coins,).
        columns: Coins per line.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, height=2.6)
    place = np.arange(len(is_heads))
    x, y = place % columns, -(place // columns)
    for mask, colour, name in (
        (is_heads, COLOURS["general"], "heads"),
        (~is_heads, COLOURS["real"], "tails"),
    ):
        kept, dropped = mask & accepted, mask & ~accepted
        ax.scatter(x[kept], y[kept], 52, color=colour, label=f"{name}, kept")
        ax.scatter(
            x[dropped],
            y[dropped],
            34,
            facecolor="none",
            edgecolor=colour,
            linewidth=1.1,
            alpha=0.55,
            label=f"{name}, dropped",
        )
    ax.set_axis_off()
    ax.set_xlim(-0.8, columns - 0.2)
    legend_above(ax, columns=4)
    return ax


def draw_coin_filter(
    general_heads: float,
    real_heads: float,
    share_of_bound: float,
    *,
    rng: np.random.Generator,
    coins: int = 240,
) -> Figure:
    """Draw one setting of the coin: bars of stream, world and kept beside flipped coins.

    Args:
        general_heads: Chance of heads in the stream, within (0, 1).
        real_heads: Chance of heads in the world, within (0, 1).
        share_of_bound: log bound in use as a share of the exact one, within [0, 1].
        rng: Flips the coins.
        coins: How many flow by.
    """
    general = np.array([general_heads, 1 - general_heads])
    real = np.array([real_heads, 1 - real_heads])
    log_ratio = np.log(real / general)
    log_bound = share_of_bound * log_ratio.max()
    accept = np.exp(np.minimum(0, log_ratio - log_bound))
    kept = general * accept
    pass_rate, kept = kept.sum(), kept / kept.sum()
    deception = float((general * np.log(general / real)).sum())
    left = float((kept * np.log(kept / real)).sum())

    figure, axes = panel_grid(1, 2, width=9.6, height=3.2, width_ratios=[1, 2])
    bars, stream = axes[0]
    frequencies = pd.DataFrame(
        {"general": general, "real": real, "filtered": kept}, index=["heads", "tails"]
    )
    plot_label_bars(frequencies, ax=bars)
    bars.set_xticks([0, 1], ["heads", "tails"], rotation=0, ha="center")
    bars.set_ylim(0, 1)
    is_heads = rng.random(coins) < general_heads
    accepted = rng.random(coins) < np.where(is_heads, *accept)
    plot_coin_stream(is_heads, accepted, columns=24, ax=stream)
    bars.set_xlabel(f"deception {deception:.3f} → {left:.3f} nats")
    figure.suptitle(
        f"M = {np.exp(log_bound):.2f}: {pass_rate:.0%} of the stream is kept",
        x=0.01,
        ha="left",
        fontweight="bold",
        fontsize=11.5,
    )
    return figure
