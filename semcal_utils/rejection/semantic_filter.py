"""The filter over a stream, item by item or in batches, with a memory of the ids it has met."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy as np
import pandas as pd

from semcal_utils.acceptance import checked_log_bound
from semcal_utils.rejection.decision_tables import (
    ACCEPTED,
    INFINITE,
    NO_ID,
    NOT_A_NUMBER,
    OUTBID,
    REASONS,
    REPEATED,
    Decision,
    decision_table,
    float_column,
    probability_where,
    ratio_reasons,
    require_columns,
)
from semcal_utils.rejection.random_numbers import (
    hash_key,
    id_array,
    id_hashes,
    uniforms_from_hashes,
)


class SemanticFilter:
    """Rejection sampling over a stream, with one random number per item.

    Items are mappings with `item_id`, `log_ratio` (nats) and, if known, `label`. Batches are tables
    with these columns. An item that cannot be decided on (no id, no finite ratio, an id seen
    before) is refused with its reason, and the stream goes on.

    Args:
        log_bound: log M in nats.
        seed: integer; with the item's id it fixes the item's random number.
        remember: how many of the last ids are sure to be known again when they return; up to twice
            as many are held. Beyond them a repeated id meets its old number, so the same decision.

    Attributes:
        counts: how many items met each of `REASONS` so far.
    """

    def __init__(self, *, log_bound: float, seed: int, remember: int = 100_000) -> None:
        self.log_bound = checked_log_bound(log_bound)
        self.seed = int(seed)
        self.remember = int(remember)
        self.counts = dict.fromkeys(REASONS, 0)
        self._key = hash_key(self.seed)
        self._recent = RecentHashes(self.remember)

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
        if isinstance(items, Mapping):
            return self._decide_one(items)
        return self._decide_table(pd.DataFrame(items))

    def to_json(self) -> str:
        """Return the state as JSON: bound, seed, counts and the ids that are still remembered."""
        state = {name: getattr(self, name) for name in ("log_bound", "seed", "remember", "counts")}
        return json.dumps(state | {"recent": self._recent.to_lists()}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> SemanticFilter:
        """Resume from `to_json`; the next item meets the decision it would have met unbroken.

        Args:
            text: what `to_json` returned.

        Returns:
            A filter in the same state.
        """
        state = json.loads(text)
        counts, recent = state.pop("counts"), state.pop("recent")
        resumed = cls(**state)
        resumed.counts = counts
        resumed._recent = RecentHashes(resumed.remember, *recent)
        return resumed

    def _decide_one(self, item: Mapping[str, Any]) -> Decision:
        # The same steps as for a table, without what arrays of one would cost.
        item_id = item.get("item_id")
        if not isinstance(item_id, str) or not item_id:
            item_id = id_array([item_id])[0]
        if "log_ratio" not in item:
            raise ValueError(f"item {item_id!r} has no log_ratio; give it one.")
        ratio = math.nan if pd.isna(item["log_ratio"]) else float(item["log_ratio"])
        uniform = probability = math.nan
        reason = NO_ID
        if item_id is not None:
            hashes = id_hashes(np.array([item_id], dtype=object), key=self._key)
            uniform = float(uniforms_from_hashes(hashes)[0])
            if math.isnan(ratio):
                reason = NOT_A_NUMBER
            elif ratio == math.inf:
                reason = INFINITE
            elif not self._recent.add(int(hashes[0])):
                reason = REPEATED
            else:
                probability = math.exp(min(0.0, ratio - self.log_bound))
                reason = ACCEPTED if uniform < probability else OUTBID
        self.counts[reason] += 1
        accepted, bound = reason == ACCEPTED, self.log_bound
        label = item.get("label")
        return Decision(item_id, label, ratio, probability, uniform, accepted, reason, bound)

    def _decide_table(self, table: pd.DataFrame) -> pd.DataFrame:
        if table.empty:
            return pd.DataFrame(columns=list(Decision._fields))
        require_columns(table, ["item_id", "log_ratio"])
        ratios = float_column(table, "log_ratio")
        ids = id_array(table["item_id"])
        reasons = ratio_reasons(ratios)
        missing = pd.isna(ids)
        reasons[missing] = REASONS.index(NO_ID)
        uniforms = np.full(ids.shape, np.nan)
        hashes = np.zeros(ids.shape, dtype=np.uint64)
        hashes[~missing] = id_hashes(ids[~missing], key=self._key)
        uniforms[~missing] = uniforms_from_hashes(hashes[~missing])
        usable = np.flatnonzero(reasons == 0)
        repeated = usable[~self._recent.add_all(hashes[usable])]
        reasons[repeated] = REASONS.index(REPEATED)
        probability = probability_where(reasons == 0, ratios, self.log_bound)
        if missing.any():
            table = table.assign(item_id=ids)
        if "label" not in table:
            table = table.assign(label=None)
        decisions = decision_table(table, reasons, uniforms, probability)
        for reason, count in decisions["reason"].value_counts().items():
            self.counts[reason] += count
        return decisions.assign(log_bound=self.log_bound)


class RecentHashes:
    """Recent id hashes, so that an item that returns soon is known again.

    Two generations are held: when the young one is full it becomes the old one, and the old one is
    forgotten whole. So the last `limit` new hashes are always known, and at most twice as many.

    Args:
        limit: size of a generation; zero remembers nothing.
        young: hashes of the young generation.
        old: hashes of the old one.
    """

    def __init__(self, limit: int, young: Iterable[int] = (), old: Iterable[int] = ()) -> None:
        self.limit = limit
        self._young, self._old = set(young), set(old)

    def add(self, id_hash: int) -> bool:
        """Remember one hash; return False, changing nothing, if it is known already."""
        if id_hash in self._young or id_hash in self._old:
            return False
        if self.limit:
            self._young.add(id_hash)
            self._grow_old()
        return True

    def add_all(self, hashes: np.ndarray) -> np.ndarray:
        """Remember hashes in order; return, as a bool array, which ones were new."""
        new = np.ones(hashes.size, dtype=bool)
        start = 0
        while self.limit and start < hashes.size:
            stop = start + self.limit - len(self._young)
            arrivals: list[int] = hashes[start:stop].tolist()
            distinct = set(arrivals)
            known = not (distinct.isdisjoint(self._young) and distinct.isdisjoint(self._old))
            if known or len(distinct) < len(arrivals):
                new[start:stop] = [self.add(one) for one in arrivals]
            else:
                self._young |= distinct
                self._grow_old()
            start = stop
        return new

    def to_lists(self) -> tuple[list[int], list[int]]:
        """Return the young and the old generation, each in ascending order."""
        return sorted(self._young), sorted(self._old)

    def _grow_old(self) -> None:
        if len(self._young) >= self.limit:
            self._young, self._old = set(), self._young
