"""Where should a real model start: from the general model, or from fresh weights?

The held-out loss cannot tell: the better model of a world need not be the better half of a ratio.
So each pair of models filters the stream, and what is left of the deception decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from semcal_utils.acceptance import accept_probability, log_ratios
from semcal_utils.acceptance import paper_log_ratios as clipped_log_ratios
from semcal_utils.divergence import deception_reduction
from semcal_utils.divergence.frequencies import expected_filtered_frequencies, label_frequencies


def filtered_by(
    scored: pd.DataFrame,
    labels: Sequence[str],
    real: ArrayLike,
    categories: Sequence[str],
    *,
    log_bound: float,
) -> pd.DataFrame:
    """Filter a stream by a pair of models, without any choice that would need labels.

    Args:
        scored: What `scoring.score_pair` returns for the stream's captions.
        labels: (n,) their labels.
        real: (K,) the world's label frequencies R.
        categories: (K,) distinct labels.
        log_bound: Exact bound of the world, in nats.

    Returns:
        One row per recipe (`full`: the whole log ratio; `paper`: the published clipping of
        all its tokens):
        `reduction` of deception (nan where the stream does not deceive) and `pass_rate`.
    """
    pair = scored["log_prob_real"], scored["log_prob_general"]
    stream = label_frequencies(labels, categories)
    rows = []
    for recipe, ratio in {"full": log_ratios(*pair), "paper": clipped_log_ratios(*pair)}.items():
        accept = accept_probability(ratio, log_bound)
        kept = expected_filtered_frequencies(labels, accept, categories)
        reduction = deception_reduction(stream, kept, np.asarray(real, dtype=float)).value
        rows.append({"recipe": recipe, "reduction": reduction, "pass_rate": float(accept.mean())})
    return pd.DataFrame(rows)
