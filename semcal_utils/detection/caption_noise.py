"""What happens to captions on the way: words lost, swapped, reworded, padded; topics never seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

Noise = Callable[[str, float, np.random.Generator], str]

_PHRASES: tuple[tuple[str, ...], ...] = (
    ("next to", "beside", "alongside", "close to"),
    ("by the sea", "at the seaside", "on the shore", "on the beach"),
    ("at sunset", "at dusk", "as the sun sets"),
    ("at night", "in the dark", "after dark"),
    ("by day", "in daylight", "on a clear day"),
    ("in the distance", "far away", "a long way off"),
    ("close by", "very near", "nearby"),
    ("a picture of", "a photo of", "an image of"),
    ("the sound of", "the noise of", "what sounds like"),
    ("in the street", "on the road", "downtown"),
    ("in the snow", "in winter", "on a snowy day"),
    ("in the wind", "with wind blowing", "on a windy day"),
    ("traffic passing", "cars going by"),
    ("waves breaking", "surf"),
    ("a clock", "a timepiece"),
    ("barking", "giving barks"),
    ("ringing", "being rung"),
    ("large", "big", "huge"),
    ("small", "little", "tiny"),
    ("seen", "visible", "in view"),
    ("two", "a pair of", "2"),
    ("three", "3", "a trio of"),
    ("woman", "lady"),
    ("man", "gentleman"),
    ("car", "automobile"),
    ("bicycle", "bike"),
    ("rabbit", "bunny"),
    ("return", "give back", "yield"),
    ("returns", "gives back", "yields"),
    ("compute", "calculate", "work out"),
    ("computes", "calculates", "works out"),
    ("create", "make", "build"),
    ("convert", "turn", "change"),
    ("check", "verify", "test"),
    ("get", "obtain", "fetch"),
    ("given", "specified", "supplied"),
    ("using", "by means of", "with the help of"),
    ("whether", "if"),
    ("number", "count"),
    ("all", "every one of the"),
    ("function", "routine"),
    ("values", "entries"),
    ("list", "sequence"),
    ("string", "text"),
    ("object", "instance"),
    ("class", "type"),
    ("used", "employed"),
    ("each", "every"),
    ("new", "fresh"),
    ("generate", "produce"),
    ("apply", "carry out"),
    ("find", "look up"),
)
_SYNONYMS = {phrase: group for group in _PHRASES for phrase in group}
_PATTERN = re.compile(
    r"\b(" + "|".join(sorted(map(re.escape, _SYNONYMS), key=len, reverse=True)) + r")\b",
    re.IGNORECASE | re.ASCII,  # else ſ would match s, which the synonyms do not know
)

_SUBJECTS = (
    "a committee", "the senate", "a philosopher", "the tenant", "an accountant", "the archbishop",
    "a novelist", "the goalkeeper of the past", "a tax adviser", "the monarch",
)  # fmt: skip
_DEEDS = (
    "signs", "postpones", "debates", "inherits", "translates", "mortgages", "forgets", "repeals",
)  # fmt: skip
_THINGS = (
    "a treaty on fisheries", "the annual budget", "an essay about virtue", "a lease",
    "the pension reform", "a will", "an insurance policy", "the constitution", "a sonnet",
)  # fmt: skip


def drop_words(caption: str, strength: float, rng: np.random.Generator) -> str:
    """Lose each word with probability `strength`; one word always stays."""
    words = caption.split()
    kept = [word for word in words if rng.random() >= strength]
    return " ".join(kept or words[:1])


def swap_words(caption: str, strength: float, rng: np.random.Generator) -> str:
    """Swap each word with its right neighbour with probability `strength`."""
    words = caption.split()
    for place in range(len(words) - 1):
        if rng.random() < strength:
            words[place], words[place + 1] = words[place + 1], words[place]
    return " ".join(words)


def paraphrase(caption: str, strength: float, rng: np.random.Generator) -> str:
    """Say each phrase that has a synonym in other words with probability `strength`."""

    def reworded(match: re.Match[str]) -> str:
        said = match.group(0)
        others = [word for word in _SYNONYMS[said.lower()] if word != said.lower()]
        if rng.random() >= strength:
            return said
        chosen = others[int(rng.integers(len(others)))]
        return chosen.capitalize() if said[0].isupper() else chosen

    return _PATTERN.sub(reworded, caption)


NOISES: dict[str, Noise] = {
    "words dropped": drop_words,
    "words swapped": swap_words,
    "words paraphrased": paraphrase,
}


def noisy(captions: Sequence[str], noise: str, strength: float, *, seed: int) -> list[str]:
    """Apply one kind of noise to captions.

    Args:
        captions: (n,) texts.
        noise: a name in `NOISES`.
        strength: probability per word or phrase, between 0 and 1.
        seed: decides where it strikes.

    Returns:
        (n,) texts, never empty where the caption was not.

    Raises:
        ValueError: an unknown noise, or a strength outside [0, 1].
    """
    if noise not in NOISES or not 0 <= strength <= 1:
        raise ValueError(
            f"There is no noise {noise!r} of strength {strength}; choose one of "
            f"{', '.join(NOISES)} and a strength between 0 and 1."
        )
    rng = np.random.default_rng(seed)
    return [NOISES[noise](caption, strength, rng) for caption in captions]


def likely_words(real: pd.Series, general: pd.Series, *, count: int = 20) -> list[str]:
    """Words that the world says more often than the stream: what an adversary would pad with.

    Args:
        real: captions of the world.
        general: captions of the stream.
        count: how many words.

    Returns:
        The words with the largest log ratio of smoothed frequencies, the surest first.
    """
    seen = [Counter(re.findall(r"\w+", " ".join(part).lower())) for part in (real, general)]
    totals = [sum(counter.values()) for counter in seen]
    # One per mille of pseudo-counts: rare words may not lead by chance.
    prior = [max(1.0, 1e-3 * total) for total in totals]
    gains = {
        word: np.log((seen[0][word] + prior[0]) / (totals[0] + prior[0]))
        - np.log((seen[1][word] + prior[1]) / (totals[1] + prior[1]))
        for word in seen[1]
    }
    return sorted(gains, key=lambda word: (-gains[word], word))[:count]


def pad(
    captions: Sequence[str], padded: Sequence[bool], words: Sequence[str], count: int, *, seed: int
) -> list[str]:
    """Append words to some captions, as an adversary does who wants them to pass.

    Args:
        captions: (n,) texts.
        padded: (n,) which of them the adversary owns.
        words: the words to choose from.
        count: how many words to append to each.
        seed: decides which.

    Returns:
        (n,) texts.
    """
    rng = np.random.default_rng(seed)
    texts = []
    for caption, owned in zip(captions, padded, strict=True):
        added = [words[int(place)] for place in rng.integers(len(words), size=count)]
        texts.append(" ".join([caption, *added]) if owned else caption)
    return texts


def unseen_topic(count: int, *, seed: int) -> list[str]:
    """Sentences about public and private affairs, a topic that no dataset here holds.

    Args:
        count: how many.
        seed: decides which.

    Returns:
        (count,) sentences.
    """
    rng = np.random.default_rng(seed)
    parts = (_SUBJECTS, _DEEDS, _THINGS)
    return [" ".join(part[int(rng.integers(len(part)))] for part in parts) for _ in range(count)]
