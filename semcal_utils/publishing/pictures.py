"""Pictures of published notebooks: small, the same from run to run, and described in words."""

from __future__ import annotations

import base64
import io
import re

from PIL import Image

PHOTO_LIKE = 100_000
"""Bytes above which a lossless picture is reduced to 256 colours: grids of drawn scenes are."""
COLOURS = 256


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
