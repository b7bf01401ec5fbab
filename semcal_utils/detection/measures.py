"""Is this item over-represented? Detection measures for a filter's log ratios, with intervals.

A label is over-represented where the world holds less of it than the stream, w_k = R_k/G_k < 1. A
filter that asks only for captions never sees w; how well its log ratios find such items is judged
here by the measures of classification. They judge single items: what a filter does to the stream as
a whole is the business of `divergence`, and the two may disagree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from scipy.stats import binomtest, norm, rankdata
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
)

from semcal_utils.acceptance.calibration import in_units, solver_unit
from semcal_utils.acceptance.oracles import label_weights
from semcal_utils.divergence.frequencies import label_codes
from semcal_utils.divergence.intervals import Estimate

NOT_ENOUGH_CLASSES = "only one class is present: every item has {side}"


@dataclass(frozen=True)
class Detection:
    """How well scores find over-represented items.

    Attributes:
        items: number of items judged.
        positives: how many of them are over-represented.
        auc: area under the ROC curve; the interval is DeLong's.
        average_precision: area under the precision–recall curve; bootstrap interval, like the rest,
            which says nothing where every item is right.
        accuracy: share of items on the right side of the threshold; Wilson's interval.
        f1: harmonic mean of precision and recall at the threshold.
        brier: mean squared error of the probabilities; nan where none were given.
        confusion: (2, 2) counts at the threshold; rows truth, columns verdict, positives last.
        reason: why a measure is undefined, else an empty string.
    """

    items: int
    positives: int
    auc: Estimate
    average_precision: Estimate
    accuracy: Estimate
    f1: Estimate
    brier: Estimate
    confusion: NDArray[np.int64]
    reason: str

    def to_row(self) -> dict[str, Any]:
        """Return the measures as one flat row: name, name_low and name_high for each."""
        row: dict[str, Any] = {"items": self.items, "positives": self.positives}
        for name in ("auc", "average_precision", "accuracy", "f1", "brier"):
            found: Estimate = getattr(self, name)
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        return row | {"reason": self.reason}


def over_represented(
    labels: Sequence[str], general: ArrayLike, real: ArrayLike, categories: Sequence[str]
) -> NDArray[np.bool_]:
    """Which items have a label that the stream holds more of than the world, w_y < 1.

    Args:
        labels: (n,) labels.
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.
        categories: (K,) distinct labels.

    Returns:
        (n,) bool.

    Raises:
        ValueError: an unknown label, or R has a label that G lacks.
    """
    return (label_weights(general, real) < 1)[label_codes(labels, categories)]


def detect(
    positive: ArrayLike,
    log_ratio: ArrayLike,
    *,
    threshold: float = 0.0,
    probability: ArrayLike | None = None,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Detection:
    """Judge log ratios as a detector: the lower log r, the more over-represented the item.

    Args:
        positive: (n,) bool, which items are over-represented.
        log_ratio: (n,) log ratios in nats; minus infinity is the surest verdict.
        threshold: items with log r below it are called over-represented; 0 is the filter's own,
            where the stream holds as much of a caption as the world.
        probability: (n,) probabilities that an item is over-represented, for the Brier score.
        resamples: bootstrap resamples of items behind the intervals.
        level: coverage of the intervals, between 0 and 1.
        seed: fixes the resamples.

    Returns:
        The measures. Where only one class is present or the scores are constant, what they cannot
        say is nan, and `reason` says why.

    Raises:
        ValueError: no items, arrays of another length, or a score that is nan (the message names
            its row).
    """
    truth, scores = _checked_scores(positive, log_ratio)
    verdict = scores > -threshold
    chance = None if probability is None else np.asarray(probability, dtype=float)
    if chance is not None and chance.shape != truth.shape:
        raise ValueError(f"There are {len(truth)} items but {len(chance)} probabilities.")
    reason = _reason(truth, scores)
    observed = _item_measures(truth, scores, verdict, chance)
    rng = np.random.default_rng(seed)
    drawn = pd.DataFrame(
        [
            _item_measures(
                truth[rows],
                scores[rows],
                verdict[rows],
                None if chance is None else chance[rows],
            )
            for rows in rng.integers(0, len(truth), (resamples, len(truth)))
        ]
    )
    found = {name: _estimate(observed[name], drawn[name], level) for name in observed}
    found["accuracy"] = share_interval(int((verdict == truth).sum()), len(truth), level=level)
    return Detection(
        items=len(truth),
        positives=int(truth.sum()),
        auc=auc_interval(truth, scores, level=level),
        confusion=confusion_matrix(truth, verdict, labels=[False, True]),
        reason=reason,
        **found,
    )


def auc_interval(positive: ArrayLike, score: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Area under the ROC curve with DeLong's interval on the logit scale.

    The area is the probability that a positive item scores above a negative one, ties counting half
    (DeLong, DeLong & Clarke-Pearson 1988).

    Args:
        positive: (n,) bool.
        score: (n,) scores, higher for positive items.
        level: coverage of the interval, between 0 and 1.

    Returns:
        The area; nan where only one class is present.

    Raises:
        ValueError: no items, arrays of another length, or a score that is nan.
    """
    truth, scores = _checked_scores(positive, -np.asarray(score, dtype=float))
    above, below = scores[truth], scores[~truth]
    if not len(above) or not len(below):
        return Estimate(math.nan, math.nan, math.nan, math.nan)
    ranks = rankdata(scores)
    # Placements: the share of the other class that each item outranks.
    up = (ranks[truth] - rankdata(above)) / len(below)
    down = 1 - (ranks[~truth] - rankdata(below)) / len(above)
    area = float(up.mean())
    variance = sum(float(part.var(ddof=1)) / len(part) for part in (up, down) if len(part) > 1)
    smaller = min(len(above), len(below))
    if not 0 < area < 1:  # DeLong's variance is zero there; n of n by Clopper and Pearson
        end = ((1 - level) / 2) ** (1 / smaller)
        return Estimate(area, area, *((end, 1.0) if area == 1 else (0.0, 1 - end)))
    if smaller < 2:
        return Estimate(area, area, math.nan, math.nan)
    half = float(norm.ppf((1 + level) / 2)) * math.sqrt(variance) / (area * (1 - area))
    middle = math.log(area / (1 - area))
    low, high = (float(expit(middle + side * half)) for side in (-1, 1))
    return Estimate(area, area, low, high)


def detection_probability(
    log_ratio: ArrayLike, held_out_ratio: ArrayLike, held_out_positive: ArrayLike
) -> NDArray[np.float64]:
    """Turn log ratios into the probability of being over-represented, learnt on held-out labels.

    A logistic curve of log r (Platt 1999), fitted on the calibration part.

    Args:
        log_ratio: (n,) log ratios of the items to judge, in nats.
        held_out_ratio: (m,) log ratios of labelled held-out items.
        held_out_positive: (m,) bool, which of them are over-represented.

    Returns:
        (n,) probabilities; the held-out share of positives where there is one class only.
    """
    truth, scores = _checked_scores(held_out_positive, held_out_ratio)
    judged = -np.asarray(log_ratio, dtype=float)
    if truth.all() or not truth.any():
        return np.full(len(judged), float(truth.mean()))
    unit = solver_unit(scores)
    curve = LogisticRegression(C=1e4, max_iter=1000)
    curve.fit(in_units(scores, unit)[:, None], truth)
    return np.asarray(curve.predict_proba(in_units(judged, unit)[:, None])[:, 1])


def reliability_curve(
    positive: ArrayLike, probability: ArrayLike, *, bins: int = 10
) -> pd.DataFrame:
    """Claimed against observed share of over-represented items, in bins of equal size.

    Args:
        positive: (n,) bool.
        probability: (n,) claimed probabilities.
        bins: most bins.

    Returns:
        One row per bin that holds items: claimed and observed.
    """
    observed, claimed = calibration_curve(
        np.asarray(positive, dtype=bool),
        np.asarray(probability, dtype=float),
        n_bins=bins,
        strategy="quantile",
    )
    return pd.DataFrame({"claimed": claimed, "observed": observed})


def share_interval(count: int, total: int, *, level: float = 0.95) -> Estimate:
    """Share with Wilson's interval, which stays inside [0, 1] for small counts.

    Args:
        count: items counted.
        total: items in all.
        level: coverage, between 0 and 1.

    Returns:
        The share; nan where there is nothing to count.
    """
    if total == 0:
        return Estimate(math.nan, math.nan, math.nan, math.nan)
    ends = binomtest(count, total).proportion_ci(confidence_level=level, method="wilson")
    return Estimate(count / total, count / total, float(ends.low), float(ends.high))


def _item_measures(
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    verdict: NDArray[np.bool_],
    chance: NDArray[np.float64] | None,
) -> dict[str, float]:
    both = truth.any() and not truth.all()
    finite = np.clip(scores, -1e300, 1e300)
    return {
        "average_precision": float(average_precision_score(truth, finite)) if both else math.nan,
        "accuracy": float(accuracy_score(truth, verdict)),
        "f1": float(f1_score(truth, verdict, zero_division=0)) if both else math.nan,
        "brier": math.nan if chance is None else float(brier_score_loss(truth, chance)),
    }


def _estimate(value: float, drawn: pd.Series, level: float) -> Estimate:
    usable = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or usable.empty:
        return Estimate(value, value, math.nan, math.nan)
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, value, float(low), float(high))


def _reason(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> str:
    if truth.all() or not truth.any():
        return NOT_ENOUGH_CLASSES.format(side="w < 1" if truth.all() else "w ≥ 1")
    if np.all(scores == scores[0]):
        return "all scores are equal: they rank nothing, and the area of 0.5 means just that"
    return ""


def _checked_scores(
    positive: ArrayLike, log_ratio: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    truth, scores = np.asarray(positive, dtype=bool), -np.asarray(log_ratio, dtype=float)
    if not len(truth) or truth.shape != scores.shape:
        raise ValueError(
            f"Detection needs one score per item and at least one item; got {len(truth)} items "
            f"and {scores.size} scores."
        )
    wrong = np.flatnonzero(np.isnan(scores))
    if len(wrong):
        raise ValueError(f"The score of row {wrong[0]} is nan ({len(wrong)} in all); leave it out.")
    return truth, scores
