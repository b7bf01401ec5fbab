"""How an utterance becomes a sound: an event at its distance, over a background, in 1.5 s."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

from semcal_utils.city.events import BACKGROUNDS, SYNTHESISERS
from semcal_utils.city.grammar import Utterance
from semcal_utils.city.synthesis import RATE, SAMPLES, band_passed

# Loudest sample of the event, where 1 is full scale, and the band that the distance lets through.
PEAKS = {"far": (0.05, 0.1), "middle": (0.18, 0.32), "near": (0.6, 0.95)}
CUTOFFS = {"far": (1800.0, 3000.0), "middle": (5000.0, 8000.0), "near": (9000.0, 12000.0)}


def synthesise(soundscape: Utterance) -> NDArray[np.float32]:
    """Make the samples of one utterance.

    Args:
        soundscape: what to hear.

    Returns:
        (24000,) samples at 16 kHz, within [-1, 1].
    """
    rng = np.random.default_rng([soundscape.seed])
    event = SYNTHESISERS[soundscape.fine_label](rng, len(soundscape.things))
    event = band_passed(event, 1.0, rng.uniform(*CUTOFFS[soundscape.distance]))
    event *= rng.uniform(*PEAKS[soundscape.distance]) / np.abs(event).max()
    hiss = rng.standard_normal(SAMPLES) * rng.uniform(0.0005, 0.002)
    if soundscape.place in BACKGROUNDS:
        hiss += BACKGROUNDS[soundscape.place](rng) * rng.uniform(0.008, 0.02)
    return np.clip(event + hiss, -1, 1).astype(np.float32)


def wav_bytes(samples: NDArray[np.floating]) -> bytes:
    """Encode samples as a mono WAV file of 16 bits at 16 kHz.

    Args:
        samples: (n,) within [-1, 1].

    Returns:
        The file's bytes.
    """
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.asarray(samples) * 32767).round().astype("<i2").tobytes())
    return buffer.getvalue()
