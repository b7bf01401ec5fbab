"""A run of the published animation's shape: so many labels, so deceptive a stream, so many kept.

The world may be moved nearer to the stream without training anything anew: where R' = (1-t)·R + t·G
the ratio is r' = (1-t)·r + t, for captions as for labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from semcal_utils.divergence import kl_divergence, noise_floor


@dataclass(frozen=True)
class Animation:
    """What was published: one number, without an interval.

    Attributes:
        labels: K.
        general_kl: KL(G‖R) of the stream, in nats.
        kept: accepted items.
        reduction: the deception reduction that the animation ends with.
    """

    labels: int = 10
    general_kl: float = 0.35
    kept: int = 750
    reduction: float = 0.978


def mixing_share(general: ArrayLike, real: ArrayLike, target_kl: float) -> float:
    """Share t of the stream in the world, R' = (1-t)·R + t·G, that makes KL(G‖R') the target.

    Args:
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.
        target_kl: nats, above zero and at most KL(G‖R).

    Returns:
        t between 0 and 1.

    Raises:
        ValueError: the target is out of reach; the message names the largest in reach.
    """
    stream, world = np.asarray(general, dtype=float), np.asarray(real, dtype=float)
    largest = float(kl_divergence(stream, world))
    if not 0 < target_kl <= largest:
        raise ValueError(
            f"A world mixed with the stream reaches KL(G‖R) up to {largest:.3g} nats, not "
            f"{target_kl:g}: start from a more severe one."
        )

    def excess(share: float) -> float:
        return float(kl_divergence(stream, (1 - share) * world + share * stream)) - target_kl

    return 0.0 if excess(0.0) <= 0 else float(brentq(excess, 0.0, 1.0, xtol=1e-10))


def mixed_acceptance(accept: ArrayLike, share: float) -> NDArray[np.float64]:
    """Acceptance for the mixed world, from that for R: a' ∝ (1-t)·r + t with r = a/E_G[a].

    Args:
        accept: (n,) acceptance probabilities for R.
        share: t.

    Returns:
        (n,) acceptance probabilities, the largest of them one.

    Raises:
        ValueError: nothing is accepted.
    """
    values = np.asarray(accept, dtype=float)
    if values.sum() <= 0:
        raise ValueError("Nothing is accepted: there is no ratio to mix.")
    ratio = (1 - share) * values / values.mean() + share
    return ratio / ratio.max()


def reductions_at(
    frequencies: ArrayLike,
    general: ArrayLike,
    real: ArrayLike,
    *,
    kept: int,
    repeats: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Deception reduction of exactly `kept` accepted items, again and again.

    Each accepted item's label is drawn from the frequencies that the filter is expected to keep.

    Args:
        frequencies: (K,) expected label frequencies of what is kept; R itself for a perfect filter.
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.
        kept: accepted items.
        repeats: how often.
        rng: source of the draws.

    Returns:
        (repeats,) reductions.
    """
    counts = rng.multinomial(kept, np.asarray(frequencies, dtype=float), size=repeats)
    before = float(kl_divergence(general, real))
    return 1 - kl_divergence(counts / kept, real) / before


def best_at(animation: Animation) -> float:
    """Reduction that a perfect filter reaches on average with so few items: 1 - floor/KL(G‖R)."""
    if animation.general_kl <= 0:
        return math.nan
    return 1 - noise_floor(animation.labels, animation.kept) / animation.general_kl
