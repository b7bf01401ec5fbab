"""The stream flowing through the filter, as a moving picture for pages that run nothing."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semcal_utils.show.gif_colours import common_palette, in_colours
from semcal_utils.show.style import COLOURS, percent

WIDTH, HEIGHT, DPI = 8.8, 5.3, 100
PICTURES_SHOWN, TEXTS_SHOWN = 10, 4
MOST_BYTES = 2_000_000
THRIFT = ((72, 1), (36, 1), (36, 2), (16, 3))
"""Mixtures, and every how many frames; the first that fits into `MOST_BYTES` is taken."""


@dataclass(frozen=True)
class Card:
    """One item in the strip of the newest.

    Attributes:
        caption: plain text; untrusted, never read as mathematics.
        accepted: whether it was kept.
        picture: array (height, width, 3) if it has one.
    """

    caption: str
    accepted: bool
    picture: np.ndarray | None = None


@dataclass(frozen=True)
class Frame:
    """What one frame of the animation tells.

    Attributes:
        items: how many items have passed.
        accepted: how many of them were kept.
        frequencies: columns general, real, filtered; rows by label.
        reduction: deception reduction so far; NaN while it is undefined.
        low: lower end of its interval.
        high: upper end.
        cards: the newest items, newest first.
    """

    items: int
    accepted: int
    frequencies: pd.DataFrame
    reduction: float
    low: float
    high: float
    cards: Sequence[Card] = field(default_factory=tuple)


def frame_places(items: int, frames: int) -> list[int]:
    """Return after how many items each frame is taken: one by one at first, then ever faster.

    Args:
        items: length of the stream.
        frames: how many frames at most.
    """
    slow = min(frames // 4, items)
    fast = np.geomspace(max(slow, 1), items, frames - slow).round().astype(int)
    return sorted({*range(1, slow + 1), *fast.tolist()})


def save_stream_animation(
    frames: Sequence[Frame], path: Path, *, title: str, credit: str = "", seconds: float = 0.14
) -> None:
    """Write frames as a GIF that repeats for ever; the same frames give the same bytes.

    A file beyond `MOST_BYTES` is written again with fewer colours, then with fewer frames; one that
    is still too large is kept, with a warning.

    Args:
        frames: in order, one or more.
        path: file to write.
        title: line above the picture.
        credit: line below it.
        seconds: for each frame; the first quarter lasts three times and the last twenty times as
            long.
    """
    canvas = _Canvas(frames, title, credit)
    pictures = [canvas.draw(number) for number in range(len(frames))]
    plt.close(canvas.figure)
    for mixed_colours, step in THRIFT:
        chosen = [*pictures[:-1:step], pictures[-1]]
        # The palette must know the pictures of the early frames and the curves of the late ones.
        palette = common_palette([chosen[n] for n in _spread(len(chosen), 5)], mixed_colours)
        first, *others = [in_colours(picture, palette) for picture in chosen]
        usual = [(3 if n < len(chosen) // 4 else 1) * step for n in range(len(chosen) - 1)]
        durations = [int(1000 * seconds * times) for times in (*usual, 20)]
        first.save(path, format="GIF", save_all=True, append_images=others, duration=durations,
                   loop=0, optimize=False, disposal=1)  # fmt: skip
        if path.stat().st_size <= MOST_BYTES:
            return
    warnings.warn(
        f"the animation takes {path.stat().st_size / 1e6:.1f} MB, more than pages like to show; "
        "ask for fewer frames.",
        stacklevel=2,
    )


def draw_frame(frames: Sequence[Frame], number: int, *, title: str, credit: str = "") -> Figure:
    """Draw one frame alone, as the static twin of the animation.

    Args:
        frames: all of them; the curve shows those up to `number`.
        number: which to draw.
        title: line above the picture.
        credit: line below it.
    """
    canvas = _Canvas(frames, title, credit)
    canvas.draw(number)
    return canvas.figure


class _Canvas:
    """One figure whose parts are moved from frame to frame: drawing anew would take minutes."""

    def __init__(self, frames: Sequence[Frame], title: str, credit: str) -> None:
        self.frames = frames
        self.figure = plt.figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
        self.figure.text(0.02, 0.965, title, fontsize=13, fontweight="bold", va="center")
        self.figure.text(0.98, 0.012, credit, fontsize=6.5, ha="right", color=COLOURS["quiet"])
        self.counts = self.figure.text(0.98, 0.965, "", fontsize=12, ha="right", va="center")
        self.cards = self._card_frames()
        self.bars = self._bars()
        self.curve = self._curve()

    def draw(self, number: int) -> np.ndarray:
        frame = self.frames[number]
        self.counts.set_text(f"{frame.items:,} seen   ·   {frame.accepted:,} kept")
        self._move_bars(frame)
        self._move_curve(number)
        for place, ax in enumerate(self.cards):
            ax.clear()
            ax.set_axis_off()
            if place < len(frame.cards):
                _draw_card(ax, frame.cards[place], newest=place == 0)
        self.figure.canvas.draw()
        return np.array(self.figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]

    def _card_frames(self) -> list[Axes]:
        cards = [card for frame in self.frames for card in frame.cards]
        pictures = any(card.picture is not None for card in cards)
        count = PICTURES_SHOWN if pictures else TEXTS_SHOWN
        pitch, left, bottom = 0.96 / count, 0.02, 0.70
        side = pitch - 0.008
        height = side * WIDTH / HEIGHT if pictures else 0.19
        if pictures:
            bottom += (0.19 - height) / 2
        return [
            self.figure.add_axes((left + place * pitch, bottom, side, height))
            for place in range(count)
        ]

    def _bars(self) -> list[Any]:
        ax = self.figure.add_axes((0.065, 0.155, 0.56, 0.43))
        names = [str(name).replace("$", r"\$") for name in self.frames[-1].frequencies.index]
        sides = ("general", "real", "filtered")
        places = np.arange(len(names))
        bars = [
            ax.bar(places + (n - 1) * 0.28, 0, 0.26, color=COLOURS[side], label=side)
            for n, side in enumerate(sides)
        ]
        # A handful of items makes towers; they may leave the frame.
        settled = self.frames[-1].frequencies.to_numpy()
        ax.set_ylim(0, 1.25 * float(np.nanmax(settled)))
        size = 8.5 if len(names) <= 12 else 6
        ax.set_xticks(places, names, rotation=30, ha="right", rotation_mode="anchor", fontsize=size)
        ax.set_xlim(-0.6, len(names) - 0.4)
        ax.set_title("share of items", fontsize=10.5, pad=6)
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.1)
        percent(ax)
        return bars

    def _move_bars(self, frame: Frame) -> None:
        for bars, side in zip(self.bars, ("general", "real", "filtered"), strict=True):
            for bar, share in zip(bars, frame.frequencies[side].fillna(0), strict=True):
                bar.set_height(share)

    def _curve(self) -> tuple[Axes, Any, Any, Any]:
        ax = self.figure.add_axes((0.70, 0.155, 0.28, 0.43))
        ax.set_xscale("log")
        ax.set(xlim=(1, max(self.frames[-1].items, 2)), ylim=(-0.05, 1.05))
        ax.set_xlabel("items seen", fontsize=9)
        ax.set_title("deception reduction", fontsize=10.5, pad=6)
        ax.axhline(1, color=COLOURS["quiet"], linestyle=":", linewidth=1)
        percent(ax)
        (line,) = ax.plot([], [], color=COLOURS["real"], linewidth=2)
        place = {"transform": ax.transAxes, "ha": "right"}
        told = ax.text(0.97, 0.16, "", fontsize=17, fontweight="bold", **place)
        between = ax.text(0.97, 0.06, "", fontsize=9, color=COLOURS["quiet"], **place)
        return ax, line, (told, between), []

    def _move_curve(self, number: int) -> None:
        ax, line, (told, between), bands = self.curve
        past = [frame for frame in self.frames[: number + 1] if not np.isnan(frame.reduction)]
        items = [frame.items for frame in past]
        line.set_data(items, [frame.reduction for frame in past])
        while bands:
            bands.pop().remove()
        if past:
            low, high = [f.low for f in past], [f.high for f in past]
            bands.append(
                ax.fill_between(
                    items, low, high, color=COLOURS["filtered"], alpha=0.35, linewidth=0
                )
            )
        now = self.frames[number]
        known = not np.isnan(now.reduction)
        told.set_text(f"{now.reduction:.1%}" if known else "")
        between.set_text(f"95 %: {now.low:.1%} to {now.high:.1%}" if known else "too early to tell")


def _draw_card(ax: Axes, card: Card, *, newest: bool) -> None:
    colour = COLOURS["filtered"] if card.accepted else COLOURS["rejected"]
    ax.set(xlim=(0, 1), ylim=(0, 1))
    if card.picture is not None:
        ax.imshow(_as_shown(card), extent=(0, 1, 0, 1), aspect="auto")
    else:
        text = card.caption.replace("$", r"\$")
        ax.text(
            0.04,
            0.9,
            textwrap.fill(text, 28, max_lines=5, placeholder=" …"),
            fontsize=8,
            va="top",
            linespacing=1.15,
            alpha=1.0 if card.accepted else 0.45,
        )
    ax.add_patch(
        plt.Rectangle(
            (0, 0), 1, 1, fill=False, clip_on=False, edgecolor=colour,
            linewidth=3.2 if card.accepted else 1.0,
            linestyle="-" if card.accepted else (0, (3, 2)),
        )
    )  # fmt: skip
    verdict = "✓ kept" if card.accepted else "✗ dropped"
    ax.text(
        0.5, -0.07, verdict, ha="center", va="top", fontsize=8.5 if newest else 7.5,
        fontweight="bold" if newest else "normal",
        color=COLOURS["real"] if card.accepted else COLOURS["quiet"],
    )  # fmt: skip


def _as_shown(card: Card) -> np.ndarray:
    picture = np.asarray(card.picture, dtype=float)
    if card.accepted:
        return picture.astype(np.uint8)
    grey = picture @ [0.299, 0.587, 0.114]
    faint = 255 - 0.3 * (255 - np.round(grey / 16) * 16)
    return np.repeat(faint[..., None], 3, axis=2).astype(np.uint8)


def _spread(count: int, wanted: int) -> list[int]:
    return sorted(set(np.linspace(0, count - 1, min(count, wanted)).round().astype(int).tolist()))
