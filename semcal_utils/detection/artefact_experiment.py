"""Two streams that lie, and two detectors: one looks for artefacts, the other for proportions.

In the first stream authentic items come in the world's proportions, and generated ones, each with
an artefact of strength s, make up the rest: who removes the generated items has the world. In the
second stream every item is authentic and only the proportions are false.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from semcal_utils.acceptance.oracles import label_oracle_acceptance
from semcal_utils.detection.artefacts import add_artefact, artefact_detector, spectra
from semcal_utils.detection.benches import Bench
from semcal_utils.detection.measures import auc_interval, over_represented
from semcal_utils.divergence.intervals import measure_filter

Caption = Callable[[Sequence[Any]], list[str]]
Accept = Callable[[list[str]], tuple[NDArray[np.float64], NDArray[np.float64]]]

ARTEFACTS, PROPORTIONS = "artefact detector", "semantic calibration"


@dataclass(frozen=True)
class Media:
    """Items as arrays or texts, with what they are about.

    Attributes:
        kind: "image", "audio" or "text".
        lesson_items: items of general_train, to teach the artefact detector with.
        test_items: items of general_test.
        test_labels: (n,) labels of the latter.
    """

    kind: str
    lesson_items: Sequence[Any]
    test_items: Sequence[Any]
    test_labels: Sequence[str]


def artefact_experiment(
    media: Media,
    bench: Bench,
    strengths: Sequence[float],
    caption: Caption,
    accept: Accept,
    *,
    laboratories: int = 3,
    resamples: int = 300,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure both detectors on both streams.

    The artefact detector is taught in the laboratory: at the very strength that it will meet, on
    items of which a fair coin, not the content, decides which are generated. It keeps an item with
    its probability of being authentic. Semantic calibration reads new captions of what it is shown.

    Args:
        media: the items.
        bench: the world; its R is the world.
        strengths: s, 0 first; see `artefacts.UNITS`.
        caption: puts items into words; it sees the items with their artefacts.
        accept: from captions, (n,) log ratios in nats and (n,) acceptance probabilities.
        laboratories: how many artefact detectors are taught; the intervals cover their spread.
        resamples: bootstrap resamples behind the intervals.
        seed: decides coins, traces and resamples.

    Returns:
        The first stream: one row per strength and detector with strength, detector, auc and
        reduction, each with low and high. The artefact detector's AUC is measured on the test items
        with fair coins, so that content gives nothing away; semantic calibration's is that of
        finding over-represented items. The second stream: one row per detector, the same
        columns; here the AUC is that of finding over-represented items.
    """
    rng = np.random.default_rng(seed)
    labels = list(media.test_labels)
    oracle = label_oracle_acceptance(labels, bench.general, bench.real, bench.categories)
    generated = rng.random(len(labels)) >= oracle
    matched = rng.random(len(labels)) < 0.5
    coins = rng.random((laboratories, len(media.lesson_items))) < 0.5
    over = over_represented(labels, bench.general, bench.real, bench.categories)
    measure = _Measure(labels, bench, resamples, seed)
    plain = [spectra(items, media.kind) for items in (media.lesson_items, media.test_items)]
    first: list[dict[str, Any]] = []
    detectors: list[Pipeline] = []
    for strength in strengths:
        lessons, shown = (
            [add_artefact(item, media.kind, strength, rng) for item in items]
            for items in (media.lesson_items, media.test_items)
        )
        traced = [spectra(items, media.kind) for items in (lessons, shown)]
        detectors = [
            artefact_detector(np.where(coin[:, None], traced[0], plain[0]), coin) for coin in coins
        ]
        fair = _claims(detectors, np.where(matched[:, None], traced[1], plain[1]))
        claims = _claims(detectors, np.where(generated[:, None], traced[1], plain[1]))
        row = measure(strength, ARTEFACTS, matched, fair.mean(axis=0), 1 - claims)
        stream = [new if made else old for old, new, made in
                  zip(media.test_items, shown, generated, strict=True)]  # fmt: skip
        ratio, kept = accept(caption(stream))
        first += [row, measure(strength, PROPORTIONS, over, -ratio, kept)]
    # Nothing in the second stream was generated; the detectors of the strongest trace look at it.
    claims = _claims(detectors, plain[1])
    ratio, kept = accept(caption(media.test_items))
    second = [
        measure(0.0, ARTEFACTS, over, claims.mean(axis=0), 1 - claims),
        measure(0.0, PROPORTIONS, over, -ratio, kept),
    ]
    return pd.DataFrame(first), pd.DataFrame(second)


def _claims(detectors: Sequence[Pipeline], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(detectors, n) probabilities of having been generated."""
    return np.array([detector.predict_proba(features)[:, 1] for detector in detectors])


@dataclass(frozen=True)
class _Measure:
    labels: list[str]
    bench: Bench
    resamples: int
    seed: int

    def __call__(
        self,
        strength: float,
        detector: str,
        positive: NDArray[np.bool_],
        score: NDArray[np.float64],
        accept: NDArray[np.float64],
    ) -> dict[str, Any]:
        area = auc_interval(positive, score)
        kept = measure_filter(
            self.labels,
            np.clip(accept, 0, 1),
            self.bench.real,
            self.bench.categories,
            resamples=self.resamples,
            seed=self.seed,
        )
        reduction = kept.deception_reduction
        return {
            "strength": strength,
            "detector": detector,
            "auc": area.value,
            "auc_low": area.low,
            "auc_high": area.high,
            "reduction": reduction.value,
            "low": reduction.low,
            "high": reduction.high,
            "pass_rate": kept.pass_rate.value,
        }
