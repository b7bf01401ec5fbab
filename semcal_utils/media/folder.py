"""Your own folder of pictures or sounds as a stream of items.

Labels come from the sub-folders (``cats/black/1.png`` has the label ``cats`` and the fine label
``cats/black``) or from ``metadata.csv`` or ``metadata.jsonl`` at the top of the folder, with a
column ``file_name`` and any of ``label``, ``fine_label`` and ``reference_caption``. Only paths are
kept; an item is read when it is needed.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from semcal_utils.media.own_items import item_table, listed, require_labels
from semcal_utils.media.own_texts import read_rows, text_stream

if TYPE_CHECKING:
    from datasets import Dataset

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
SOUNDS = frozenset({".wav", ".flac", ".ogg", ".mp3"})
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
LITTER = frozenset({"Thumbs.db", "desktop.ini", "Icon\r"})
_DESCRIPTIONS = ("label", "fine_label", "reference_caption")


def stream(
    source: str | Path,
    *,
    seed: int,
    items: int | None = None,
    test_share: float = 0.25,
    text: str = "text",
    label: str = "label",
    follow_links: bool = False,
) -> Dataset:
    """Load your own items: a folder of pictures or sounds, or a table of texts.

    Args:
        source: A folder, or a ``.csv``, ``.jsonl`` or ``.parquet`` file with one text per row.
        seed: Decides which items are taken, if not all, and which part each belongs to.
        items: Most items to take, drawn label by label in proportion; all by default.
        test_share: Share of the items, in [0, 1), that goes to ``general_test``.
        text: Column of a table that holds the texts.
        label: Column of a table, or of the metadata, that holds the labels.
        follow_links: Whether symbolic links may lead out of the folder.

    Returns:
        Rows of ``item_id`` (the path within the folder), ``part``, ``label``, ``fine_label``,
        ``reference_caption`` (``""`` if there is none) and ``image``, ``audio`` or ``text``.

    Raises:
        FileNotFoundError: There is no such folder or file.
        ValueError: The folder holds no media, or pictures and sounds both; an item has no label or
            a name that is not Unicode; a link leads out of the folder; the metadata name a file
            that is not there, or one twice; a table lacks a column or cannot be read.
    """
    place = Path(source).expanduser()
    if place.is_file():
        return text_stream(
            place, text=text, label=label, seed=seed, items=items, test_share=test_share
        )
    if not place.is_dir():
        raise FileNotFoundError(
            f"There is no folder or file {place}; give the path of your pictures, sounds or texts."
        )
    kind, names = _media_names(place, follow_links)
    table = _described(place, names, label)
    require_labels(
        table, "put it in a sub-folder that is named for its label, or list it in metadata.csv"
    )
    return item_table(
        table,
        kind,
        [{"bytes": None, "path": str(place / name)} for name in table["item_id"]],
        items=items,
        seed=seed,
        test_share=test_share,
    )


def _media_names(root: Path, follow_links: bool) -> tuple[str, list[str]]:
    found: dict[str, list[str]] = {"image": [], "audio": []}
    others = []
    for path in _files(root, root.resolve(), follow_links):
        name = path.relative_to(root).as_posix()
        suffix = path.suffix.lower()
        if suffix in PICTURES:
            found["image"].append(name)
        elif suffix in SOUNDS:
            found["audio"].append(name)
        elif name not in METADATA:
            others.append(name)
    if found["image"] and found["audio"]:
        raise ValueError(
            f"The folder {root} holds {len(found['image'])} pictures and {len(found['audio'])} "
            "sounds; a stream is of one kind: give them a folder each."
        )
    kind = "audio" if found["audio"] else "image"
    if not found[kind]:
        raise ValueError(
            f"The folder {root} holds no pictures ({', '.join(sorted(PICTURES))}) and no sounds "
            f"({', '.join(sorted(SOUNDS))})."
        )
    if others:
        warnings.warn(
            f"{len(others)} files of other kinds in {root} are left out: {listed(others)}.",
            stacklevel=4,
        )
    return kind, sorted(found[kind])


def _files(root: Path, inside: Path, follow_links: bool) -> Iterator[Path]:
    pending, seen = [root], {inside}
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = Path(entry.path)
                if entry.is_symlink():
                    _check_link(path, inside, follow_links)
                if entry.is_dir():
                    # A link to a folder above would otherwise lead round in circles.
                    if (target := path.resolve()) not in seen:
                        seen.add(target)
                        pending.append(path)
                else:
                    _check_name(path)
                    yield path


def _check_link(path: Path, inside: Path, follow_links: bool) -> None:
    if not follow_links and not path.resolve().is_relative_to(inside):
        raise ValueError(
            f"{path} is a symbolic link that leads out of the folder; replace it with what it "
            "points to, or allow it with follow_links=True."
        )


def _check_name(path: Path) -> None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"The name of the file {str(path)!a} is not Unicode.") from error


def files_read(path: Path) -> list[Path]:
    """Return the files that a source or a model on this machine consists of, sorted.

    What file managers and sync tools leave beside them is no part of it; beside pictures or sounds,
    neither is anything but their table of metadata.
    """
    if not path.is_dir():
        return [path]
    found = sorted(
        file
        for file in path.rglob("*")
        if file.is_file()
        and file.name not in LITTER
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    is_model = (path / "config.json").is_file()
    media = [file for file in found if file.suffix.lower() in PICTURES | SOUNDS]
    if is_model or not media:
        return found
    return sorted([*media, *(path / name for name in METADATA if (path / name).is_file())])


def _described(root: Path, names: list[str], label: str) -> pd.DataFrame:
    folders = [Path(name).parent for name in names]
    table = pd.DataFrame(
        {
            "item_id": names,
            "label": [folder.parts[0] if folder.parts else "" for folder in folders],
            "fine_label": [folder.as_posix() if folder.parts else "" for folder in folders],
            "reference_caption": "",
        }
    )
    present = [root / name for name in METADATA if (root / name).is_file()]
    if len(present) > 1:
        raise ValueError(f"The folder {root} has two lists of its items; keep one of {present}.")
    if not present and label != "label":
        raise ValueError(
            f"The folder {root} has no list of its items with a column {label!r}; add "
            "metadata.csv, or leave the labels to the sub-folders."
        )
    if not present:
        return table
    return _with_metadata(table.set_index("item_id"), present[0], label)


def _with_metadata(table: pd.DataFrame, path: Path, label: str) -> pd.DataFrame:
    rows = read_rows(path)
    if "file_name" not in rows:
        raise ValueError(f"{path} has no column 'file_name'; it has {', '.join(rows.columns)}.")
    names = rows["file_name"].map(lambda name: Path(name).as_posix())
    if names.duplicated().any():
        raise ValueError(f"{path} lists {names[names.duplicated()].iloc[0]!r} twice.")
    unknown = names[~names.isin(table.index)]
    if len(unknown):
        raise ValueError(
            f"{path} lists {unknown.iloc[0]!r}, which is no picture or sound in the folder "
            f"({len(unknown)} such rows); correct the names or add the files."
        )
    if label != "label":
        if label not in rows:
            raise ValueError(f"{path} has no column {label!r}; it has {', '.join(rows.columns)}.")
        rows["label"] = rows[label]
    rows = rows.set_index(names)
    for column in [name for name in _DESCRIPTIONS if name in rows]:
        table.loc[rows.index, column] = rows[column]
    if "label" in rows and "fine_label" not in rows:
        table.loc[rows.index, "fine_label"] = rows["label"]
    return table.reset_index()
