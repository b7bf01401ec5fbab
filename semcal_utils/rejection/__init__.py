"""The filter: keep each item of a stream with its acceptance probability, in batch or singly."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, overload

import numpy as np
import pandas as pd

from semcal_utils.acceptance import checked_log_bound
from semcal_utils.rejection import decision_tables
from semcal_utils.rejection.arriving_ratios import (
    RatioOfCaptions,
    pair_log_ratios,
    ratios_of_items,
    ratios_of_table,
    tables_of_items,
)
from semcal_utils.rejection.decision_tables import (
    ACCEPTED,
    INFINITE,
    NO_ID,
    NOT_A_NUMBER,
    OUTBID,
    REASONS,
    REPEATED,
    Decision,
    filter_table,
    probability_where,
    ratio_reasons,
    reason_texts,
    still_accepted,
)
from semcal_utils.rejection.item_coins import (
    RecentHashes,
    accept_items,
    coin_key,
    coins_from_hashes,
    id_array,
    id_hashes,
    item_coins,
)

__all__ = [
    "REASONS",
    "Decision",
    "SemanticFilter",
    "accept_items",
    "filter_table",
    "item_coins",
    "pair_log_ratios",
    "still_accepted",
]


class SemanticFilter:
    """Rejection sampling over a stream, with one coin per item.

    Items are mappings with `item_id`, optionally `label`, and either `log_ratio` (nats) or, when
    the filter was given `ratio_of_captions`, `caption`. Batches are tables with these columns. An
    item that cannot be decided on (no id, no finite ratio, an id seen before) is refused with its
    reason, and the stream goes on.

    Args:
        log_bound: log M in nats.
        seed: integer; with the item's id it fixes the item's coin.
        ratio_of_captions: from captions to log ratios in nats, e.g. `pair_log_ratios(...)`; None
            when items carry their log_ratio.
        adaptive: raise the bound to every higher ratio that arrives; accepts made under the lower
            bound are then thinned by M_old / M_new with `still_accepted(kept, log_bound=...)`.
        highest_log_bound: where an adaptive bound stops rising, e.g. the exact log(|G|/|R|).
        remember: how many of the last ids are sure to be known again when they return; up to twice
            as many are held. Beyond them a repeated id meets its old coin, so under the same bound
            the same decision.
    """

    def __init__(
        self,
        *,
        log_bound: float,
        seed: int,
        ratio_of_captions: RatioOfCaptions | None = None,
        adaptive: bool = False,
        highest_log_bound: float | None = None,
        remember: int = 100_000,
    ) -> None:
        self.log_bound = checked_log_bound(log_bound)
        self.seed = int(seed)
        self.adaptive = adaptive
        self.highest_log_bound = highest_log_bound
        self.remember = int(remember)
        self.counts = dict.fromkeys(REASONS, 0)
        self._ratio_of_captions = ratio_of_captions
        self._key = coin_key(self.seed)
        self._recent = RecentHashes(self.remember)
        if highest_log_bound is not None and not highest_log_bound >= log_bound:
            raise ValueError(
                f"log_bound {log_bound} lies above highest_log_bound {highest_log_bound}; lower it."
            )

    @property
    def items(self) -> int:
        """Number of items decided on so far, refused ones included."""
        return sum(self.counts.values())

    @property
    def accepted(self) -> int:
        """Number of items accepted so far, under the bound of their moment."""
        return self.counts[ACCEPTED]

    @overload
    def decide(self, items: Mapping[str, Any]) -> Decision: ...
    @overload
    def decide(self, items: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame: ...

    def decide(
        self, items: Mapping[str, Any] | pd.DataFrame | Sequence[Mapping[str, Any]]
    ) -> Decision | pd.DataFrame:
        """Decide on one item or on a batch; either way an item meets the same decision.

        Args:
            items: one mapping, a sequence of mappings, or a table.

        Returns:
            A `Decision` for one mapping, else a table with the fields of `Decision` as columns, in
            the order of arrival.

        Raises:
            ValueError: if a column is lacking.
            TypeError: if an item_id is neither text nor missing.
        """
        if isinstance(items, pd.DataFrame):
            return self._decide_table(items)
        if isinstance(items, Mapping):
            return self._decide_one(items, ratios_of_items([items], self._ratio_of_captions)[0])
        rows = list(items)
        table = pd.DataFrame(rows)
        if rows and self._ratio_of_captions is not None:
            # Each item by its own ratio where it has one, whatever its neighbours bring.
            table["log_ratio"] = ratios_of_items(rows, self._ratio_of_captions)
        return self._decide_table(table)

    def flow(
        self, items: Iterable[Mapping[str, Any]], *, batch_size: int = 1
    ) -> Iterator[Decision]:
        """Decide on a stream, endless or not, item by item and in constant memory.

        Args:
            items: the stream.
            batch_size: captions scored together; decisions are still taken one by one, so that a
                stream stopped anywhere resumes with the next item.

        Yields:
            One `Decision` per item.
        """
        stream = iter(items)
        while batch := list(islice(stream, batch_size)):
            ratios = ratios_of_items(batch, self._ratio_of_captions)
            for item, ratio in zip(batch, ratios, strict=True):
                yield self._decide_one(item, ratio)

    def sample_exactly(
        self, items: pd.DataFrame | Iterable[Mapping[str, Any]], n: int, *, chunk: int = 65_536
    ) -> pd.DataFrame:
        """Draw exactly n items without replacement, weighted by acceptance probability.

        The coins are those of `decide`, so both choose much the same items; see
        `decision_tables.sample_exactly`. The state of the filter does not change.

        Args:
            items: a table or a finite iterable of mappings; read once, n + chunk rows in memory.
            n: size of the sample.
            chunk: rows read at a time from an iterable.

        Returns:
            The n rows (all columns they came with) plus accept_probability, in stream order.

        Raises:
            ValueError: if fewer than n items can be drawn.
        """
        tables = (
            t.assign(log_ratio=ratios_of_table(t, self._ratio_of_captions))
            for t in tables_of_items(items, chunk)
        )
        return decision_tables.sample_exactly(tables, n, log_bound=self.log_bound, seed=self.seed)

    def to_json(self) -> str:
        """Return the state as JSON: bound, seed, counts and the ids that are still remembered."""
        state = {
            "log_bound": self.log_bound,
            "seed": self.seed,
            "adaptive": self.adaptive,
            "highest_log_bound": self.highest_log_bound,
            "remember": self.remember,
            "counts": self.counts,
            "recent": self._recent.to_lists(),
        }
        return json.dumps(state, allow_nan=False)

    @classmethod
    def from_json(
        cls, text: str, *, ratio_of_captions: RatioOfCaptions | None = None
    ) -> SemanticFilter:
        """Resume from `to_json`; the next item meets the decision it would have met unbroken.

        Args:
            text: what `to_json` returned.
            ratio_of_captions: as at construction; models are not part of the state.

        Returns:
            A filter in the same state.
        """
        state = json.loads(text)
        counts, recent = state.pop("counts"), state.pop("recent")
        resumed = cls(**state, ratio_of_captions=ratio_of_captions)
        resumed.counts = counts
        resumed._recent = RecentHashes(resumed.remember, *recent)
        return resumed

    def _decide_one(self, item: Mapping[str, Any], log_ratio: float) -> Decision:
        item_id, label = item.get("item_id"), item.get("label")
        if not isinstance(item_id, str) or not item_id:
            item_id = id_array([item_id])[0]
        coin = probability = math.nan
        reason = NO_ID
        if item_id is not None:
            hashes = id_hashes(np.array([item_id], dtype=object), key=self._key)
            coin = float(coins_from_hashes(hashes)[0])
            if math.isnan(log_ratio):
                reason = NOT_A_NUMBER
            elif log_ratio == math.inf:
                reason = INFINITE
            elif not self._recent.add(int(hashes[0])):
                reason = REPEATED
            else:
                self._raise_bound(log_ratio)
                probability = math.exp(min(0.0, log_ratio - self.log_bound))
                reason = ACCEPTED if coin < probability else OUTBID
        self.counts[reason] += 1
        accepted = reason == ACCEPTED
        bound = self.log_bound
        return Decision(item_id, label, log_ratio, probability, coin, accepted, reason, bound)

    def _decide_table(self, table: pd.DataFrame) -> pd.DataFrame:
        if table.empty:
            return pd.DataFrame(columns=list(Decision._fields))
        ratios = ratios_of_table(table, self._ratio_of_captions)
        ids = id_array(table["item_id"])
        reasons = ratio_reasons(ratios)
        missing = pd.isna(ids)
        reasons[missing] = REASONS.index(NO_ID)
        coins = np.full(ids.shape, np.nan)
        hashes = np.zeros(ids.shape, dtype=np.uint64)
        hashes[~missing] = id_hashes(ids[~missing], key=self._key)
        coins[~missing] = coins_from_hashes(hashes[~missing])
        usable = np.flatnonzero(reasons == 0)
        repeated = usable[~self._recent.add_all(hashes[usable])]
        reasons[repeated] = REASONS.index(REPEATED)
        decided = reasons == 0
        bounds = self._bounds_after(np.where(decided, ratios, -np.inf))
        probability = probability_where(decided, ratios, bounds)
        accepted = coins < probability
        reasons[decided & ~accepted] = REASONS.index(OUTBID)
        for reason, count in zip(
            REASONS, np.bincount(reasons, minlength=len(REASONS)), strict=True
        ):
            self.counts[reason] += int(count)
        return pd.DataFrame(
            {
                "item_id": ids if missing.any() else table["item_id"].array,
                "label": table["label"].array if "label" in table else None,
                "log_ratio": ratios,
                "accept_probability": probability,
                "coin": coins,
                "accepted": accepted,
                "reason": reason_texts(reasons),
                "log_bound": bounds,
            },
            index=table.index,
        )

    def _raise_bound(self, log_ratio: float) -> None:
        if self.adaptive and log_ratio > self.log_bound:
            limit = math.inf if self.highest_log_bound is None else self.highest_log_bound
            self.log_bound = min(log_ratio, limit)

    def _bounds_after(self, ratios: np.ndarray) -> np.ndarray:
        if not self.adaptive:
            return np.full(ratios.shape, self.log_bound)
        bounds = np.maximum(self.log_bound, np.maximum.accumulate(ratios))
        if self.highest_log_bound is not None:
            bounds = np.minimum(bounds, self.highest_log_bound)
        self.log_bound = float(bounds[-1])
        return bounds
