"""Sharpening: ratios raised to a power s, so that the labels of the kept stream match the world's.

With the exact ratio the kept captions follow R but the kept labels regress towards G wherever a
caption leaves doubt. r^s with s > 1, cut at a quantile and shifted to average one, overcorrects by
the right amount; s is read off labelled held-out general captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from semcal_utils.acceptance.ratios import accept_probability, log_mean_exp
from semcal_utils.divergence import (
    kl_divergence,
    noise_band,
    reduction_of,
    sampling_bias,
    weight_sums,
)
from semcal_utils.divergence.frequencies import (
    expected_filtered_frequencies,
    label_frequencies,
)

POWERS = tuple(np.round(np.arange(0.0, 8.01, 0.25), 2).tolist())
QUANTILES = (0.9,)
"""One bound by default: with several, the choice fits the noise of the held-out labels."""


@dataclass(frozen=True)
class Sharpening:
    """A power, a shift and a bound, ready to accept captions by their log ratio.

    Attributes:
        power: s; zero keeps everything.
        shift: subtracted from s·log r, in nats, so that the ratio cut at the bound averages one.
        log_bound: log M of the sharpened ratio, in nats.
        quantile: share of the held-out ratios below the bound.
    """

    power: float
    shift: float
    log_bound: float
    quantile: float

    def log_ratios(self, log_ratio: ArrayLike) -> NDArray[np.float64]:
        """Sharpen log ratios by the estimator that was sharpened in fitting.

        Args:
            log_ratio: (n,) nats.

        Returns:
            (n,) nats.
        """
        return self.power * np.asarray(log_ratio, dtype=float) - self.shift


def sharpen(log_ratio: ArrayLike, power: float, quantile: float = 0.9) -> Sharpening:
    """Sharpen by a given power: shift and bound from held-out general captions, no labels.

    Args:
        log_ratio: (n,) log ratios of held-out general captions, in nats.
        power: s, zero or more.
        quantile: share of the sharpened ratios below the bound, between 0 and 1.

    Returns:
        The sharpening.

    Raises:
        ValueError: a negative power, a quantile outside [0, 1], or ratios that are not finite.
    """
    if power < 0 or not 0 <= quantile <= 1:
        raise ValueError(f"Needed: power >= 0 and quantile in [0, 1]; got {power} and {quantile}.")
    scaled = power * np.asarray(log_ratio, dtype=float)
    if not np.all(np.isfinite(scaled)):
        raise ValueError("Log ratios must be finite to be sharpened; leave the others out.")
    cut = float(np.quantile(scaled, quantile))
    # Cut before the mean: one caption far above all others would set the scale of the rest.
    shift = float(log_mean_exp(np.minimum(scaled, cut)))
    return Sharpening(float(power), shift, max(0.0, cut - shift), float(quantile))


def sharpening_curve(
    log_ratio: ArrayLike,
    labels: Sequence[str],
    real: ArrayLike,
    categories: Sequence[str],
    *,
    powers: Sequence[float] = POWERS,
    quantiles: Sequence[float] = QUANTILES,
    held_out: ArrayLike | None = None,
) -> pd.DataFrame:
    """Measure a range of powers and bounds on labelled captions.

    Args:
        log_ratio: (n,) log ratios of labelled general captions, in nats.
        labels: (n,) their labels.
        real: (K,) label frequencies R, known or estimated.
        categories: (K,) distinct labels.
        powers: values of s.
        quantiles: bounds, as shares of the sharpened ratios.
        held_out: (m,) log ratios that shift and bound come from; `log_ratio` itself if omitted. To
            see the curve in hindsight on test captions, give those of the calibration part here.

    Returns:
        One row per power and quantile: power, quantile, log_bound, pass_rate, filtered_kl,
        corrected_kl (less its bias), deception_reduction (nan where the stream is honest).

    Raises:
        ValueError: as in `sharpen`, or unknown labels.
    """
    ratios = np.asarray(log_ratio, dtype=float)
    reference = ratios if held_out is None else np.asarray(held_out, dtype=float)
    world = np.asarray(real, dtype=float)
    before = float(kl_divergence(label_frequencies(labels, categories), world))
    noise = noise_band(int(np.count_nonzero(world)), len(labels))
    rows = []
    for power in powers:
        for quantile in quantiles:
            rule = sharpen(reference, power, quantile)
            accept = accept_probability(rule.log_ratios(ratios), rule.log_bound)
            filtered = expected_filtered_frequencies(labels, accept, categories)
            after = float(kl_divergence(filtered, world))
            sums = weight_sums(labels, accept, categories, real=world)
            rows.append(
                {
                    "power": power,
                    "quantile": quantile,
                    "log_bound": rule.log_bound,
                    "pass_rate": float(accept.mean()),
                    "filtered_kl": after,
                    "corrected_kl": after - sampling_bias(*sums),
                    "deception_reduction": reduction_of(before, after, noise=noise).value,
                }
            )
    return pd.DataFrame(rows)


def choose_sharpening(curve: pd.DataFrame, *, minimum_pass_rate: float = 0.0) -> pd.Series:
    """Choose the row of a sharpening curve whose kept labels are nearest to the world's.

    Args:
        curve: from `sharpening_curve` on the held-out labelled part.
        minimum_pass_rate: least share to keep; where no row keeps as much, the one that keeps most.

    Returns:
        The row with the least KL(filtered‖R), less its bias, among those that keep enough.
    """
    return _least(curve, "corrected_kl", minimum_pass_rate)


def best_in_hindsight(curve: pd.DataFrame, *, minimum_pass_rate: float = 0.0) -> pd.Series:
    """Find the row of a sharpening curve that removed most; nobody can know it beforehand.

    Args:
        curve: from `sharpening_curve` on the items that were judged.
        minimum_pass_rate: least share to keep; where no row keeps as much, the one that keeps most.

    Returns:
        The row with the least KL(filtered‖R) as it is, among those that keep enough.
    """
    return _least(curve, "filtered_kl", minimum_pass_rate)


def labels_needed(
    log_ratio: ArrayLike,
    labels: Sequence[str],
    real: ArrayLike,
    categories: Sequence[str],
    *,
    sizes: Sequence[int],
    repeats: int = 20,
    quantile: float = 0.9,
    powers: Sequence[float] = POWERS,
    minimum_pass_rate: float = 0.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how many labelled captions the choice of the power takes.

    For each size, that many captions are drawn to choose s; the rest measure what the choice is
    worth against the best s in hindsight on that rest.

    Args:
        log_ratio: (n,) log ratios of held-out labelled general captions, in nats.
        labels: (n,) their labels.
        real: (K,) label frequencies R.
        categories: (K,) distinct labels.
        sizes: numbers of labelled captions, each well below n.
        repeats: draws per size.
        quantile: bound, as a share of the sharpened ratios.
        powers: values of s.
        minimum_pass_rate: least share to keep.
        seed: fixes the draws.

    Returns:
        One row per draw: size, repeat, power, deception_reduction and best_in_hindsight on the
        rest.

    Raises:
        ValueError: a size that leaves nothing to measure on.
    """
    ratios, names = np.asarray(log_ratio, dtype=float), np.asarray(labels, dtype=object)
    if not sizes or min(sizes) < 1 or max(sizes) >= len(ratios):
        raise ValueError(f"Sizes must lie between 1 and {len(ratios) - 1}, got {list(sizes)}.")
    rng = np.random.default_rng(seed)
    rows = []
    for size in sizes:
        for repeat in range(repeats):
            order = rng.permutation(len(ratios))
            few, rest = order[:size], order[size:]
            options = {"powers": powers, "quantiles": (quantile,)}
            curve = sharpening_curve(ratios[few], list(names[few]), real, categories, **options)
            power = choose_sharpening(curve, minimum_pass_rate=minimum_pass_rate)["power"]
            hindsight = sharpening_curve(
                ratios[rest], list(names[rest]), real, categories, held_out=ratios, **options
            )
            best = best_in_hindsight(hindsight, minimum_pass_rate=minimum_pass_rate)
            reached = hindsight.loc[hindsight["power"] == power, "deception_reduction"]
            rows.append(
                {
                    "size": size,
                    "repeat": repeat,
                    "power": power,
                    "deception_reduction": float(reached.iloc[0]),
                    "best_in_hindsight": float(best["deception_reduction"]),
                }
            )
    return pd.DataFrame(rows)


def _least(curve: pd.DataFrame, measure: str, minimum_pass_rate: float) -> pd.Series:
    allowed = curve[curve["pass_rate"] >= minimum_pass_rate]
    if allowed.empty:
        return curve.loc[curve["pass_rate"].idxmax()]
    return allowed.loc[allowed[measure].idxmin()]
