"""How much divergence comes of chance alone.

A plug-in KL from n items of K labels is biased upwards by about (K-1)/2n even when nothing differs:
the noise floor. It is reported, never silently subtracted.

Where items count unequally, as behind a filter, their weights go with the labels: heavy items crowd
in few of them. `noise_floor` at the effective size then promises up to several times the bias there
is; `sampling_bias` takes the variance of each label's share for itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from semcal_utils.divergence.divergences import checked_distributions, kl_divergence
from semcal_utils.divergence.frequencies import label_codes

Floats = NDArray[np.float64]


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
    first, second = checked_distributions(p), checked_distributions(q)
    plug_in = float(kl_divergence(first, second))
    if not math.isfinite(plug_in) or size <= 0:
        return plug_in if size > 0 else math.nan
    held = second > 0
    ratios = float(np.sum(first[held] / second[held]))
    return plug_in - (int(held.sum()) - 1) / (2 * size) - (ratios - 1) / (2 * other_size)


def weight_sums(
    labels: Sequence[str],
    weights: ArrayLike,
    categories: Sequence[str],
    *,
    real: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Add up weights, and squared weights, by label.

    Args:
        labels: (n,) labels.
        weights: (n,) weights, such as acceptance probabilities.
        categories: (K,) distinct labels.
        real: (K,) label frequencies R; where given, labels that it lacks are left out.

    Returns:
        Two arrays (K⁺,), of all labels or of those that R holds.

    Raises:
        ValueError: unknown labels.
    """
    codes, values = label_codes(labels, categories), np.asarray(weights, dtype=float)
    count = len(categories)
    held = np.full(count, True) if real is None else np.asarray(real, dtype=float) > 0
    sums, squares = (np.bincount(codes, row, count).astype(float) for row in (values, values**2))
    return sums[held], squares[held]


def sampling_bias(sums: ArrayLike, squares: ArrayLike, other_size: float = math.inf) -> float:
    """Return how much too large plug-in KL(p‖q) comes out, p being weighted items' label shares.

    ½·Σ_k Var(p_k)/p_k, for items that come independently; for items of equal weight it is
    `noise_floor`. It holds where p is near q. Further away the shares are biased, too, by a little
    that is small beside the KL itself.

    Args:
        sums: (K,) the items' weights, added up by label.
        squares: (K,) their squared weights, added up by label.
        other_size: m, items that q was estimated from; infinite where it is known exactly.

    Returns:
        Nats; infinite without items.

    Source:
        The delta method for ratios of sums, as in Owen, *Monte Carlo theory, methods and examples*,
        section 9.2. A label that was not seen is taken to have items of average weight.
    """
    weights, powers = np.asarray(sums, dtype=float), np.asarray(squares, dtype=float)
    total, power = weights.sum(), powers.sum()
    if total == 0 or other_size <= 0:
        return math.inf
    shares = weights / total
    typical = np.divide(powers, weights, out=np.full(shares.shape, power / total), where=shares > 0)
    own, others = (1 - shares) ** 2 * typical / total, shares * (power - powers) / total**2
    return float((own + others).sum() / 2) + (len(shares) - 1) / 2 / other_size


def sampling_band(
    sums: ArrayLike, squares: ArrayLike, other_size: float = math.inf, *, level: float = 0.95
) -> float:
    """Return the plug-in KL(p‖q) that chance alone stays below with probability `level`.

    2·KL is a sum of squares of unequal variance; a multiple of χ² with the same mean and variance
    stands for it. For items of equal weight this is `noise_band`.

    Args:
        sums: (K,) the items' weights, added up by label.
        squares: (K,) their squared weights, added up by label.
        other_size: m, items that q was estimated from; infinite where it is known exactly.
        level: probability, between 0 and 1.

    Returns:
        Nats; zero for a single label, infinite without items.

    Source:
        Satterthwaite (1946), for the multiple of χ²; Rao and Scott (1981), for labels of a weighted
        sample.
    """
    mean = 2 * sampling_bias(sums, squares, other_size)
    if not 0 < mean < math.inf:
        return mean
    weights, powers = np.asarray(sums, dtype=float), np.asarray(squares, dtype=float)
    variances = _covariance(weights, powers, other_size)
    # As in the mean, a label that was not seen moves as one of average weight would.
    unseen = np.count_nonzero(weights <= 0)
    typical = powers.sum() / weights.sum() ** 2 + 1 / other_size
    trace = float(np.trace(variances)) + unseen * typical
    freedom = trace**2 / (float((variances**2).sum()) + unseen * typical**2)
    return mean / 2 * float(chi2.ppf(level, freedom)) / freedom


def _covariance(sums: Floats, squares: Floats, other_size: float) -> Floats:
    """Return the covariance of the shares that occur, each over the root of its share."""
    seen = sums > 0
    total = sums.sum()
    shares, roots = sums[seen] / total, np.sqrt(sums[seen] / total)
    # A share moves with its own items, and against everybody's.
    moves = (np.eye(seen.sum()) - shares[:, None]) / roots[:, None]
    own = (moves * squares[seen]) @ moves.T / total**2
    return np.asarray(own + (np.eye(seen.sum()) - np.outer(roots, roots)) / other_size)


def _inverse_sizes(size: float, other_size: float) -> float:
    if size <= 0 or other_size <= 0:
        return math.inf
    return 1 / size + 1 / other_size
