"""One random number per item: who passes depends on its id and the seed, not on arrival order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

ItemIds: TypeAlias = Sequence[str | None] | np.ndarray | pd.Series


def item_uniforms(item_ids: ItemIds, *, seed: int) -> np.ndarray:
    """Return each item's random number: uniform on [0, 1), fixed by its id and the seed.

    Args:
        item_ids: text ids, shape (items,).
        seed: integer that names the whole set of numbers.

    Returns:
        float64 array of shape (items,); NaN where the id is missing.
    """
    ids = id_array(item_ids)
    uniforms = np.full(ids.shape, np.nan)
    present = ~pd.isna(ids)
    uniforms[present] = uniforms_from_hashes(id_hashes(ids[present], key=hash_key(seed)))
    return uniforms


def unique_item_uniforms(item_ids: ItemIds, *, seed: int) -> np.ndarray:
    """Return each item's random number after checking that every item has an id of its own.

    Args:
        item_ids: text ids, shape (items,).
        seed: integer that names the whole set of numbers.

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
    hashes = id_hashes(ids, key=hash_key(seed))
    in_order = np.sort(hashes)  # several times as fast as a hash table
    if (in_order[1:] == in_order[:-1]).any():
        repeated = ids[np.argmax(pd.Series(hashes).duplicated())]
        raise ValueError(f"item_id {repeated!r} appears more than once; ids must be unique.")
    return uniforms_from_hashes(hashes)


def accept_items(
    accept_probability: np.ndarray | Sequence[float], *, seed: int, item_ids: ItemIds
) -> np.ndarray:
    """Accept each item whose random number lies below its probability.

    Args:
        accept_probability: shape (items,), each in [0, 1].
        seed: integer that names the whole set of random numbers.
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
    uniforms = unique_item_uniforms(item_ids, seed=seed)
    require_probabilities(probability, item_ids)
    return uniforms < probability


def require_probabilities(probability: np.ndarray, item_ids: ItemIds) -> None:
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


def id_array(item_ids: ItemIds) -> np.ndarray:
    """Return ids as an object array, with missing and empty ids as None.

    Args:
        item_ids: text ids, any length; None, NaN and "" count as missing.

    Returns:
        Object array of str or None, shape (items,).

    Raises:
        TypeError: if an id is neither text nor missing.
    """
    ids = pd.Series(item_ids, dtype=object).to_numpy(copy=True)
    ids[pd.isna(ids) | (ids == "")] = None
    if pd.api.types.infer_dtype(ids, skipna=True) not in ("string", "empty"):
        place = next(i for i, one in enumerate(ids) if not (one is None or isinstance(one, str)))
        raise TypeError(
            f"item_id must be text, but item {place} (counted from 0) has {ids[place]!r}; "
            "convert the column with .astype(str)."
        )
    return ids


def hash_key(seed: int) -> str:
    """Return the hash key of a seed: 16 characters; another seed gives an unrelated key."""
    return hashlib.blake2b(f"item coin {int(seed)}".encode(), digest_size=8).hexdigest()


def id_hashes(item_ids: np.ndarray, *, key: str) -> np.ndarray:
    """Hash ids under a key (SipHash, 64 bits).

    Args:
        item_ids: object array of str without missing ids, shape (items,).
        key: from `hash_key`.

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


def uniforms_from_hashes(hashes: np.ndarray) -> np.ndarray:
    """Turn 64-bit hashes into random numbers, uniform on [0, 1) in steps of 2^-53."""
    return (hashes >> np.uint64(11)) * 2.0**-53
