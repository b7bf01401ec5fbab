"""What a city sound is and how people put it in words: the soundscape grammar and its inverse.

A soundscape is one event, near or far, alone or over a background; barks and bells are counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from semcal_utils.media import grammars
from semcal_utils.media.grammars import alternatives, choose

TOPICS: dict[str, dict[str, tuple[str, ...]]] = {
    "rain": {
        "light rain": ("light rain", "a gentle drizzle"),
        "heavy rain": ("heavy rain", "a downpour"),
        "rain on a metal roof": ("rain on a metal roof", "rain drumming on metal"),
    },
    "thunder": {
        "rolling thunder": ("rolling thunder", "thunder rolling"),
        "thunderclap": ("a thunderclap", "a crack of thunder"),
    },
    "siren": {
        "wailing siren": ("a wailing siren", "a siren wailing"),
        "yelping siren": ("a yelping siren", "a siren yelping"),
        "two note siren": ("a two note siren", "a siren on two notes"),
    },
    "birds": {
        "songbird": ("a songbird", "one bird singing"),
        "several songbirds": ("several songbirds", "many birds singing"),
        "owl": ("an owl", "an owl hooting"),
        "cuckoo": ("a cuckoo", "a cuckoo calling"),
    },
    "engine": {
        "car engine": ("a car engine", "a car idling"),
        "motorbike": ("a motorbike", "a motorbike revving"),
        "truck": ("a truck engine", "a heavy truck"),
    },
    "clock": {
        "slow clock": ("a slow clock", "a clock ticking slowly"),
        "fast clock": ("a fast clock", "a clock ticking fast"),
    },
    "footsteps": {
        "walking": ("footsteps", "someone walking"),
        "running": ("running footsteps", "someone running"),
        "high heels": ("footsteps in high heels", "someone in high heels"),
    },
    "bell": {
        "church bell": ("a church bell ringing", "a large bell ringing"),
        "hand bell": ("a hand bell ringing", "a small bell ringing"),
    },
    "crowd": {
        "murmuring crowd": ("a crowd murmuring", "people talking"),
        "applause": ("applause", "people clapping"),
    },
    "dog": {
        "big dog": ("a big dog barking", "a large dog barking"),
        "small dog": ("a small dog barking", "a little dog barking"),
    },
}
COUNTED = frozenset({"church bell", "hand bell", "big dog", "small dog"})
TIMES = {"once": 1, "twice": 2, "three times": 3}
DISTANCES: dict[str, tuple[str, ...]] = {
    "far": ("in the distance", "far away"),
    "middle": ("",),
    "near": ("close by", "very near"),
}
BACKDROPS: dict[str, tuple[str, ...]] = {
    "quiet": ("",),
    "wind": ("in the wind", "with wind blowing"),
    "traffic": ("over traffic", "with traffic passing"),
    "waves": ("by the sea", "with waves breaking"),
}
WORDINGS = (
    "{event} {times} {distance} {backdrop}",
    "the sound of {event} {times} {distance} {backdrop}",
    "{backdrop} , {event} {times} {distance}",
    "{distance} , {event} {times} {backdrop}",
)


@dataclass(frozen=True)
class Soundscape:
    """One soundscape: what sounds, how it is put in words, and the seed of its samples.

    Attributes:
        topic: the label, one of `TOPICS`.
        event: the fine label, one of the topic's events.
        count: how often it happens; 1 where it is not counted.
        distance: one of `DISTANCES`.
        backdrop: one of `BACKDROPS`.
        caption: the reference caption.
        sample_seed: decides every sample.
    """

    topic: str
    event: str
    count: int
    distance: str
    backdrop: str
    caption: str
    sample_seed: int

    @property
    def fine_label(self) -> str:
        """The event."""
        return self.event


@dataclass(frozen=True)
class SoundMeaning:
    """What a caption says in any wording."""

    event: str
    count: int
    distance: str
    backdrop: str


def soundscape_at(index: int, seed: int, *, part: int = grammars.STREAM) -> Soundscape:
    """Return the soundscape at one place of a stream, without making the ones before it.

    Every block of ten holds every topic once, so topics are uniform.

    Args:
        index: place in the stream, from 0.
        seed: the stream's seed, not negative.
        part: `grammars.STREAM` or `grammars.LESSONS`; the two never share a random number.

    Returns:
        The soundscape.
    """
    return random_soundscape(*grammars.topic_at(index, seed, TOPICS, part=part))


def random_soundscape(topic: str, rng: np.random.Generator) -> Soundscape:
    """Draw the meaning and the wording of one soundscape of a topic.

    Args:
        topic: one of `TOPICS`.
        rng: source of every choice.

    Returns:
        The soundscape.

    Raises:
        ValueError: if the topic is not one of `TOPICS`.
    """
    grammars.require_topic(topic, TOPICS)
    event = choose(list(TOPICS[topic]), rng)
    count = int(rng.integers(1, 4)) if event in COUNTED else 1
    distance, backdrop = choose(list(DISTANCES), rng), choose(list(BACKDROPS), rng)
    times = next(word for word, number in TIMES.items() if number == count)
    sentence = choose(WORDINGS, rng).format(
        event=choose(TOPICS[topic][event], rng),
        times=times if event in COUNTED else "",
        distance=choose(DISTANCES[distance], rng),
        backdrop=choose(BACKDROPS[backdrop], rng),
    )
    caption = re.sub(r"\s+,", ",", " ".join(sentence.split())).removeprefix(", ")
    return Soundscape(
        topic, event, count, distance, backdrop, caption, sample_seed=int(rng.integers(2**32))
    )


def caption_meaning(caption: str) -> SoundMeaning | None:
    """Read a caption back to its event, count, distance and backdrop.

    Args:
        caption: any text; wording, order and capital letters do not matter.

    Returns:
        The meaning, or None where the text names not exactly one event, or two distances, counts or
        backdrops that contradict each other.
    """
    text = caption.lower()
    found = [
        {table[phrase] for phrase in pattern.findall(text)}
        for table, pattern in (_EVENTS, _TIMES, _DISTANCES, _BACKDROPS)
    ]
    if len(found[0]) != 1 or any(len(said) > 1 for said in found):
        return None
    event, count, distance, backdrop = (next(iter(said), None) for said in found)
    return SoundMeaning(str(event), int(count or 1), distance or "middle", backdrop or "quiet")


def caption_topic(caption: str) -> str | None:
    """Return the topic of the first sound that a caption names, or None where it names none.

    Args:
        caption: any text.

    Returns:
        One of `TOPICS`; on reference captions this is the true label.
    """
    table, pattern = _KEYWORDS
    found = pattern.search(caption.lower())
    return table[found[1]] if found else None


def same_meaning(caption: str, item: str | Soundscape | Mapping[str, Any]) -> bool:
    """Say whether a caption names exactly an item's event, count, distance and backdrop.

    Args:
        caption: the caption to judge.
        item: a reference caption, a soundscape, or a row with a ``reference_caption``.

    Returns:
        Whether both mean the same.
    """
    return grammars.same_meaning(caption, item, caption_meaning)


def grade_captions(captions: Sequence[str], items: pd.DataFrame) -> dict[str, float]:
    """Grade captions of sounds by what they say, whatever their wording.

    Args:
        captions: (n,) captions to judge.
        items: (n,) rows with label and reference_caption, in the same order.

    Returns:
        ``topic_accuracy``: share that names the item's topic; ``meaning_accuracy``: share that
        names exactly its event, count, distance and backdrop.
    """
    return grammars.grade_captions(captions, items, topic=caption_topic, meaning=caption_meaning)


def _reader(table: dict[str, Any]) -> tuple[dict[str, Any], re.Pattern[str]]:
    return table, re.compile(rf"\b({alternatives(table)})\b")


def _phrases(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {phrase: name for name, phrases in table.items() for phrase in phrases if phrase}


_EVENTS = _reader(
    {phrase: event for events in TOPICS.values() for phrase, event in _phrases(events).items()}
)
_TIMES = _reader(dict(TIMES))
_DISTANCES = _reader(_phrases(DISTANCES))
_BACKDROPS = _reader(_phrases(BACKDROPS))
_KEYWORDS = _reader(
    {
        keyword: topic
        for topic, keywords in {
            "rain": ("rain", "drizzle", "downpour"),
            "thunder": ("thunder", "thunderclap"),
            "siren": ("siren",),
            "birds": ("bird", "birds", "songbird", "songbirds", "owl", "cuckoo"),
            "engine": ("engine", "car", "motorbike", "truck"),
            "clock": ("clock",),
            "footsteps": ("footsteps", "walking", "someone", "high heels"),
            "bell": ("bell",),
            "crowd": ("crowd", "people", "applause"),
            "dog": ("dog",),
        }.items()
        for keyword in keywords
    }
)
