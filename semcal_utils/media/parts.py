"""Divide a stream's items into the part models learn from and the part that tests them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

GENERAL_TRAIN = "general_train"
GENERAL_TEST = "general_test"


def assign_parts(labels: Sequence[str], *, test_share: float, seed: int) -> list[str]:
    """Assign every item to ``general_train`` or ``general_test``, label by label.

    The test part holds ``round(test_share * n)`` items in all; each label receives its exact share
    rounded down or up, by largest remainder, and a label keeps at least one item in
    ``general_train``, so that models never meet a label for the first time when they are tested.

    Args:
        labels: (n,) label of each item.
        test_share: Share of the items, in [0, 1), that goes to ``general_test``.
        seed: Decides which items of a label go to which part.

    Returns:
        (n,) part of each item, in the order of ``labels``.

    Raises:
        ValueError: ``test_share`` lies outside [0, 1).
    """
    if not 0.0 <= test_share < 1.0:
        raise ValueError(f"test_share is {test_share}; choose a share of at least 0 and below 1.")
    positions = defaultdict(list)
    for position, label in enumerate(labels):
        positions[label].append(position)
    names = sorted(positions)
    test_counts = _test_counts([len(positions[name]) for name in names], test_share)
    rng = np.random.default_rng(seed)
    parts = [GENERAL_TRAIN] * len(labels)
    for name, count in zip(names, test_counts, strict=True):
        for chosen in rng.permutation(len(positions[name]))[:count]:
            parts[positions[name][chosen]] = GENERAL_TEST
    return parts


def draw_stratified(labels: Sequence[str], *, count: int | None, seed: int) -> list[int]:
    """Draw items label by label, each label in proportion to its size.

    Args:
        labels: (n,) label of each item.
        count: Most items to draw; ``None`` or more than there are draws all.
        seed: Decides which items of a label are drawn.

    Returns:
        Positions of the drawn items, ascending.
    """
    if count is None or count >= len(labels):
        return list(range(len(labels)))
    if count < 1:
        return []
    undrawn = assign_parts(labels, test_share=1 - count / len(labels), seed=seed)
    drawn = [position for position, part in enumerate(undrawn) if part == GENERAL_TRAIN]
    # Every label keeps an item in that part, which may be more than were asked for.
    rng = np.random.default_rng(seed)
    return sorted(int(position) for position in rng.permutation(drawn)[:count])


def _test_counts(label_counts: Sequence[int], test_share: float) -> list[int]:
    exact = np.asarray(label_counts, dtype=float) * test_share
    counts = np.floor(exact).astype(int)
    largest = np.asarray(label_counts, dtype=int) - 1
    wanted = round(float(exact.sum()))
    for position in np.argsort(-(exact - counts), kind="stable"):
        if counts.sum() >= wanted:
            break
        if counts[position] < min(largest[position], np.ceil(exact[position])):
            counts[position] += 1
    return [int(count) for count in np.minimum(counts, largest)]
