"""Sounds as pictures: log-mel spectra."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

WINDOW = 512  # samples: 32 ms at 16 kHz
HOP = 250  # samples between frames: 64 frames a second at 16 kHz
LOWEST_FREQUENCY = 50.0  # Hz
FLOOR = -80.0  # dB below a full-scale sine


def log_mel(
    waveform: NDArray[np.floating], *, sampling_rate: int = 16_000, bands: int = 48
) -> NDArray[np.float32]:
    """Compute the log-mel spectrum of a sound.

    Args:
        waveform: (samples,) mono, within [-1, 1].
        sampling_rate: in Hz.
        bands: number of mel bands from 50 Hz to 95 % of the Nyquist frequency.

    Returns:
        (bands, samples // 250) level in dB relative to a full-scale sine, from -80 up; the lowest
        band first.

    Raises:
        ValueError: if the waveform is not one-dimensional or shorter than one hop.
    """
    waveform = np.asarray(waveform, np.float32)
    if waveform.ndim != 1 or len(waveform) < HOP:
        raise ValueError(
            f"A log-mel spectrum needs a mono sound of at least {HOP} samples, "
            f"not an array of shape {waveform.shape}."
        )
    before = (WINDOW - HOP) // 2
    padded = np.pad(waveform, (before, WINDOW - HOP - before))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][: len(waveform) // HOP]
    window = np.hanning(WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window) * (2 / window.sum())) ** 2
    energy = power @ mel_filters(sampling_rate, bands).T
    return (10 * np.log10(np.maximum(energy, 10 ** (FLOOR / 10)))).T.astype(np.float32)


@functools.lru_cache(maxsize=8)
def mel_filters(sampling_rate: int, bands: int) -> NDArray[np.float64]:
    """Build triangular filters, evenly spaced on the mel scale m = 2595 log10(1 + f / 700 Hz).

    Args:
        sampling_rate: in Hz.
        bands: number of filters.

    Returns:
        (bands, 257) weight of each frequency bin in each band.
    """
    highest = 0.475 * sampling_rate
    edges = np.linspace(_mel(LOWEST_FREQUENCY), _mel(highest), bands + 2)
    corners = 700 * (10 ** (edges / 2595) - 1)
    bins = np.fft.rfftfreq(WINDOW, 1 / sampling_rate)
    rising = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    return np.maximum(0, np.minimum(rising, falling))


def _mel(frequency: float) -> float:
    return float(2595 * np.log10(1 + frequency / 700))
