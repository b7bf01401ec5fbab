"""Labels counted: frequencies of a stream, of what a filter is expected to keep, and their size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

CELLS_AT_ONCE = 2_000_000
"""Random numbers drawn together where a simulation goes through the stream many times."""


def label_codes(labels: Sequence[str], categories: Sequence[str]) -> NDArray[np.intp]:
    """Number each label by its place among the categories.

    Args:
        labels: (n,) labels.
        categories: (K,) distinct labels, in the order that every frequency vector follows.

    Returns:
        (n,) integers from 0 to K - 1.

    Raises:
        ValueError: repeated categories, or a label that is none of them.
    """
    names, rows = _as_list(categories), _as_list(labels)
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        if places.setdefault(name, place) != place:
            raise ValueError(f"Category {name!r} is listed twice.")
    try:
        return np.fromiter(map(places.__getitem__, rows), dtype=np.intp, count=len(rows))
    except KeyError:
        unknown = [row for row, name in enumerate(rows) if name not in places]
        raise ValueError(
            f"Label {rows[unknown[0]]!r} of row {unknown[0]} is not among the "
            f"{len(names)} categories ({len(unknown)} such rows); add it to the categories."
        ) from None


def label_frequencies(
    labels: Sequence[str], categories: Sequence[str], weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Share of each label, items counted once or by weight.

    Args:
        labels: (n,) labels.
        categories: (K,) distinct labels.
        weights: (n,) non-negative weights; one each if omitted.

    Returns:
        (K,) frequencies that sum to one; all nan where there is nothing to count.

    Raises:
        ValueError: a label outside the categories, or weights that are negative, not finite or of
            another length.
    """
    codes = label_codes(labels, categories)
    values = None if weights is None else _checked_weights(weights, len(codes))
    totals = np.bincount(codes, values, minlength=len(categories)).astype(float)
    return totals / totals.sum() if totals.sum() > 0 else np.full(len(categories), math.nan)


def expected_filtered_frequencies(
    labels: Sequence[str], accept_probability: ArrayLike, categories: Sequence[str]
) -> NDArray[np.float64]:
    """Label frequencies of the kept stream with the coin flips integrated out.

    p_k = Σ_i a_i·1[y_i = k] / Σ_i a_i.

    Args:
        labels: (n,) labels.
        accept_probability: (n,) probabilities a.
        categories: (K,) distinct labels.

    Returns:
        (K,) frequencies; all nan where no item can be kept.

    Raises:
        ValueError: a label outside the categories, or probabilities outside [0, 1].
    """
    return label_frequencies(labels, categories, checked_probabilities(accept_probability))


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


def checked_probabilities(accept_probability: ArrayLike) -> NDArray[np.float64]:
    """Return acceptance probabilities as an array of float64.

    Args:
        accept_probability: array of any shape.

    Returns:
        The same numbers.

    Raises:
        ValueError: a value that is nan, negative or above one (the message names its row).
    """
    values = np.asarray(accept_probability, dtype=float)
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)).ravel())
    if len(wrong):
        raise ValueError(
            f"Acceptance probability {values.ravel()[wrong[0]]} of row {wrong[0]} is not in [0, 1]."
        )
    return values


def effective_size(accept_probability: ArrayLike) -> float:
    """Size of an equally weighted sample as informative as the expected kept stream.

    n = (Σ a)² / Σ a² (Kish).

    Args:
        accept_probability: (n,) probabilities a.

    Returns:
        A number of items; zero where no item can be kept.
    """
    values = checked_probabilities(accept_probability)
    squares = float(np.sum(values**2))
    return float(np.sum(values)) ** 2 / squares if squares > 0 else 0.0


def repeated_filterings(
    labels: Sequence[str],
    accept_probability: ArrayLike,
    categories: Sequence[str],
    *,
    repeats: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Flip every item's coin again and again: label counts of each kept stream.

    The check of the closed form: their mean divided by its sum is `expected_filtered_frequencies`.

    Args:
        labels: (n,) labels.
        accept_probability: (n,) probabilities.
        categories: (K,) distinct labels.
        repeats: how many times the stream is filtered.
        rng: source of the coins.

    Returns:
        (repeats, K) kept items per label.
    """
    accept = checked_probabilities(accept_probability)
    codes = label_codes(labels, categories)
    by_label = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=len(categories))
    occurring = np.flatnonzero(sizes)
    starts = (np.cumsum(sizes) - sizes)[occurring]
    thresholds = accept[by_label]
    counts = np.zeros((repeats, len(categories)), dtype=np.int64)
    for rows in row_blocks(repeats, len(codes)):
        coins = rng.random((rows.stop - rows.start, len(codes)))
        kept = (coins < thresholds).view(np.int8)
        counts[rows, occurring] = np.add.reduceat(kept, starts, axis=1, dtype=np.int32)
    return counts


def row_blocks(rows: int, width: int) -> Iterator[slice]:
    """Cut a tall matrix into blocks of rows that fit the cache and the memory.

    Args:
        rows: number of rows.
        width: cells per row.

    Yields:
        Slices that cover all rows in order.
    """
    step = max(1, CELLS_AT_ONCE // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _as_list(values: Sequence[str]) -> list[str]:
    """Plain strings from a list, array or column; a column is slow to walk element by element."""
    return values.tolist() if isinstance(values, np.ndarray | pd.Series | pd.Index) else [*values]


def _checked_weights(weights: ArrayLike, items: int) -> NDArray[np.float64]:
    values = np.asarray(weights, dtype=float)
    if values.shape != (items,):
        raise ValueError(f"There are {items} labels but weights of shape {values.shape}.")
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        raise ValueError(f"Weight {values[wrong[0]]} of row {wrong[0]} must be finite and >= 0.")
    return values
