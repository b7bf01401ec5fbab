"""How far two label distributions are apart, and how much of that a filter removes.

All divergences are in nats and work along the last axis, so that one call measures a stack of
distributions. An estimate from n items of K labels is biased upwards by about (K-1)/2n even when
nothing differs: the noise floor. It is reported, never silently subtracted. Where items have
weights that go with their labels, as behind a filter, `sampling_bias` takes its place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr
from scipy.stats import chi2

from semcal_utils.divergence.frequencies import (
    checked_probabilities,
    effective_size,
    expected_filtered_frequencies,
    label_codes,
    label_frequencies,
)
from semcal_utils.divergence.weighted_samples import sampling_band, sampling_bias, weight_sums

__all__ = [
    "Reduction",
    "bias_corrected_kl",
    "checked_probabilities",
    "chi_square",
    "deception_reduction",
    "effective_size",
    "expected_filtered_frequencies",
    "hellinger",
    "jensen_shannon",
    "kl_divergence",
    "label_codes",
    "label_frequencies",
    "noise_band",
    "noise_floor",
    "reduction_of",
    "reverse_kl_divergence",
    "sampling_band",
    "sampling_bias",
    "total_variation",
    "weight_sums",
]


class Reduction(NamedTuple):
    """A deception reduction, or the reason why there is none.

    Attributes:
        value: 1 − KL(filtered‖R)/KL(G‖R); nan where undefined.
        reason: why the value is undefined, else an empty string.
    """

    value: float
    reason: str


def kl_divergence(p: ArrayLike, q: ArrayLike, *, smoothing: float = 0.0) -> NDArray[np.float64]:
    """Kullback–Leibler divergence KL(p‖q) = Σ_k p_k·log(p_k/q_k).

    Args:
        p: (..., K) distributions.
        q: (..., K) distributions.
        smoothing: added to every frequency of both before they are renormalised.

    Returns:
        (...) nats; infinite where p has a label that q lacks, nan where p is undefined (all nan).

    Raises:
        ValueError: entries that are negative or above one, or that do not sum to one.
    """
    first, second = _smoothed(p, smoothing), _smoothed(q, smoothing)
    # Equal distributions may round to just below zero.
    return np.asarray(np.maximum(rel_entr(first, second).sum(axis=-1), 0.0))


def reverse_kl_divergence(
    p: ArrayLike, q: ArrayLike, *, smoothing: float = 0.0
) -> NDArray[np.float64]:
    """KL(q‖p): dear where p misses what q holds. Arguments and errors as in `kl_divergence`."""
    return kl_divergence(q, p, smoothing=smoothing)


def total_variation(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """Half the sum of |p_k − q_k|: the largest difference in probability of any set of labels."""
    return np.asarray(np.abs(_smoothed(p) - _smoothed(q)).sum(axis=-1) / 2)


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """Mean KL of p and q from their midpoint, in nats: between 0 and log 2, always finite."""
    first, second = _smoothed(p), _smoothed(q)
    middle = (first + second) / 2
    return np.asarray((rel_entr(first, middle) + rel_entr(second, middle)).sum(axis=-1) / 2)


def hellinger(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """Hellinger distance √(½ Σ (√p_k − √q_k)²), between 0 and 1."""
    gaps = np.sqrt(_smoothed(p)) - np.sqrt(_smoothed(q))
    return np.asarray(np.sqrt((gaps**2).sum(axis=-1) / 2))


def chi_square(p: ArrayLike, q: ArrayLike, *, smoothing: float = 0.0) -> NDArray[np.float64]:
    """Pearson divergence Σ (p_k − q_k)²/q_k; infinite where p has a label that q lacks."""
    first, second = _smoothed(p, smoothing), _smoothed(q, smoothing)
    gaps = (first - second) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(gaps == 0, 0.0, gaps / second)
    return np.asarray(terms.sum(axis=-1))


def noise_floor(labels: int, size: float, other_size: float = math.inf) -> float:
    """Plug-in KL to expect between two samples of the same distribution.

    (K − 1)/2 · (1/n + 1/m), the first-order (Miller–Madow) bias.

    Args:
        labels: K, the number of labels that occur.
        size: n, items (or effective size) of the first sample.
        other_size: m, items of the second; infinite where it is known exactly.

    Returns:
        Nats; infinite for an empty sample.
    """
    inverse = _inverse_sizes(size, other_size)
    return inverse if math.isinf(inverse) else (labels - 1) / 2 * inverse


def noise_band(
    labels: int, size: float, other_size: float = math.inf, *, level: float = 0.95
) -> float:
    """Plug-in KL that two samples of the same distribution stay below with probability `level`.

    2·KL/(1/n + 1/m) follows χ² with K − 1 degrees of freedom (Wilks).

    Args:
        labels: K, the number of labels that occur.
        size: n, items (or effective size) of the first sample.
        other_size: m, items of the second; infinite where it is known exactly.
        level: probability, between 0 and 1.

    Returns:
        Nats; zero for a single label, infinite for an empty sample.
    """
    if labels < 2:
        return 0.0
    return float(chi2.ppf(level, labels - 1)) / 2 * _inverse_sizes(size, other_size)


def bias_corrected_kl(
    p: ArrayLike, q: ArrayLike, *, size: float, other_size: float = math.inf
) -> float:
    """Plug-in KL(p‖q) less its first-order bias; may fall below zero where nothing differs.

    The bias is (K⁺ − 1)/2n + (Σ_k p_k/q_k − 1)/2m with K⁺ the labels that q holds: the noise floor
    at p = q, and the right size away from it.

    Args:
        p: (K,) frequencies estimated from `size` items.
        q: (K,) frequencies estimated from `other_size` items, or known.
        size: n, items (or effective size) behind p.
        other_size: m, items behind q; infinite where q is known.

    Returns:
        Nats.
    """
    first, second = _smoothed(p), _smoothed(q)
    plug_in = float(kl_divergence(first, second))
    if not math.isfinite(plug_in) or size <= 0:
        return plug_in if size > 0 else math.nan
    held = second > 0
    ratios = float(np.sum(first[held] / second[held]))
    return plug_in - (int(held.sum()) - 1) / (2 * size) - (ratios - 1) / (2 * other_size)


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


def _inverse_sizes(size: float, other_size: float) -> float:
    if size <= 0 or other_size <= 0:
        return math.inf
    return 1 / size + 1 / other_size


def _smoothed(frequencies: ArrayLike, smoothing: float = 0.0) -> NDArray[np.float64]:
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
    if smoothing < 0:
        raise ValueError(f"Smoothing must be >= 0, got {smoothing}.")
    return (values + smoothing) / (1 + smoothing * values.shape[-1])
