"""How many labelled captions a method needs: the recipe's choice, and the classifier's lessons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from semcal_utils.detection.benches import Bench
from semcal_utils.detection.caption_readers import CaptionReader
from semcal_utils.detection.league import item_calibrated_rule, label_matched_rule
from semcal_utils.detection.rivals import RatioEstimator
from semcal_utils.divergence import deception_reduction
from semcal_utils.divergence.frequencies import expected_filtered_frequencies, label_frequencies

CLASSIFIER = "caption classifier, deconvolved"


def few_labels(
    estimators: Mapping[str, RatioEstimator],
    bench: Bench,
    sizes: Sequence[int],
    *,
    repeats: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Give each method a few labelled captions and measure what it makes of them.

    A ratio needs labels only to choose how far to sharpen; a classifier must also learn from them,
    and uses half of them for each.

    Args:
        estimators: fitted ratio estimators that read no labels, by name.
        bench: one world; labels are drawn from its calibration part.
        sizes: numbers of labelled captions; each label gets at least two.
        repeats: draws per size.
        seed: fixes the draws.

    Returns:
        One row per size, repeat and method: labels, repeat, method, reduction. Size 0 is the item
        form, which reads no label.

    Raises:
        ValueError: a size beyond the calibration part, or without two captions per label.
    """
    least, most = 2 * len(bench.categories), len(bench.calibration)
    for size in sizes:
        if not least <= size <= most:
            raise ValueError(
                f"{size} labelled captions cannot be drawn: {len(bench.categories)} labels need "
                f"{least} or more, and the calibration part holds {most}."
            )
    rng = np.random.default_rng(seed)
    wanted = {name for name, share in zip(bench.categories, bench.real, strict=True) if share > 0}
    rows: list[dict[str, Any]] = []
    for name, estimator in estimators.items():
        accept = item_calibrated_rule(estimator, bench)(bench.test).accept
        rows.append(_row(0, 0, name, accept, bench))
    for size in sizes:
        for repeat in range(repeats):
            drawn = _drawn(bench.calibration, size, rng)
            few = replace(bench, calibration=drawn)
            for name, estimator in estimators.items():
                accept = label_matched_rule(estimator, few)(bench.test).accept
                rows.append(_row(size, repeat, name, accept, bench))
            half = np.arange(size) % 2 == 0
            if not wanted <= set(drawn["label"][half]):
                # A label with a single caption: nobody can learn it and check it, too.
                rows.append(
                    {"labels": size, "repeat": repeat, "method": CLASSIFIER, "reduction": np.nan}
                )
                continue
            taught = replace(bench, train=drawn[half], calibration=drawn[~half])
            reader = CaptionReader().fit(taught)
            accept = label_matched_rule(reader, taught)(bench.test).accept
            rows.append(_row(size, repeat, CLASSIFIER, accept, bench))
    return pd.DataFrame(rows)


def _drawn(pool: pd.DataFrame, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows in an order in which each label occurs in the even and in the odd places."""
    shuffled = pool.iloc[rng.permutation(len(pool))]
    first = shuffled.groupby("label", sort=True).head(2)
    first = first.iloc[np.argsort(first["label"].to_numpy(), kind="stable")]
    rest = shuffled[~shuffled["item_id"].isin(first["item_id"])]
    return pd.concat([first, rest.head(size - len(first))], ignore_index=True)


def _row(size: int, repeat: int, method: str, accept: np.ndarray, bench: Bench) -> dict[str, Any]:
    general = label_frequencies(bench.test["label"], bench.categories)
    kept = expected_filtered_frequencies(bench.test["label"], accept, bench.categories)
    reached = deception_reduction(general, kept, bench.real).value
    return {"labels": size, "repeat": repeat, "method": method, "reduction": reached}
