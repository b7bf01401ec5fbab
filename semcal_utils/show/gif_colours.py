"""Few colours for many frames: what keeps a GIF small without making its paper grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

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
