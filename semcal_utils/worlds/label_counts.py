"""Label frequencies and whole item counts at a given divergence from the stream's.

Frequencies are tilted, R_k ∝ G_k·exp(t·z_k), and t is solved for; counts are the largest sub-sample
with those frequencies, nudged item by item until their own KL(G‖R) is on target.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import rel_entr

TOLERANCE = 0.01
"""Share of the target within which an achieved KL counts as on target."""


def tilted(
    general: NDArray[np.float64], scores: NDArray[np.float64], strength: float
) -> NDArray[np.float64]:
    """Tilt frequencies by scores: R_k ∝ G_k·exp(t·z_k).

    Args:
        general: (K,) frequencies G.
        scores: (K,) scores z.
        strength: t, zero or more.

    Returns:
        (K,) frequencies R.
    """
    weights = general * np.exp(strength * (scores - scores.max()))
    return weights / weights.sum()


def tilted_to(
    general: NDArray[np.float64], scores: NDArray[np.float64], target_kl: float
) -> NDArray[np.float64]:
    """Tilt frequencies by scores until KL(G‖R) equals a target.

    KL(G‖R) = log Σ_k G_k·exp(t·z_k) - t·Σ_k G_k·z_k grows with t from zero without limit, so the
    root exists and is the only one.

    Args:
        general: (K,) positive frequencies G.
        scores: (K,) scores z, not all equal.
        target_kl: positive, in nats.

    Returns:
        (K,) frequencies R.
    """

    def excess(strength: float) -> float:
        # In closed form, because a tilted frequency may underflow where the divergence does not.
        shifted = strength * (scores - scores.max())
        return float(np.log(general @ np.exp(shifted)) - general @ shifted) - target_kl

    upper = 1.0
    while excess(upper) < 0:
        upper *= 2
    return tilted(general, scores, brentq(excess, 0.0, upper, xtol=1e-14, rtol=1e-13))


def kl_of_counts(counts: NDArray[np.int64], kept: NDArray[np.int64]) -> NDArray[np.float64]:
    """KL(G‖R) between all items and the kept ones.

    Args:
        counts: (K,) items per label.
        kept: (..., K) kept items per label; leading axes are alternatives.

    Returns:
        (...) nats.
    """
    real = kept / kept.sum(axis=-1, keepdims=True)
    return np.asarray(rel_entr(counts / counts.sum(), real).sum(axis=-1))


def on_target(achieved_kl: float, target_kl: float) -> bool:
    """Tell whether a divergence is within 1 % of its target."""
    return abs(achieved_kl - target_kl) <= TOLERANCE * target_kl


def counts_for(
    counts: NDArray[np.int64], scores: NDArray[np.float64], target_kl: float
) -> NDArray[np.int64]:
    """Find how many items of each label to keep so that KL(G‖R) meets a target.

    Args:
        counts: (K,) items per label.
        scores: (K,) direction of the tilt.
        target_kl: positive, in nats.

    Returns:
        (K,) items to keep, between 1 and the label's count: on target, or as near as moving single
        items brings it. Where the counts are too small for the tilt asked for, the one that leads
        to the most divergent sub-sample takes its place.

    Raises:
        ValueError: no sub-sample reaches the target; the message names the largest divergence.
    """
    general = counts / counts.sum()
    along_scores = _nearest(counts, tilted_to(general, scores, target_kl), target_kl)
    if on_target(float(kl_of_counts(counts, along_scores)), target_kl):
        return along_scores
    extreme, largest = most_divergent(counts)
    if target_kl > largest * (1 + TOLERANCE):
        raise ValueError(
            f"KL(G‖R) = {target_kl:g} nats cannot be reached with these label counts while every "
            f"label keeps an item: the largest is {largest:.4g}. Lower the target or add items."
        )
    paths = [tilted(general, extreme, strength) for strength in np.linspace(0, 1, 101)]
    start = min(paths, key=lambda real: abs(rel_entr(general, real).sum() - target_kl))
    options = np.stack([along_scores, _nearest(counts, start, target_kl)])
    return options[np.argmin(np.abs(kl_of_counts(counts, options) - target_kl))]


def most_divergent(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Find the sub-sample that is furthest from the whole while every label keeps an item.

    Args:
        counts: (K,) items per label.

    Returns:
        (K,) scores whose tilt at strength one is that sub-sample, and its KL(G‖R) in nats.

    KL(G‖R) is quasi-convex in each label's count, so at its maximum every label is either whole or
    down to one item; for a given total the rarest labels are the ones to keep whole.
    """
    rarest_first = np.argsort(counts, kind="stable")
    options = np.ones((len(counts), len(counts)), dtype=np.int64)
    for whole in range(len(counts)):
        options[whole, rarest_first[: whole + 1]] = counts[rarest_first[: whole + 1]]
    divergences = kl_of_counts(counts, options)
    best = int(np.argmax(divergences))
    return np.log(options[best] / counts), float(divergences[best])


def _nearest(
    counts: NDArray[np.int64], frequencies: NDArray[np.float64], target_kl: float
) -> NDArray[np.int64]:
    """Largest sub-sample with the frequencies, then single items moved while that helps."""
    items = np.min(counts / np.maximum(frequencies, 1e-300))
    kept = np.clip(np.rint(items * frequencies), 1, counts).astype(np.int64)
    steps = np.concatenate([np.eye(len(counts)), -np.eye(len(counts))]).astype(np.int64)
    distance = abs(float(kl_of_counts(counts, kept)) - target_kl)
    while distance > TOLERANCE / 10 * target_kl:
        moved = kept + steps
        allowed = np.all((moved >= 1) & (moved <= counts), axis=1)
        distances = np.abs(kl_of_counts(counts, np.maximum(moved, 1)) - target_kl)
        distances[~allowed] = np.inf
        best = int(np.argmin(distances))
        if distances[best] >= distance:
            break
        kept, distance = moved[best], float(distances[best])
    return kept
