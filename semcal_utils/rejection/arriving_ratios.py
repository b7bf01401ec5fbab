"""Log ratios of arriving items: read from the item, or computed from its caption by two models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
import pandas as pd

from semcal_utils.acceptance import log_ratios
from semcal_utils.rejection.decision_tables import float_column, require_columns

RatioOfCaptions = Callable[[Sequence[str]], np.ndarray]
"""From n captions to their log ratios, float64 of shape (n,), in nats."""


def pair_log_ratios(
    general_model: Any,
    real_model: Any,
    tokenizer: Any,
    *,
    mode: Literal["exact", "paper"] = "exact",
) -> RatioOfCaptions:
    """Return the function from captions to log ratios that two language models define.

    Args:
        general_model: language model of the stream.
        real_model: language model of the world, with the same tokenizer.
        tokenizer: the tokenizer of both.
        mode: "exact" or "paper", as in `scoring.score_pair`.

    Returns:
        A function from n captions to log ratios, float64 of shape (n,), in nats.
    """
    # Scoring imports torch, which precomputed ratios do not need.
    from semcal_utils.models.scoring import score_pair

    def ratios(captions: Sequence[str]) -> np.ndarray:
        scored = score_pair(
            general_model, real_model, tokenizer, list(captions), mode=mode, progress=False
        )
        return log_ratios(scored["log_prob_real"].tolist(), scored["log_prob_general"].tolist())

    return ratios


def ratios_of_table(table: pd.DataFrame, ratio_of_captions: RatioOfCaptions | None) -> np.ndarray:
    """Return a table's log ratios, from its log_ratio column or else from its captions.

    Args:
        table: item_id and either log_ratio (nats) or caption.
        ratio_of_captions: used where there is no log_ratio column.

    Returns:
        float64 array of shape (rows,), in nats; NaN where the ratio or the caption is missing.

    Raises:
        ValueError: if a needed column is lacking.
    """
    if "log_ratio" in table or ratio_of_captions is None:
        require_columns(table, ["item_id", "log_ratio"])
        return float_column(table, "log_ratio")
    require_columns(table, ["item_id", "caption"])
    captions = table["caption"].to_numpy(dtype=object, na_value="")
    ratios = np.full(len(table), np.nan)
    written = captions != ""
    if written.any():
        ratios[written] = ratio_of_captions(captions[written].tolist())
    return ratios


def ratios_of_items(
    items: Sequence[Mapping[str, Any]], ratio_of_captions: RatioOfCaptions | None
) -> list[float]:
    """Return the log ratios of item mappings, captions scored together.

    Args:
        items: mappings with log_ratio (nats) or caption.
        ratio_of_captions: used for items without log_ratio.

    Returns:
        One ratio per item, in nats; NaN where the ratio or the caption is missing.

    Raises:
        ValueError: if an item has no log_ratio and there is no way to compute it.
    """
    ratios = [_number(item.get("log_ratio")) for item in items]
    lacking = [place for place, item in enumerate(items) if "log_ratio" not in item]
    if not lacking:
        return ratios
    if ratio_of_captions is None:
        nameless = next(item for item in items if "log_ratio" not in item)
        raise ValueError(
            f"item {nameless.get('item_id')!r} has no log_ratio; give it one, or give the filter "
            "ratio_of_captions."
        )
    captions = [items[place].get("caption") for place in lacking]
    table = pd.DataFrame({"item_id": None, "caption": pd.Series(captions, dtype=object)})
    for place, ratio in zip(lacking, ratios_of_table(table, ratio_of_captions), strict=True):
        ratios[place] = float(ratio)
    return ratios


def tables_of_items(
    items: pd.DataFrame | Iterable[Mapping[str, Any]], chunk: int
) -> Iterator[pd.DataFrame]:
    """Yield a stream as tables: a table whole, an iterable of mappings in chunks of rows."""
    if isinstance(items, pd.DataFrame):
        yield items
        return
    stream = iter(items)
    while batch := list(islice(stream, chunk)):
        yield pd.DataFrame(batch)


def _number(value: Any) -> float:
    return math.nan if value is None or value is pd.NA else float(value)
