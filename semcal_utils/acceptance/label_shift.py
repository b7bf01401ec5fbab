"""R's label frequencies from unlabelled real captions, given a classifier of general captions.

The captions of a label read the same in the stream and in the world; only the labels' shares
differ. That is label shift: EM (Saerens, Latinne & Decaestecker 2002) reweights the posterior until
it is consistent; BBSE (Lipton, Wang & Smola 2018) inverts the classifier's confusion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls
from scipy.stats import chi2

from semcal_utils.acceptance.oracles import checked_posterior


def em_frequencies(
    posterior: ArrayLike,
    general: ArrayLike,
    *,
    strength: float = 0.0,
    significance: float | None = None,
    tolerance: float = 1e-9,
    iterations: int = 10_000,
) -> NDArray[np.float64]:
    """Estimate R's label frequencies by expectation–maximisation.

    Args:
        posterior: (n, K) calibrated P_G(k|c) of unlabelled real captions; the classifier must not
            have learnt from these captions.
        general: (K,) label frequencies G of the captions that the classifier learnt from.
        strength: pseudo-captions spread like G (a Dirichlet prior); more keep R nearer to G.
        significance: if given, G itself is returned unless a likelihood-ratio test at this level
            tells the captions' labels from G, so that an honest stream is left alone.
        tolerance: stop when no frequency moves further than this.
        iterations: stop after this many rounds at the latest.

    Returns:
        (K,) frequencies R.

    Raises:
        ValueError: no captions, rows that are no distributions, or a label that G lacks.
    """
    rows, stream = _checked(posterior, general)
    likelihood = rows / stream
    estimate = stream.copy()
    for _ in range(iterations):
        shares = likelihood * estimate
        counts = (shares / shares.sum(axis=1, keepdims=True)).sum(axis=0) + strength * stream
        updated = counts / counts.sum()
        moved = float(np.abs(updated - estimate).max())
        estimate = updated
        if moved < tolerance:
            break
    evidence = 2 * float(np.sum(np.log(likelihood @ estimate)))
    if significance is not None and chi2.sf(evidence, len(stream) - 1) > significance:
        return stream / stream.sum()
    return estimate


def bbse_frequencies(
    posterior: ArrayLike, confusion: ArrayLike, *, smallest: float = 1e-4
) -> NDArray[np.float64]:
    """Estimate R's label frequencies by inverting the confusion of captions (soft BBSE).

    The mean posterior of real captions is Σ_k R_k·T_kj; R solves it by non-negative least squares.

    Args:
        posterior: (n, K) P_G(k|c) of unlabelled real captions.
        confusion: (K, K) T_kj of held-out labelled general captions.
        smallest: least frequency that a label is given.

    Returns:
        (K,) frequencies R.

    Raises:
        ValueError: no captions, or rows that are no distributions (in the confusion: a label that
            has no captions).
    """
    rows = checked_posterior(posterior)
    if not len(rows):
        raise ValueError("There are no real captions to estimate label frequencies from.")
    solution, _ = nnls(checked_posterior(confusion).T, rows.mean(axis=0))
    estimate = np.maximum(solution / solution.sum(), smallest)
    return estimate / estimate.sum()


def _checked(
    posterior: ArrayLike, general: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, stream = checked_posterior(posterior), np.asarray(general, dtype=float)
    if not len(rows):
        raise ValueError("There are no real captions to estimate label frequencies from.")
    if stream.shape != (rows.shape[1],) or np.any(stream <= 0):
        raise ValueError(
            f"The posterior has {rows.shape[1]} labels; G must give each a positive frequency."
        )
    return rows, stream / stream.sum()
