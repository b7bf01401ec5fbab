"""Pictures of published notebooks: small, the same from run to run, and described in words."""

from __future__ import annotations

import base64
import io
import re

from PIL import Image, ImageSequence

PHOTO_LIKE = 100_000
"""Bytes above which a lossless picture is reduced to 256 colours: grids of drawn scenes are."""
COLOURS = 256
LARGEST_GIF = 500_000
"""Bytes of an animation inside a notebook; the whole one lies in `figures/`."""


def shrink_png(encoded: str) -> str:
    """Return a smaller PNG of the same size in pixels, without dates or software versions.

    Line drawings stay lossless. Large pictures, which are grids of scenes, keep 256 colours.

    Args:
        encoded: Base64 text, as notebooks keep it.

    Returns:
        Base64 text on one line.
    """
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    flat = Image.alpha_composite(ground, picture).convert("RGB")
    found = as_png(flat)
    if len(found) > PHOTO_LIKE:
        found = as_png(flat.quantize(COLOURS, method=Image.Quantize.MEDIANCUT))
    return base64.b64encode(found).decode()


def as_png(picture: Image.Image) -> bytes:
    """Return a picture as optimised PNG bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def spoken(markdown: str) -> str:
    """Return Markdown as a plain sentence, for a reader who listens.

    >>> spoken("**Read the figure:** `a` is [here](x.png), 3 % off")
    'a is here, 3 % off'
    """
    text = re.sub(r"^\s*\*\*Read the figure:\*\*\s*", "", markdown)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"[*`#$]|\\", "", text)
    return " ".join(text.split())


def shrink_gifs(html: str) -> str:
    """Return HTML whose embedded animations are at most `LARGEST_GIF` bytes each."""
    return re.sub(
        r"(data:image/gif;base64,)([A-Za-z0-9+/=]+)",
        lambda found: found[1] + shrink_gif(found[2]),
        html,
    )


def shrink_gif(encoded: str) -> str:
    """Return an animation in fewer, smaller frames of the same duration, as Base64 text.

    It becomes smaller step by step and stops at the first step that fits; the last frame, which
    shows where a stream ends, is always kept. At worst it is a still picture of that frame.
    """
    data = base64.b64decode(encoded)
    if len(data) <= LARGEST_GIF:
        return encoded
    animation = Image.open(io.BytesIO(data))
    frames, times = [], []
    for frame in ImageSequence.Iterator(animation):
        frames.append(frame.convert("RGB"))
        times.append(int(frame.info.get("duration", 100)))
    for every, scale in ((1, 0.75), (2, 0.75), (2, 0.6), (3, 0.6), (4, 0.5), (6, 0.4), (0, 0.6)):
        places = [len(frames) - 1]
        if every:
            places = sorted({*range(0, len(frames), every), len(frames) - 1})
        ends = [*places[1:], len(frames)]
        held = [sum(times[start:end]) for start, end in zip(places, ends, strict=True)]
        made = as_gif([frames[place] for place in places], held, scale)
        if len(made) <= LARGEST_GIF:
            break
    return base64.b64encode(made).decode()


def as_gif(frames: list[Image.Image], times: list[int], scale: float) -> bytes:
    """Return frames, held for `times` milliseconds each, as a GIF in 64 common colours."""
    width, height = (round(side * scale) for side in frames[0].size)
    small = [frame.resize((width, height), Image.Resampling.LANCZOS) for frame in frames]
    palette = small[-1].quantize(64, method=Image.Quantize.MEDIANCUT)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    buffer = io.BytesIO()
    flat[0].save(
        buffer, "GIF", save_all=True, append_images=flat[1:], duration=times, loop=0, optimize=True
    )
    return buffer.getvalue()
