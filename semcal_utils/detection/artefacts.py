"""Artefacts that give generated media away, of a strength that can be turned down, and a detector.

A generated picture carries a faint checkerboard (what up-sampling layers leave behind), a generated
sound a faint tone (what vocoders leave behind), a generated text doubled spaces. The detector sees
the spectrum, where such traces stand out, and nothing of the content.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

TONE = 6_100.0
"""Frequency of the faint tone, in Hz."""

STRENGTHS: dict[str, tuple[float, ...]] = {
    "image": (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6),
    "audio": (0.0, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
    "text": (0.0, 0.01, 0.03, 0.1, 0.3, 0.6),
}
UNITS = {
    "image": "checkerboard, grey levels",
    "audio": "tone, share of full scale",
    "text": "doubled spaces, share of gaps",
}
BLOCKS = 16
"""Cells per axis that a picture's spectrum is pooled into."""

BANDS = 128
"""Bands that a sound's spectrum is pooled into."""


def add_checkerboard(
    picture: NDArray[np.uint8], strength: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Add a checkerboard of ± strength grey levels, rounded at random so that fractions survive.

    Args:
        picture: (height, width, 3) bytes.
        strength: in grey levels; 0 only rounds, which leaves whole numbers as they are.
        rng: decides the rounding.

    Returns:
        The picture in bytes.
    """
    rows, columns = np.indices(picture.shape[:2])
    board = np.where((rows + columns) % 2, 1.0, -1.0)[..., None]
    # One coin per pixel for all three channels, so that the trace stays grey.
    exact = picture.astype(float) + strength * board
    rounded = np.floor(exact + rng.random(picture.shape[:2])[..., None])
    return np.clip(rounded, 0, 255).astype(np.uint8)


def add_tone(
    samples: NDArray[np.float32], rate: int, strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add a steady tone of random phase.

    Args:
        samples: (n,) mono, within [-1, 1].
        rate: sampling rate in Hz.
        strength: amplitude as a share of full scale.
        rng: decides the phase.

    Returns:
        (n,) samples.
    """
    times = np.arange(len(samples)) / rate
    tone = np.sin(2 * math.pi * TONE * times + rng.uniform(0, 2 * math.pi))
    return (samples + strength * tone).astype(np.float32)


def double_spaces(text: str, strength: float, rng: np.random.Generator) -> str:
    """Double each gap between words with probability `strength`."""
    pieces = re.split(r"( )", text)
    return "".join(
        piece * 2 if piece == " " and rng.random() < strength else piece for piece in pieces
    )


def add_artefact(
    item: Any, kind: str, strength: float, rng: np.random.Generator, *, rate: int = 16_000
) -> Any:
    """Give an item the artefact of its medium.

    Args:
        item: (h, w, 3) bytes, (n,) samples, or a text.
        kind: "image", "audio" or "text".
        strength: see `UNITS`.
        rng: decides rounding, phase or places.
        rate: sampling rate of sounds in Hz.

    Returns:
        The item with the artefact.

    Raises:
        ValueError: an unknown kind, or a negative strength.
    """
    if strength < 0 or kind not in STRENGTHS:
        raise ValueError(
            f"No artefact of strength {strength} for {kind!r}; strengths are 0 or more, and kinds "
            f"are {', '.join(STRENGTHS)}."
        )
    if kind == "image":
        return add_checkerboard(item, strength, rng)
    if kind == "audio":
        return add_tone(item, rate, strength, rng)
    return double_spaces(item, strength, rng)


def spectrum(item: Any, kind: str, *, rate: int = 16_000) -> NDArray[np.float64]:
    """Features in which an artefact would stand out.

    Args:
        item: (h, w, 3) bytes of any size, (n,) samples, or a text.
        kind: "image", "audio" or "text".
        rate: sampling rate of sounds in Hz.

    Returns:
        Of a picture: log power of the grey picture's Fourier transform, the strongest frequency of
        each cell. Of a sound: the same in bands. Of a text: how often each kind of gap occurs.
    """
    if kind == "image":
        return _picture_spectrum(item)
    if kind == "audio":
        return _sound_spectrum(item, rate)
    gaps = [len(gap) for gap in re.findall(r"\s+", item)]
    return np.array([np.mean([gap == size for gap in gaps] or [False]) for size in (1, 2)])


def spectra(items: Sequence[Any], kind: str) -> NDArray[np.float64]:
    """Spectra of many items, (n, features)."""
    return np.stack([spectrum(item, kind) for item in items])


def artefact_detector(features: NDArray[np.float64], generated: NDArray[np.bool_]) -> Pipeline:
    """Learn to tell generated from authentic items by their spectra.

    Args:
        features: (n, features) from `spectra`.
        generated: (n,) bool.

    Returns:
        A fitted scikit-learn pipeline; column 1 of `predict_proba` is P(generated).

    Raises:
        ValueError: only one class is present.
    """
    if generated.all() or not generated.any():
        raise ValueError("The artefact detector needs both generated and authentic items.")
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=500)).fit(
        features, generated
    )


def _picture_spectrum(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    grey = np.asarray(Image.fromarray(picture).convert("RGB"), dtype=float).mean(axis=2)
    grey -= grey.mean()
    # A window, so that edges at the border do not spread over all frequencies.
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    power = np.abs(np.fft.fft2(grey * window)) ** 2
    half = np.fft.fftshift(power, axes=0)[:, : power.shape[1] // 2 + 1]
    return np.log10(_pooled(_pooled(half, BLOCKS).T, BLOCKS // 2).ravel() + 1.0)


def _sound_spectrum(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    # Filled up to whole seconds of a power of two, where the transform is fast.
    length = 1 << max(int(len(samples) - 1).bit_length(), BANDS.bit_length())
    window = np.hanning(len(samples))
    power = np.abs(np.fft.rfft(samples * window, length)) ** 2 / max(1, len(samples))
    return np.log10(_pooled(power, BANDS) + 1e-14)


def _pooled(power: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """Largest value of each of about `cells` equal stretches along the first axis."""
    starts = np.unique(np.linspace(0, len(power), cells, endpoint=False).astype(int))
    return np.maximum.reduceat(power, starts, axis=0)
