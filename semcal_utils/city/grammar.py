"""What the city shows and sounds like, and how people put it in words; and how to read words back.

An utterance names *things*, pictograms or sounds, each as often as it is there, in a *place*: a
picture's setting, or what is heard behind a sound. A sound also has a distance. Captions come in
several wordings, so that they vary while their meaning stays exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

VOCABULARY = yaml.safe_load(Path(__file__).with_name("vocabulary.yaml").read_text("utf-8"))
STREAM, LESSONS = 0, 1
"""Apart in the seed sequence, so that no lesson is an item of the stream."""

_SEEN, _HEARD = VOCABULARY["pictures"], VOCABULARY["sounds"]
TOPIC_OF = {noun: topic for topic, nouns in _SEEN["pictograms"].items() for noun in nouns}
BYSTANDERS: tuple[str, ...] = tuple(_SEEN["bystanders"])
STORMY = frozenset(_SEEN["stormy"])
COUNTED = frozenset(_HEARD["counted"])
NUMERALS = {2: "two", 3: "three"}
TIMES = {"once": 1, "twice": 2, "three times": 3}


@dataclass(frozen=True)
class Meaning:
    """What a caption says in any wording: the things, sorted, the place and the distance."""

    things: tuple[str, ...]
    place: str
    distance: str = ""


@dataclass(frozen=True)
class Utterance:
    """One item of the city: what there is, its caption, and the seed of all that is drawn.

    Attributes:
        topic: the label.
        things: a pictogram's noun or a sound, as often as it is there; the first is of the topic.
        place: a setting, or what sounds behind.
        distance: of a sound; empty for a picture.
        caption: the reference caption.
        seed: decides everything that the caption leaves open.
    """

    topic: str
    things: tuple[str, ...]
    place: str
    distance: str
    caption: str
    seed: int

    @property
    def fine_label(self) -> str:
        """The first thing."""
        return self.things[0]


@dataclass(frozen=True)
class Grammar:
    """How one medium speaks.

    Attributes:
        dataset: name of the embedded dataset.
        topics: the labels, in the order that random numbers choose from.
        speak: draws an utterance about a topic.
        meaning: reads a caption back; None where it does not say one thing clearly.
        topic: reads the topic that a caption names first, or None.
    """

    dataset: str
    topics: tuple[str, ...]
    speak: Callable[[str, np.random.Generator], Utterance]
    meaning: Callable[[str], Meaning | None]
    topic: Callable[[str], str | None]

    def utterance(self, topic: str, rng: np.random.Generator) -> Utterance:
        """Draw the meaning and the wording of one item about a topic.

        Raises:
            ValueError: a topic that is none; the message lists the topics.
        """
        if topic not in self.topics:
            raise ValueError(f"Unknown topic {topic!r}; choose one of {', '.join(self.topics)}.")
        return self.speak(topic, rng)

    def at(self, index: int, seed: int, *, part: int = STREAM) -> Utterance:
        """Return the item at one place of a stream, without making the ones before it.

        Every block of as many items as there are topics holds every topic once, so topics are
        uniform, and a place is the same whatever the length of the stream.

        Args:
            index: place in the stream, from 0.
            seed: the stream's seed, not negative.
            part: `STREAM` or `LESSONS`; the two never share a random number.
        """
        block, place = divmod(index, len(self.topics))
        order = np.random.default_rng([seed, part, 0, block]).permutation(len(self.topics))
        rng = np.random.default_rng([seed, part, 1, index])
        return self.speak(self.topics[order[place]], rng)

    def item_ids(self, items: int, *, part: int) -> list[str]:
        """Name the items of a stream or of lessons by their places."""
        prefix = f"{self.dataset}-lesson" if part == LESSONS else self.dataset
        return [f"{prefix}-{index:06d}" for index in range(items)]

    def of_item(self, item_id: str, seed: int) -> Utterance:
        """Return what is behind an item, to draw it again at another size.

        Args:
            item_id: of the stream or of the lessons.
            seed: the seed that they were made with.

        Raises:
            ValueError: the item_id is not one of this dataset.
        """
        match = re.fullmatch(rf"{self.dataset}-(lesson-)?(\d{{6,}})", item_id)
        if match is None:
            one = self.dataset.replace("_", " ").removesuffix("s")
            raise ValueError(
                f"{item_id!r} is no {one}; its item_id looks like '{self.dataset}-000123'."
            )
        return self.at(int(match[2]), seed, part=LESSONS if match[1] else STREAM)

    def same_meaning(self, caption: str, reference: str) -> bool:
        """Tell whether a caption means exactly what a reference caption means."""
        said = self.meaning(caption)
        return said is not None and said == self.meaning(reference)

    def grade(self, captions: Sequence[str], items: pd.DataFrame) -> dict[str, float]:
        """Grade captions by what they say, whatever their wording.

        Args:
            captions: (n,) captions to judge.
            items: (n,) rows with label and reference_caption, in the same order.

        Returns:
            `topic_accuracy`: share that names the item's topic; `meaning_accuracy`: share that
            means exactly what the item's maker meant.
        """
        pairs = list(zip(captions, items["label"], items["reference_caption"], strict=True))
        return {
            "topic_accuracy": float(np.mean([self.topic(said) == of for said, of, _ in pairs])),
            "meaning_accuracy": float(
                np.mean([self.same_meaning(said, meant) for said, _, meant in pairs])
            ),
        }


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """Return the plural of one of the city's nouns."""
    return str(_SEEN["plurals"].get(noun, f"{noun}s"))


def _choose(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _pattern(phrases: Iterable[str]) -> str:
    """Write a pattern that matches any of some phrases, the longest that fits."""
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))


def _by_phrase(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {phrase: name for name, phrases in table.items() for phrase in phrases if phrase}


# --- pictures -----------------------------------------------------------------------------------


def settings_of(noun: str) -> tuple[str, ...]:
    """Return the settings in which a noun may be seen."""
    if noun in BYSTANDERS:
        return tuple(_SEEN["settings"])
    of_topic = _SEEN["settings_of_topics"].get(TOPIC_OF[noun])
    return tuple(_SEEN["settings_of_nouns"].get(noun, of_topic))


def _common_settings(nouns: Sequence[str]) -> list[str]:
    return [
        place for place in _SEEN["settings"] if all(place in settings_of(noun) for noun in nouns)
    ]


def _speak_of_picture(topic: str, rng: np.random.Generator) -> Utterance:
    """Show one pictogram, two or three of the same, or two different ones, in a setting."""
    noun = _choose(list(_SEEN["pictograms"][topic]), rng)
    kind = rng.random()
    nouns: tuple[str, ...] = (noun,)
    if kind < 0.2:
        nouns *= int(rng.integers(2, 4))
    elif kind < 0.6:
        pool = _SEEN["pictograms"][topic] if rng.random() < 0.6 else BYSTANDERS
        fitting = [other for other in pool if other != noun and _common_settings((noun, other))]
        nouns = (noun, _choose(fitting, rng))
    place = _choose(_common_settings(nouns), rng)
    fair = _SEEN["fair_weather"] if not STORMY.isdisjoint(nouns) else ()
    where = _choose([phrase for phrase in _SEEN["settings"][place] if phrase not in fair], rng)
    how = "one" if len(nouns) == 1 else "several" if nouns[0] == nouns[1] else "pair"
    caption = _choose(_SEEN["wordings"][how], rng).format(
        one=with_article(nouns[0]),
        other=with_article(nouns[-1]),
        many=f"{NUMERALS.get(len(nouns))} {plural(noun)}",
        where=where,
    )
    return Utterance(topic, nouns, place, "", caption, seed=int(rng.integers(2**32)))


_NOUN_OF = {form: noun for noun in (*TOPIC_OF, *BYSTANDERS) for form in (noun, plural(noun))}
_SETTING_OF = _by_phrase(_SEEN["settings"])
_COUNTS = {"a": 1, "an": 1, "one": 1} | {numeral: count for count, numeral in NUMERALS.items()}
_NOUN_PATTERN = re.compile(rf"\b({_pattern(_NOUN_OF)})\b")
_SETTING_PATTERN = re.compile(rf"\b({_pattern(_SETTING_OF)})\b")
_COUNTED_PATTERN = re.compile(rf"\b({_pattern(_COUNTS)}) ({_pattern(_NOUN_OF)})\b")


def _meaning_of_picture(caption: str) -> Meaning | None:
    text = caption.lower()
    places = {_SETTING_OF[phrase] for phrase in _SETTING_PATTERN.findall(text)}
    things: list[str] = []
    for numeral, noun in _COUNTED_PATTERN.findall(_SETTING_PATTERN.sub(" ", text)):
        agrees = (numeral in NUMERALS.values()) == (noun != _NOUN_OF[noun])
        things += [_NOUN_OF[noun]] * _COUNTS[numeral] if agrees else []
    if len(places) != 1 or not things:
        return None
    return Meaning(tuple(sorted(things)), places.pop())


def _topic_of_picture(caption: str) -> str | None:
    # Things of a scene share one topic beside neutral bystanders, so this is the true label.
    nouns = (_NOUN_OF[noun] for noun in _NOUN_PATTERN.findall(caption.lower()))
    return next((TOPIC_OF[noun] for noun in nouns if noun in TOPIC_OF), None)


# --- sounds -------------------------------------------------------------------------------------


def _speak_of_sound(topic: str, rng: np.random.Generator) -> Utterance:
    """Sound one event, near or far, alone or over a background; barks and bells are counted."""
    event = _choose(list(_HEARD["events"][topic]), rng)
    count = int(rng.integers(1, 4)) if event in COUNTED else 1
    distance, place = (_choose(list(_HEARD[name]), rng) for name in ("distances", "backdrops"))
    times = next(word for word, number in TIMES.items() if number == count)
    sentence = _choose(_HEARD["wordings"], rng).format(
        event=_choose(_HEARD["events"][topic][event], rng),
        times=times if event in COUNTED else "",
        distance=_choose(_HEARD["distances"][distance], rng),
        backdrop=_choose(_HEARD["backdrops"][place], rng),
    )
    caption = re.sub(r"\s+,", ",", " ".join(sentence.split())).removeprefix(", ")
    things = (event,) * count
    return Utterance(topic, things, place, distance, caption, seed=int(rng.integers(2**32)))


def _reader(table: dict[str, Any]) -> tuple[dict[str, Any], re.Pattern[str]]:
    return table, re.compile(rf"\b({_pattern(table)})\b")


_EVENTS = {name: phrases for of in _HEARD["events"].values() for name, phrases in of.items()}
_READERS = (
    _reader(_by_phrase(_EVENTS)),
    _reader(dict(TIMES)),
    _reader(_by_phrase(_HEARD["distances"])),
    _reader(_by_phrase(_HEARD["backdrops"])),
)
_KEYWORDS = _reader(_by_phrase(_HEARD["keywords"]))


def _meaning_of_sound(caption: str) -> Meaning | None:
    """Read a caption; None where it names not exactly one event, or things that contradict."""
    text = caption.lower()
    found = [{table[phrase] for phrase in pattern.findall(text)} for table, pattern in _READERS]
    if len(found[0]) != 1 or any(len(said) > 1 for said in found):
        return None
    event, count, distance, place = (next(iter(said), None) for said in found)
    return Meaning((str(event),) * int(count or 1), place or "quiet", distance or "middle")


def _topic_of_sound(caption: str) -> str | None:
    table, pattern = _KEYWORDS
    found = pattern.search(caption.lower())
    return table[found[1]] if found else None


PICTURES = Grammar(
    "city_pictures",
    tuple(_SEEN["pictograms"]),
    _speak_of_picture,
    _meaning_of_picture,
    _topic_of_picture,
)
SOUNDS = Grammar(
    "city_sounds", tuple(_HEARD["events"]), _speak_of_sound, _meaning_of_sound, _topic_of_sound
)
