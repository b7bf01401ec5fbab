"""What the grammars of the city's pictures and sounds share: drawing topics, and grading captions.

An *utterance* below is a scene or a soundscape: something with a topic, a fine label and a caption.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

STREAM, LESSONS = 0, 1
"""Apart in the seed sequence, so that no lesson is an item of the stream."""


class Utterance(Protocol):
    """What the grammar of a medium makes."""

    @property
    def topic(self) -> str:
        """The label."""

    @property
    def fine_label(self) -> str:
        """The finer label."""

    @property
    def caption(self) -> str:
        """The reference caption."""


def topic_at(
    index: int, seed: int, topics: Iterable[str], *, part: int
) -> tuple[str, np.random.Generator]:
    """Return the topic at one place of a stream, and the source of all else there.

    Every block of as many items as there are topics holds every topic once, so topics are uniform,
    and a place is the same whatever the length of the stream.

    Args:
        index: place in the stream, from 0.
        seed: the stream's seed, not negative.
        topics: the topics, in a fixed order.
        part: `STREAM` or `LESSONS`; the two never share a random number.

    Returns:
        The topic, and a generator of its own for this place.
    """
    names = list(topics)
    block, place = divmod(index, len(names))
    order = np.random.default_rng([seed, part, 0, block]).permutation(len(names))
    return names[order[place]], np.random.default_rng([seed, part, 1, index])


def require_topic(topic: str, topics: Iterable[str]) -> None:
    """Refuse a topic that is not one of the medium's.

    Raises:
        ValueError: if it is not; the message lists the topics.
    """
    known = list(topics)
    if topic not in known:
        raise ValueError(f"Unknown topic {topic!r}; choose one of {', '.join(known)}.")


def choose(options: Sequence[str], rng: np.random.Generator) -> str:
    """Draw one of some phrases, each as likely.

    Args:
        options: the phrases.
        rng: source of the choice.

    Returns:
        One of them.
    """
    return options[int(rng.integers(len(options)))]


def alternatives(phrases: Iterable[str]) -> str:
    """Write a pattern that matches any of some phrases, the longest that fits.

    Args:
        phrases: plain text.

    Returns:
        A regular expression without groups.
    """
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))


def same_meaning(
    caption: str,
    item: str | Utterance | Mapping[str, Any],
    meaning: Callable[[str], object | None],
) -> bool:
    """Say whether a caption means what an item's reference caption means.

    Args:
        caption: the caption to judge.
        item: a reference caption, an utterance, or a row with a ``reference_caption``.
        meaning: reads a caption's meaning; None where it has none.

    Returns:
        Whether both mean the same.
    """
    if isinstance(item, str):
        reference = item
    else:
        reference = item["reference_caption"] if isinstance(item, Mapping) else item.caption
    said = meaning(caption)
    return said is not None and said == meaning(reference)


def grade_captions(
    captions: Sequence[str],
    items: pd.DataFrame,
    *,
    topic: Callable[[str], str | None],
    meaning: Callable[[str], object | None],
) -> dict[str, float]:
    """Grade captions by what they say, whatever their wording.

    Args:
        captions: (n,) captions to judge.
        items: (n,) rows with label and reference_caption, in the same order.
        topic: reads the topic that a caption names.
        meaning: reads a caption's meaning.

    Returns:
        ``topic_accuracy``: share that names the item's topic; ``meaning_accuracy``: share that
        means exactly what the item's maker meant.
    """
    pairs = list(zip(captions, items["label"], items["reference_caption"], strict=True))
    return {
        "topic_accuracy": float(np.mean([topic(said) == label for said, label, _ in pairs])),
        "meaning_accuracy": float(
            np.mean([same_meaning(said, meant, meaning) for said, _, meant in pairs])
        ),
    }


def facts_of(
    utterances: Sequence[Utterance], ids: Sequence[str], parts: Sequence[str]
) -> dict[str, Sequence[str]]:
    """Return what is known about a stream's items, as the text columns of its table.

    Args:
        utterances: (n,) what the items show.
        ids: (n,) item_ids.
        parts: (n,) parts.

    Returns:
        item_id, part, label, fine_label and reference_caption, (n,) each.
    """
    return {
        "item_id": ids,
        "part": parts,
        "label": [utterance.topic for utterance in utterances],
        "fine_label": [utterance.fine_label for utterance in utterances],
        "reference_caption": [utterance.caption for utterance in utterances],
    }


def item_ids(dataset: str, items: int, *, part: int) -> list[str]:
    """Name the items of a stream or of lessons by their places.

    Args:
        dataset: ``city_pictures`` or ``city_sounds``.
        items: how many.
        part: `STREAM` or `LESSONS`.

    Returns:
        (items,) unique names.
    """
    prefix = f"{dataset}-lesson" if part == LESSONS else dataset
    return [f"{prefix}-{index:06d}" for index in range(items)]


def place_of(item_id: str, dataset: str) -> tuple[int, int]:
    """Read an item's place back from its name.

    Args:
        item_id: one of `item_ids`.
        dataset: the name it was given for.

    Returns:
        The place from 0, and `STREAM` or `LESSONS`.

    Raises:
        ValueError: if the item_id is not one of that dataset.
    """
    match = re.fullmatch(rf"{dataset}-(lesson-)?(\d{{6,}})", item_id)
    if match is None:
        one = dataset.replace("_", " ").removesuffix("s")
        raise ValueError(f"{item_id!r} is no {one}; its item_id looks like '{dataset}-000123'.")
    return int(match[2]), LESSONS if match[1] else STREAM
