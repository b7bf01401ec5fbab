"""Whole tables through the filter: decisions with reasons, samples of an exact size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from semcal_utils.acceptance import accept_probability, checked_log_bound
from semcal_utils.rejection.random_numbers import (
    id_array,
    item_uniforms,
    require_probabilities,
    unique_item_uniforms,
)

ACCEPTED = ""
OUTBID = "coin at or above accept_probability"
NOT_A_NUMBER = "log_ratio is missing or not a number"
INFINITE = "log_ratio is infinite"
NO_ID = "no item_id"
REPEATED = "repeated item_id"
REASONS = (ACCEPTED, OUTBID, NOT_A_NUMBER, INFINITE, NO_ID, REPEATED)
"""Why an item was not kept; the empty reason belongs to the kept ones."""


class Decision(NamedTuple):
    """What became of one item; the fields are the columns of a table of decisions.

    `coin` is the item's random number, which `accept_probability` has to exceed.
    """

    item_id: str | None
    label: str | None
    log_ratio: float
    accept_probability: float
    coin: float
    accepted: bool
    reason: str
    log_bound: float


def filter_table(
    acceptance: pd.DataFrame, *, log_bound: float | None = None, seed: int
) -> pd.DataFrame:
    """Accept or reject every row of an acceptance table; rejected rows stay, with their reason.

    Args:
        acceptance: columns item_id (unique text), log_ratio (nats) and, if known, label.
        log_bound: log M in nats; None takes the table's own accept_probability column.
        seed: integer that names the whole set of random numbers.

    Returns:
        A table in the same order with item_id, label (if given), log_ratio, accept_probability,
        coin (each item's random number), accepted and reason (one of `REASONS`, empty for accepted
        items).

    Raises:
        ValueError: if a column is lacking, an id is missing or repeated, a given probability lies
            outside [0, 1], or log_bound is not finite.
    """
    own_probability = ["accept_probability"] if log_bound is None else []
    require_columns(acceptance, ["item_id", "log_ratio", *own_probability])
    uniforms = unique_item_uniforms(acceptance["item_id"], seed=seed)
    ratios = float_column(acceptance, "log_ratio")
    reasons = ratio_reasons(ratios)
    if log_bound is None:
        probability = float_column(acceptance, "accept_probability")
        reasons[np.isnan(probability) & (reasons == 0)] = REASONS.index(NOT_A_NUMBER)
        decided = reasons == 0
        require_probabilities(probability[decided], acceptance["item_id"][decided])
        probability = np.where(decided, probability, np.nan)
    else:
        decided = reasons == 0
        probability = probability_where(decided, ratios, checked_log_bound(log_bound))
    return decision_table(acceptance, reasons, uniforms, probability)


def decision_table(
    items: pd.DataFrame, reasons: np.ndarray, uniforms: np.ndarray, probability: np.ndarray
) -> pd.DataFrame:
    """Return the decisions on items that have a random number and a probability.

    Args:
        items: columns item_id, log_ratio (nats) and, if known, label.
        reasons: place in `REASONS` of what forbids a decision, else 0; shape (items,).
        uniforms: random numbers, shape (items,).
        probability: acceptance probabilities, NaN where nothing was decided; shape (items,).

    Returns:
        The columns of the items, then accept_probability, coin, accepted and reason.
    """
    accepted = uniforms < probability
    reasons = np.where((reasons == 0) & ~accepted, REASONS.index(OUTBID), reasons)
    columns: dict[str, Any] = {
        name: items[name].array for name in ("item_id", "label") if name in items
    }
    columns |= {"log_ratio": float_column(items, "log_ratio"), "accept_probability": probability}
    columns |= {"coin": uniforms, "accepted": accepted}
    columns["reason"] = pd.Series(REASONS).array.take(reasons)
    return pd.DataFrame(columns, index=items.index)


def sample_exactly(table: pd.DataFrame, n: int, *, log_bound: float, seed: int) -> pd.DataFrame:
    """Draw exactly n items without replacement, weighted by acceptance probability.

    The random numbers are those of `filter_table`, so both choose much the same items. The smaller
    n is beside the effective size of the table, the closer the sample is to n accepted items.

    Args:
        table: item_id and log_ratio (nats).
        n: size of the sample.
        log_bound: log M in nats; ratios above it weigh no more than M.
        seed: integer that names the whole set of random numbers.

    Returns:
        The n rows, with the columns they came with plus accept_probability, in the same order.

    Raises:
        ValueError: if fewer than n items have an id and a finite ratio.

    Source:
        Efraimidis and Spirakis (2006); the Gumbel top-k trick.
    """
    require_columns(table, ["item_id", "log_ratio"])
    ids, ratios = id_array(table["item_id"]), float_column(table, "log_ratio")
    usable = ~pd.isna(ids) & (ratio_reasons(ratios) == 0)
    probability = probability_where(usable, ratios, checked_log_bound(log_bound))
    # A number of exactly zero would beat even weight zero.
    waits = -np.log1p(-np.maximum(item_uniforms(ids, seed=seed), 2.0**-54))
    pool = table.assign(accept_probability=probability, _key=probability / waits)
    pool = pool.reset_index(drop=True)[probability > 0].drop_duplicates("item_id")
    if len(pool) < n:
        raise ValueError(f"asked for {n} items, but only {len(pool)} of {len(table)} can be drawn.")
    drawn = pool.nlargest(n, "_key").sort_index()
    return drawn.drop(columns="_key").reset_index(drop=True)


def ratio_reasons(log_ratio: np.ndarray) -> np.ndarray:
    """Return the place in `REASONS` of each ratio that cannot be decided on, else 0."""
    reasons = np.zeros(log_ratio.shape, dtype=np.intp)
    reasons[np.isnan(log_ratio)] = REASONS.index(NOT_A_NUMBER)
    reasons[log_ratio == np.inf] = REASONS.index(INFINITE)
    return reasons


def probability_where(decided: np.ndarray, log_ratio: np.ndarray, log_bound: float) -> np.ndarray:
    """Return min(1, r/M) where an item can be decided on, else NaN.

    Args:
        decided: bool, shape (items,).
        log_ratio: nats, shape (items,).
        log_bound: log M in nats.

    Returns:
        float64 array of shape (items,).
    """
    below_bound = np.where(decided, log_ratio - log_bound, -np.inf)
    return np.where(decided, accept_probability(below_bound, 0.0), np.nan)


def float_column(table: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as float64, with missing values as NaN."""
    return table[column].to_numpy(dtype=float, na_value=np.nan)


def require_columns(table: pd.DataFrame, needed: Sequence[str]) -> None:
    """Raise a ValueError that names the columns a table lacks."""
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise ValueError(
            f"the table lacks the column(s) {', '.join(lacking)}; "
            f"it has {', '.join(map(str, table.columns)) or 'none'}."
        )
