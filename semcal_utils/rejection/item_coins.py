"""One coin per item: who passes depends on the item's id and the seed, never on arrival order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd


def id_array(item_ids: Sequence[str | None] | np.ndarray | pd.Series) -> np.ndarray:
    """Return ids as an object array, with missing and empty ids as None.

    Args:
        item_ids: text ids, any length; None, NaN and "" count as missing.

    Returns:
        Object array of str or None, shape (items,).

    Raises:
        TypeError: if an id is neither text nor missing.
    """
    if isinstance(item_ids, pd.Series):
        ids = item_ids.to_numpy(object, copy=True)
    else:
        ids = pd.Series(item_ids, dtype=object).to_numpy(copy=True)
    ids[pd.isna(ids) | (ids == "")] = None
    if pd.api.types.infer_dtype(ids, skipna=True) not in ("string", "empty"):
        place = next(i for i, one in enumerate(ids) if not (one is None or isinstance(one, str)))
        raise TypeError(
            f"item_id must be text, but item {place} (counted from 0) has {ids[place]!r}; "
            "convert the column with .astype(str)."
        )
    return ids


def coin_key(seed: int) -> str:
    """Return the hash key of a seed: 16 characters; another seed gives an unrelated key."""
    return hashlib.blake2b(f"item coin {int(seed)}".encode(), digest_size=8).hexdigest()


def id_hashes(item_ids: np.ndarray, *, key: str) -> np.ndarray:
    """Hash ids under a key (SipHash, 64 bits).

    Args:
        item_ids: object array of str without missing ids, shape (items,).
        key: from `coin_key`.

    Returns:
        uint64 array of shape (items,).

    Raises:
        ValueError: if an id is not valid Unicode text.
    """
    try:
        return pd.util.hash_array(item_ids, hash_key=key, categorize=False)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"item_id {error.object!r} is not valid Unicode text; give the item another id."
        ) from error


def coins_from_hashes(hashes: np.ndarray) -> np.ndarray:
    """Turn 64-bit hashes into coins, uniform on [0, 1) in steps of 2^-53."""
    return (hashes >> np.uint64(11)) * 2.0**-53


def item_coins(item_ids: Sequence[str | None] | np.ndarray | pd.Series, *, seed: int) -> np.ndarray:
    """Return each item's coin: uniform on [0, 1), fixed by its id and the seed.

    Args:
        item_ids: text ids, shape (items,).
        seed: integer that names the whole set of coins.

    Returns:
        float64 array of shape (items,); NaN where the id is missing.
    """
    ids = id_array(item_ids)
    coins = np.full(ids.shape, np.nan)
    present = ~pd.isna(ids)
    coins[present] = coins_from_hashes(id_hashes(ids[present], key=coin_key(seed)))
    return coins


def unique_item_coins(
    item_ids: Sequence[str | None] | np.ndarray | pd.Series, *, seed: int
) -> np.ndarray:
    """Return each item's coin after checking that every item has an id of its own.

    Args:
        item_ids: text ids, shape (items,).
        seed: integer that names the whole set of coins.

    Returns:
        float64 array of shape (items,), uniform on [0, 1).

    Raises:
        ValueError: if an id is missing or repeated; the sentence names it.
    """
    ids = id_array(item_ids)
    missing = pd.isna(ids)
    if missing.any():
        raise ValueError(
            f"item {int(np.argmax(missing))} (counted from 0) has no item_id; give every item one."
        )
    hashes = id_hashes(ids, key=coin_key(seed))
    in_order = np.sort(hashes)  # several times as fast as a hash table
    if (in_order[1:] == in_order[:-1]).any():
        repeated = ids[np.argmax(pd.Series(hashes).duplicated())]
        raise ValueError(f"item_id {repeated!r} appears more than once; ids must be unique.")
    return coins_from_hashes(hashes)


def accept_items(
    accept_probability: np.ndarray | Sequence[float],
    *,
    seed: int,
    item_ids: Sequence[str] | np.ndarray | pd.Series,
) -> np.ndarray:
    """Flip each item's coin: accepted where the coin lies below the probability.

    Args:
        accept_probability: shape (items,), each in [0, 1].
        seed: integer that names the whole set of coins.
        item_ids: unique text ids, shape (items,).

    Returns:
        bool array of shape (items,).

    Raises:
        ValueError: if lengths differ, a probability is missing or outside [0, 1], or an id is
            missing or repeated; the sentence names the item.
    """
    probability = np.asarray(accept_probability, dtype=float)
    if probability.shape != (len(item_ids),):
        raise ValueError(
            f"accept_probability has shape {probability.shape} but there are {len(item_ids)} "
            "item_ids; give one probability per item."
        )
    coins = unique_item_coins(item_ids, seed=seed)
    require_probabilities(probability, item_ids)
    return coins < probability


def gumbel_keys(weights: np.ndarray, coins: np.ndarray) -> np.ndarray:
    """Return log weight + Gumbel noise; the n largest keys are n draws without replacement.

    Args:
        weights: non-negative, shape (items,); zero never wins.
        coins: uniform on [0, 1), shape (items,); a low coin makes a high key, as in acceptance.

    Returns:
        float64 array of shape (items,), -inf for weight zero.

    Source:
        Efraimidis and Spirakis (2006); the Gumbel top-k trick.
    """
    # A coin of exactly zero would beat even weight zero.
    waits = -np.log1p(-np.maximum(coins, 2.0**-54))
    with np.errstate(divide="ignore"):
        return np.log(weights) - np.log(waits)


def require_probabilities(
    probability: np.ndarray, item_ids: Sequence[str] | np.ndarray | pd.Series
) -> None:
    """Raise a ValueError that names the first item whose probability is not in [0, 1].

    Args:
        probability: shape (items,).
        item_ids: shape (items,).
    """
    wrong = ~((probability >= 0) & (probability <= 1))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"accept_probability of item {np.asarray(item_ids, dtype=object)[place]!r} is "
            f"{probability[place]}, not a number in [0, 1]; drop the item, or correct it."
        )


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
