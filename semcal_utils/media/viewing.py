"""Make an item visible: a picture as it is, a sound as its log-mel spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np

from semcal_utils.media.readers import UnusableItem, read_picture, read_sound
from semcal_utils.media.spectra import HOP, log_mel


def view(item: Any, kind: str) -> Any | None:
    """Make one item visible.

    Args:
        item: A picture or a sound in any form that `read_picture` or `read_sound` takes.
        kind: ``"image"`` or ``"audio"``.

    Returns:
        A PIL picture, or a sound's (bands, frames) level in dB, the lowest band first; ``None``
        where the item cannot be read.
    """
    try:
        if kind == "image":
            return read_picture(item)
        sound = read_sound(item)
    except UnusableItem:
        return None
    return log_mel(np.pad(sound, (0, max(0, HOP - len(sound)))))
