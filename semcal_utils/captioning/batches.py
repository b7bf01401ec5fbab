"""Walk items through a captioner batch by batch, under a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tqdm.auto import tqdm


def in_batches(
    describe: Callable[[list[Any], int], list[str]],
    items: Sequence[Any],
    *,
    batch_size: int,
    progress: bool,
) -> list[str]:
    """Describe items batch by batch; no more than a batch of them is held.

    Args:
        describe: Describes one batch, given with the place of its first item.
        items: What to describe.
        batch_size: Items in a batch.
        progress: Whether to show the bar.

    Returns:
        One text per item, in order.

    Raises:
        ValueError: The batch size is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1.")
    captions: list[str] = []
    with tqdm(total=len(items), desc="Captioning", unit="item", disable=not progress) as bar:
        for start in range(0, len(items), batch_size):
            places = range(start, min(start + batch_size, len(items)))
            captions += describe([items[place] for place in places], start)
            bar.update(len(places))
    return captions
