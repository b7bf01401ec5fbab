"""The `item_calibrated` recipe: log ratios calibrated caption by caption, without labels.

On a balanced pool of held-out real and general captions r/(1 + r) must equal P(real|c). A logistic
curve makes it so; a shift makes E_G[min(r, M)] = 1, and M = |G|/|R| caps the ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from semcal_utils.acceptance.ratios import checked_log_bound, log_mean_exp


@dataclass(frozen=True)
class ItemCalibration:
    """A rising line from raw to calibrated log ratios, capped.

    Attributes:
        log_bound: cap of the calibrated log ratio, in nats.
        slope: of Platt's curve P(real|c) = 1/(1 + exp(-(slope·x + offset))) on a balanced pool,
            zero or more.
        offset: of the same curve, shifted so that the capped ratio averages one over general
            captions; in nats.
        unit: of x, the raw log ratio, in nats.
    """

    log_bound: float
    slope: float
    offset: float
    unit: float

    def log_ratios(self, log_ratio: ArrayLike) -> NDArray[np.float64]:
        """Calibrate raw log ratios.

        Args:
            log_ratio: (n,) raw log ratios by the estimator that was calibrated, in nats.

        Returns:
            (n,) calibrated log ratios, at most `log_bound`.

        Raises:
            ValueError: a ratio that is not finite.
        """
        raw = _checked_ratios(log_ratio)
        odds = self.slope * in_units(raw, self.unit) + self.offset
        return np.minimum(odds, self.log_bound)


def calibrate_items(
    log_ratio: ArrayLike,
    real: ArrayLike,
    *,
    log_bound: float,
) -> ItemCalibration:
    """Calibrate log ratios on held-out general captions, some of which are real.

    R is a part of G, so a real caption counts once as real and once as general; weights balance the
    two pools. No label is used.

    Args:
        log_ratio: (n,) raw log ratios of held-out general captions, in nats.
        real: (n,) bool, which of them belong to R.
        log_bound: exact bound log(|G|/|R|) in nats.

    Returns:
        The calibration: Platt's curve, nearly unpenalised.

    Raises:
        ValueError: ratios that are not finite, or no real captions.
    """
    raw, members = _checked_ratios(log_ratio), np.asarray(real, dtype=bool)
    bound = checked_log_bound(log_bound)
    if members.shape != raw.shape:
        raise ValueError(f"There are {len(raw)} log ratios but {len(members)} memberships.")
    if not members.any():
        raise ValueError("None of the held-out captions is real; hold out more of general_train.")
    values, outcomes, weights = _balanced_pool(raw, members)
    unit = solver_unit(values)
    model = LogisticRegression(C=1e6, max_iter=1000)
    model.fit(in_units(values, unit)[:, None], outcomes, sample_weight=weights)
    slope = max(0.0, float(model.coef_[0, 0]))
    offset = float(model.intercept_[0]) if slope > 0 else 0.0
    shift = _shift_to_one(slope * in_units(raw, unit) + offset, bound)
    return ItemCalibration(bound, slope, offset + shift, unit)


def reliability(log_ratio: ArrayLike, real: ArrayLike, *, bins: int = 10) -> pd.DataFrame:
    """Reliability of log ratios: r/(1 + r) against the share of real captions in a balanced pool.

    Args:
        log_ratio: (n,) log ratios of held-out general captions, in nats.
        real: (n,) bool, which of them belong to R.
        bins: most bins; of about equal weight, equal ratios never parted.

    Returns:
        One row per bin: predicted (mean r/(1 + r)), observed (share of real), its standard_error,
        and captions (how many general captions fall in it).

    Raises:
        ValueError: ratios that are not finite, or no real captions.
    """
    raw, members = _checked_ratios(log_ratio), np.asarray(real, dtype=bool)
    if not members.any():
        raise ValueError("None of the captions is real: there is nothing to compare with.")
    values, outcomes, weights = _balanced_pool(raw, members)
    # Equal ratios share a bin: a step curve makes many, and their order says nothing.
    _, step = np.unique(values, return_inverse=True)
    step_weight = np.bincount(step, weights)
    middle = (np.cumsum(step_weight) - step_weight / 2) / weights.sum()
    pool = pd.DataFrame(
        {
            "bin": np.minimum((middle * bins).astype(int), bins - 1)[step],
            "weight": weights,
            "predicted": expit(values) * weights,
            "observed": outcomes * weights,
            "squares": weights**2,
            "captions": 1 - outcomes,
        }
    )
    table = pool.groupby("bin").sum()
    table[["predicted", "observed"]] = table[["predicted", "observed"]].div(table["weight"], axis=0)
    spread = table["observed"] * (1 - table["observed"])
    table["standard_error"] = np.sqrt(spread * table["squares"]) / table["weight"]
    table["captions"] = table["captions"].astype(int)
    return table[["predicted", "observed", "standard_error", "captions"]].reset_index(drop=True)


def solver_unit(values: NDArray[np.float64]) -> float:
    """Return the unit in which a solver meets numbers near one: nine in ten are smaller.

    Args:
        values: (n,) log ratios in nats; infinite ones do not count.
    """
    sizes = np.abs(values[np.isfinite(values)])
    typical = float(np.quantile(sizes, 0.9)) if len(sizes) else 0.0
    return typical or max(float(sizes.max(initial=0.0)), 1e-12)


def in_units(values: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """Return values in a unit, cut at 30 of it: one outlier must not decide a whole curve."""
    return np.clip(values / unit, -30.0, 30.0)


def _balanced_pool(
    raw: NDArray[np.float64], members: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Values, outcomes and weights of real captions (half the weight) and all general ones."""
    values = np.concatenate([raw[members], raw])
    outcomes = np.concatenate([np.ones(members.sum()), np.zeros(len(raw))])
    weights = np.where(outcomes == 1, len(raw) / members.sum(), 1.0)
    return values, outcomes, weights


def _shift_to_one(odds: NDArray[np.float64], log_bound: float) -> float:
    """Shift b with E_G[min(r·e^b, M)] = 1; zero bound means R = G, where every ratio is one."""

    def excess(shift: float) -> float:
        return float(log_mean_exp(np.minimum(odds + shift, log_bound)))

    if log_bound == 0:
        return float(-odds.min())
    lowest = -float(odds.max()) - 1.0
    return float(brentq(excess, lowest, log_bound - float(odds.min()) + 1.0, xtol=1e-12))


def _checked_ratios(log_ratio: ArrayLike) -> NDArray[np.float64]:
    raw = np.asarray(log_ratio, dtype=float)
    wrong = np.flatnonzero(~np.isfinite(raw))
    if not len(raw) or len(wrong):
        place = f"row {wrong[0]} is not finite" if len(wrong) else "there are none"
        raise ValueError(f"Calibration needs finite log ratios: {place}.")
    return raw
