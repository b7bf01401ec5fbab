"""What a city picture shows and how people put it in words: the scene grammar and its inverse.

A scene is one pictogram, two or three of the same, or two different ones, in one of six settings.
Its caption is one of several wordings, so that captions vary while their meaning stays exact:
`caption_meaning` reads it back.
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
from semcal_utils.media.pictograms import (
    CODE_POINTS,
    IRREGULAR_PLURALS,
    NOUN_SETTINGS,
    PROPS,
    STORMY,
    TOPIC_OF,
    TOPIC_SETTINGS,
    TOPICS,
)

SETTINGS: dict[str, tuple[str, ...]] = {
    "day": ("by day", "on a clear day", "under a blue sky"),
    "night": ("at night", "in the dark", "under the moon"),
    "dusk": ("at sunset", "in the evening", "at dusk"),
    "street": ("in the street", "downtown", "in the city"),
    "sea": ("by the sea", "at the seaside", "on the beach"),
    "snow": ("in the snow", "in winter", "on a snowy day"),
}
NUMERALS = {2: "two", 3: "three"}
FAIR_WEATHER = frozenset({"on a clear day", "under a blue sky", "under the moon", "at sunset"})

SINGLE_WORDINGS = (
    "{one} {where}",
    "a picture of {one} {where}",
    "{where}, there is {one}",
    "{one} seen {where}",
)
SEVERAL_WORDINGS = (
    "{many} {where}",
    "a picture of {many} {where}",
    "{where}, there are {many}",
    "{many} seen {where}",
)
PAIR_WORDINGS = (
    "{one} beside {other} {where}",
    "{one} next to {other} {where}",
    "{one} and {other} {where}",
    "{where}, {one} near {other}",
)


@dataclass(frozen=True)
class Scene:
    """One scene: its objects, its setting, its caption, and the seed of all else that is drawn.

    Attributes:
        topic: the label, one of `TOPICS`.
        nouns: one noun per pictogram; the first belongs to the topic.
        setting: one of `SETTINGS`.
        caption: the reference caption.
        layout_seed: decides positions, sizes, weather and light, at any picture size.
    """

    topic: str
    nouns: tuple[str, ...]
    setting: str
    caption: str
    layout_seed: int

    @property
    def fine_label(self) -> str:
        """The first noun."""
        return self.nouns[0]


@dataclass(frozen=True)
class Meaning:
    """What a caption says in any wording: its objects, each as often as named, and its setting."""

    objects: tuple[str, ...]
    setting: str

    @property
    def count(self) -> int:
        """Number of objects."""
        return len(self.objects)


def scene_at(index: int, seed: int, *, part: int = grammars.STREAM) -> Scene:
    """Return the scene at one place of a stream, without drawing the ones before it.

    Every block of ten scenes holds every topic once, so topics are uniform.

    Args:
        index: place in the stream, from 0.
        seed: the stream's seed, not negative.
        part: `grammars.STREAM` or `grammars.LESSONS`; the two never share a random number.

    Returns:
        The scene.
    """
    return random_scene(*grammars.topic_at(index, seed, TOPICS, part=part))


def random_scene(topic: str, rng: np.random.Generator) -> Scene:
    """Draw the meaning and the wording of one scene about a topic.

    Args:
        topic: one of `TOPICS`.
        rng: source of every choice.

    Returns:
        The scene.

    Raises:
        ValueError: if the topic is not one of `TOPICS`.
    """
    grammars.require_topic(topic, TOPICS)
    noun = choose(list(TOPICS[topic]), rng)
    kind = rng.random()
    if kind < 0.2:
        nouns: tuple[str, ...] = (noun,) * int(rng.integers(2, 4))
    elif kind < 0.6:
        nouns = (noun, _companion(noun, topic, rng))
    else:
        nouns = (noun,)
    setting = choose(_common_settings(nouns), rng)
    caption = _word(nouns, setting, rng)
    return Scene(topic, nouns, setting, caption, layout_seed=int(rng.integers(2**32)))


def caption_meaning(caption: str) -> Meaning | None:
    """Read a caption back to its objects and setting.

    Args:
        caption: any text; wording, order and capital letters do not matter.

    Returns:
        The meaning, or None where the text names no counted object or not exactly one setting.
    """
    text = caption.lower()
    settings = {_SETTING_OF[phrase] for phrase in _SETTING_PATTERN.findall(text)}
    objects: list[str] = []
    for numeral, noun in _COUNTED_PATTERN.findall(_SETTING_PATTERN.sub(" ", text)):
        objects += [_NOUN_OF[noun]] * _COUNTS[numeral] if _agrees(numeral, noun) else []
    if len(settings) != 1 or not objects:
        return None
    return Meaning(tuple(sorted(objects)), settings.pop())


def caption_topic(caption: str) -> str | None:
    """Return the topic of the first topical noun in a caption, or None where it names none.

    Every scene's objects share one topic beside neutral bystanders, so on reference captions this
    is the true label.

    Args:
        caption: any text; capital letters do not matter.

    Returns:
        One of `TOPICS`, or None.
    """
    nouns = (_NOUN_OF[noun] for noun in _NOUN_PATTERN.findall(caption.lower()))
    return next((TOPIC_OF[noun] for noun in nouns if noun in TOPIC_OF), None)


def same_meaning(caption: str, item: str | Scene | Mapping[str, Any]) -> bool:
    """Say whether a caption names exactly the objects, the count and the setting of an item.

    Args:
        caption: the caption to judge.
        item: a reference caption, a scene, or a row with a ``reference_caption``.

    Returns:
        Whether both mean the same.
    """
    return grammars.same_meaning(caption, item, caption_meaning)


def grade_captions(captions: Sequence[str], items: pd.DataFrame) -> dict[str, float]:
    """Grade captions of pictures by what they say, whatever their wording.

    Args:
        captions: (n,) captions to judge.
        items: (n,) rows with label and reference_caption, in the same order.

    Returns:
        ``topic_accuracy``: share that names the item's topic; ``meaning_accuracy``: share that
        names exactly its objects, count and setting.
    """
    return grammars.grade_captions(captions, items, topic=caption_topic, meaning=caption_meaning)


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """Return the plural of one of the city's nouns."""
    return IRREGULAR_PLURALS.get(noun, f"{noun}s")


def _settings_of(noun: str) -> tuple[str, ...]:
    if noun in PROPS:
        return tuple(SETTINGS)
    return NOUN_SETTINGS.get(noun, TOPIC_SETTINGS[TOPIC_OF[noun]])


def _common_settings(nouns: tuple[str, ...]) -> list[str]:
    return [setting for setting in SETTINGS if all(setting in _settings_of(noun) for noun in nouns)]


def _companion(noun: str, topic: str, rng: np.random.Generator) -> str:
    same_topic = rng.random() < 0.6
    pool = [other for other in (TOPICS[topic] if same_topic else PROPS) if other != noun]
    return choose([other for other in pool if _common_settings((noun, other))], rng)


def _word(nouns: tuple[str, ...], setting: str, rng: np.random.Generator) -> str:
    stormy = not STORMY.isdisjoint(nouns)
    fitting = [phrase for phrase in SETTINGS[setting] if not (stormy and phrase in FAIR_WEATHER)]
    where = choose(fitting, rng)
    one = with_article(nouns[0])
    if len(nouns) == 1:
        return choose(SINGLE_WORDINGS, rng).format(one=one, where=where)
    if nouns[0] == nouns[1]:
        many = f"{NUMERALS[len(nouns)]} {plural(nouns[0])}"
        return choose(SEVERAL_WORDINGS, rng).format(many=many, where=where)
    other = with_article(nouns[1])
    return choose(PAIR_WORDINGS, rng).format(one=one, other=other, where=where)


def _agrees(numeral: str, noun: str) -> bool:
    return (numeral in NUMERALS.values()) == (noun not in CODE_POINTS)


_NOUN_OF = {form: noun for noun in CODE_POINTS for form in (noun, plural(noun))}
_SETTING_OF = {phrase: setting for setting, phrases in SETTINGS.items() for phrase in phrases}
_COUNTS = {"a": 1, "an": 1, "one": 1} | {numeral: count for count, numeral in NUMERALS.items()}
_NOUN_PATTERN = re.compile(rf"\b({alternatives(_NOUN_OF)})\b")
_SETTING_PATTERN = re.compile(rf"\b({alternatives(_SETTING_OF)})\b")
_COUNTED_PATTERN = re.compile(rf"\b({alternatives(_COUNTS)}) ({alternatives(_NOUN_OF)})\b")
