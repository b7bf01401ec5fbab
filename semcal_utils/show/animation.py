"""The stream flowing through the filter, as a moving picture for pages that run nothing."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from semcal_utils.show.bars import plot_label_bars
from semcal_utils.show.style import COLOURS, Look, percent, plain

WIDTH, HEIGHT, DPI = 8.8, 5.3, 100
PICTURES_SHOWN, TEXTS_SHOWN = 10, 4
MOST_BYTES = 2_000_000
MILLISECONDS = 140
"""Of each frame; the first quarter lasts three times and the last twenty times as long."""

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
    frames: Sequence[Frame], path: Path, *, title: str, credit: str = ""
) -> None:
    """Write frames as a GIF that repeats for ever; the same frames give the same bytes.

    A file beyond `MOST_BYTES` is written again with fewer colours, then with fewer frames; one that
    is still too large is kept, with a warning.

    Args:
        frames: in order, one or more.
        path: file to write.
        title: line above the picture.
        credit: line below it.
    """
    figure = plt.figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
    pictures = []
    for number in range(len(frames)):
        draw_frame(figure, frames, number, title=title, credit=credit)
        figure.canvas.draw()
        pictures.append(np.array(figure.canvas.buffer_rgba())[..., :3])  # type: ignore[attr-defined]
    plt.close(figure)
    for mixed_colours, step in THRIFT:
        chosen = [*pictures[:-1:step], pictures[-1]]
        # The palette must know the pictures of the early frames and the curves of the late ones.
        known = np.linspace(0, len(chosen) - 1, 5).round().astype(int)
        palette = common_palette([chosen[number] for number in np.unique(known)], mixed_colours)
        first, *others = [in_colours(picture, palette) for picture in chosen]
        usual = [(3 if n < len(chosen) // 4 else 1) * step for n in range(len(chosen) - 1)]
        durations = [MILLISECONDS * times for times in (*usual, 20)]
        first.save(path, format="GIF", save_all=True, append_images=others, duration=durations,
                   loop=0, optimize=False, disposal=1)  # fmt: skip
        if path.stat().st_size <= MOST_BYTES:
            return
    warnings.warn(
        f"the animation takes {path.stat().st_size / 1e6:.1f} MB, more than pages like to show; "
        "ask for fewer frames.",
        stacklevel=2,
    )


def draw_frame(
    figure: Figure, frames: Sequence[Frame], number: int, *, title: str, credit: str = ""
) -> None:
    """Draw one frame: the newest items as cards, the label frequencies, the reduction so far.

    Args:
        figure: what to draw on; cleared first.
        frames: all of them; the curve shows those up to `number`, the last sets the axes.
        number: which to draw.
        title: line above the picture.
        credit: line below it.
    """
    figure.clear()
    now, last = frames[number], frames[-1]
    figure.text(0.02, 0.965, title, fontsize=13, fontweight="bold", va="center")
    figure.text(0.98, 0.012, credit, fontsize=6.5, ha="right", color=COLOURS["quiet"])
    counts = f"{now.items:,} seen   ·   {now.accepted:,} kept"
    figure.text(0.98, 0.965, counts, fontsize=12, ha="right", va="center")
    pictures = any(card.picture is not None for frame in frames for card in frame.cards)
    shown = PICTURES_SHOWN if pictures else TEXTS_SHOWN
    pitch = 0.96 / shown
    side = pitch - 0.008
    height = side * WIDTH / HEIGHT if pictures else 0.19
    bottom = 0.70 + (0.19 - height) / 2
    for place, card in enumerate(now.cards[:shown]):
        card_ax = figure.add_axes((0.02 + place * pitch, bottom, side, height))
        _draw_card(card_ax, card, newest=place == 0)
    bars = plot_label_bars(now.frequencies, ax=figure.add_axes((0.065, 0.155, 0.56, 0.43)))
    # A handful of items makes towers; they may leave the frame.
    bars.set_ylim(0, 1.25 * float(np.nanmax(last.frequencies)))
    bars.tick_params(axis="x", labelsize=8.5 if len(last.frequencies) <= 12 else 6)
    bars.set_ylabel("")
    bars.set_title("share of items", fontsize=10.5, pad=6)
    _draw_reduction(figure.add_axes((0.70, 0.155, 0.28, 0.43)), frames, number)


def _draw_reduction(ax: Axes, frames: Sequence[Frame], number: int) -> None:
    """Draw the reduction over the items seen, with its interval, and write the newest."""
    now = frames[number]
    past = [frame for frame in frames[: number + 1] if not np.isnan(frame.reduction)]
    items = [frame.items for frame in past]
    low, high = [frame.low for frame in past], [frame.high for frame in past]
    ax.fill_between(items, low, high, color=COLOURS["filtered"], alpha=0.35, linewidth=0)
    ax.plot(items, [frame.reduction for frame in past], color=COLOURS["real"], linewidth=2)
    ax.axhline(1, color=COLOURS["quiet"], linestyle=":", linewidth=1)
    ax.set_xscale("log")
    ax.set(xlim=(1, max(frames[-1].items, 2)), ylim=(-0.05, 1.05))
    ax.set_xlabel("items seen", fontsize=9)
    ax.set_title("deception reduction", fontsize=10.5, pad=6)
    percent(ax)
    known = not np.isnan(now.reduction)
    between = f"95 %: {now.low:.1%} to {now.high:.1%}" if known else "too early to tell"
    at_the_right: Look = {"transform": ax.transAxes, "ha": "right"}
    ax.text(0.97, 0.06, between, fontsize=9, color=COLOURS["quiet"], **at_the_right)
    if known:
        ax.text(0.97, 0.16, f"{now.reduction:.1%}", fontsize=17, weight="bold", **at_the_right)


def _draw_card(ax: Axes, card: Card, *, newest: bool) -> None:
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    if card.picture is not None:
        ax.imshow(_as_shown(card), extent=(0, 1, 0, 1), aspect="auto")
    else:
        text = textwrap.fill(plain(card.caption), 28, max_lines=5, placeholder=" …")
        look: Look = {"fontsize": 8, "va": "top", "linespacing": 1.15}
        ax.text(0.04, 0.9, text, alpha=1.0 if card.accepted else 0.45, **look)
    line: Look = {"edgecolor": COLOURS["filtered"], "linewidth": 3.2}
    if not card.accepted:
        line = {"edgecolor": COLOURS["rejected"], "linewidth": 1.0, "linestyle": (0, (3, 2))}
    ax.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False, clip_on=False, **line))
    ax.text(
        0.5, -0.07, "✓ kept" if card.accepted else "✗ dropped", ha="center", va="top",
        fontsize=8.5 if newest else 7.5, fontweight="bold" if newest else "normal",
        color=COLOURS["real"] if card.accepted else COLOURS["quiet"],
    )  # fmt: skip


def _as_shown(card: Card) -> np.ndarray:
    """Return the picture as it is, or pale and grey where it was dropped."""
    picture = np.asarray(card.picture, dtype=float)
    if card.accepted:
        return picture.astype(np.uint8)
    grey = picture @ [0.299, 0.587, 0.114]
    faint = 255 - 0.3 * (255 - np.round(grey / 16) * 16)
    return np.repeat(faint[..., None], 3, axis=2).astype(np.uint8)


FLAT_COLOURS = 48
"""How many of the commonest colours stay as they are."""


def common_palette(frames: Sequence[np.ndarray], mixed_colours: int) -> np.ndarray:
    """Return one palette for many frames, so that nothing flickers.

    The commonest colours stay as they are (paper, ink, bars); the rest are mixtures.

    Args:
        frames: arrays (height, width, 3), uint8.
        mixed_colours: how many mixtures.

    Returns:
        uint8 array of shape (colours, 3).
    """
    packed, counts = np.unique(np.concatenate([_packed(f) for f in frames]), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    flat, mixed = _unpacked(packed[order[:FLAT_COLOURS]]), _unpacked(packed[order[FLAT_COLOURS:]])
    if not len(mixed):
        return flat
    # Each colour once: the many shades of a picture count for more than its wide even ground.
    cut = Image.fromarray(mixed[None]).quantize(mixed_colours, method=Image.Quantize.MEDIANCUT)
    mixtures = np.array(cut.getpalette(), dtype=np.uint8).reshape(-1, 3)[:mixed_colours]
    return np.concatenate([flat, mixtures])


def in_colours(picture: np.ndarray, palette: np.ndarray) -> Image.Image:
    """Return a picture in the nearest colours of a palette.

    Pillow's own search is coarser than a palette with exact colours: it makes white paper grey.

    Args:
        picture: array (height, width, 3), uint8.
        palette: from `common_palette`.
    """
    found, places = np.unique(_packed(picture), return_inverse=True)
    squares = (palette.astype(np.int64) ** 2).sum(axis=1)
    products = _unpacked(found).astype(np.int64) @ palette.T.astype(np.int64)
    nearest = (squares - 2 * products).argmin(axis=1).astype(np.uint8)
    shown = Image.fromarray(nearest[places].reshape(picture.shape[:2]))
    shown.putpalette(palette.ravel().tolist())
    return shown


def _packed(picture: np.ndarray) -> np.ndarray:
    wide = picture.astype(np.uint32)
    return ((wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]).ravel()


def _unpacked(packed: np.ndarray) -> np.ndarray:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8)
