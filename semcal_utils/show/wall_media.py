"""Pictures and sounds as self-contained HTML: data addresses, no files, no scripts."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from IPython.display import Audio
from numpy.typing import NDArray

from semcal_utils.media.readers import SAMPLING_RATE, UnusableItem, read_picture, read_sound
from semcal_utils.show.escaping import content
from semcal_utils.show.svg import shape

LONGEST_SIDE = 224
"""Pixels of a shown picture."""

BARS = 60
"""Bars of a drawn sound."""


def medium_html(kind: str, medium: Any) -> str:
    """Return a picture or a sound as an element of its own, or why it cannot be shown.

    Args:
        kind: "image" or "audio".
        medium: anything that `media.readers` reads.

    Returns:
        HTML, escaped.

    Raises:
        ValueError: for another kind.
    """
    if kind not in ("image", "audio"):
        raise ValueError(f"kind must be 'image' or 'audio', got {kind!r}.")
    try:
        return picture_html(medium) if kind == "image" else sound_html(medium)
    except UnusableItem as error:
        return f'<div style="opacity:.7"><i>{content(str(error))}</i></div>'


def picture_html(picture: Any) -> str:
    """Return a picture as an image element, shrunk to `LONGEST_SIDE`.

    Args:
        picture: anything that `media.readers.read_picture` reads.

    Returns:
        HTML.
    """
    small = read_picture(picture)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    file = io.BytesIO()
    small.save(file, format="PNG", optimize=True)
    encoded = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<img alt="picture" src="data:image/png;base64,{encoded}" '
        'style="display:block;width:100%;max-width:224px;height:auto;margin:0 auto 6px;'
        'border-radius:4px">'
    )


def sound_html(sound: Any) -> str:
    """Return a sound as a player under a drawing of its loudness, which paper shows too.

    Args:
        sound: anything that `media.readers.read_sound` reads.

    Returns:
        HTML.
    """
    samples = np.clip(read_sound(sound), -1, 1)
    address = Audio(samples, rate=SAMPLING_RATE, normalize=False).src_attr()
    return (
        f"{_loudness_svg(samples)}"
        f'<audio controls preload="metadata" style="width:100%;height:32px;margin-bottom:6px" '
        f'src="{address}"></audio>'
    )


def _loudness_svg(samples: NDArray[np.float32]) -> str:
    pieces = np.array_split(np.abs(samples), BARS)
    peaks = np.array([float(piece.max()) if piece.size else 0.0 for piece in pieces])
    heights = 1 + 38 * peaks / max(float(peaks.max()), 1e-9)
    bars = "".join(
        shape("rect", x=4 * place, y=float(20 - height / 2), width=3, height=float(height))
        for place, height in enumerate(heights)
    )
    return shape(
        "svg", bars, viewBox=f"0 0 {4 * BARS} 40", role="img", preserveAspectRatio="none",
        aria_label=f"sound of {len(samples) / SAMPLING_RATE:.1f} s", fill="currentColor",
        style="display:block;width:100%;height:40px",
    )  # fmt: skip
