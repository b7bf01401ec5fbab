"""A bench made by hand: three labels, captions with some doubt, R a part of the stream."""

from __future__ import annotations

import numpy as np
import pandas as pd

from semcal_utils.detection.benches import Bench

LABELS = ("fire", "flood", "music")
WORDS = {
    "fire": ["fire engine", "burning house", "smoke", "siren"],
    "flood": ["wave", "lifebuoy", "flooded road", "siren"],
    "music": ["violin", "piano", "drum", "microphone"],
}
DOUBTFUL = {
    "fire": ["fire engine", "crowd", "smoke", "siren"],
    "flood": ["wave", "crowd", "smoke", "siren"],
    "music": ["violin", "crowd", "drum", "siren"],
}
SETTINGS = ["at night", "by day", "in the street", "by the sea"]
GENERAL = np.array([0.4, 0.3, 0.3])
REAL = np.array([0.1, 0.3, 0.6])


def items(
    count: int, rng: np.random.Generator, prefix: str, words: dict[str, list[str]]
) -> pd.DataFrame:
    labels = rng.choice(LABELS, count, p=GENERAL)
    captions = [f"a {rng.choice(words[name])} {rng.choice(SETTINGS)}" for name in labels]
    return pd.DataFrame(
        {
            "item_id": [f"{prefix}-{place}" for place in range(count)],
            "caption": captions,
            "label": labels,
            "fine_label": labels,
        }
    )


def make_bench(
    seed: int = 0,
    train: int = 1500,
    calibration: int = 600,
    test: int = 900,
    words: dict[str, list[str]] = WORDS,
) -> Bench:
    rng = np.random.default_rng(seed)
    keep = dict(zip(LABELS, (REAL / GENERAL) / (REAL / GENERAL).max(), strict=True))
    parts = {}
    for name, count in (("train", train), ("calibration", calibration)):
        table = items(count, rng, name, words)
        chance = table["label"].map(keep).to_numpy(float)
        parts[name] = table.assign(real=rng.random(count) < chance)
    return Bench("severe", **parts, test=items(test, rng, "test", words), categories=LABELS,
                 general=GENERAL, real=REAL)  # fmt: skip


def true_log_ratio(captions: pd.Series, words: dict[str, list[str]] = WORDS) -> np.ndarray:
    """Log R(c)/G(c) from the recipe of the captions; the setting says nothing."""
    found = []
    for caption in captions:
        said = [sum(word in caption for word in words[name]) / 4 for name in LABELS]
        found.append(np.log(np.dot(REAL, said) / np.dot(GENERAL, said)))
    return np.array(found)
