"""The table of captions: every item of a dataset beside its caption or the reason it has none.

Finished shards are kept as they come, so that a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from semcal_utils.media import modality, undecoded
from semcal_utils.media.readers import (
    SAMPLING_RATE,
    UnusableItem,
    read_picture,
    read_sound,
    read_text,
)

if TYPE_CHECKING:
    from datasets import Dataset

    from semcal_utils.captioning import Captioner

CAPTION_COLUMNS = (
    "item_id",
    "part",
    "label",
    "fine_label",
    "reference_caption",
    "caption",
    "reason",
)
_LISTED = 20
_SHARD_SCHEMA = pa.schema([(name, pa.string()) for name in ("item_id", "caption", "reason")])


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
    said: list[tuple[str, str]] = []
    if shard_folder is not None:
        shard_folder.mkdir(parents=True, exist_ok=True)
        said = list(_finished_shards(shard_folder, table["item_id"], author))
    raw = undecoded(items.select_columns([kind]), kind)
    todo = range(len(said), len(table), shard_size)
    with tqdm(
        total=len(table), initial=len(said), desc="Captioning", unit="item", disable=not progress
    ) as bar:
        for start in todo:
            stop = min(start + shard_size, len(table))
            try:
                for first in range(start, stop, batch_size):
                    batch = list(raw[first : min(first + batch_size, stop)][kind])
                    said += _caption_batch(captioner, kind, batch)
                    bar.update(len(batch))
            finally:
                # Whatever stops the run, the captions it has made are kept.
                if shard_folder is not None and len(said) > start:
                    _write_shard(shard_folder, start, table["item_id"], said[start:], author)
    table["caption"] = [caption for caption, _ in said]
    table["reason"] = [reason for _, reason in said]
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
    columns = [name for name in CAPTION_COLUMNS if name not in ("caption", "reason")]
    missing = [name for name in columns if name not in items.column_names]
    if missing:
        raise ValueError(
            f"The items lack the column {missing[0]!r}; they have {', '.join(items.column_names)}."
        )
    table = items.select_columns(columns).to_pandas()
    repeated = table["item_id"][table["item_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"The item_id {repeated.iloc[0]!r} occurs twice; it names one item.")
    return table


def _caption_batch(captioner: Captioner, kind: str, raw: list[Any]) -> Iterator[tuple[str, str]]:
    read: list[tuple[Any, str]] = [_read(kind, item) for item in raw]
    usable = [item for item, reason in read if not reason]
    spoken = iter(_speak(captioner, usable))
    for _, reason in read:
        yield ("", reason) if reason else next(spoken)


def _read(kind: str, item: Any) -> tuple[Any, str]:
    try:
        if kind == "image":
            return read_picture(item), ""
        if kind == "audio":
            return {"array": read_sound(item), "sampling_rate": SAMPLING_RATE}, ""
        return read_text(item), ""
    except UnusableItem as unusable:
        return None, str(unusable)


def _speak(captioner: Captioner, usable: Sequence[Any]) -> list[tuple[str, str]]:
    if not usable:
        return []
    try:
        captions = captioner.caption(usable, batch_size=len(usable), progress=False)
    except UnusableItem as unusable:
        if len(usable) == 1:
            return [("", str(unusable))]
        return [spoken for item in usable for spoken in _speak(captioner, [item])]
    if len(captions) != len(usable):
        raise ValueError(f"The captioner gave {len(captions)} captions for {len(usable)} items.")
    return [_said(caption.strip()) for caption in captions]


def _said(caption: str) -> tuple[str, str]:
    return caption, "" if caption else "The captioner said nothing."


def _finished_shards(folder: Path, item_ids: pd.Series, author: str) -> Iterator[tuple[str, str]]:
    done = 0
    while (path := _shard_path(folder, done)).is_file():
        shard = pq.read_table(path)
        written_by = (shard.schema.metadata or {}).get(b"captioner", b"").decode()
        ids = shard.column("item_id").to_pylist()
        if written_by != author or ids != item_ids.iloc[done : done + len(ids)].tolist():
            raise ValueError(
                f"The shards in {folder} hold captions of other items or by another captioner "
                f"({written_by}); delete the folder or give another."
            )
        yield from zip(
            shard.column("caption").to_pylist(), shard.column("reason").to_pylist(), strict=True
        )
        done += len(ids)


def _write_shard(
    folder: Path, start: int, item_ids: pd.Series, said: list[tuple[str, str]], author: str
) -> None:
    rows = [
        {"item_id": item_id, "caption": caption, "reason": reason}
        for item_id, (caption, reason) in zip(item_ids.iloc[start:], said, strict=False)
    ]
    schema = _SHARD_SCHEMA.with_metadata({"captioner": author})
    path = _shard_path(folder, start)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), unfinished)
    os.replace(unfinished, path)


def _shard_path(folder: Path, start: int) -> Path:
    return folder / f"captions-{start:08d}.parquet"


def _list_uncaptioned(table: pd.DataFrame) -> None:
    without = uncaptioned(table)
    if without.empty:
        return
    listed = [f"{row.item_id}: {row.reason}" for row in without.head(_LISTED).itertuples()]
    if len(without) > _LISTED:
        listed.append(f"... and {len(without) - _LISTED} more; see the column reason.")
    lines = "\n  ".join(listed)
    warnings.warn(f"{len(without)} of {len(table)} items have no caption:\n  {lines}", stacklevel=3)
