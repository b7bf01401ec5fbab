"""The acceptance bound M: what a smaller one gains in pass rate and costs in faithfulness.

With f the law of what is accepted and δ_M = E_G[(r - M)₊], the pass rate is (1 - δ_M)/M and
KL(f‖R) ≤ -log(1 - δ_M). The exact bound has δ = 0 but keeps little; a smaller one keeps more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from semcal_utils.acceptance.ratios import (
    accept_probability,
    checked_log_bound,
    log_mean_exp,
    normalised_log_ratios,
)
from semcal_utils.divergence import noise_floor
from semcal_utils.divergence.frequencies import effective_size


@dataclass(frozen=True)
class Bound:
    """A bound and what it does to a sample of the stream.

    Attributes:
        log_bound: log M, in nats.
        delta: δ_M = E_G[(r - M)₊], the mass of R above the bound.
        pass_rate: (1 - δ_M)/M, the share of the stream that is kept.
        kl_guarantee: -log(1 - δ_M), in nats: no law of kept items is further from R.
        effective_size: equally weighted items worth as much as what is kept.
    """

    log_bound: float
    delta: float
    pass_rate: float
    kl_guarantee: float
    effective_size: float


def measure_bound(log_ratio: ArrayLike, log_bound: float) -> Bound:
    """Measure a bound on a sample of the stream.

    Args:
        log_ratio: (n,) log ratios of items of the stream, in nats; they are shifted so that r
            averages one, as a true ratio does.
        log_bound: log M in nats, zero or more, for the shifted ratios.

    Returns:
        The bound with its δ, pass rate and guarantee.

    Raises:
        ValueError: no items, ratios that are not finite, or M below one.
    """
    shifted = normalised_log_ratios(log_ratio, log_ratio)
    accept = accept_probability(shifted, log_bound)
    pass_rate = float(accept.mean())
    # E_G[min(r, M)] = 1 - δ; in logs, because M itself may overflow.
    delta = max(0.0, -math.expm1(float(log_mean_exp(np.minimum(shifted, log_bound)))))
    guarantee = -math.log1p(-delta) if delta < 1 else math.inf
    return Bound(log_bound, delta, pass_rate, guarantee, effective_size(accept))


def quantile_log_bound(log_ratio: ArrayLike, quantile: float) -> float:
    """Bound that a given share of the stream's ratios stays below, and M ≥ 1.

    Args:
        log_ratio: (n,) log ratios of items of the stream, in nats; shifted to average one.
        quantile: share between 0 and 1.

    Returns:
        log M in nats for the shifted ratios.

    Raises:
        ValueError: a quantile outside [0, 1], no items, or ratios that are not finite.
    """
    if not 0 <= quantile <= 1:
        raise ValueError(f"A quantile lies between 0 and 1, got {quantile}.")
    shifted = normalised_log_ratios(log_ratio, log_ratio)
    return checked_log_bound(max(0.0, float(np.quantile(shifted, quantile))))


def bound_curve(
    log_ratio: ArrayLike, log_bounds: Sequence[float] | NDArray[np.float64], *, labels: int
) -> pd.DataFrame:
    """Measure a range of bounds on a sample of the stream.

    Args:
        log_ratio: (n,) log ratios of items of the stream, in nats; shifted to average one.
        log_bounds: log M of each bound, in nats, zero or more.
        labels: K, the number of labels, for the noise floor.

    Returns:
        One row per bound: log_bound, delta, pass_rate, kl_guarantee, effective_size, noise_floor
        (at the effective size: without labels an upper bound for the mean KL of a perfect filter's
        kept sample) and total, the sum of guarantee and noise floor.
    """
    rows = []
    for log_bound in log_bounds:
        bound = measure_bound(log_ratio, float(log_bound))
        floor = noise_floor(labels, bound.effective_size)
        rows.append(vars(bound) | {"noise_floor": floor, "total": bound.kl_guarantee + floor})
    return pd.DataFrame(rows)


def optimal_log_bound(log_ratio: ArrayLike, *, labels: int, steps: int = 200) -> float:
    """Bound that minimises the guarantee -log(1 - δ_M) plus the noise floor of what is kept.

    A small M admits mass above the bound; a large one keeps so few items that noise takes over.

    Args:
        log_ratio: (n,) log ratios of items of the stream, in nats; shifted to average one.
        labels: K, the number of labels.
        steps: bounds tried, between M = 1 and the largest ratio.

    Returns:
        log M in nats for the shifted ratios.

    Raises:
        ValueError: no items, or ratios that are not finite.
    """
    shifted = normalised_log_ratios(log_ratio, log_ratio)
    log_bounds = np.linspace(0.0, max(0.0, float(shifted.max())), steps)
    curve = bound_curve(shifted, log_bounds, labels=labels)
    return float(curve.loc[curve["total"].idxmin(), "log_bound"])
