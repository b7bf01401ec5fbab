"""The coin of the first notebook: two chances, one ratio, one bound."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.html import framed
from semcal_utils.show.panels import panel, slider
from semcal_utils.show.style import COLOURS, Look, frame_or_new, legend_above
from semcal_utils.show.svg import TITLE, Drawing, label_bars_svg, shape, svg, tiles_html

COINS = 240
"""Coins of a panel's stream."""


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
    for name, side, mask in (("heads", "general", is_heads), ("tails", "real", ~is_heads)):
        kept, dropped, colour = mask & accepted, mask & ~accepted, COLOURS[side]
        ax.scatter(x[kept], y[kept], 52, color=colour, label=f"{name}, kept")
        hollow: Look = {"facecolor": "none", "edgecolor": colour, "linewidth": 1.1, "alpha": 0.55}
        ax.scatter(x[dropped], y[dropped], 34, **hollow, label=f"{name}, dropped")
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
) -> Drawing:
    """Draw one setting of the coin: bars of stream, world and kept beside flipped coins.

    Args:
        general_heads: Chance of heads in the stream, within (0, 1).
        real_heads: Chance of heads in the world, within (0, 1).
        share_of_bound: log bound in use as a share of the exact one, within [0, 1].
        rng: Flips the coins.

    Returns:
        A picture that is made fast enough to follow a slider.
    """
    general = np.array([general_heads, 1 - general_heads])
    real = np.array([real_heads, 1 - real_heads])
    log_ratio = np.log(real / general)
    log_bound = share_of_bound * log_ratio.max()
    accept = np.exp(np.minimum(0, log_ratio - log_bound))
    kept = general * accept
    pass_rate, kept = float(kept.sum()), kept / kept.sum()
    before, after = (float((p * np.log(p / real)).sum()) for p in (general, kept))

    is_heads = rng.random(COINS) < general_heads
    accepted = rng.random(COINS) < np.where(is_heads, *accept)
    frequencies = pd.DataFrame(
        {"general": general, "real": real, "filtered": kept}, index=["heads", "tails"]
    )
    chances = f"heads kept {accept[0]:.0%}, tails {accept[1]:.0%}"
    facts = [
        ("bound M", f"{np.exp(log_bound):.2f}", chances),
        ("pass rate", f"{pass_rate:.0%}", f"{accepted.sum()} of these {COINS} coins"),
        ("deception", f"{before:.3f} → {max(after, 0):.3f}", "nats, stream → kept"),
    ]
    bars = label_bars_svg(frequencies, width=340, height=230, most=1.0)
    pictures = (
        '<div style="display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start">'
        f'<div style="flex:1 1 250px;max-width:340px">{bars}</div>'
        f'<div style="flex:2 1 360px;max-width:560px">{_coins_svg(is_heads, accepted)}</div></div>'
    )
    told = ", ".join(f"{name} {number} ({remark})" for name, number, remark in facts)
    return Drawing(framed(tiles_html(facts), pictures), told)


def _coins_svg(is_heads: np.ndarray, accepted: np.ndarray, columns: int = 24) -> str:
    rows = -(-len(is_heads) // columns)
    shapes = [shape("text", "coins of the stream", y=14, **TITLE)]
    named = [
        ("heads, kept", 190, "general", True),
        ("dropped", 286, "general", False),
        ("tails, kept", 364, "real", True),
        ("dropped", 454, "real", False),
    ]
    for name, x, side, kept in named:
        shapes.append(_coin(x, 10, side, kept))
        shapes.append(shape("text", name, x=x + 12, y=14, fill="currentColor"))
    for place, (heads, kept) in enumerate(zip(is_heads, accepted, strict=True)):
        x, y = 12 + 23 * (place % columns), 40 + 20 * (place // columns)
        shapes.append(_coin(x, y, "general" if heads else "real", kept))
    return svg(560, 50 + 20 * rows, "coins in order of arrival, hollow where dropped", *shapes)


def _coin(x: float, y: float, side: str, kept: bool) -> str:
    colour = COLOURS[side]
    look: Look = (
        {"r": 7, "fill": colour} if kept else {"r": 5.5, "fill": "none", "stroke_opacity": 0.6}
    )
    return shape("circle", cx=x, cy=y, stroke=colour, stroke_width=1.3, **look)


def coin_panel(*, seed: int = 0) -> None:
    """Show the coin with sliders for the stream, the world and the bound.

    Args:
        seed: flips the coins; the same coins for every setting of the sliders.
    """

    def draw(general_heads: float, real_heads: float, share_of_bound: float) -> Drawing:
        rng = np.random.default_rng(seed)
        return draw_coin_filter(general_heads, real_heads, share_of_bound, rng=rng)

    panel(
        draw,
        {
            "general_heads": slider("heads in the stream", 0.8, 0.02, 0.98),
            "real_heads": slider("heads in the world", 0.5, 0.02, 0.98),
            "share_of_bound": slider("share of the exact log bound", 1.0, 0.0, 1.0),
        },
    )
