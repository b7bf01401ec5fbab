"""The watched stream: its alarm, how soon that comes, and the words that moved the stream."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above, percent


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
    line = -np.log10(alpha)
    for name, path in paths.items():
        tens = path / np.log(10)
        seen = np.arange(1, path.shape[-1] + 1)
        low, middle, high = np.quantile(tens, [0.05, 0.5, 0.95], axis=0)
        colour = colours.get(name, COLOURS["quiet"])
        ax.fill_between(seen, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(seen, middle, color=colour, label=f"{name} stream")
        ax.plot(seen, tens[0], color=colour, linewidth=0.8, alpha=0.9)
    _draw_limit(ax, line, f"alarm: E = {1 / alpha:g}")
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
    shades = dict(zip(times, np.linspace(0.35, 1.0, max(len(times), 1)), strict=False))
    seen = np.unique(np.geomspace(1, items, 200).astype(int))
    for place, (name, found) in enumerate(times.items()):
        share = (np.asarray(found)[:, None] <= seen).mean(axis=0)
        honest = name in ("honest", "baseline")
        ax.plot(
            seen,
            share,
            color=COLOURS["real"] if honest else COLOURS["general"],
            alpha=1.0 if honest else float(shades[name]),
            label=name,
        )
        # Names at different heights, so that near curves do not write over one another.
        height = (0.5, 0.35, 0.5, 0.65)[place % 4]
        reach = int(np.argmax(share >= height)) if (share >= height).any() else -1
        ax.annotate(
            name,
            (seen[reach], share[reach]),
            xytext=(5, -3) if reach >= 0 else (-4, 8),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold" if honest else "normal",
            ha="left" if reach >= 0 else "right",
            color=COLOURS["ink"],
        )
    _draw_limit(ax, alpha, f"α = {alpha:.0%}")
    ax.set_xscale("log")
    ax.set(xlabel="items seen", ylabel="streams that raised the alarm", xlim=(1, items))
    ax.set_ylim(-0.02, 1.02)
    percent(ax)
    return ax


def _draw_limit(ax: Axes, height: float, name: str) -> None:
    """Draw a dashed line with its name at the first item."""
    ax.axhline(height, color=COLOURS["wrong"], linestyle="--", linewidth=1.3)
    ax.annotate(
        name,
        (1, height),
        xytext=(3, 4),
        textcoords="offset points",
        color=COLOURS["wrong"],
        fontsize=9.5,
    )


def plot_stream_words(words: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far each word moved the stream: blue towards the world, amber towards the stream.

    Args:
        words: columns `word` (plain text), `moved` (nats) and `captions`, in the order to be shown.
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax, height=4.2)
    moved = words["moved"].to_numpy()
    places = np.arange(len(words))[::-1]
    colours = [COLOURS["real"] if nats > 0 else COLOURS["general"] for nats in moved]
    ax.barh(places, moved, 0.74, color=colours)
    ax.axvline(0, color=COLOURS["quiet"], linewidth=0.8)
    ax.set_yticks(places, [str(word).replace("$", r"\$") for word in words["word"]])
    reach = 1.16 * max(float(np.abs(moved).max()) if len(moved) else 0.0, 1e-9)
    ax.set_xlim(min(0.0, -reach * (moved < 0).any()), reach * (moved > 0).any() or 0.1 * reach)
    for place, nats in zip(places, moved, strict=True):
        ax.annotate(
            f"{nats:+,.0f}",
            (nats, place),
            xytext=(4 if nats > 0 else -4, 0),
            textcoords="offset points",
            ha="left" if nats > 0 else "right",
            va="center",
            fontsize=8.5,
        )
    ax.set_xlabel("moved, nats (sum of the word's shares over the stream)")
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    return ax
