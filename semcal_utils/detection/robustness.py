"""Reduction against the strength of what goes wrong: noise, drift, unseen topics, an adversary.

Every method is fitted and tuned on clean captions, as notebooks 02 and 03 left them; only what it
then has to judge changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from semcal_utils.detection.benches import Bench
from semcal_utils.detection.caption_noise import NOISES, likely_words, noisy, pad, unseen_topic
from semcal_utils.detection.measures import auc_interval, over_represented
from semcal_utils.divergence.intervals import measure_filter

Judge = Callable[[Sequence[str]], NDArray[np.float64]]
"""From captions, (n,) acceptance probabilities."""

NEW_TOPIC = "(unseen topic)"
NEW_TOPIC_IN_WORLD = 0.001
"""R's share of a topic that never occurred in training: stated, so that KL stays finite."""


def noise_rows(
    judges: Mapping[str, Judge],
    bench: Bench,
    strengths: Sequence[float],
    *,
    resamples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Drop, swap and paraphrase words of the test captions.

    Args:
        judges: methods by name.
        bench: the world; its test part is judged.
        strengths: probabilities per word or phrase, 0 first.
        resamples: bootstrap resamples behind the intervals.
        seed: decides where noise strikes.

    Returns:
        One row per trial, strength and method: trial, strength, method, reduction, low, high,
        pass_rate.
    """
    plain = bench.test["caption"].tolist()
    trials = []
    for noise in NOISES:
        versions = {strength: noisy(plain, noise, strength, seed=seed) for strength in strengths}
        trials.append(replaced_rows(judges, bench, versions, noise, resamples=resamples, seed=seed))
    return pd.concat(trials, ignore_index=True)


def replaced_rows(
    judges: Mapping[str, Judge],
    bench: Bench,
    versions: Mapping[float, Sequence[str]],
    trial: str,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge other captions of the same test items, such as a less taught captioner's.

    Args:
        judges: methods by name.
        bench: the world.
        versions: by strength, (n,) captions of the test items.
        trial: what the versions are.
        resamples: bootstrap resamples behind the intervals.
        seed: fixes them.

    Returns:
        Rows as in `noise_rows`.
    """
    rows = [
        _row(trial, strength, name, judge(captions), bench, resamples, seed)
        for strength, captions in versions.items()
        for name, judge in judges.items()
    ]
    return pd.DataFrame(rows)


def drift_rows(
    judges: Mapping[str, Judge],
    bench: Bench,
    towards: ArrayLike,
    strengths: Sequence[float],
    *,
    resamples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Let the world move on after training: R becomes (1 - t)·R + t·R'.

    The acceptance stays what it was; it is measured against the world of the day.

    Args:
        judges: methods by name.
        bench: the world that everything was trained for.
        towards: (K,) label frequencies R' that the world moves to.
        strengths: t, between 0 and 1.
        resamples: bootstrap resamples behind the intervals.
        seed: fixes them.

    Returns:
        Rows as in `noise_rows`.
    """
    accepted = {name: judge(bench.test["caption"].tolist()) for name, judge in judges.items()}
    rows = []
    for strength in strengths:
        moved = (1 - strength) * bench.real + strength * np.asarray(towards, dtype=float)
        today = replace(bench, real=moved)
        for name, accept in accepted.items():
            rows.append(_row("the world drifts", strength, name, accept, today, resamples, seed))
    return pd.DataFrame(rows)


def unseen_rows(
    judges: Mapping[str, Judge],
    bench: Bench,
    shares: Sequence[float],
    *,
    resamples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Mix items of a topic into the stream that neither model has ever read of.

    The world holds `NEW_TOPIC_IN_WORLD` of it, so all but a few of them should go.

    Args:
        judges: methods by name.
        bench: the world.
        shares: share of the stream that is new, from 0 to below 1.
        resamples: bootstrap resamples behind the intervals.
        seed: decides the sentences and fixes the resamples.

    Returns:
        Rows as in `noise_rows`, with `accepted_new`: mean acceptance of the new items (nan at 0).
    """
    captions, labels = bench.test["caption"].tolist(), bench.test["label"].tolist()
    rows = []
    for share in shares:
        count = round(share / (1 - share) * len(captions))
        texts = [*captions, *unseen_topic(count, seed=seed)]
        mixed = replace(
            bench,
            test=pd.DataFrame({"caption": texts, "label": [*labels, *[NEW_TOPIC] * count]}),
            categories=(*bench.categories, NEW_TOPIC),
            real=np.append(bench.real * (1 - NEW_TOPIC_IN_WORLD), NEW_TOPIC_IN_WORLD),
        )
        for name, judge in judges.items():
            accept = judge(texts)
            row = _row("unseen topics", share, name, accept, mixed, resamples, seed)
            new = accept[len(captions) :]
            rows.append(row | {"accepted_new": float(new.mean()) if count else np.nan})
    return pd.DataFrame(rows)


def padding_rows(
    judges: Mapping[str, Judge],
    bench: Bench,
    counts: Sequence[int],
    *,
    resamples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Let an adversary who owns every over-represented item pad its caption with likely words.

    The words are those that mark the world's captions in the training part: the adversary knows
    what the filter was trained on.

    Args:
        judges: methods by name.
        bench: the world.
        counts: words appended per caption.
        resamples: bootstrap resamples behind the intervals.
        seed: decides the words.

    Returns:
        Rows as in `noise_rows`.
    """
    train = bench.train
    words = likely_words(train.loc[train["real"], "caption"], train["caption"])
    owned = over_represented(bench.test["label"], bench.general, bench.real, bench.categories)
    plain = bench.test["caption"].tolist()
    versions: dict[float, list[str]] = {
        count: pad(plain, owned.tolist(), words, count, seed=seed) for count in counts
    }
    return replaced_rows(judges, bench, versions, "captions padded", resamples=resamples, seed=seed)


def novelty_auc(known: ArrayLike, new: ArrayLike) -> float:
    """How well a score separates new topics (lower) from known ones.

    Args:
        known: (n,) scores of items of known topics, such as mean log-probability per token.
        new: (m,) scores of items of new ones.

    Returns:
        Area under the ROC curve.
    """
    old, fresh = np.asarray(known, dtype=float), np.asarray(new, dtype=float)
    is_new = np.r_[np.zeros(len(old), bool), np.ones(len(fresh), bool)]
    return auc_interval(is_new, -np.r_[old, fresh]).value


def _row(
    trial: str,
    strength: float,
    method: str,
    accept: NDArray[np.float64],
    bench: Bench,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    kept = measure_filter(
        bench.test["label"], accept, bench.real, bench.categories, resamples=resamples, seed=seed
    )
    reduction = kept.deception_reduction
    return {
        "trial": trial,
        "strength": strength,
        "method": method,
        "reduction": reduction.value,
        "low": reduction.low,
        "high": reduction.high,
        "pass_rate": kept.pass_rate.value,
    }
