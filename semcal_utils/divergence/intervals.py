"""What a filter did, with its uncertainty: one call measures pass rate, divergences and reduction.

Coin flips are integrated out (expected filtered frequencies), so what varies is which items came:
intervals come from a bootstrap over items and, where several models filtered the same items, over
the models' seeds too. A plug-in KL is biased upwards, and each resample is biased once more; the
interval is therefore shifted by twice the bias that the bootstrap itself shows, and always reaches
to the plug-in value itself.

Items are taken to come independently. Where every label was given an equal share of the items, as
in the embedded data, chance moves the labels less, and intervals and bands err on the wide side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semcal_utils.divergence.divergences import kl_divergence, reduction_of, total_variation
from semcal_utils.divergence.frequencies import (
    checked_probabilities,
    effective_size,
    label_codes,
    row_blocks,
)
from semcal_utils.divergence.noise import noise_band, sampling_band, sampling_bias, weight_sums
from semcal_utils.runs import plain

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: the plug-in estimate; nan where undefined.
        corrected: the estimate less the bias that the bootstrap shows.
        low: lower end of the interval; nan where the data set no bound to it.
        high: upper end of the interval.
    """

    value: float
    corrected: float
    low: float
    high: float


@dataclass(frozen=True)
class FilterMeasures:
    """What a filter did to a stream, each number with its interval (divergences in nats).

    Attributes:
        items: number of items of the stream.
        labels: number of labels, K.
        level: coverage that the intervals aim at.
        pass_rate: share of the stream expected to be kept.
        effective_size: equally weighted items worth as much as what is kept.
        general_kl: KL(G‖R), the deception of the stream.
        filtered_kl: KL(filtered‖R), the deception of what is kept.
        general_total_variation: total variation between the stream and R.
        filtered_total_variation: total variation between what is kept and R.
        deception_reduction: 1 - KL(filtered‖R)/KL(G‖R).
        general_noise_band: KL that an honest stream of this size stays below (95 %).
        filtered_noise_floor: mean KL that chance leaves a perfect filter with these weights.
        filtered_noise_band: KL that a perfect filter with these weights stays below (95 %).
        reason: why the reduction is undefined, else an empty string.
    """

    items: int
    labels: int
    level: float
    pass_rate: Estimate
    effective_size: float
    general_kl: Estimate
    filtered_kl: Estimate
    general_total_variation: Estimate
    filtered_total_variation: Estimate
    deception_reduction: Estimate
    general_noise_band: float
    filtered_noise_floor: float
    filtered_noise_band: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON: None in place of nan and infinity."""
        return plain(asdict(self))


def measure_filter(
    labels: Sequence[str],
    accept_probability: ArrayLike,
    real_frequencies: ArrayLike,
    categories: Sequence[str],
    *,
    real_size: float = math.inf,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> FilterMeasures:
    """Measure what a filter does to a stream, in expectation over its coins.

    Args:
        labels: (n,) labels of the stream's items.
        accept_probability: (n,) probabilities, or (models, n) from models that differ by their
            seed; the estimates are then means over models.
        real_frequencies: (K,) label frequencies R.
        categories: (K,) distinct labels.
        real_size: items behind R for the noise bands; infinite where R is known.
        resamples: bootstrap resamples.
        level: coverage of the intervals, between 0 and 1.
        seed: fixes the resamples.

    Returns:
        The measures. Where nothing can be kept, where R lacks a label of the stream, or where
        KL(G‖R) is within its noise, the reduction is nan and `reason` says why.

    Raises:
        ValueError: no items, unknown labels, or numbers that are no probabilities.
    """
    codes = label_codes(labels, categories)
    accept = np.atleast_2d(checked_probabilities(accept_probability))
    if not len(codes):
        raise ValueError("There are no items to measure: the stream is empty.")
    if accept.shape[1] != len(codes):
        raise ValueError(f"There are {len(codes)} labels but {accept.shape[1]} probabilities.")
    if not 0 < level < 1 or resamples < 2:
        raise ValueError("Intervals need a level between 0 and 1 and at least two resamples.")
    real = np.asarray(real_frequencies, dtype=float)
    present = int(np.count_nonzero(real))
    totals = _totals(codes, accept, len(categories))
    observed = _statistics(totals, real, totals)
    drawn = [
        _statistics(resample, real, totals)
        for resample in _resampled_totals(codes, accept, len(categories), resamples, seed)
    ]
    resampled = {name: np.concatenate([part[name] for part in drawn]) for name in observed}
    estimates = {
        name: _estimate(float(observed[name][0]), resampled[name], level) for name in observed
    }
    for name in ("general", "filtered"):
        found, moved = estimates[f"{name}_tv"], resampled[f"{name}_moved"]
        estimates[f"{name}_tv"] = _with_triangle(found, moved, level)
    size = float(np.mean([effective_size(row) for row in accept]))
    kept = [weight_sums(labels, row, categories, real=real) for row in accept]
    noise = noise_band(present, len(codes), real_size)
    reduction = reduction_of(
        estimates["general_kl"].value, estimates["filtered_kl"].value, noise=noise
    )
    return FilterMeasures(
        items=len(codes),
        labels=present,
        level=level,
        pass_rate=estimates["pass_rate"],
        effective_size=size,
        general_kl=estimates["general_kl"],
        filtered_kl=estimates["filtered_kl"],
        general_total_variation=estimates["general_tv"],
        filtered_total_variation=estimates["filtered_tv"],
        deception_reduction=_reduction_estimate(observed, resampled, reduction.reason, level),
        general_noise_band=noise,
        filtered_noise_floor=float(np.mean([sampling_bias(*sums, real_size) for sums in kept])),
        filtered_noise_band=float(np.mean([sampling_band(*sums, real_size) for sums in kept])),
        reason=reduction.reason,
    )


def _totals(codes: NDArray[np.intp], accept: Floats, labels: int) -> Floats:
    """(1, 1 + models, K): items per label, then acceptance summed per label and model."""
    weights = np.concatenate([np.ones((1, len(codes))), accept])
    sums = [np.bincount(codes, row, minlength=labels) for row in weights]
    return np.asarray(sums, dtype=float)[None]


def _resampled_totals(
    codes: NDArray[np.intp], accept: Floats, labels: int, resamples: int, seed: int
) -> Iterator[Floats]:
    """`_totals` of items, and models, drawn with replacement; a block of resamples at a time."""
    rng = np.random.default_rng(seed)
    models = len(accept)
    for rows in row_blocks(resamples, len(codes)):
        count = rows.stop - rows.start
        chosen = rng.integers(0, len(codes), (count, len(codes)))
        cells = (codes[chosen] + labels * np.arange(count)[:, None]).ravel()
        sums = [np.bincount(cells, minlength=count * labels).astype(float)]
        for row in accept:
            sums.append(np.bincount(cells, row[chosen].ravel(), minlength=count * labels))
        totals = np.stack(sums).reshape(1 + models, count, labels).swapaxes(0, 1)
        drawn = rng.integers(0, models, (count, models))
        totals[:, 1:] = np.take_along_axis(totals[:, 1:], drawn[:, :, None], axis=1)
        yield totals


def _shares(totals: Floats) -> tuple[Floats, Floats]:
    """Label shares of the stream, and of what each model keeps; nan where it keeps nothing."""
    items, kept = totals[:, 0], totals[:, 1:]
    kept_sum = kept.sum(axis=-1, keepdims=True)
    filtered = np.divide(kept, kept_sum, out=np.full_like(kept, math.nan), where=kept_sum > 0)
    return items / items.sum(axis=-1, keepdims=True), filtered


def _statistics(totals: Floats, real: Floats, observed: Floats) -> dict[str, Floats]:
    """What is measured of each resample, and how far its shares moved from those observed."""
    items, kept_sum = totals[:, 0], totals[:, 1:].sum(axis=-1, keepdims=True)
    (general, filtered), (seen, seen_kept) = _shares(totals), _shares(observed)
    return {
        "pass_rate": (kept_sum[..., 0] / items.sum(axis=-1, keepdims=True)).mean(axis=1),
        "general_kl": kl_divergence(general, real),
        "filtered_kl": kl_divergence(filtered, real).mean(axis=1),
        "general_tv": total_variation(general, real),
        "filtered_tv": total_variation(filtered, real).mean(axis=1),
        "general_moved": total_variation(general, seen),
        "filtered_moved": total_variation(filtered, seen_kept).mean(axis=1),
    }


def _estimate(value: float, resampled: Floats, level: float) -> Estimate:
    usable = resampled[np.isfinite(resampled)]
    if not math.isfinite(value) or not len(usable):
        return Estimate(value, value, math.nan, math.nan)
    bias = float(usable.mean()) - value
    low, high = np.quantile(usable - 2 * bias, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, value - bias, max(0.0, min(float(low), value)), max(float(high), value))


def _with_triangle(found: Estimate, moved: Floats, level: float) -> Estimate:
    """Lower the end that near zero comes out too high: TV(p, R) ≥ TV(p̂, R) − TV(p̂, p)."""
    usable = moved[np.isfinite(moved)]
    if not math.isfinite(found.value) or not len(usable):
        return found
    reach = float(np.quantile(usable, (1 + level) / 2))
    return replace(found, low=max(0.0, min(found.low, found.value - reach)))


def _reduction_estimate(
    observed: dict[str, Floats], resampled: dict[str, Floats], reason: str, level: float
) -> Estimate:
    if reason:
        return Estimate(math.nan, math.nan, math.nan, math.nan)
    before, after = (float(observed[name][0]) for name in ("general_kl", "filtered_kl"))
    befores, afters = resampled["general_kl"], resampled["filtered_kl"]
    bias_before = float(np.nanmean(befores)) - before
    bias_after = float(np.nanmean(afters)) - after
    value = 1 - after / before
    if before - bias_before <= 0:
        return Estimate(value, math.nan, math.nan, math.nan)
    corrected = 1 - (after - bias_after) / (before - bias_before)
    # The resamples carry their bias twice.
    stream, left = befores - 2 * bias_before, afters - 2 * bias_after
    tail = (1 - level) / 2
    # Where a stream may as well be honest, nothing bounds what a filter may have added to it.
    bounded = stream > 0
    low, high = np.nanquantile(1 - left[bounded] / stream[bounded], [tail, 1 - tail])
    low = min(float(low), value) if np.mean(~bounded) <= tail else math.nan
    return Estimate(value, corrected, low, min(1.0, max(float(high), value)))
