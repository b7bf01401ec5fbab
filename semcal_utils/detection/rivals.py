"""Rival estimators of the ratio r = R/G behind one small interface.

Every rival learns from the bench's `train` part, is tuned on its `calibration` part, and then says
of any captions what it knows: log ratios (n,), or label posteriors (n, K) that label weights turn
into ratios. R is a sub-sample of G. A classifier of members of R against the rest of G therefore
finds the odds ratio ρ = R/N with G = πR + (1-π)N, and r = ρ/(πρ + 1 - π): never above 1/π.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from semcal_utils.acceptance.caption_classifier import WORDS_AND_SIGNS
from semcal_utils.detection.benches import Bench, rows_of

STRENGTHS_OF_WORDS = (0.3, 1.0, 3.0, 10.0, 30.0)
STRENGTHS_OF_STATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Inverse penalties (scikit-learn's C) that discriminators are tuned over, by their features."""

PSEUDO_COUNTS = (0.03, 0.1, 0.3, 1.0, 3.0)
BUCKETS = 10_000  # as in DSIR


class RatioEstimator(Protocol):
    """What estimates how much more of a caption the world holds than the stream.

    Attributes:
        name: what tables and figures call it.
        reads_labels: whether it learns from labels of general captions.
        believed_real: (K,) label frequencies R that it works with, known or estimated.
    """

    name: str
    reads_labels: bool
    believed_real: NDArray[np.float64]

    def fit(self, bench: Bench) -> RatioEstimator:
        """Learn from `bench.train`, tune on `bench.calibration`; returns itself."""
        ...

    def evidence(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return (n,) log ratios in nats or (n, K) label posteriors of items (item_id, caption)."""
        ...

    def log_ratios(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return (n,) log ratios in nats of items."""
        ...


def subsample_log_ratio(log_odds_ratio: ArrayLike, share: float) -> NDArray[np.float64]:
    """Log ratio R/G where R is a sub-sample of G, from the odds ratio ρ of R against the rest.

    G = πR + (1-π)N and ρ = R/N give r = R/G = ρ/(πρ + 1 - π). As ρ grows, r stops at 1/π = M.

    Args:
        log_odds_ratio: log ρ of captions, in nats.
        share: π = |R|/|G|, between 0 and 1.

    Returns:
        log r in nats, of the same shape.

    Raises:
        ValueError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"The share of R in G lies above 0 and at most at 1, got {share}.")
    rho = np.asarray(log_odds_ratio, dtype=float)
    rest = math.log(1 - share) if share < 1 else -math.inf
    return rho - np.logaddexp(math.log(share) + rho, rest)


class _Discriminator:
    """Logistic regression of members of R against the rest of G over some features."""

    name = "discriminator"
    reads_labels = False
    strengths: tuple[float, ...] = STRENGTHS_OF_WORDS

    def __init__(self) -> None:
        self.believed_real = np.zeros(0)
        self._share = 1.0
        self._curve = LogisticRegression()

    def _learn(self, bench: Bench, train: object, held_out: object) -> None:
        self.believed_real, self._share = bench.real, bench.share
        found = []
        for strength in self.strengths:
            curve = LogisticRegression(C=strength, max_iter=400)
            curve.fit(train, bench.train["real"])
            claimed = curve.predict_proba(held_out)[:, 1]
            found.append((log_loss(bench.calibration["real"], claimed, labels=[0, 1]), curve))
        self._curve = min(found, key=lambda pair: pair[0])[1]

    def _ratios(self, features: object) -> NDArray[np.float64]:
        # The classifier's odds carry the class sizes: odds = ρ·π/(1-π).
        odds = self._curve.decision_function(features)
        return subsample_log_ratio(odds - math.log(self._share / (1 - self._share)), self._share)


class TfidfLogistic(_Discriminator):
    """TF-IDF of words and word pairs with logistic regression: the rival a sceptic tries first."""

    name = "TF-IDF logistic"

    def __init__(self) -> None:
        super().__init__()
        self._words = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORDS_AND_SIGNS
        )

    def fit(self, bench: Bench) -> TfidfLogistic:
        """Learn which words mark members of R."""
        train = self._words.fit_transform(bench.train["caption"])
        self._learn(bench, train, self._words.transform(bench.calibration["caption"]))
        return self

    def evidence(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return log ratios; see `RatioEstimator`."""
        return self._ratios(self._words.transform(items["caption"]))

    log_ratios = evidence


class HashedNgrams:
    """Bags of hashed n-grams, one for R and one for G, in the manner of DSIR (Xie et al. 2023)."""

    name = "hashed n-grams"
    reads_labels = False

    def __init__(self) -> None:
        self.believed_real = np.zeros(0)
        self._hash = HashingVectorizer(
            n_features=BUCKETS,
            ngram_range=(1, 2),
            alternate_sign=False,
            norm=None,
            token_pattern=WORDS_AND_SIGNS,
        )
        self._weights = np.zeros(BUCKETS)

    def fit(self, bench: Bench) -> HashedNgrams:
        """Count n-grams of R and of G; the pseudo-count is the one that ranks members best."""
        self.believed_real = bench.real
        train = self._hash.transform(bench.train["caption"])
        held_out = self._hash.transform(bench.calibration["caption"])
        counts = [
            np.asarray(part.sum(axis=0)).ravel()
            for part in (train[bench.train["real"].to_numpy()], train)
        ]
        found = []
        for pseudo in PSEUDO_COUNTS:
            real, general = (np.log((c + pseudo) / (c + pseudo).sum()) for c in counts)
            weights = real - general
            ranked = roc_auc_score(bench.calibration["real"], held_out @ weights)
            found.append((ranked, weights))
        self._weights = max(found, key=lambda pair: pair[0])[1]
        return self

    def evidence(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return log ratios; see `RatioEstimator`."""
        return np.asarray(self._hash.transform(items["caption"]) @ self._weights, dtype=float)

    log_ratios = evidence


class PooledStates(_Discriminator):
    """Logistic regression on the general model's hidden states, averaged over a caption's tokens.

    Args:
        states: one row per item (the index: item_id), one column per dimension.
    """

    name = "pooled LM states"
    strengths = STRENGTHS_OF_STATES

    def __init__(self, states: pd.DataFrame) -> None:
        super().__init__()
        self._states = states
        self._scale = StandardScaler()

    def fit(self, bench: Bench) -> PooledStates:
        """Learn which directions of the states mark members of R."""
        train = self._scale.fit_transform(rows_of(self._states, bench.train))
        self._learn(bench, train, self._scale.transform(rows_of(self._states, bench.calibration)))
        return self

    def evidence(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return log ratios; see `RatioEstimator`."""
        return self._ratios(self._scale.transform(rows_of(self._states, items)))

    log_ratios = evidence
