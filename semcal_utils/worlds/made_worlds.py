"""Made worlds: sub-samples of the stream at a severity, a chosen distance KL(G‖R) from it.

The world R is a sub-sample of the stream's training part G. Its label frequencies are G's, tilted
by random scores until KL(G‖R) equals the target; the sub-sample is the largest that has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from semcal_utils.worlds.label_counts import counts_for, tilted_to

WORLDS: dict[str, float] = {"baseline": 0.0, "mild": 0.1, "moderate": 0.4, "severe": 0.95}
"""The published worlds: their severity, KL(G‖R), in nats."""


def target_frequencies(
    general: ArrayLike, target_kl: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Tilt label frequencies at random until KL(G‖R) equals a target.

    R_k ∝ G_k·exp(t·z_k) with scores z_k uniform in [-1, 1]: bounded scores keep max R_k/G_k small,
    so that the largest sub-sample with these frequencies keeps many items. t is solved for.

    Args:
        general: (K,) positive frequencies G that sum to one.
        target_kl: KL(G‖R) in nats, zero or more.
        rng: source of the scores.

    Returns:
        (K,) frequencies R.

    Raises:
        ValueError: frequencies that are not a distribution, a negative target, or a positive target
            with a single label.
    """
    frequencies = np.asarray(general, dtype=float)
    if frequencies.ndim != 1 or np.any(~(frequencies > 0)) or abs(frequencies.sum() - 1) > 1e-6:
        raise ValueError("General frequencies must be positive numbers that sum to one.")
    _check_target(target_kl, len(frequencies))
    scores = rng.uniform(-1, 1, len(frequencies))
    if target_kl == 0:
        return frequencies / frequencies.sum()
    return tilted_to(frequencies, scores, target_kl)


def draw_real_split(labels: Sequence[str], *, target_kl: float, seed: int) -> NDArray[np.bool_]:
    """Draw the sub-sample of general_train that stands for the real world.

    A positive target is solved: the tilt of `target_frequencies` (in one direction for every target
    of a seed), then the most items that fit, then single items moved until KL(G‖R) is within 1 % of
    the target or no move brings it nearer. A target of zero is a plain random half.

    Args:
        labels: (n,) label of every item of general_train.
        target_kl: KL(G‖R) in nats, zero or more.
        seed: fixes the direction of the tilt and the items drawn.

    Returns:
        (n,) bool, which items belong to R. Every label keeps at least one.

    Raises:
        ValueError: no labels, a missing label, or a target that the label counts cannot reach (the
            message names the largest that they can).
    """
    categories, codes = _encoded(labels)
    counts = np.bincount(codes, minlength=len(categories))
    _check_target(target_kl, len(categories))
    rng = np.random.default_rng(seed)
    scores = rng.uniform(-1, 1, len(categories))
    if target_kl == 0:
        return _random_half(codes, len(categories), rng)
    return _draw_by_label(codes, counts_for(counts, scores, target_kl), rng)


def draw_calibration_part(
    labels: Sequence[str], share: float = 0.2, *, seed: int
) -> NDArray[np.bool_]:
    """Hold out a labelled part of general_train, in the same proportions of every label.

    Language models favour the captions they were trained on, so a rule chosen on those is wrong on
    new ones. This part is kept from both language models; its captions calibrate the ratio and its
    labels choose the acceptance rule. general_test plays no role in either.

    Args:
        labels: (n,) label of every item of general_train.
        share: part to hold out, strictly between 0 and 1.
        seed: fixes the items drawn.

    Returns:
        (n,) bool, true where an item is held out. A label with two items or more is on both sides;
        a label with one item stays with the training part.

    Raises:
        ValueError: no labels, a missing label, or a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"The calibration share must lie between 0 and 1, got {share}.")
    categories, codes = _encoded(labels)
    counts = np.bincount(codes, minlength=len(categories))
    rng = np.random.default_rng([seed, 1])
    held_out = np.floor(counts * share).astype(int)
    remainder = counts * share - held_out
    missing = round(counts.sum() * share) - held_out.sum()
    held_out[np.argsort(-remainder, kind="stable")[:missing]] += 1
    held_out = np.where(counts > 1, np.clip(held_out, 1, np.maximum(counts - 1, 1)), 0)
    return _draw_by_label(codes, held_out, rng)


def _encoded(labels: Sequence[str]) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    values = pd.Series(list(labels), dtype=object)
    if values.empty:
        raise ValueError("There are no labels to split: the table is empty.")
    missing = np.flatnonzero(values.isna().to_numpy())
    if len(missing):
        raise ValueError(
            f"Row {missing[0]} has no label ({len(missing)} in all); label it or leave it out."
        )
    codes, categories = pd.factorize(values, sort=True)
    return np.asarray(categories, dtype=object), codes


def _check_target(target_kl: float, labels: int) -> None:
    if not (math.isfinite(target_kl) and target_kl >= 0):
        raise ValueError(f"A target KL must be a finite number of nats >= 0, got {target_kl}.")
    if target_kl > 0 and labels == 1:
        raise ValueError(
            f"KL(G‖R) = {target_kl:g} cannot be reached with a single label: the largest is 0."
        )


def _draw_by_label(
    codes: NDArray[np.intp], kept: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    shuffled = rng.permutation(len(codes))
    by_label = shuffled[np.argsort(codes[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(kept)))[:-1]])
    rank = np.arange(len(codes)) - starts[codes[by_label]]
    members = np.zeros(len(codes), dtype=bool)
    members[by_label[rank < kept[codes[by_label]]]] = True
    return members


def _random_half(
    codes: NDArray[np.intp], labels: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    members = np.zeros(len(codes), dtype=bool)
    members[rng.permutation(len(codes))[: max(1, len(codes) // 2)]] = True
    for lost in np.flatnonzero(np.bincount(codes[members], minlength=labels) == 0):
        members[rng.choice(np.flatnonzero(codes == lost))] = True
    return members
