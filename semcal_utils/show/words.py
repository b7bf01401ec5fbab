"""Which words pulled a caption towards the world or towards the stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from semcal_utils.show.style import (
    COLOURS,
    DIVERGING,
    frame_or_new,
    legend_above,
    plain,
    readable_on,
)


def plot_token_contributions(
    tokens: Sequence[Sequence[str]],
    contributions: Sequence[Sequence[float]],
    *,
    clipped: Sequence[Sequence[bool]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw captions as rows of coloured words: blue speaks for the world, orange for the stream.

    Args:
        tokens: Per caption, its pieces as readable text.
        contributions: Per caption, log R − log G of each piece, in nats.
        clipped: Per caption, whether a piece was left out of the ratio (drawn faint).
        ax: Frame to draw in.
    """
    rows = len(tokens)
    ax = frame_or_new(ax, 8.0, 0.42 * rows + 0.7)
    scale = max(float(np.quantile(np.abs(np.concatenate([*contributions])), 0.98)), 1e-9)
    ax.figure.canvas.draw()
    renderer = ax.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    ax.set(xlim=(0, 1), ylim=(-rows + 0.4, 0.6))
    ax.set_axis_off()
    for row, (pieces, values) in enumerate(zip(tokens, contributions, strict=True)):
        faint = [False] * len(pieces) if clipped is None else clipped[row]
        x = 0.0
        for piece, value, is_faint in zip(pieces, values, faint, strict=True):
            if x > 0.9:
                ax.text(x, -row, "…", fontsize=9.2, va="center")
                break
            colour = DIVERGING(0.5 + 0.5 * float(np.clip(value / scale, -1, 1)))
            text = ax.text(
                x, -row, plain(piece), fontsize=9.2, va="center", alpha=0.65 if is_faint else 1.0,
                color=COLOURS["quiet"] if is_faint else readable_on(colour),
                bbox={
                    "boxstyle": "round,pad=0.22", "facecolor": "white" if is_faint else colour,
                    "edgecolor": "#D9D9D9", "linewidth": 0.6,
                },
            )  # fmt: skip
            box = text.get_window_extent(renderer).transformed(ax.transData.inverted())
            x = box.x1 + 0.014
        total = sum(value for value, is_faint in zip(values, faint, strict=True) if not is_faint)
        at_the_right = {"ha": "right", "va": "center", "fontsize": 9.5, "fontweight": "bold"}
        ax.text(1.0, -row, f"{total:+.2f}", **at_the_right)
    return ax


def plot_token_log_probs(
    tokens: Sequence[str],
    log_prob_general: Sequence[float],
    log_prob_real: Sequence[float],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw each token's log-probability under both models, joined by a line.

    Args:
        tokens: Readable pieces, in reading order.
        log_prob_general: Nats, one per token.
        log_prob_real: Nats, one per token.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    places = np.arange(len(tokens))
    ax.vlines(places, log_prob_general, log_prob_real, color="#BBBBBB", linewidth=2)
    ax.plot(places, log_prob_general, "o", color=COLOURS["general"], label="general", markersize=8)
    ax.plot(places, log_prob_real, "o", color=COLOURS["real"], label="real", markersize=6)
    names = [plain(token) for token in tokens]
    ax.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set(ylabel="log p(token), nats")
    ax.set_ylim(None, 0.25)
    legend_above(ax)
    return ax
