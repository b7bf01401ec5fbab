"""What sounds are made of: noise, tones, short events and their repetition, at 16 kHz.

Noise is drawn as a spectrum and a repeated event is one kernel convolved with its times, so that a
clip takes a few milliseconds. Loudness is left to whoever puts the parts together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

Samples = NDArray[np.float64]

RATE = 16_000  # Hz
SAMPLES = 24_000  # 1.5 s
SECONDS = SAMPLES / RATE
TIME = np.arange(SAMPLES) / RATE
FREQUENCIES = np.fft.rfftfreq(SAMPLES, 1 / RATE)
_PADDED = 32_000  # room for a clip and the tail of an event of half a second


def band_noise(rng: np.random.Generator, low: float, high: float) -> Samples:
    """Make noise between two frequencies, with soft edges and a root mean square of 1.

    Args:
        rng: source of the noise.
        low: lower edge in Hz.
        high: upper edge in Hz.

    Returns:
        (24000,) samples.
    """
    spectrum = rng.standard_normal((2, len(FREQUENCIES))).T.copy().view(complex)[:, 0]
    noise = irfft(spectrum * band_response(low, high), SAMPLES)
    return noise / np.sqrt(np.mean(noise**2))


def repeat(
    kernel: Samples, times: Sequence[float] | Samples, gains: Samples | float = 1.0
) -> Samples:
    """Sound one event at several times.

    Args:
        kernel: (at most 8000,) samples of the event.
        times: (events,) seconds from the start; those outside the clip are left out.
        gains: (events,) loudness of each.

    Returns:
        (24000,) samples.
    """
    places = (np.asarray(times) * RATE).astype(int)
    inside = (places >= 0) & (places < SAMPLES)
    strikes = np.bincount(
        places[inside], np.broadcast_to(gains, places.shape)[inside], minlength=SAMPLES
    )
    return irfft(rfft(strikes, _PADDED) * rfft(kernel, _PADDED), _PADDED)[:SAMPLES]


def shower(kernel: Samples, density: float, rng: np.random.Generator) -> Samples:
    """Sound one event at random times, each with its own loudness.

    Args:
        kernel: (at most 8000,) samples of the event.
        density: mean number of events a second (a Poisson process).
        rng: source of number, times and loudness.

    Returns:
        (24000,) samples.
    """
    events = rng.poisson(density * SECONDS)
    return repeat(kernel, rng.uniform(0, SECONDS, events), rng.lognormal(-0.3, 0.6, events))


def band_response(low: float, high: float) -> Samples:
    """Return how much of each frequency a band lets through, its edges falling 24 dB an octave.

    Args:
        low: lower edge in Hz.
        high: upper edge in Hz.

    Returns:
        (12001,) factors of the amplitudes of `FREQUENCIES`.
    """
    rising = 1 / (1 + (low / np.maximum(FREQUENCIES, 1e-3)) ** 4)
    return rising / (1 + (FREQUENCIES / high) ** 4)


def band_passed(samples: Samples, low: float, high: float) -> Samples:
    """Keep a band of a clip.

    Args:
        samples: (24000,) a clip.
        low: lower edge in Hz.
        high: upper edge in Hz.

    Returns:
        (24000,) samples.
    """
    return irfft(rfft(samples) * band_response(low, high), SAMPLES)


def tone(frequency: Samples) -> Samples:
    """Make a sine whose frequency may move.

    Args:
        frequency: (n,) Hz at each sample.

    Returns:
        (n,) samples.
    """
    return np.sin(2 * np.pi * np.cumsum(frequency) / RATE)


def ping(frequency: float, decay: float, length: float) -> Samples:
    """Make a sine that dies away.

    Args:
        frequency: in Hz.
        decay: seconds to fall to 1/e.
        length: seconds to cut it at.

    Returns:
        (length * 16000,) samples.
    """
    time = np.arange(int(length * RATE)) / RATE
    return np.sin(2 * np.pi * frequency * time) * np.exp(-time / decay)


def burst(rng: np.random.Generator, low: float, high: float, decay: float) -> Samples:
    """Make a quarter of a second of noise that dies away.

    Args:
        rng: source of the noise.
        low: lower edge in Hz.
        high: upper edge in Hz.
        decay: seconds to fall to 1/e.

    Returns:
        (4000,) samples.
    """
    time = np.arange(RATE // 4) / RATE
    onset = np.minimum(time / 0.002, 1)
    return band_noise(rng, low, high)[: len(time)] * onset * np.exp(-time / decay)
