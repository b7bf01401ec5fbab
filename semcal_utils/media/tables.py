"""Tables of captioned media: the columns that pictures and sounds share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from datasets import Dataset, Features, Value, concatenate_datasets

CHUNK = 500  # items: media exist twice while a table is filled, but only so many at a time


def captioned_table(
    texts: Mapping[str, Sequence[str]], kind: str, feature: Any, media: Iterable[bytes]
) -> Dataset:
    """Put media and what is known about them into one table.

    Args:
        texts: item_id, part, label, fine_label and reference_caption, (items,) each.
        kind: name of the media column, ``image`` or ``audio``.
        feature: type of that column, which stores ``{"bytes", "path"}``.
        media: the files' bytes, in the items' order; made as they are asked for.

    Returns:
        (items,) rows.
    """
    features = Features({name: Value("string") for name in texts} | {kind: feature})
    items = len(texts["item_id"])
    files = iter(media)
    chunks = []
    for start in range(0, items, CHUNK):
        rows: dict[str, list[Any]] = {
            name: list(column[start : start + CHUNK]) for name, column in texts.items()
        }
        rows[kind] = [{"bytes": file, "path": None} for file in islice(files, CHUNK)]
        chunks.append(Dataset.from_dict(rows, features=features))
    return concatenate_datasets(chunks)
