"""Stacking: a classifier's label posterior, corrected by what the language models say.

On held-out labelled general captions the posterior is refitted as
P(k|c) ∝ exp(t·log p_k(c) + b_k + Σ_f B_fk·x_f(c)), with features x such as the log ratios by both
language models. Penalties hold b and B near zero and t near one, so that with little evidence the
classifier's own posterior is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import KFold

from semcal_utils.acceptance.oracles import checked_posterior
from semcal_utils.divergence.frequencies import label_codes

LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class StackedPosterior:
    """A fitted stack.

    Attributes:
        sharpness: t, the power of the classifier's posterior.
        offsets: (K,) b, per label.
        weights: (F, K) B, per feature and label, for standardised features.
        centre: (F,) means of the features.
        scale: (F,) standard deviations of the features.
        held_out: (n, K) posteriors of the fitting captions, each by a stack that did not see it.
    """

    sharpness: float
    offsets: NDArray[np.float64]
    weights: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    held_out: NDArray[np.float64]

    def posterior(
        self, posterior: ArrayLike, features: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Correct the classifier's posterior of new captions.

        Args:
            posterior: (n, K) by the classifier.
            features: (n, F) the same features as in fitting, unscaled.

        Returns:
            (n, K) probabilities.

        Raises:
            ValueError: another number of features, or one that is not finite.
        """
        rows = checked_posterior(posterior)
        standard = _standard(_checked_features(features, len(rows)), self.centre, self.scale)
        return _posterior(_pack(self.sharpness, self.offsets, self.weights), rows, standard)


def stack_posteriors(
    posterior: ArrayLike,
    features: ArrayLike | None,
    labels: Sequence[str],
    categories: Sequence[str],
    *,
    penalty: float = 10.0,
    folds: int = 5,
    seed: int = 0,
) -> StackedPosterior:
    """Fit the stack on held-out labelled general captions.

    Args:
        posterior: (n, K) by a classifier that has not seen these captions.
        features: (n, F) further evidence, such as log ratios in nats by models that have not seen
            these captions either; None for recalibration alone.
        labels: (n,) labels.
        categories: (K,) distinct labels.
        penalty: strength, in captions, that holds the correction near none.
        folds: parts that take turns to be left out for `held_out`.
        seed: fixes the parts.

    Returns:
        The stack fitted to all captions, with honest posteriors of these captions themselves.

    Raises:
        ValueError: unequal lengths, unknown labels, fewer captions than folds, features not finite.
    """
    rows, codes = checked_posterior(posterior), label_codes(labels, categories)
    raw = _checked_features(features, len(rows))
    if len(codes) != len(rows) or len(rows) < folds:
        raise ValueError(
            f"Stacking needs as many labels as posteriors and at least {folds} of them; "
            f"got {len(codes)} and {len(rows)}."
        )
    centre = raw.mean(axis=0)
    scale = np.where(raw.std(axis=0) > 0, raw.std(axis=0), 1.0)
    standard = _standard(raw, centre, scale)
    held_out = np.zeros_like(rows)
    for train, left_out in KFold(folds, shuffle=True, random_state=seed).split(rows):
        fitted = _fit(rows[train], standard[train], codes[train], penalty)
        held_out[left_out] = _posterior(fitted, rows[left_out], standard[left_out])
    sharpness, offsets, weights = _unpack(_fit(rows, standard, codes, penalty), rows.shape[1])
    return StackedPosterior(sharpness, offsets, weights, centre, scale, held_out)


def stack_unseen(
    posterior: ArrayLike,
    features: ArrayLike | None,
    labels: Sequence[str],
    categories: Sequence[str],
    calibration: ArrayLike,
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Stack on the calibration part, then correct the posterior of every caption honestly.

    Args:
        posterior: (n, K) by a classifier that has seen none of these captions.
        features: (n, F) further evidence, as in `stack_posteriors`; None for recalibration alone.
        labels: (n,) labels; only those of the calibration part are read.
        categories: (K,) distinct labels.
        calibration: (n,) bool, which captions the stack is fitted on.
        seed: fixes the parts that take turns within the calibration part.

    Returns:
        (n, K) probabilities; each calibration caption's by a stack that did not see it.

    Raises:
        ValueError: as in `stack_posteriors`.
    """
    rows, own = checked_posterior(posterior), np.asarray(calibration, dtype=bool)
    evidence = _checked_features(features, len(rows))
    known = np.asarray(labels, dtype=object)[own].tolist()
    stack = stack_posteriors(rows[own], evidence[own], known, categories, seed=seed)
    corrected = stack.posterior(rows, evidence)
    corrected[own] = stack.held_out
    return corrected


def _fit(
    rows: NDArray[np.float64],
    features: NDArray[np.float64],
    codes: NDArray[np.intp],
    penalty: float,
) -> NDArray[np.float64]:
    labels, count = rows.shape[1], features.shape[1]
    log_rows = np.log(np.maximum(rows, LEAST_PROBABILITY))
    target = np.eye(labels)[codes]
    start = _pack(1.0, np.zeros(labels), np.zeros((count, labels)))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = _logits(parameters, log_rows, features)
        pulled = parameters - start
        value = -np.sum(target * log_softmax(logits, axis=1)) + penalty / 2 * (pulled @ pulled)
        slope = softmax(logits, axis=1) - target
        gradient = _pack(float(np.sum(slope * log_rows)), slope.sum(axis=0), features.T @ slope)
        return float(value), gradient + penalty * pulled

    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)


def _logits(
    parameters: NDArray[np.float64],
    log_rows: NDArray[np.float64],
    features: NDArray[np.float64],
) -> NDArray[np.float64]:
    sharpness, offsets, weights = _unpack(parameters, log_rows.shape[1])
    return sharpness * log_rows + offsets + features @ weights


def _posterior(
    parameters: NDArray[np.float64], rows: NDArray[np.float64], features: NDArray[np.float64]
) -> NDArray[np.float64]:
    log_rows = np.log(np.maximum(rows, LEAST_PROBABILITY))
    return np.asarray(softmax(_logits(parameters, log_rows, features), axis=1))


def _pack(
    sharpness: float, offsets: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.concatenate([[sharpness], offsets, weights.ravel()])


def _unpack(
    parameters: NDArray[np.float64], labels: int
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    weights = parameters[1 + labels :].reshape(-1, labels)
    return float(parameters[0]), parameters[1 : 1 + labels], weights


def _standard(
    features: NDArray[np.float64], centre: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Clipped, so that one odd caption cannot shout down its own words.
    return np.clip((features - centre) / scale, -4.0, 4.0)


def _checked_features(features: ArrayLike | None, captions: int) -> NDArray[np.float64]:
    if features is None:
        return np.zeros((captions, 0))
    values = np.asarray(features, dtype=float).reshape(captions, -1)
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        raise ValueError(f"Row {wrong[0]} of the features is not finite; score that caption again.")
    return values
