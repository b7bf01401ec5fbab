"""What the embedded captioner sees and hears: pictures and sounds as small arrays of bytes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semcal_utils.media.readers import UnusableItem, read_picture, read_sound
from semcal_utils.media.spectra import FLOOR, HOP, log_mel

if TYPE_CHECKING:
    from semcal_utils.captioning.network import CaptionerConfig


def input_arrays(
    items: Iterable[Any], config: CaptionerConfig, *, first_place: int = 0
) -> NDArray[np.uint8]:
    """Turn pictures or sounds into the arrays that a captioner was built for.

    Args:
        items: pictures (PIL, bytes, paths, ``{"bytes", "path"}``) of any mode and size, or sounds
            (the same forms, ``{"array", "sampling_rate"}``, or bare samples at the captioner's
            rate).
        config: the captioner's modality and input shape.
        first_place: the place of the first item, for messages.

    Returns:
        (items, channels, height, width).

    Raises:
        UnusableItem: if an item cannot be read; the message names its place.
    """
    read = picture_array if config.modality == "image" else sound_array
    arrays = []
    for place, item in enumerate(items, first_place):
        try:
            arrays.append(read(item, config))
        except UnusableItem as error:
            raise UnusableItem(f"Item {place}: {error}") from error
    return np.stack(arrays)


def picture_array(picture: Any, config: CaptionerConfig) -> NDArray[np.uint8]:
    """Read a picture, stretched to the captioner's size.

    Args:
        picture: any form that `read_picture` takes.
        config: the captioner's input shape.

    Returns:
        (3, height, width) red, green and blue.
    """
    drawn = read_picture(picture)
    if drawn.size != (config.width, config.height):
        drawn = drawn.resize((config.width, config.height), Image.Resampling.BILINEAR)
    return np.asarray(drawn).transpose(2, 0, 1)


def sound_array(sound: Any, config: CaptionerConfig) -> NDArray[np.uint8]:
    """Hear a sound's first seconds as a log-mel picture; silence follows a shorter sound.

    A longer sound is cut with a warning.

    Args:
        sound: any form that `read_sound` takes, or (n,) samples at the captioner's rate.
        config: the captioner's input shape and rate.

    Returns:
        (1, mel bands, frames), 0 at -80 dB and 255 at 0 dB, high frequencies on top.
    """
    if isinstance(sound, np.ndarray):
        sound = {"array": sound, "sampling_rate": config.sampling_rate}
    samples = read_sound(sound, sampling_rate=config.sampling_rate)
    heard = np.zeros(config.width * HOP, np.float32)
    if len(samples) > len(heard):
        seconds = len(heard) / config.sampling_rate
        warnings.warn(
            f"A sound lasts longer than {seconds} s; this captioner hears its first {seconds} s.",
            stacklevel=2,
        )
        samples = samples[: len(heard)]
    heard[: len(samples)] = samples
    level = log_mel(heard, sampling_rate=config.sampling_rate, bands=config.height)
    scaled = np.clip((level - FLOOR) / -FLOOR * 255, 0, 255)
    return scaled[::-1].astype(np.uint8)[None]
