"""The table of captions: every item of a dataset beside its caption or the reason it has none.

Finished shards are kept as they come, so that a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm.auto import tqdm

from semcal_utils.media import modality, undecoded
from semcal_utils.media.readers import (
    SAMPLING_RATE,
    UnusableItem,
    read_picture,
    read_sound,
    read_text,
)
from semcal_utils.runs import write_atomically

if TYPE_CHECKING:
    from datasets import Dataset

    from semcal_utils.captioning.captioners import Captioner

DESCRIPTION = ("item_id", "part", "label", "fine_label", "reference_caption")
CAPTION_COLUMNS = (*DESCRIPTION, "caption", "reason")
LISTED = 20
"""How many items without a caption the warning lists."""

Said = tuple[str, str]
"""A caption and why there is none; one of them is empty."""


def caption_table(
    items: Dataset,
    captioner: Captioner,
    *,
    batch_size: int = 64,
    progress: bool = True,
    shard_folder: Path | None = None,
    shard_size: int = 1024,
) -> pd.DataFrame:
    """Caption every item of a dataset and keep the items that cannot be captioned, with a reason.

    Pictures and sounds are decoded batch by batch. With a ``shard_folder``, captions are appended
    there shard by shard and reused, so that a run that was stopped continues at the first missing
    item and ends with the same table. Ctrl-C or an error loses the batch at hand; a run that is
    killed outright loses the shard at hand.

    Args:
        items: Rows of ``item_id`` (unique), ``part``, ``label``, ``fine_label``,
            ``reference_caption`` and ``image``, ``audio`` or ``text``.
        captioner: A captioner of that modality.
        batch_size: Items captioned at once.
        progress: Whether to show a bar.
        shard_folder: Where finished shards are kept, made if it is missing.
        shard_size: Items in a shard; another size on a second run is no obstacle.

    Returns:
        One row per item, in order, of ``CAPTION_COLUMNS``; ``caption`` is ``""`` exactly where
        ``reason`` is not. A warning counts and lists such items.

    Raises:
        ValueError: A column is missing, an item_id occurs twice, the captioner is one of another
            modality, or the shards in the folder belong to other items or another captioner.
    """
    table = _described(items)
    kind = modality(items)
    if captioner.modality != kind:
        raise ValueError(
            f"The captioner puts {captioner.modality} into words, the items are {kind}; "
            "load a captioner of that modality."
        )
    if batch_size < 1 or shard_size < 1:
        raise ValueError("batch_size and shard_size are at least 1.")
    author = str(getattr(captioner, "name", type(captioner).__name__))
    said: list[Said] = []
    if shard_folder is not None:
        said += _finished_shards(shard_folder, table["item_id"], author)
    raw = undecoded(items.select_columns([kind]), kind)
    with tqdm(
        total=len(table), initial=len(said), desc="Captioning", unit="item", disable=not progress
    ) as bar:
        for start in range(len(said), len(table), shard_size):
            stop = min(start + shard_size, len(table))
            try:
                for first in range(start, stop, batch_size):
                    batch = list(raw[first : min(first + batch_size, stop)][kind])
                    said += _caption_batch(captioner, kind, batch)
                    bar.update(len(batch))
            finally:
                # Whatever stops the run, the captions it has made are kept.
                if shard_folder is not None and len(said) > start:
                    done = table["item_id"].iloc[start : len(said)]
                    _write_shard(_shard_path(shard_folder, start), done, said[start:], author)
    table[["caption", "reason"]] = pd.DataFrame(said, columns=["caption", "reason"], dtype=object)
    _list_uncaptioned(table)
    return table


def uncaptioned(table: pd.DataFrame) -> pd.DataFrame:
    """Return the items that have no caption.

    Args:
        table: What `caption_table` returned.

    Returns:
        ``item_id``, ``label`` and ``reason`` of each.
    """
    return table.loc[table["reason"] != "", ["item_id", "label", "reason"]].reset_index(drop=True)


def _described(items: Dataset) -> pd.DataFrame:
    missing = [name for name in DESCRIPTION if name not in items.column_names]
    if missing:
        raise ValueError(
            f"The items lack the column {missing[0]!r}; they have {', '.join(items.column_names)}."
        )
    table = items.select_columns(list(DESCRIPTION)).to_pandas()
    repeated = table["item_id"][table["item_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"The item_id {repeated.iloc[0]!r} occurs twice; it names one item.")
    return table


def _caption_batch(captioner: Captioner, kind: str, raw: list[Any]) -> Iterator[Said]:
    read = [_read(kind, item) for item in raw]
    usable = [item for item in read if not isinstance(item, UnusableItem)]
    captions = iter(_speak(captioner, usable) if usable else [])
    for item in read:
        yield ("", str(item)) if isinstance(item, UnusableItem) else next(captions)


def _read(kind: str, item: Any) -> Any:
    """Return the item as the captioner takes it, or why it cannot be used."""
    try:
        if kind == "image":
            return read_picture(item)
        if kind == "audio":
            return {"array": read_sound(item), "sampling_rate": SAMPLING_RATE}
        return read_text(item)
    except UnusableItem as unusable:
        return unusable


def _speak(captioner: Captioner, usable: Sequence[Any]) -> list[Said]:
    try:
        captions = captioner.caption(usable, batch_size=len(usable), progress=False)
    except UnusableItem as unusable:
        if len(usable) == 1:
            return [("", str(unusable))]
        return [said for item in usable for said in _speak(captioner, [item])]
    if len(captions) != len(usable):
        raise ValueError(f"The captioner gave {len(captions)} captions for {len(usable)} items.")
    stripped = [caption.strip() for caption in captions]
    return [(caption, "" if caption else "The captioner said nothing.") for caption in stripped]


def _finished_shards(folder: Path, item_ids: pd.Series, author: str) -> list[Said]:
    said: list[Said] = []
    while (path := _shard_path(folder, len(said))).is_file():
        shard = pd.read_parquet(path)
        written_by = shard.attrs.get("captioner", "")
        expected = item_ids.iloc[len(said) : len(said) + len(shard)]
        if written_by != author or shard["item_id"].tolist() != expected.tolist():
            raise ValueError(
                f"The shards in {folder} hold captions of other items or by another captioner "
                f"({written_by}); delete the folder or give another."
            )
        said += zip(shard["caption"], shard["reason"], strict=True)
    return said


def _write_shard(path: Path, item_ids: pd.Series, said: list[Said], author: str) -> None:
    shard = pd.DataFrame(said, columns=["caption", "reason"]).assign(item_id=item_ids.to_numpy())
    shard.attrs["captioner"] = author
    write_atomically(path, shard.to_parquet)


def _shard_path(folder: Path, start: int) -> Path:
    return folder / f"captions-{start:08d}.parquet"


def _list_uncaptioned(table: pd.DataFrame) -> None:
    without = uncaptioned(table)
    if without.empty:
        return
    listed = [f"{row.item_id}: {row.reason}" for row in without.head(LISTED).itertuples()]
    if len(without) > LISTED:
        listed.append(f"... and {len(without) - LISTED} more; see the column reason.")
    lines = "\n  ".join(listed)
    warnings.warn(f"{len(without)} of {len(table)} items have no caption:\n  {lines}", stacklevel=3)
