"""How far two label distributions are apart, and how much of that a filter removes.

All divergences are in nats and work along the last axis, so that one call measures a stack of
distributions. What chance alone makes of them stands in `noise`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr


def kl_divergence(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """Kullback–Leibler divergence KL(p‖q) = Σ_k p_k·log(p_k/q_k).

    Args:
        p: (..., K) distributions.
        q: (..., K) distributions.

    Returns:
        (...) nats; infinite where p has a label that q lacks, nan where p is undefined (all nan).

    Raises:
        ValueError: entries that are negative or above one, or that do not sum to one.
    """
    terms = rel_entr(checked_distributions(p), checked_distributions(q))
    # Equal distributions may round to just below zero.
    return np.asarray(np.maximum(terms.sum(axis=-1), 0.0))


def total_variation(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """Half the sum of |p_k − q_k|: the largest difference in probability of any set of labels."""
    return np.asarray(np.abs(checked_distributions(p) - checked_distributions(q)).sum(axis=-1) / 2)


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """Mean KL of p and q from their midpoint, in nats: between 0 and log 2, always finite."""
    first, second = checked_distributions(p), checked_distributions(q)
    middle = (first + second) / 2
    return np.asarray((rel_entr(first, middle) + rel_entr(second, middle)).sum(axis=-1) / 2)


class Reduction(NamedTuple):
    """A deception reduction, or the reason why there is none.

    Attributes:
        value: 1 − KL(filtered‖R)/KL(G‖R); nan where undefined.
        reason: why the value is undefined, else an empty string.
    """

    value: float
    reason: str


def deception_reduction(
    general: ArrayLike, filtered: ArrayLike, real: ArrayLike, *, noise: float = 0.0
) -> Reduction:
    """Share of the stream's deception that the filter removed: 1 − KL(filtered‖R)/KL(G‖R).

    Args:
        general: (K,) label frequencies of the stream.
        filtered: (K,) label frequencies of what was kept; all nan if nothing was.
        real: (K,) label frequencies of the world.
        noise: KL(G‖R), in nats, up to which the stream may as well be honest (`noise_band`).

    Returns:
        The reduction, 1 being perfect and below 0 harmful; nan with a reason where it is undefined.
    """
    before = float(kl_divergence(general, real))
    after = float(kl_divergence(filtered, real))
    return reduction_of(before, after, noise=noise)


def reduction_of(before: float, after: float, *, noise: float = 0.0) -> Reduction:
    """Deception reduction from two divergences; see `deception_reduction`.

    Args:
        before: KL(G‖R) in nats.
        after: KL(filtered‖R) in nats; nan if nothing was kept.
        noise: KL(G‖R) up to which the reduction is undefined, in nats.

    Returns:
        The reduction, or nan with the reason.
    """
    if math.isnan(before):
        return Reduction(math.nan, "the stream is empty")
    if math.isnan(after):
        return Reduction(math.nan, "nothing was kept")
    if math.isinf(before):
        return Reduction(math.nan, "the stream has a label that the world lacks: KL is infinite")
    if before <= noise:
        return Reduction(
            math.nan, f"KL(G‖R) = {before:.2g} nats is within its noise floor ({noise:.2g})"
        )
    return Reduction(1 - after / before, "")


def checked_distributions(frequencies: ArrayLike) -> NDArray[np.float64]:
    """Return distributions as an array of float64.

    Args:
        frequencies: (..., K) label frequencies; all nan where one is undefined.

    Returns:
        The same numbers.

    Raises:
        ValueError: entries that are negative or above one, or that do not sum to one.
    """
    values = np.asarray(frequencies, dtype=float)
    undefined = np.isnan(values).all(axis=-1)
    outside = ~((values >= 0) & (values <= 1 + 1e-9)) & ~undefined[..., None]
    if outside.any():
        place = np.argwhere(outside)[0]
        raise ValueError(
            f"Frequency {values[tuple(place)]} of label number {place[-1]} is outside [0, 1]."
        )
    totals = values.sum(axis=-1)
    if np.any(np.abs(totals[~undefined] - 1) > 1e-6):
        raise ValueError(
            f"Frequencies must sum to one, got {totals[~undefined].ravel()[0]:g}; normalise them."
        )
    return values
