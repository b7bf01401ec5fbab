"""City sounds: captioned clips of 1.5 s, synthesised, the same for the same seed.

`stream` and `lessons` return tables of sounds; `make_sound` makes any one soundscape's samples.
"""

from __future__ import annotations

import io
import wave

import numpy as np
from datasets import Dataset, Value
from numpy.typing import NDArray
from tqdm.auto import tqdm

from semcal_utils.media import grammars
from semcal_utils.media.events import BACKGROUNDS, SYNTHESISERS
from semcal_utils.media.parts import CAPTIONER_TRAIN, assign_parts
from semcal_utils.media.soundscapes import (
    SoundMeaning,
    Soundscape,
    caption_meaning,
    caption_topic,
    grade_captions,
    random_soundscape,
    same_meaning,
    soundscape_at,
)
from semcal_utils.media.synthesis import RATE, SAMPLES, band_passed
from semcal_utils.media.tables import captioned_table

__all__ = [
    "RATE",
    "SAMPLES",
    "SoundMeaning",
    "Soundscape",
    "caption_meaning",
    "caption_topic",
    "grade_captions",
    "lessons",
    "make_sound",
    "random_soundscape",
    "same_meaning",
    "soundscape_of",
    "stream",
    "wav_bytes",
]

# Plain bytes: the Audio feature needs a decoder that is not installed everywhere.
AUDIO_FILE = {"bytes": Value("binary"), "path": Value("string")}

# Loudest sample of the event, where 1 is full scale, and the band that the distance lets through.
PEAKS = {"far": (0.05, 0.1), "middle": (0.18, 0.32), "near": (0.6, 0.95)}
CUTOFFS = {"far": (1800.0, 3000.0), "middle": (5000.0, 8000.0), "near": (9000.0, 12000.0)}


def stream(items: int, seed: int, test_share: float = 0.25, *, progress: bool = True) -> Dataset:
    """Make the city's stream of sounds, its topics uniform in both of its parts.

    Args:
        items: number of sounds.
        seed: decides every sound; sound i is the same in a longer stream of the same seed.
        test_share: share of each topic that goes to general_test.
        progress: whether to show a progress bar.

    Returns:
        Rows of item_id, part, label (topic), fine_label (event), reference_caption and audio, which
        is ``{"bytes": wav, "path": None}`` at 16 kHz; part is general_train or general_test.
    """
    soundscapes = [soundscape_at(index, seed) for index in range(items)]
    labels = [soundscape.topic for soundscape in soundscapes]
    parts = assign_parts(labels, test_share=test_share, seed=seed)
    ids = grammars.item_ids("city_sounds", items, part=grammars.STREAM)
    return _table(ids, parts, soundscapes, progress)


def lessons(items: int, seed: int, *, progress: bool = True) -> Dataset:
    """Make the sounds a captioner learns from; none of them is in a stream, whatever its seed.

    Args:
        items: number of sounds.
        seed: decides every sound.
        progress: whether to show a progress bar.

    Returns:
        Rows as in `stream`, with part ``captioner_train``.
    """
    soundscapes = [soundscape_at(index, seed, part=grammars.LESSONS) for index in range(items)]
    ids = grammars.item_ids("city_sounds", items, part=grammars.LESSONS)
    return _table(ids, [CAPTIONER_TRAIN] * items, soundscapes, progress)


def soundscape_of(item_id: str, seed: int) -> Soundscape:
    """Return the soundscape behind an item.

    Args:
        item_id: an item_id of `stream` or `lessons`.
        seed: the seed that they were made with.

    Returns:
        The soundscape.

    Raises:
        ValueError: if the item_id is not one of a city sound.
    """
    index, part = grammars.place_of(item_id, "city_sounds")
    return soundscape_at(index, seed, part=part)


def make_sound(soundscape: Soundscape) -> NDArray[np.float32]:
    """Make a soundscape's samples.

    Args:
        soundscape: what to hear.

    Returns:
        (24000,) samples at 16 kHz, within [-1, 1].
    """
    rng = np.random.default_rng([soundscape.sample_seed])
    event = SYNTHESISERS[soundscape.event](rng, soundscape.count)
    event = band_passed(event, 1.0, rng.uniform(*CUTOFFS[soundscape.distance]))
    event *= rng.uniform(*PEAKS[soundscape.distance]) / np.abs(event).max()
    hiss = rng.standard_normal(SAMPLES) * rng.uniform(0.0005, 0.002)
    if soundscape.backdrop in BACKGROUNDS:
        hiss += BACKGROUNDS[soundscape.backdrop](rng) * rng.uniform(0.008, 0.02)
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


def _table(
    ids: list[str], parts: list[str], soundscapes: list[Soundscape], progress: bool
) -> Dataset:
    made = tqdm(soundscapes, desc="Making city sounds", unit="sound", disable=not progress)
    texts = grammars.facts_of(soundscapes, ids, parts)
    files = (wav_bytes(make_sound(soundscape)) for soundscape in made)
    return captioned_table(texts, "audio", AUDIO_FILE, files)
