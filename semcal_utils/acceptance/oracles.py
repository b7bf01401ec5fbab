"""Ceilings and forecasts: what a filter that knew the labels, or what captions mean, would reach.

The label oracle accepts by w_k = R_k/G_k: nothing that sees labels only does better. The caption
oracle has the exact ratio of captions, r(c) = Σ_k P_G(k|c)·w_k: what perfect calibration item by
item reaches. It is no ceiling. It moves the labels only as far as captions tell them apart,
filtered(k) ∝ G_k·Σ_j T_kj·w_j with T_kj = Σ_c P(c|k)·P_G(j|c), so T forecasts it beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from semcal_utils.divergence import Reduction, deception_reduction
from semcal_utils.divergence.frequencies import label_codes


@dataclass(frozen=True)
class Forecast:
    """What exact calibration item by item is expected to reach.

    Attributes:
        frequencies: (K,) expected label frequencies of the kept stream.
        reduction: the deception reduction they amount to, or the reason why there is none.
    """

    frequencies: NDArray[np.float64]
    reduction: Reduction


def label_weights(general: ArrayLike, real: ArrayLike) -> NDArray[np.float64]:
    """Ratio of each label, w_k = R_k/G_k.

    Args:
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.

    Returns:
        (K,) ratios; zero for a label that neither has.

    Raises:
        ValueError: R has a label that G lacks: no filter can add items that never come.
    """
    stream, world = np.asarray(general, dtype=float), np.asarray(real, dtype=float)
    missing = np.flatnonzero((stream <= 0) & (world > 0))
    if len(missing):
        raise ValueError(
            f"The world has label number {missing[0]} but the stream never shows it: no filter can "
            "add it. Leave the label out of R."
        )
    return np.divide(world, stream, out=np.zeros_like(world), where=stream > 0)


def label_oracle_acceptance(
    labels: Sequence[str], general: ArrayLike, real: ArrayLike, categories: Sequence[str]
) -> NDArray[np.float64]:
    """Acceptance of a filter that sees the true label: a = w_y/M with M = max_k w_k.

    Args:
        labels: (n,) labels of the items.
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.
        categories: (K,) distinct labels.

    Returns:
        (n,) acceptance probabilities; zero for a label that R lacks.

    Raises:
        ValueError: an unknown label, or R has a label that G lacks.
    """
    weights = label_weights(general, real)
    return (weights / weights.max())[label_codes(labels, categories)]


def label_oracle_pass_rate(general: ArrayLike, real: ArrayLike) -> float:
    """Share of the stream that the label oracle keeps, 1/max_k w_k: the most a faithful filter can.

    Args:
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.

    Returns:
        A share between 0 and 1.

    Raises:
        ValueError: R has a label that G lacks.
    """
    return 1 / float(label_weights(general, real).max())


def caption_oracle_log_ratios(
    posterior: ArrayLike, general: ArrayLike, real: ArrayLike
) -> NDArray[np.float64]:
    """Log ratio of captions whose label posterior is known: log Σ_k P_G(k|c)·w_k.

    Args:
        posterior: (n, K) P_G(k|c), each row summing to one; exact in a world made by hand, from a
            calibrated classifier elsewhere.
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.

    Returns:
        (n,) log ratios in nats.

    Raises:
        ValueError: rows that are no distributions, or R has a label that G lacks.
    """
    ratios = checked_posterior(posterior) @ label_weights(general, real)
    return np.log(np.maximum(ratios, np.finfo(float).tiny))


def caption_confusion(
    labels: Sequence[str], posterior: ArrayLike, categories: Sequence[str]
) -> pd.DataFrame:
    """Confusion of captions T_kj = Σ_c P(c|k)·P_G(j|c), on labelled general captions.

    Args:
        labels: (n,) labels of held-out general captions.
        posterior: (n, K) P_G(j|c) of their captions.
        categories: (K,) distinct labels.

    Returns:
        (K, K) table; row k holds the mean posterior of label k's captions, nan if there are none.

    Raises:
        ValueError: an unknown label, or rows that are no distributions.
    """
    codes = label_codes(labels, categories)
    rows = checked_posterior(posterior)
    sums = np.zeros((len(categories), rows.shape[1]))
    np.add.at(sums, codes, rows)
    counts = np.bincount(codes, minlength=len(categories))[:, None]
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    index = pd.Index(list(categories), name="label")
    return pd.DataFrame(means, index=index, columns=pd.Index(list(categories), name="read_as"))


def forecast(confusion: ArrayLike, general: ArrayLike, real: ArrayLike) -> Forecast:
    """Forecast what the caption oracle's filter keeps, from the confusion of captions alone.

    Args:
        confusion: (K, K) T_kj, rows summing to one.
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.

    Returns:
        The expected frequencies of the kept stream and their deception reduction.

    Raises:
        ValueError: R has a label that G lacks, or a row of T is no distribution.
    """
    stream = np.asarray(general, dtype=float)
    kept = stream * (checked_posterior(confusion) @ label_weights(stream, real))
    frequencies = kept / kept.sum()
    return Forecast(frequencies, deception_reduction(stream, frequencies, real))


def checked_posterior(posterior: ArrayLike) -> NDArray[np.float64]:
    """Return posteriors as a float64 matrix whose rows sum to one.

    Args:
        posterior: (n, K) probabilities.

    Returns:
        The same numbers.

    Raises:
        ValueError: a row that is no distribution (the message names it).
    """
    rows = np.asarray(posterior, dtype=float)
    if rows.ndim != 2:
        raise ValueError(
            f"A posterior has one row per caption, got an array of shape {rows.shape}."
        )
    valid = np.all((rows >= 0) & (rows <= 1 + 1e-9), axis=1)
    valid &= np.abs(rows.sum(axis=1) - 1) < 1e-4
    if not valid.all():
        raise ValueError(
            f"Row {np.flatnonzero(~valid)[0]} of the posterior is no probability distribution."
        )
    return rows
