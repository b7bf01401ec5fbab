"""Alarms that may be read after every item: evidence that a stream is not the world.

Both alarms are e-processes. While the stream is honest their expected value never exceeds one, so
the probability that they ever reach 1/alpha is at most alpha, however often one looks (Ville's
inequality).
"""

from __future__ import annotations

import json
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logsumexp

BETS = np.array([-0.8, -0.4, -0.2, -0.1, -0.05, -0.02, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8])
"""Shares of the wealth that `PairedScoreAlarm` stakes on each pair, for and against the stream."""


def alarm_paths(
    labels: ArrayLike,
    real_frequencies: ArrayLike,
    *,
    counts: ArrayLike | None = None,
    log_e: float = 0.0,
) -> NDArray[np.float64]:
    """Return log E after every item, for one stream or for many at once.

    E_t = Π_s [(n_{y_s} + ½)/(s − 1 + K/2)] / R(y_s): the Krichevsky-Trofimov mixture over the
    world. It does not depend on the order in which the labels came.

    Args:
        labels: label numbers 0 … K − 1, shape (items,) or (streams, items); −1 is passed over.
        real_frequencies: R, shape (K,), summing to one.
        counts: items per label before the first of these, shape (K,); zero if omitted.
        log_e: log E before the first of these, in nats.

    Returns:
        log E in nats, of the shape of labels; +inf once a label came that the world never shows.

    Source:
        Krichevsky and Trofimov (1981); Ville (1939).
    """
    codes = np.asarray(labels)
    real = np.asarray(real_frequencies, dtype=float)
    before = np.zeros(real.size) if counts is None else np.asarray(counts, dtype=float)
    tested = codes >= 0
    with np.errstate(divide="ignore"):
        log_real = np.log(real)
    totals = np.cumsum(tested, axis=-1, dtype=np.int32) - 1 + before.sum()
    steps = np.where(tested, -np.log(np.maximum(totals, 0) + real.size / 2), 0.0)
    for label in range(real.size):
        here = codes == label
        same = np.cumsum(here, axis=-1, dtype=np.int32)[here] - 1 + before[label]
        steps[here] += np.log(same + 0.5) - log_real[label]
    return log_e + np.cumsum(steps, axis=-1)


def paired_alarm_paths(
    stream_scores: ArrayLike, reference_scores: ArrayLike
) -> NDArray[np.float64]:
    """Return the label-free log E after every pair, for one stream or for many at once.

    Each pair bets on d = stream score − reference score, whose mean is zero while captions of the
    stream and of the world have one distribution: E = mean over stakes λ of Π (1 + λ·d).

    Args:
        stream_scores: in [0, 1], shape (..., items); a pair with a missing one bets nothing.
        reference_scores: scores of the captions paired with them, of the same shape.

    Returns:
        log E in nats, of the same shape.

    Source:
        Waudby-Smith and Ramdas (2024), betting; Shekhar and Ramdas (2023), two-sample tests.
    """
    differences = np.asarray(stream_scores, dtype=float) - np.asarray(reference_scores, dtype=float)
    differences = np.nan_to_num(differences, nan=0.0)  # nobody bets on a pair without a score
    best = np.full(differences.shape, -np.inf)
    for stake in BETS:
        best = np.logaddexp(best, np.cumsum(np.log1p(stake * differences), axis=-1))
    return best - math.log(BETS.size)


def alarm_times(log_e_paths: ArrayLike, *, alpha: float) -> NDArray[np.float64]:
    """Return after how many items each stream first raised the alarm, E ≥ 1/alpha.

    Args:
        log_e_paths: log E after each item, in nats, shape (..., items).
        alpha: the false-alarm rate that is accepted.

    Returns:
        Items until the alarm, shape (...); inf where it stayed silent.
    """
    raised = np.asarray(log_e_paths) >= -math.log(alpha)
    return np.where(raised.any(axis=-1), raised.argmax(axis=-1) + 1.0, np.inf)


def bounded_score(log_ratio: ArrayLike) -> NDArray[np.float64]:
    """Return r/(1 + r), the probability that a caption is the world's rather than the stream's.

    Args:
        log_ratio: nats, any shape.

    Returns:
        Scores in [0, 1] of the same shape, for `PairedScoreAlarm`.
    """
    return np.asarray(expit(np.asarray(log_ratio, dtype=float)))


def checked_alpha(alpha: float) -> float:
    """Return alpha, or raise a ValueError if it is not a probability between 0 and 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}.")
    return float(alpha)


class PairedScoreAlarm:
    """The alarm without labels: each item of the stream is paired with a caption of the world.

    Both get a score in [0, 1] from one fixed rule, e.g. `bounded_score` of their log ratios. While
    the stream is honest neither side scores higher on average, and no betting strategy can gain.

    Args:
        alpha: the false-alarm rate that is accepted, over the whole life of the stream.
    """

    def __init__(self, *, alpha: float = 0.05) -> None:
        self.alpha = checked_alpha(alpha)
        self.pairs = 0
        self.refused = 0
        self.alarm_at: int | None = None
        self._sum = 0.0
        self._log_wealth = np.zeros(BETS.size)

    @property
    def log_e(self) -> float:
        """Evidence against the stream, log E in nats."""
        return float(logsumexp(self._log_wealth) - math.log(BETS.size))

    @property
    def alarm(self) -> bool:
        """Whether E has ever reached 1/alpha."""
        return self.alarm_at is not None

    @property
    def mean_difference(self) -> float:
        """Mean of stream score − reference score; NaN before the first pair."""
        return self._sum / self.pairs if self.pairs else math.nan

    def interval(self) -> tuple[float, float]:
        """Return an interval for the mean difference that holds at all times together.

        Returns:
            Low and high end, within [−1, 1]; it holds with probability 1 − alpha.

        Source:
            Robbins' normal mixture for differences in [−1, 1], tightest at about 4,000 pairs.
        """
        if not self.pairs:
            return -1.0, 1.0
        spread = self.pairs / 500 + 1
        radius = math.sqrt(2 * spread * 500 * math.log(math.sqrt(spread) / self.alpha)) / self.pairs
        return max(-1.0, self.mean_difference - radius), min(1.0, self.mean_difference + radius)

    def observe(self, stream_score: float, reference_score: float) -> None:
        """Take in one pair; a pair with a missing score is counted as refused.

        Args:
            stream_score: score of the arriving caption, in [0, 1].
            reference_score: score of the caption of the world that it is paired with, in [0, 1].

        Raises:
            ValueError: if a score lies outside [0, 1].
        """
        if math.isnan(stream_score) or math.isnan(reference_score):
            self.refused += 1
            return
        for score in (stream_score, reference_score):
            if not 0 <= score <= 1:
                number = self.pairs + self.refused
                raise ValueError(f"pair {number} has the score {score}, which is not in [0, 1].")
        difference = stream_score - reference_score
        self.pairs += 1
        self._sum += difference
        self._log_wealth += np.log1p(BETS * difference)
        if self.alarm_at is None and self.log_e >= -math.log(self.alpha):
            self.alarm_at = self.pairs

    def to_json(self) -> str:
        """Return the state as JSON."""
        state = vars(self) | {"_log_wealth": self._log_wealth.tolist()}
        return json.dumps(state, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> PairedScoreAlarm:
        """Resume from `to_json`.

        Args:
            text: what `to_json` returned.

        Returns:
            An alarm in the same state.
        """
        state = json.loads(text)
        resumed = cls(alpha=state["alpha"])
        vars(resumed).update(state, _log_wealth=np.array(state["_log_wealth"]))
        return resumed
