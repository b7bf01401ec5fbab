"""Deconvolution with clipping: acceptance that makes the kept labels match the world's.

A caption leaves doubt about its label, so weights w_k = R_k/G_k averaged over the doubt fall short.
Deconvolved weights v undo it: a(c) = Σ_k v_k·P_G(k|c), clipped to [0, 1], with v such that the kept
stream has R's labels in expectation, E_G[a(c)·P_G(k|c)] = R_k·E_G[a(c)]. Without clipping v is T⁻¹w
up to scale. Of all acceptance rules with R's labels, this one is nearest to keeping everything: it
minimises E_G[(1 - a)²], a convex problem with one unknown per label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from semcal_utils.acceptance.oracles import checked_posterior

LOWEST_LOG_ACCEPTANCE = -40.0
"""log a of captions that are never kept: finite, so that tables and plots stay whole."""

_RIDGES = np.concatenate([[1e-7], np.geomspace(1e-5, 1e4, 46)])


@dataclass(frozen=True)
class LabelMatching:
    """Deconvolved weights, ready to accept captions by their label posterior.

    Attributes:
        weights: (K,) v, the acceptance of a caption that surely has the label, before clipping.
        log_bound: log M in nats, with which the ratio r = M·a averages one over the stream.
        ridge: strength of the penalty that bought pass rate for exactness.
        pass_rate: expected share kept, on the fitting captions.
        frequencies: (K,) expected label frequencies of what is kept, on the fitting captions.
    """

    weights: NDArray[np.float64]
    log_bound: float
    ridge: float
    pass_rate: float
    frequencies: NDArray[np.float64]

    def log_ratios(self, posterior: ArrayLike) -> NDArray[np.float64]:
        """Log ratios whose acceptance at `log_bound` is the matched one.

        Args:
            posterior: (n, K) P_G(k|c).

        Returns:
            (n,) nats, at most `log_bound`.

        Raises:
            ValueError: rows that are no distributions.
        """
        accept = np.clip(checked_posterior(posterior) @ self.weights, 0.0, 1.0)
        floor = math.exp(LOWEST_LOG_ACCEPTANCE)
        return np.log(np.maximum(accept, floor)) + self.log_bound


def match_labels(
    posterior: ArrayLike, real: ArrayLike, *, minimum_pass_rate: float = 0.0
) -> LabelMatching:
    """Solve for the deconvolved weights on held-out general captions.

    Labels of these captions are not used; the posterior must be calibrated on them. Where the exact
    match keeps too little, a ridge on the dual, the same as a χ² penalty on the mismatch, is raised
    just enough.

    Args:
        posterior: (n, K) calibrated P_G(k|c) of held-out general captions.
        real: (K,) label frequencies R.
        minimum_pass_rate: least expected share to keep, between 0 and 1.

    Returns:
        The matching of the smallest ridge that keeps enough.

    Raises:
        ValueError: no captions, rows that are no distributions, R of another length, R with a label
            that no caption speaks of, or a minimum outside [0, 1].
    """
    rows, world = checked_posterior(posterior), np.asarray(real, dtype=float)
    if not len(rows) or world.shape != (rows.shape[1],):
        raise ValueError(
            f"Matching needs captions and one frequency per label; got {len(rows)} captions, "
            f"{rows.shape[1]} labels and {world.size} frequencies."
        )
    if not 0 <= minimum_pass_rate <= 1:
        raise ValueError(f"A minimum pass rate lies in [0, 1], got {minimum_pass_rate}.")
    silent = np.flatnonzero((world > 0) & (rows.sum(axis=0) <= 0))
    if len(silent):
        raise ValueError(f"No caption speaks of label number {silent[0]}, which the world has.")
    multipliers = np.zeros(rows.shape[1])
    for ridge in _RIDGES:
        multipliers = _solve(rows, world, float(ridge), multipliers)
        weights = _weights(multipliers, world)
        accept = np.clip(rows @ weights, 0.0, 1.0)
        if accept.mean() > max(minimum_pass_rate, 1e-9):
            return _matching(rows, weights, accept, float(ridge))
    return _matching(rows, np.ones_like(world), np.ones(len(rows)), math.inf)


def _matching(
    rows: NDArray[np.float64],
    weights: NDArray[np.float64],
    accept: NDArray[np.float64],
    ridge: float,
) -> LabelMatching:
    kept = accept @ rows
    pass_rate = float(accept.mean())
    return LabelMatching(weights, -math.log(pass_rate), ridge, pass_rate, kept / kept.sum())


def _weights(multipliers: NDArray[np.float64], world: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = multipliers * _scales(world)
    return 1 + scaled - scaled @ world


def _scales(world: NDArray[np.float64]) -> NDArray[np.float64]:
    """1/√R_k, which makes the penalised mismatch a χ² divergence; floored for labels R lacks."""
    return 1 / np.sqrt(np.maximum(world, 0.01 / len(world)))


def _solve(
    rows: NDArray[np.float64],
    world: NDArray[np.float64],
    ridge: float,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Dual of: minimise E[(1 - a)²]/2 with E[a·(p_k - R_k)] = 0 and 0 ≤ a ≤ 1."""
    constraints = (rows - world) * _scales(world)

    def dual(multipliers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        raw = 1 + constraints @ multipliers
        accept = np.clip(raw, 0.0, 1.0)
        value = np.mean(accept * raw - accept**2 / 2) + ridge / 2 * (multipliers @ multipliers)
        return float(value), constraints.T @ accept / len(rows) + ridge * multipliers

    options = {"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9}
    return np.asarray(minimize(dual, start, jac=True, method="L-BFGS-B", options=options).x)
