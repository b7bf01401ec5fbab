"""Hindsight: how much a rule chosen on the calibration part loses against the best one on the test.

Looking at the test part is allowed here because nothing is chosen from it: the result says what the
choice on held-out labels cost, kind of evidence by kind of evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from semcal_utils.acceptance.label_matched import LabelMatched, fit_label_matched
from semcal_utils.acceptance.ratios import accept_probability
from semcal_utils.acceptance.sharpening import best_in_hindsight, sharpening_curve
from semcal_utils.divergence import kl_divergence, noise_band, reduction_of
from semcal_utils.divergence.frequencies import expected_filtered_frequencies, label_frequencies


def hindsight(
    evidence: Mapping[str, ArrayLike],
    labels: Sequence[str],
    real: ArrayLike,
    categories: Sequence[str],
    calibration: ArrayLike,
    *,
    general: ArrayLike | None = None,
    minimum_pass_rate: float | None = None,
) -> pd.DataFrame:
    """Compare, for each kind of evidence, the rule chosen beforehand with the best one afterwards.

    Args:
        evidence: per estimator, (n,) log ratios in nats or (n, K) posteriors, as
            `fit_label_matched` takes them, of calibration and test captions alike.
        labels: (n,) labels.
        real: (K,) label frequencies R.
        categories: (K,) distinct labels.
        calibration: (n,) bool, the captions that rules are chosen on; the others are the test.
        general: (K,) label frequencies G, as in `fit_label_matched`.
        minimum_pass_rate: least share to keep, as in `fit_label_matched`; it binds the best rule in
            hindsight too.

    Returns:
        One row per estimator: estimator, method, power, pass_rate and deception_reduction of the
        chosen rule on the test part, best_power and best_reduction (the most that any power reaches
        there with shift and bound from the calibration part; deconvolution has no power, so it is
        its own best), and lost, the difference. Reductions are nan where the stream is honest.

    Raises:
        ValueError: as in `fit_label_matched`, or one of the two parts is empty.
    """
    own, names = np.asarray(calibration, dtype=bool), np.asarray(labels, dtype=object)
    if own.all() or not own.any():
        raise ValueError("Hindsight needs captions in both parts: calibration and test.")
    rows = []
    for name, given in evidence.items():
        values = np.asarray(given, dtype=float)
        recipe = fit_label_matched(
            {name: values[own]},
            names[own].tolist(),
            real,
            categories,
            general=general,
            minimum_pass_rate=minimum_pass_rate,
        )
        rows.append(_row(recipe, values, names, real, categories, own))
    table = pd.DataFrame(rows)
    return table.assign(lost=table["best_reduction"] - table["deception_reduction"])


def _row(
    recipe: LabelMatched,
    values: NDArray[np.float64],
    names: NDArray[np.object_],
    real: ArrayLike,
    categories: Sequence[str],
    own: NDArray[np.bool_],
) -> dict[str, object]:
    """Measure one estimator's rule on the test part, beside the best power there."""
    world, test_labels = np.asarray(real, dtype=float), names[~own].tolist()
    accept = accept_probability(recipe.log_ratios(values[~own]), recipe.log_bound)
    filtered = expected_filtered_frequencies(test_labels, accept, categories)
    before = float(kl_divergence(label_frequencies(test_labels, categories), world))
    noise = noise_band(int(np.count_nonzero(world)), len(test_labels))
    reached = reduction_of(before, float(kl_divergence(filtered, world)), noise=noise).value
    about = recipe.candidates.iloc[0]
    best_power, best = np.nan, reached
    if values.ndim == 1:
        curve = sharpening_curve(values[~own], test_labels, world, categories, held_out=values[own])
        top = best_in_hindsight(curve, minimum_pass_rate=recipe.minimum_pass_rate)
        best_power, best = top["power"], top["deception_reduction"]
        if reached > best:
            best_power, best = about["power"], reached
    return {
        "estimator": about["estimator"],
        "method": about["method"],
        "power": about["power"],
        "pass_rate": float(accept.mean()),
        "deception_reduction": reached,
        "best_power": best_power,
        "best_reduction": best,
    }
