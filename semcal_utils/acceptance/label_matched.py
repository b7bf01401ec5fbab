"""The `label_matched` recipe: acceptance that makes the kept stream's labels match the world's.

Everything is chosen on a held-out labelled part of general_train. Two families compete: sharpened
ratios (any estimator of log r) and deconvolved label weights (a label posterior). Of those that
keep enough, the one whose kept labels are nearest to R is taken; where two are as near as half a
point of deception reduction, the one that keeps more.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from semcal_utils.acceptance.label_matching import LabelMatching, match_labels
from semcal_utils.acceptance.oracles import caption_oracle_log_ratios, label_oracle_pass_rate
from semcal_utils.acceptance.ratios import accept_probability
from semcal_utils.acceptance.sharpening import (
    POWERS,
    QUANTILES,
    Sharpening,
    choose_sharpening,
    sharpen,
    sharpening_curve,
)
from semcal_utils.divergence import (
    kl_divergence,
    noise_band,
    noise_floor,
    reduction_of,
    sampling_bias,
    weight_sums,
)
from semcal_utils.divergence.frequencies import (
    expected_filtered_frequencies,
    label_frequencies,
)

MINIMUM_SHARE_OF_ORACLE = 0.5
"""Least pass rate on the held-out part, as a share of the label oracle's."""

TOLERANCE = 0.005
"""Deception reduction, half a point, that is worth giving up for a higher pass rate."""


@dataclass(frozen=True)
class LabelMatched:
    """The acceptance rule that was chosen, and what it was chosen from.

    Attributes:
        estimator: name of the evidence that the rule reads.
        rule: the sharpening of a log ratio, or the matching of a posterior.
        log_bound: log M in nats.
        minimum_pass_rate: least share to keep that was asked for.
        candidates: one row per estimator with its best rule on the held-out part: estimator, method
            ("sharpen" or "deconvolve"), power, pass_rate, filtered_kl, corrected_kl,
            deception_reduction, chosen.
        curves: per log-ratio estimator, its `sharpening_curve` on the held-out part.
    """

    estimator: str
    rule: Sharpening | LabelMatching
    log_bound: float
    minimum_pass_rate: float
    candidates: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]

    def log_ratios(self, evidence: ArrayLike) -> NDArray[np.float64]:
        """Log ratios of new captions under the chosen rule.

        Args:
            evidence: what the chosen `estimator` says of them: (n,) raw log ratios in nats for a
                sharpening, (n, K) posteriors for a matching.

        Returns:
            (n,) nats, to be accepted at `log_bound`.
        """
        return self.rule.log_ratios(evidence)

    def accept(self, evidence: ArrayLike) -> NDArray[np.float64]:
        """Acceptance probabilities of new captions; see `log_ratios`."""
        return accept_probability(self.log_ratios(evidence), self.log_bound)


def gather_evidence(
    log_ratios: Mapping[str, ArrayLike],
    posterior: ArrayLike,
    general: ArrayLike,
    real: ArrayLike,
) -> dict[str, ArrayLike]:
    """Gather what is known of some captions: the models' ratios and the classifier's reading.

    Args:
        log_ratios: per estimator, (n,) log ratios in nats.
        posterior: (n, K) calibrated or stacked P_G(k|c).
        general: (K,) label frequencies G.
        real: (K,) label frequencies R, known or estimated.

    Returns:
        The log ratios, with "caption_oracle" (the posterior's log ratio) and "posterior" added.

    Raises:
        ValueError: rows that are no distributions, or R has a label that G lacks.
    """
    by_caption = caption_oracle_log_ratios(posterior, general, real)
    return {**log_ratios, "caption_oracle": by_caption, "posterior": posterior}


def fit_label_matched(
    evidence: Mapping[str, ArrayLike],
    labels: Sequence[str],
    real: ArrayLike,
    categories: Sequence[str],
    *,
    general: ArrayLike | None = None,
    minimum_pass_rate: float | None = None,
    powers: Sequence[float] = POWERS,
    quantiles: Sequence[float] = QUANTILES,
) -> LabelMatched:
    """Choose the acceptance rule on a held-out labelled part of general_train.

    Args:
        evidence: per estimator, what it says of the n held-out captions: (n,) log ratios in nats,
            to be sharpened, or (n, K) calibrated label posteriors, to be deconvolved. None of the
            models behind it has seen these captions.
        labels: (n,) labels of the held-out captions.
        real: (K,) label frequencies R, known or estimated without labels.
        categories: (K,) distinct labels.
        general: (K,) label frequencies G of the whole stream, where a rare label may be missing
            from the held-out part; those of the held-out part if omitted.
        minimum_pass_rate: least share to keep; `MINIMUM_SHARE_OF_ORACLE` times the label oracle's
            pass rate if omitted.
        powers: sharpening powers to try.
        quantiles: bounds to try, as shares of the sharpened ratios.

    Returns:
        The chosen rule with the table of candidates.

    Raises:
        ValueError: no evidence, arrays of another length, ratios that are not finite, unknown
            labels, or R with a label that the stream lacks.

    Warns:
        UserWarning: R lacks a label that the captions have. It is given as much as half a caption
            among them: every rule would else be infinitely far from R, and none could be chosen.
    """
    held_out = label_frequencies(labels, categories)
    world = _without_impossible_labels(np.asarray(real, dtype=float), held_out, labels, categories)
    stream = held_out if general is None else np.asarray(general, dtype=float)
    if not evidence:
        raise ValueError("The label_matched recipe needs at least one estimator's evidence.")
    if minimum_pass_rate is None:
        minimum_pass_rate = MINIMUM_SHARE_OF_ORACLE * label_oracle_pass_rate(stream, world)
    rules: dict[str, Sharpening | LabelMatching] = {}
    curves: dict[str, pd.DataFrame] = {}
    rows = []
    for name, given in evidence.items():
        values = np.asarray(given, dtype=float)
        if len(values) != len(labels):
            raise ValueError(
                f"{name!r} covers {len(values)} captions but {len(labels)} have labels."
            )
        if values.ndim == 2:
            rules[name] = match_labels(values, world, minimum_pass_rate=minimum_pass_rate)
        else:
            curves[name] = sharpening_curve(
                values, labels, world, categories, powers=powers, quantiles=quantiles
            )
            best = choose_sharpening(curves[name], minimum_pass_rate=minimum_pass_rate)
            rules[name] = sharpen(values, best["power"], best["quantile"])
        rows.append(
            {"estimator": name, **_measured(rules[name], values, labels, world, categories)}
        )
    candidates = pd.DataFrame(rows)
    chosen = _chosen(candidates, minimum_pass_rate, held_out, world, len(labels))
    candidates["chosen"] = candidates["estimator"] == chosen
    rule = rules[chosen]
    return LabelMatched(chosen, rule, rule.log_bound, minimum_pass_rate, candidates, curves)


def _without_impossible_labels(
    real: NDArray[np.float64],
    held_out: NDArray[np.float64],
    labels: Sequence[str],
    categories: Sequence[str],
) -> NDArray[np.float64]:
    lacking = (held_out > 0) & (real <= 0)
    if not lacking.any():
        return real
    least = 0.5 / len(labels)
    names = ", ".join(
        repr(n) for n, is_lacking in zip(categories, lacking, strict=True) if is_lacking
    )
    warnings.warn(
        f"R holds no {names}, but held-out captions do; to compare rules it is given the frequency "
        f"{least:.2g}. If that is not what you mean, give it a small one of your own.",
        stacklevel=3,
    )
    floored = np.where(lacking, least, real)
    return floored / floored.sum()


def _measured(
    rule: Sharpening | LabelMatching,
    values: NDArray[np.float64],
    labels: Sequence[str],
    world: NDArray[np.float64],
    categories: Sequence[str],
) -> dict[str, object]:
    """What a rule does to the held-out captions."""
    accept = accept_probability(rule.log_ratios(values), rule.log_bound)
    filtered = expected_filtered_frequencies(labels, accept, categories)
    before = float(kl_divergence(label_frequencies(labels, categories), world))
    after = float(kl_divergence(filtered, world))
    sums = weight_sums(labels, accept, categories, real=world)
    noise = noise_band(int(np.count_nonzero(world)), len(labels))
    return {
        "method": "sharpen" if isinstance(rule, Sharpening) else "deconvolve",
        "power": rule.power if isinstance(rule, Sharpening) else np.nan,
        "pass_rate": float(accept.mean()),
        "filtered_kl": after,
        "corrected_kl": after - sampling_bias(*sums),
        "deception_reduction": reduction_of(before, after, noise=noise).value,
    }


def _chosen(
    candidates: pd.DataFrame,
    minimum_pass_rate: float,
    held_out: NDArray[np.float64],
    world: NDArray[np.float64],
    captions: int,
) -> str:
    """Of those that keep enough, the nearest to R; among near ties, the one that keeps most.

    Near is the plug-in KL: a rule that keeps little is known less exactly, and a correction for
    that would give it credit for being unknown.
    """
    floor = noise_floor(int(np.count_nonzero(world)), captions)
    tolerance = max(TOLERANCE * float(kl_divergence(held_out, world)), 0.1 * floor)
    enough = candidates["pass_rate"] >= minimum_pass_rate * 0.999
    pool = candidates[enough] if enough.any() else candidates
    near = pool[pool["filtered_kl"] <= pool["filtered_kl"].min() + tolerance]
    return str(near.loc[near["pass_rate"].idxmax(), "estimator"])
