"""Which labels a filter treats as the world asks, and which it over-rejects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from semcal_utils.divergence.frequencies import (
    checked_probabilities,
    label_codes,
    label_frequencies,
)


def acceptance_by_label(
    labels: Sequence[str],
    accept_probability: ArrayLike,
    real_frequencies: ArrayLike,
    categories: Sequence[str],
) -> pd.DataFrame:
    """Compare, label by label, the acceptance achieved with the one that would give the world.

    At pass rate p a filter turns G into R if label k is accepted with probability p·R_k/G_k.

    Args:
        labels: (n,) labels.
        accept_probability: (n,) probabilities.
        real_frequencies: (K,) label frequencies R.
        categories: (K,) distinct labels.

    Returns:
        One row per category (the index) with items, general, real, filtered (frequencies),
        expected_acceptance (above one where this pass rate is out of reach), achieved_acceptance,
        its standard_error, and achieved_over_expected: below one, the label is over-rejected.
    """
    accept = checked_probabilities(accept_probability)
    codes = label_codes(labels, categories)
    general = label_frequencies(labels, categories)
    filtered = label_frequencies(labels, categories, accept)
    real = np.asarray(real_frequencies, dtype=float)
    items = np.bincount(codes, minlength=len(categories))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = accept.mean() * real / general
        achieved = np.bincount(codes, accept, minlength=len(categories)) / items
        squares = np.bincount(codes, accept**2, minlength=len(categories)) / items
        error = np.sqrt(np.maximum(squares - achieved**2, 0) / items)
        relative = achieved / expected
    return pd.DataFrame(
        {
            "items": items,
            "general": general,
            "real": real,
            "filtered": filtered,
            "expected_acceptance": expected,
            "achieved_acceptance": achieved,
            "standard_error": error,
            "achieved_over_expected": relative,
        },
        index=pd.Index(list(categories), name="label"),
    )
