"""Skies, grounds and skylines: the empty stages on which pictograms are placed.

Every length is a fraction of the picture's side and every stage draws the same random numbers at
every size, so that one scene can be drawn small to train on and large to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Stage:
    """One setting's colours and horizon, and how strongly its pictograms are rimmed in light."""

    zenith: Colour
    skyline: Colour
    near_ground: Colour
    far_ground: Colour
    horizon: float
    rim: float


STAGES: dict[str, Stage] = {
    "day": Stage((96, 178, 238), (216, 240, 252), (112, 178, 84), (158, 208, 116), 0.66, 0.45),
    "night": Stage((12, 16, 50), (58, 64, 124), (26, 44, 52), (44, 70, 78), 0.68, 0.95),
    "dusk": Stage((92, 70, 150), (255, 184, 112), (92, 68, 84), (150, 108, 98), 0.66, 0.7),
    "street": Stage((164, 200, 226), (234, 240, 244), (104, 108, 116), (142, 146, 152), 0.64, 0.6),
    "sea": Stage((120, 198, 240), (228, 246, 250), (240, 220, 168), (226, 202, 146), 0.44, 0.5),
    "snow": Stage((150, 176, 206), (222, 232, 244), (246, 250, 255), (212, 226, 242), 0.6, 0.5),
}
STORM_SKY: Colour = (112, 122, 142)


def paint_stage(setting: str, side: int, rng: np.random.Generator, *, stormy: bool) -> Image.Image:
    """Paint the empty stage of one setting.

    Args:
        setting: one of `STAGES`.
        side: width and height in pixels.
        rng: shifts the horizon, the colours and everything that stands on it.
        stormy: whether the sky is overcast.

    Returns:
        An RGB picture of side x side pixels.
    """
    stage = STAGES[setting]
    horizon = stage.horizon + rng.uniform(-0.04, 0.04)
    tint = rng.normal(0, 5, 3)
    picture = _gradients(stage, side, horizon, tint, stormy)
    _PAINTERS[setting](ImageDraw.Draw(picture), side, horizon, rng)
    return picture


def _gradients(
    stage: Stage, side: int, horizon: float, tint: np.ndarray, stormy: bool
) -> Image.Image:
    height = (np.arange(side) + 0.5)[:, None] / side
    zenith, skyline = np.array(stage.zenith, float), np.array(stage.skyline, float)
    if stormy:
        zenith, skyline = (
            0.4 * zenith + 0.6 * np.array(STORM_SKY) * zenith.mean() / 190,
            0.8 * skyline,
        )
    sky = zenith + (skyline - zenith) * np.clip(height / horizon, 0, 1) ** 1.3
    depth = np.clip((height - horizon) / (1 - horizon), 0, 1)
    ground = np.array(stage.far_ground) * (1 - depth) + np.array(stage.near_ground) * depth
    rows = np.clip(np.where(height < horizon, sky, ground) + tint, 0, 255).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(rows[:, None, :], (side, side, 3)).copy())


def _paint_day(
    pen: ImageDraw.ImageDraw, side: int, horizon: float, rng: np.random.Generator
) -> None:
    _hills(pen, side, horizon, rng, ((138, 196, 108), (150, 206, 114)))


def _paint_snow(
    pen: ImageDraw.ImageDraw, side: int, horizon: float, rng: np.random.Generator
) -> None:
    _hills(pen, side, horizon, rng, ((190, 208, 230), (204, 219, 238)))
    for place in range(14):
        x, height = (place + rng.uniform(0, 0.8)) / 14, rng.uniform(0.07, 0.13)
        foot = horizon + rng.uniform(0.0, 0.02)
        tree = [(x - 0.3 * height, foot), (x + 0.3 * height, foot), (x, foot - height)]
        pen.polygon([(a * side, b * side) for a, b in tree], fill=(112, 142, 158))
    _dots(pen, side, rng, count=46, lowest=0.97, largest=0.011, colour=(255, 255, 255))


def _paint_night(
    pen: ImageDraw.ImageDraw, side: int, horizon: float, rng: np.random.Generator
) -> None:
    _dots(pen, side, rng, count=26, lowest=0.45, largest=0.007, colour=(236, 236, 208))
    _buildings(pen, side, horizon, rng, walls=((30, 34, 76), (38, 42, 88)), lights=(250, 216, 124))


def _paint_dusk(
    pen: ImageDraw.ImageDraw, side: int, horizon: float, rng: np.random.Generator
) -> None:
    centre, radius = rng.uniform(0.15, 0.85), rng.uniform(0.14, 0.19)
    for growth, colour in ((1.4, (255, 196, 124)), (1.0, (255, 228, 152))):
        box = [centre - growth * radius, horizon - growth * radius - 0.06]
        box += [centre + growth * radius, horizon + growth * radius - 0.06]
        # The upper part alone: the sun is going down behind the town.
        pen.chord([round(edge * side) for edge in box], 160, 380, fill=colour)
    walls = ((124, 80, 118), (140, 90, 116))
    _buildings(pen, side, horizon, rng, walls=walls, lights=(255, 214, 140), tallest=0.22)


def _paint_street(
    pen: ImageDraw.ImageDraw, side: int, horizon: float, rng: np.random.Generator
) -> None:
    walls = ((198, 182, 170), (176, 188, 200), (206, 196, 176), (184, 172, 178))
    _buildings(pen, side, horizon, rng, walls=walls, lights=(232, 242, 248))
    pen.rectangle(
        [0, round(horizon * side), side, round((horizon + 0.045) * side)], fill=(186, 186, 184)
    )
    start, dash = rng.uniform(-0.2, 0.0), 0.14
    for place in range(6):
        left = start + place * 0.24
        box = [left * side, 0.93 * side, (left + dash) * side, 0.955 * side]
        pen.rectangle([round(edge) for edge in box], fill=(238, 236, 226))


def _paint_sea(
    pen: ImageDraw.ImageDraw, side: int, horizon: float, rng: np.random.Generator
) -> None:
    shore = horizon + rng.uniform(0.27, 0.33)
    top, bottom = round(horizon * side), round(shore * side)
    for row in range(top, bottom):
        mix = (row - top) / max(1, bottom - top)
        pen.line(
            [0, row, side, row],
            fill=(round(38 + 60 * mix), round(116 + 66 * mix), 186 + round(24 * mix)),
        )
    phase, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.008, 0.016)
    along = np.linspace(0, 1, 17)
    edge = shore + bend * np.sin(2 * np.pi * 1.5 * along + phase)
    foam = [(x * side, y * side) for x, y in zip(along, edge, strict=True)]
    pen.polygon(
        [*foam, (side, bottom - 0.03 * side), (0, bottom - 0.03 * side)], fill=(98, 182, 210)
    )
    pen.line(foam, fill=(250, 252, 252), width=max(1, round(0.022 * side)))
    for x, y in zip(
        rng.uniform(0, 0.9, 9), rng.uniform(horizon + 0.03, shore - 0.05, 9), strict=True
    ):
        width = max(1, round(0.008 * side))
        pen.line(
            [x * side, y * side, (x + 0.09) * side, y * side], fill=(150, 208, 234), width=width
        )


_PAINTERS: dict[str, Callable[[ImageDraw.ImageDraw, int, float, np.random.Generator], None]] = {
    "day": _paint_day,
    "night": _paint_night,
    "dusk": _paint_dusk,
    "street": _paint_street,
    "sea": _paint_sea,
    "snow": _paint_snow,
}


def _hills(
    pen: ImageDraw.ImageDraw,
    side: int,
    horizon: float,
    rng: np.random.Generator,
    colours: tuple[Colour, Colour],
) -> None:
    for colour in colours:
        middle, reach, rise = rng.uniform(0, 1), rng.uniform(0.4, 0.7), rng.uniform(0.06, 0.14)
        # Only the upper half may show: the lower one would be a lake of another green.
        box = [middle - reach, horizon - rise, middle + reach, horizon + rise]
        pen.chord([round(edge * side) for edge in box], 180, 360, fill=colour)


def _buildings(
    pen: ImageDraw.ImageDraw,
    side: int,
    horizon: float,
    rng: np.random.Generator,
    *,
    walls: tuple[Colour, ...],
    lights: Colour,
    tallest: float = 0.32,
) -> None:
    widths, heights = rng.uniform(0.1, 0.19, 11), rng.uniform(0.08, tallest, 11)
    lit = rng.random((11, 6, 4)) < 0.55
    paint = rng.integers(0, len(walls), 11)
    left = -0.04
    for place in range(11):
        right, top = left + widths[place], horizon - heights[place]
        box = [left, top, right, horizon]
        pen.rectangle([round(edge * side) for edge in box], fill=walls[paint[place]])
        columns = 2 + int(widths[place] > 0.14)
        gap = widths[place] / (columns + 1)
        for floor in range(int((heights[place] - 0.03) / 0.055)):
            for column in range(columns):
                if lit[place, floor, column]:
                    x, y = left + gap * (column + 1), top + 0.03 + 0.055 * floor
                    window = [x - 0.012, y, x + 0.012, y + 0.024]
                    pen.rectangle([round(edge * side) for edge in window], fill=lights)
        left = right + 0.005


def _dots(
    pen: ImageDraw.ImageDraw,
    side: int,
    rng: np.random.Generator,
    *,
    count: int,
    lowest: float,
    largest: float,
    colour: Colour,
) -> None:
    places = rng.uniform([0, 0, 0.4], [1, lowest, 1], (count, 3))
    for x, y, scale in places:
        _disc(pen, side, x, y, largest * scale, colour)


def _disc(
    pen: ImageDraw.ImageDraw, side: int, x: float, y: float, radius: float, colour: Colour
) -> None:
    box = [(x - radius) * side, (y - radius) * side, (x + radius) * side, (y + radius) * side]
    pen.ellipse(box, fill=colour)
