"""The league: every estimator on the same benches, judged item by item and by what it keeps.

Each estimator runs in two forms. `item_calibrated`: its ratio calibrated caption by caption, no
label used, cut at the exact bound. `label_matched`: sharpened (a log ratio) or deconvolved (a
posterior) on the calibration part's labels. The language models also run as published (`paper`).
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from semcal_utils.acceptance import accept_probability
from semcal_utils.acceptance.calibration import calibrate_items
from semcal_utils.acceptance.label_matched import fit_label_matched
from semcal_utils.acceptance.oracles import label_oracle_acceptance
from semcal_utils.detection.benches import Bench
from semcal_utils.detection.measures import auc_interval, over_represented
from semcal_utils.detection.rivals import RatioEstimator
from semcal_utils.divergence.intervals import measure_filter

ORACLE = "label oracle"


@dataclass(frozen=True)
class Judged:
    """One estimator in one form on one bench's test part.

    Attributes:
        method: name of the estimator.
        form: "paper", "item_calibrated" or "label_matched".
        log_ratio: (n,) of the test items, in nats, as the form uses them.
        accept: (n,) acceptance probabilities.
    """

    method: str
    form: str
    log_ratio: NDArray[np.float64]
    accept: NDArray[np.float64]


Maker = Callable[[Bench], RatioEstimator]
"""From a bench to an unfitted estimator."""

Rule = Callable[[pd.DataFrame], Judged]
"""From items (item_id, caption) to what a form makes of them."""


def item_calibrated_rule(estimator: RatioEstimator, bench: Bench) -> Rule:
    """Calibrate a ratio caption by caption, without labels.

    Args:
        estimator: a fitted one.
        bench: where its calibration part and bound come from.

    Returns:
        The rule: from items (item_id, caption) to log ratios, capped at the exact bound, and
        acceptance probabilities.
    """
    held_out = bench.calibration
    curve = calibrate_items(
        estimator.log_ratios(held_out), held_out["real"], log_bound=bench.log_bound
    )

    def judge(items: pd.DataFrame) -> Judged:
        ratio = curve.log_ratios(estimator.log_ratios(items))
        accept = accept_probability(ratio, bench.log_bound)
        return Judged(estimator.name, "item_calibrated", ratio, accept)

    return judge


def label_matched_rule(estimator: RatioEstimator, bench: Bench) -> Rule:
    """Choose acceptance so that the kept labels of the calibration part match the world's.

    Args:
        estimator: a fitted one; R is what it believes R to be.
        bench: where the labelled calibration part comes from.

    Returns:
        The rule, by sharpening (of log ratios) or deconvolution (of posteriors).
    """
    recipe = fit_label_matched(
        {estimator.name: estimator.evidence(bench.calibration)},
        bench.calibration["label"],
        estimator.believed_real,
        bench.categories,
        general=bench.general,
    )

    def judge(items: pd.DataFrame) -> Judged:
        ratio = recipe.log_ratios(estimator.evidence(items))
        accept = accept_probability(ratio, recipe.log_bound)
        return Judged(estimator.name, "label_matched", ratio, accept)

    return judge


def judge_forms(estimator: RatioEstimator, bench: Bench) -> list[Judged]:
    """Return an estimator's forms on the test part; without labels there is the item form only."""
    rules = [item_calibrated_rule, label_matched_rule] if bench.labelled else [item_calibrated_rule]
    return [rule(estimator, bench)(bench.test) for rule in rules]


def measure(judged: Judged, bench: Bench, *, resamples: int = 300, seed: int = 0) -> dict[str, Any]:
    """Measure one form: what it keeps and how it ranks items.

    Args:
        judged: acceptance of the bench's test items.
        bench: the bench.
        resamples: bootstrap resamples behind the reduction's interval.
        seed: fixes them.

    Returns:
        world, method, form, reduction with low and high, pass_rate, auc with low and high, and
        reason (why the reduction is undefined).
    """
    kept = measure_filter(
        bench.test["label"], judged.accept, bench.real, bench.categories,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    positive = over_represented(bench.test["label"], bench.general, bench.real, bench.categories)
    area = auc_interval(positive, -judged.log_ratio)
    reduction = kept.deception_reduction
    return {
        "world": bench.world,
        "method": judged.method,
        "form": judged.form,
        "reduction": reduction.value,
        "low": reduction.low,
        "high": reduction.high,
        "pass_rate": kept.pass_rate.value,
        "auc": area.value,
        "auc_low": area.low,
        "auc_high": area.high,
        "reason": kept.reason,
    }


def run_league(
    makers: Mapping[str, Maker],
    benches: Iterable[Bench],
    *,
    extra: Mapping[str, Sequence[Judged]] | None = None,
    model_megabytes: Mapping[str, float] | None = None,
    resamples: int = 300,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[tuple[str, str, str], Judged]]:
    """Run every estimator on every bench.

    Args:
        makers: per name, a function that makes an unfitted estimator for a bench.
        benches: one per world.
        extra: per world, forms that exist already (such as the published recipe).
        model_megabytes: size of the language models that an estimator of this name needs; of the
            others, what they learnt is weighed.
        resamples: bootstrap resamples behind each interval.
        seed: fixes them.

    Returns:
        The league (rows of `measure`, with `membership_auc` of the calibration part, which needs no
        label), the cost (method, world, fit_seconds, score_seconds per 1,000 captions,
        megabytes), and what was judged by (world, method, form).
    """
    rows, costs, found = [], [], {}
    for bench in benches:
        for name, make in makers.items():
            began = time.perf_counter()
            estimator = make(bench).fit(bench)
            fitted = time.perf_counter()
            ratio = estimator.log_ratios(bench.calibration)
            scored = time.perf_counter()
            costs.append(
                {
                    "method": name,
                    "world": bench.world,
                    "fit_seconds": fitted - began,
                    "score_seconds": (scored - fitted) / len(ratio) * 1000,
                    "megabytes": (model_megabytes or {}).get(name) or _megabytes(estimator),
                }
            )
            ranked = membership_auc(bench, ratio)
            for judged in judge_forms(estimator, bench):
                found[bench.world, name, judged.form] = judged
                row = measure(judged, bench, resamples=resamples, seed=seed)
                rows.append(row | {"membership_auc": ranked})
        for judged in [*(extra or {}).get(bench.world, []), label_oracle(bench)]:
            found[bench.world, judged.method, judged.form] = judged
            rows.append(measure(judged, bench, resamples=resamples, seed=seed))
    return pd.DataFrame(rows), pd.DataFrame(costs), found


def label_oracle(bench: Bench) -> Judged:
    """Return the filter that sees the true label: the ceiling."""
    accept = label_oracle_acceptance(
        bench.test["label"], bench.general, bench.real, bench.categories
    )
    ratio = np.log(np.maximum(accept, np.finfo(float).tiny))
    return Judged(ORACLE, "oracle", ratio, accept)


def membership_auc(bench: Bench, log_ratio: ArrayLike) -> float:
    """How well ratios rank members of R above the rest of the calibration part; needs no label."""
    members = bench.calibration["real"].to_numpy()
    if members.all() or not members.any():
        return float("nan")
    return float(roc_auc_score(members, np.asarray(log_ratio, dtype=float)))


def refit_seeds(
    makers: Mapping[str, Maker],
    bench: Bench,
    seeds: Sequence[int],
    *,
    fixed: Sequence[str] = (),
) -> pd.DataFrame:
    """Refit every estimator under several seeds of what it learns from.

    Args:
        makers: per name, a function that makes an unfitted estimator for a bench.
        bench: one world.
        seeds: seeds of the division of general_train into train and calibration.
        fixed: names of estimators that rest on trained language models: for them the division
            stays, and a random four fifths of the calibration part choose the recipe.

    Returns:
        One row per seed, method and form, as `measure` gives them, without intervals.
    """
    rows = []
    for seed in seeds:
        divided, thinned = bench.resplit(seed), bench.thin_calibration(seed)
        for name, make in makers.items():
            part = thinned if name in fixed else divided
            for judged in judge_forms(make(part).fit(part), part):
                rows.append({"seed": seed, **measure(judged, part, resamples=2, seed=seed)})
    return pd.DataFrame(rows).drop(columns=["low", "high", "auc_low", "auc_high"])


def _megabytes(estimator: RatioEstimator) -> float:
    """Size of what has to be kept in memory to score, in megabytes."""
    total = 0
    seen: set[int] = set()
    waiting: list[Any] = [estimator]
    while waiting:
        thing = waiting.pop()
        # Code is shared by all estimators and counts for none.
        if id(thing) in seen or isinstance(thing, type | ModuleType | FunctionType):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        waiting.extend(gc.get_referents(thing))
    return total / 1e6
