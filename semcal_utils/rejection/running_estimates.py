"""Estimates with intervals from running sums alone: a stream keeps no memory of its items."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from semcal_utils.divergence import kl_divergence, noise_band, reduction_of, sampling_bias

Floats = NDArray[np.float64]
Sums = tuple[Floats, Floats]
"""Per label, the sum of weights and the sum of squared weights, each of shape (K,)."""

TELLING_SHARE = 0.1
"""Of so small a part of the stream's deception must the kept side's bias be, or it is too
early to tell a reduction: a handful of kept items would be told as a perfect one."""


class RunningEstimate(NamedTuple):
    """A number with its interval; `note` says why it is undefined (NaN), else it is empty."""

    value: float
    low: float
    high: float
    plug_in: float
    bias: float
    size: float
    note: str = ""


def mean_estimate(total: float, squares: float, items: int, *, level: float) -> RunningEstimate:
    """Estimate a mean of numbers in [0, 1] from their sum, e.g. the pass rate.

    Args:
        total: their sum.
        squares: the sum of their squares.
        items: how many they are.
        level: probability that the (normal) interval should hold.

    Returns:
        The mean; NaN without items.

    Source:
        Agresti and Coull (1998), here for numbers between 0 and 1, too.
    """
    if not items:
        return _undefined("no item was decided on")
    mean, size = total / items, items + 4
    # With two items more of 0 and of 1, so that a few equal numbers are not told as certain.
    middle = (total + 2) / size
    reach = float(norm.ppf((1 + level) / 2)) * math.sqrt(((squares + 2) / size - middle**2) / size)
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    return RunningEstimate(mean, min(low, mean), max(high, mean), mean, 0.0, items)


def deception_estimate(
    sums: Sums, real: Floats, *, level: float, draws: int, rng: np.random.Generator
) -> RunningEstimate:
    """Estimate KL(p‖R) in nats, with p the shares of the weights.

    The value is bias-corrected and never below zero. The interval reaches from the low quantile of
    `deception_draws` without their whole bias to the high one without the draw's own, so that a
    stream that looks better than chance would have it is not told as certainly perfect.

    Args:
        sums: per label, of weights and of squared weights; both the same for plain counts.
        real: R, shape (K,).
        level: probability that the interval should hold.
        draws: bootstrap draws.
        rng: source of the draws.

    Returns:
        The estimate in nats; NaN without items.
    """
    weights, squares = sums
    total = float(squares.sum())
    if total == 0:
        return _undefined("there are no labelled items")
    size = float(weights.sum()) ** 2 / total
    plug_in = float(kl_divergence(weights / weights.sum(), real))
    floor = sampling_bias(weights, squares)
    drawn = deception_draws(sums, real, draws=draws, rng=rng)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    low, high = max(0.0, low - 2 * floor), max(0.0, high - floor)
    return RunningEstimate(max(0.0, plug_in - floor), float(low), float(high), plug_in, floor, size)


def reduction_estimate(
    stream: Sums, kept: Sums, real: Floats, *, level: float, draws: int, rng: np.random.Generator
) -> RunningEstimate:
    """Estimate the deception reduction 1 − KL(kept‖R)/KL(stream‖R), both bias-corrected.

    The two sides are drawn independently, which makes the interval somewhat wide: errs on the safe
    side, as what is kept follows the stream it came from.

    Args:
        stream: sums of the stream.
        kept: sums of what was kept.
        real: R, shape (K,).
        level: probability that the interval should hold.
        draws: bootstrap draws.
        rng: source of the draws.

    Returns:
        The reduction, 1 being perfect; NaN with a note where nothing was kept, too little was kept
        (`TELLING_SHARE`), or the stream's own deception is within its noise or barely above.
    """
    before, after = (
        deception_estimate(sums, real, level=level, draws=draws, rng=rng) for sums in (stream, kept)
    )
    if math.isnan(before.value):
        return _undefined(before.note)
    noise = noise_band(real.size, before.size, level=level)
    plug_in = reduction_of(before.plug_in, after.plug_in, noise=noise)
    if math.isnan(plug_in.value):
        return _undefined(plug_in.reason)
    if after.bias > TELLING_SHARE * before.value:
        return _undefined(f"too early to tell from {after.size:.0f} effective items")
    befores, afters = (deception_draws(sums, real, draws=draws, rng=rng) for sums in (stream, kept))
    befores -= 2 * before.bias
    if np.quantile(befores, (1 - level) / 2) <= 0:
        return _undefined("the stream's own deception is barely above its noise")
    tiny = np.finfo(float).tiny
    befores = np.maximum(befores, tiny)
    ends = [np.maximum(afters - bias * after.bias, 0.0) / befores for bias in (1, 2)]
    low = 1 - np.quantile(ends[0], (1 + level) / 2)
    high = 1 - np.quantile(ends[1], (1 - level) / 2)
    value = 1 - after.value / max(before.value, tiny)
    return RunningEstimate(value, float(low), float(high), plug_in.value, math.nan, after.size)


def deception_draws(sums: Sums, real: Floats, *, draws: int, rng: np.random.Generator) -> Floats:
    """Draw plug-in KL(p‖R) from the Bayesian bootstrap over items.

    Each label's Σ a·Exp(1) has mean Σa and variance Σa²; a gamma variable with the same two moments
    stands for it (exactly, for plain counts), so that sums are all one needs. The draws carry the
    plug-in's `bias` twice: once from the sample and once from the draw.

    Args:
        sums: Σa and Σa² per label.
        real: R, shape (K,).
        draws: number of draws.
        rng: their source.

    Returns:
        Nats, shape (draws,).

    Source:
        Rubin (1981), the Bayesian bootstrap; Miller (1955), the bias.
    """
    weights, squares = sums
    occurs = squares > 0
    shape, scale = weights[occurs] ** 2 / squares[occurs], squares[occurs] / weights[occurs]
    drawn = np.zeros((draws, real.size))
    drawn[:, occurs] = rng.gamma(shape, scale, size=(draws, shape.size))
    totals = drawn.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, drawn / np.where(totals > 0, totals, 1.0), real)
    return kl_divergence(shares, real)


def _undefined(note: str) -> RunningEstimate:
    return RunningEstimate(math.nan, math.nan, math.nan, math.nan, math.nan, 0.0, note)
