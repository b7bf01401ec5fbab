"""From token log-probabilities to acceptance probabilities: ratios, clipping, the exact bound.

The log ratio of a caption c is log r(c) = log R(c) − log G(c). An item is kept with probability
a(c) = min(1, r(c)/M), which turns the stream G into the world R wherever r ≤ M. Everything stays in
logs, so that ±10,000 nats neither overflow nor vanish.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

TokenLists = Sequence[Sequence[float] | NDArray[np.float64]]

PAPER_TOP_P = 0.75


def log_ratios(
    log_prob_real: TokenLists,
    log_prob_general: TokenLists,
    *,
    item_ids: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Log ratio of each caption: the sum over its tokens of log R − log G.

    Args:
        log_prob_real: n lists of token log-probabilities under the real model, in nats.
        log_prob_general: the same tokens under the general model.
        item_ids: names for error messages; row numbers if omitted.

    Returns:
        (n,) nats; zero for a caption without tokens.

    Raises:
        ValueError: the lists differ in number or length, or hold a value that is not finite.
    """
    differences, lengths = _token_differences(log_prob_real, log_prob_general, item_ids)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    return np.bincount(owners, differences, minlength=len(lengths)).astype(float)


def nucleus_mask(differences: ArrayLike, top_p: float = PAPER_TOP_P) -> NDArray[np.bool_]:
    """Tokens that the published clipping keeps, for captions of one length.

    Tokens are sorted by |difference|, largest first and ties in reading order, and kept while their
    cumulative share of the total is at most top_p; the first is always kept. The token that crosses
    top_p is dropped, so [3, 2, 1] keeps only [3], half of the total.

    Args:
        differences: (..., tokens) log R − log G per token, in nats.
        top_p: share to keep, between 0 and 1.

    Returns:
        (..., tokens) bool in reading order.

    Raises:
        ValueError: top_p outside [0, 1] or a difference that is not finite.
    """
    if not 0 <= top_p <= 1:
        raise ValueError(f"top_p must lie between 0 and 1, got {top_p}.")
    sizes = np.abs(np.asarray(differences, dtype=float))
    if not np.all(np.isfinite(sizes)):
        raise ValueError("Token differences must be finite.")
    if sizes.shape[-1] == 0:
        return np.zeros(sizes.shape, dtype=bool)
    order = np.argsort(-sizes, axis=-1, kind="stable")
    cumulative = np.cumsum(np.take_along_axis(sizes, order, axis=-1), axis=-1)
    total = cumulative[..., -1:]
    share = np.divide(cumulative, total, out=np.full_like(cumulative, np.inf), where=total > 0)
    keep = share <= top_p
    keep[..., 0] = True
    mask = np.zeros(sizes.shape, dtype=bool)
    np.put_along_axis(mask, order, keep, axis=-1)
    return mask


def paper_log_ratios(
    log_prob_real: TokenLists,
    log_prob_general: TokenLists,
    *,
    top_p: float = PAPER_TOP_P,
    item_ids: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Log ratio of each caption over the tokens that the published clipping keeps.

    The `paper` recipe: with M = |G|/|R| it gives the published script's acceptance probabilities.

    Args:
        log_prob_real: n lists of token log-probabilities under the real model, in nats.
        log_prob_general: the same tokens under the general model.
        top_p: share of |difference| to keep; see `nucleus_mask`.
        item_ids: names for error messages; row numbers if omitted.

    Returns:
        (n,) nats; zero for a caption without tokens.

    Raises:
        ValueError: as in `log_ratios` and `nucleus_mask`.
    """
    differences, lengths = _token_differences(log_prob_real, log_prob_general, item_ids)
    ratios = np.zeros(len(lengths))
    for rows, block in _blocks_of_equal_length(differences, lengths):
        ratios[rows] = np.sum(block, axis=1, where=nucleus_mask(block, top_p))
    return ratios


def accept_probability(log_ratio: ArrayLike, log_bound: float) -> NDArray[np.float64]:
    """Probability of keeping each item: a = min(1, r/M) = exp(min(0, log r − log M)).

    Args:
        log_ratio: array of log ratios, in nats; −∞ is never kept.
        log_bound: log M in nats, zero or more.

    Returns:
        Probabilities of the same shape.

    Raises:
        ValueError: a ratio that is nan (the message names its row), or M below one.
    """
    bound = checked_log_bound(log_bound)
    values = np.asarray(log_ratio, dtype=float)
    undefined = np.flatnonzero(np.isnan(values).ravel())
    if len(undefined):
        raise ValueError(
            f"The log ratio of row {undefined[0]} is nan ({len(undefined)} in all); "
            "score that caption again or leave it out."
        )
    return np.exp(np.minimum(0.0, values - bound))


def checked_log_bound(log_bound: float) -> float:
    """Return log M if M is a bound that a ratio of two distributions can have.

    Args:
        log_bound: log M in nats.

    Returns:
        The same number.

    Raises:
        ValueError: it is not finite, or negative (M < 1).
    """
    if not math.isfinite(log_bound) or log_bound < 0:
        raise ValueError(
            f"log_bound must be finite and >= 0, got {log_bound}: a ratio of two distributions "
            "averages one, so no bound M lies below one."
        )
    return float(log_bound)


def exact_log_bound(general_count: int, real_count: int) -> float:
    """Bound on the log ratio of a sub-sample: log M = log(|G|/|R|).

    No caption can be rarer in G than its share of the sub-sample, so r ≤ |G|/|R| holds exactly.

    Args:
        general_count: |G|, items of the stream's training part.
        real_count: |R|, items of its real sub-sample.

    Returns:
        Nats, zero or more.

    Raises:
        ValueError: an empty R, or an R larger than G.
    """
    if not 0 < real_count <= general_count:
        raise ValueError(
            f"A real sub-sample of {real_count} items out of {general_count} gives no bound: "
            "it needs at least one item and no more than the stream has."
        )
    return math.log(general_count / real_count)


def normalised_log_ratios(log_ratio: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Shift log ratios so that the ratio averages one over a reference sample of the stream.

    E_G[r] = 1 holds for every true ratio. The mean is taken in logs (log-sum-exp).

    Args:
        log_ratio: (n,) nats.
        reference: (m,) log ratios of items of the stream by the same estimator.

    Returns:
        (n,) nats.
    """
    return np.asarray(log_ratio, dtype=float) - log_mean_exp(reference)


def log_mean_exp(values: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Logarithm of the mean of exp(values) along an axis, without overflow.

    Args:
        values: numbers, in nats.
        axis: axis to average over.

    Returns:
        Nats, one axis fewer.

    Raises:
        ValueError: there is nothing to average, or no finite value.
    """
    array = np.asarray(values, dtype=float)
    if array.shape[axis] == 0:
        raise ValueError("There are no log ratios to average.")
    highest = array.max(axis=axis, keepdims=True)
    if not np.all(np.isfinite(highest)):
        raise ValueError("Log ratios must be finite to be averaged.")
    shifted = np.exp(array - highest).mean(axis=axis)
    return np.asarray(np.log(shifted) + np.squeeze(highest, axis=axis))


def _token_differences(
    log_prob_real: TokenLists, log_prob_general: TokenLists, item_ids: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All tokens' log R − log G in one flat array, with each caption's number of tokens."""
    if len(log_prob_real) != len(log_prob_general):
        raise ValueError(
            f"There are {len(log_prob_real)} captions under the real model but "
            f"{len(log_prob_general)} under the general one; join the tables by item_id first."
        )
    if item_ids is not None:
        _check_ids(item_ids, len(log_prob_real))
    lengths = np.fromiter(map(len, log_prob_real), dtype=np.int64, count=len(log_prob_real))
    general_lengths = np.fromiter(map(len, log_prob_general), dtype=np.int64, count=len(lengths))
    unequal = np.flatnonzero(lengths != general_lengths)
    if len(unequal):
        row = int(unequal[0])
        raise ValueError(
            f"{_named(row, item_ids)} has {lengths[row]} tokens under the real model and "
            f"{general_lengths[row]} under the general one; score both with one tokenizer."
        )
    real, general = (
        np.fromiter(itertools.chain.from_iterable(lists), dtype=float, count=int(lengths.sum()))
        for lists in (log_prob_real, log_prob_general)
    )
    wrong = np.flatnonzero(~(np.isfinite(real) & np.isfinite(general)))
    if len(wrong):
        rows = np.unique(np.repeat(np.arange(len(lengths)), lengths)[wrong])
        raise ValueError(
            f"{_named(int(rows[0]), item_ids)} has a token log-probability that is not finite "
            f"({len(rows)} such captions); score it again or leave it out."
        )
    return real - general, lengths


def _check_ids(item_ids: Sequence[str], captions: int) -> None:
    names = list(item_ids)
    if len(names) != captions:
        raise ValueError(f"There are {captions} captions but {len(names)} item_ids.")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(
            f"item_id {repeated[0]!r} occurs more than once ({len(repeated)} such ids); "
            "keep one row per item."
        )


def _blocks_of_equal_length(
    values: NDArray[np.float64], lengths: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Rows of one length as a matrix, so that a ragged table costs one step per distinct length."""
    starts = np.cumsum(lengths) - lengths
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        yield rows, values[starts[rows][:, None] + np.arange(length)]


def _named(row: int, item_ids: Sequence[str] | None) -> str:
    return f"Row {row}" if item_ids is None else f"Item {list(item_ids)[row]!r}"
