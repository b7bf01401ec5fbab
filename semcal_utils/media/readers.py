"""Read one picture, sound or text from whatever form it comes in, or say why it cannot be used."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLING_RATE = 16_000
"""Hz; what the captioners of sounds hear."""
MOST_PIXELS = 100_000_000
"""A larger picture is refused before it is decoded: it would take over 300 MB of memory."""
LARGEST_SIDE = 1024
"""Pixels; a picture is shrunk to this, since a batch of larger ones shows a captioner no more."""
MOST_SECONDS = 600.0
"""A longer recording is refused before it is decoded."""

RATES = (100, 400_000)
"""Hz; a rate outside is damage, and converting from it would take gigabytes for the filter."""


class UnusableItem(ValueError):
    """An item that cannot be captioned; its message is the reason kept in the table."""


def read_picture(picture: Any) -> Image.Image:
    """Decode a picture to RGB, upright, first frame only, on white where it is transparent.

    Args:
        picture: A PIL image, the bytes of a file, a path, or ``{"bytes": ..., "path": ...}``.

    Returns:
        An RGB image of 8 bits a channel, in the picture's own proportions and size, or with its
        longer side shrunk to ``LARGEST_SIDE`` pixels.

    Raises:
        UnusableItem: The picture is empty, damaged, no picture at all, or over ``MOST_PIXELS``.
    """
    if isinstance(picture, Image.Image):
        return _shrunk(_as_rgb(picture))
    source = _source(picture)
    try:
        with warnings.catch_warnings():
            # The limit below is lower than Pillow's own and refuses instead of warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(source)
        with opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise UnusableItem(
                    f"The picture has {width} x {height} pixels, more than {MOST_PIXELS:,}; "
                    "make it smaller."
                )
            # A JPEG can be decoded at a half or a quarter of its size at once.
            opened.draft(None, (LARGEST_SIDE, LARGEST_SIDE))
            return _shrunk(_as_rgb(opened))
    except (UnusableItem, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise UnusableItem("The file is not a picture in a format that can be read.") from error
    except Image.DecompressionBombError as error:
        raise UnusableItem(
            f"The picture has more than {MOST_PIXELS:,} pixels; make it smaller."
        ) from error
    except Exception as error:
        # Damaged files fail in as many ways as there are decoders: OSError, SyntaxError, struct...
        raise UnusableItem(f"The picture is damaged ({_short(error)}).") from error


def read_sound(sound: Any, *, sampling_rate: int = SAMPLING_RATE) -> NDArray[np.float32]:
    """Decode a sound to mono samples at one rate.

    Args:
        sound: The bytes of a file, a path, ``{"bytes": ..., "path": ...}``, or decoded samples
            ``{"array": (n,) or (n, channels), "sampling_rate": Hz}``.
        sampling_rate: Rate of the result, in Hz.

    Returns:
        (m,) samples, float32; channels are averaged.

    Raises:
        UnusableItem: The sound is empty, damaged, silent, not finite, longer than
            ``MOST_SECONDS``, or in a format that cannot be read.
    """
    samples, rate = _samples(sound)
    if samples.shape[0] == 0:
        raise UnusableItem("The sound lasts 0 s.")
    if not np.isfinite(samples).all():
        raise UnusableItem("The sound holds samples that are not finite numbers.")
    if np.abs(samples).max() < 1e-6:
        raise UnusableItem("The sound is silent.")
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    return _resample(mono, rate, sampling_rate).astype(np.float32)


def read_text(text: Any) -> str:
    """Check a text: it is returned whole, whatever its length and script, without outer spaces.

    Args:
        text: A string.

    Returns:
        The text without white space around it.

    Raises:
        UnusableItem: There is no text, or it holds characters that UTF-8 cannot store.
    """
    if not isinstance(text, str) or not text.strip():
        raise UnusableItem("The text is empty.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnusableItem("The text holds half a character pair, which is not Unicode.") from error
    return text.strip()


READERS: dict[str, Callable[[Any], Any]] = {
    "image": read_picture,
    "audio": read_sound,
    "text": read_text,
}
"""How an item of each modality is read."""


def _source(item: Any) -> Path | io.BytesIO:
    if isinstance(item, dict):
        item = item["bytes"] if item.get("bytes") is not None else item.get("path")
    if isinstance(item, bytes | bytearray | memoryview):
        if len(item) == 0:
            raise UnusableItem("The file is empty (0 bytes).")
        return io.BytesIO(item)
    if not isinstance(item, str | Path):
        raise UnusableItem("The item has neither bytes nor a path.")
    path = Path(item)
    if not path.is_file():
        raise UnusableItem(f"The file {path.name} does not exist.")
    if path.stat().st_size == 0:
        raise UnusableItem("The file is empty (0 bytes).")
    return path


def _as_rgb(picture: Image.Image) -> Image.Image:
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bits(np.asarray(picture, dtype=np.float64))).convert("RGB")
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("RGB")
    return picture.convert("RGB")


def _shrunk(picture: Image.Image) -> Image.Image:
    if max(picture.size) > LARGEST_SIDE:
        picture = ImageOps.contain(picture, (LARGEST_SIDE, LARGEST_SIDE))
    return picture


def _to_8_bits(levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    # Pillow clips such levels at 255, which turns most 16-bit pictures white.
    levels = np.nan_to_num(levels)
    whole = 65535.0 if levels.max() > 255 else (255.0 if levels.max() > 1 else 1.0)
    return np.clip(levels / whole * 255, 0, 255).round().astype(np.uint8)


def _samples(sound: Any) -> tuple[NDArray[np.float64], int]:
    if isinstance(sound, dict) and sound.get("array") is not None:
        samples, rate = np.asarray(sound["array"], dtype=np.float64), sound.get("sampling_rate")
        if not rate or rate <= 0:
            raise UnusableItem("The sound has samples but no sampling rate.")
        if samples.ndim not in (1, 2):
            raise UnusableItem(f"The sound's samples have shape {samples.shape}; (n,) is needed.")
        return samples, int(rate)
    import soundfile

    try:
        with soundfile.SoundFile(_source(sound)) as opened:
            low, high = RATES
            if not low <= opened.samplerate <= high:
                raise UnusableItem(
                    f"The sound claims {opened.samplerate} samples a second, which no recording "
                    "has; the file is damaged."
                )
            seconds = opened.frames / opened.samplerate
            if seconds > MOST_SECONDS:
                raise UnusableItem(
                    f"The sound lasts {seconds:.0f} s, more than {MOST_SECONDS:.0f} s; cut it."
                )
            return opened.read(dtype="float64", always_2d=True), opened.samplerate
    except soundfile.LibsndfileError as error:
        raise UnusableItem(f"The sound cannot be read ({_short(error)}).") from error


def _resample(samples: NDArray[np.float64], rate: int, wanted: int) -> NDArray[np.float64]:
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    shared = gcd(rate, wanted)
    return resample_poly(samples, wanted // shared, rate // shared)


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:120]
