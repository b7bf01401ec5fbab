"""Your own table of texts as a stream of items: CSV, JSON lines or Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from semcal_utils.media.own_items import item_table, require_labels

if TYPE_CHECKING:
    from datasets import Dataset

_OPTIONAL = ("item_id", "fine_label", "reference_caption")


def text_stream(
    path: Path,
    *,
    text: str,
    label: str,
    seed: int,
    items: int | None = None,
    test_share: float = 0.25,
) -> Dataset:
    """Load a table of texts; an empty text stays in it and is given a reason when captioned.

    Args:
        path: A ``.csv``, ``.jsonl`` or ``.parquet`` file with a header or named fields.
        text: Column of the texts.
        label: Column of the labels.
        seed: Decides which items are taken, if not all, and which part each belongs to.
        items: Most items to take; all by default.
        test_share: Share of the items, in [0, 1), that goes to ``general_test``.

    Returns:
        Rows of ``item_id`` (a column of that name, else the file's name and the row's number from
        zero), ``part``, ``label``, ``fine_label``, ``reference_caption`` (the text unless there is
        such a column) and ``text``.

    Raises:
        ValueError: The file cannot be read, is empty, lacks a column, has an item_id twice, or a
            text without a label.
    """
    rows = read_rows(path)
    for role, column in (("texts", text), ("labels", label)):
        if column not in rows:
            raise ValueError(
                f"{path} has no column {column!r}; it has {', '.join(map(str, rows.columns))}: "
                f"say which of them holds the {role}."
            )
    if rows.empty:
        raise ValueError(f"{path} has a header but no rows.")
    numbered = pd.Series([f"{path.stem}-{row:06d}" for row in range(len(rows))])
    optional = {name: rows[name] for name in _OPTIONAL if name in rows}
    table = pd.DataFrame(
        {
            "item_id": numbered,
            "label": rows[label],
            "fine_label": rows[label],
            "reference_caption": rows[text],
            **optional,
        }
    )
    repeated = table["item_id"][table["item_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"{path} has the item_id {repeated.iloc[0]!r} twice.")
    require_labels(table, f"fill in the column {label!r}")
    texts = rows[text].tolist()
    return item_table(table, "text", texts, items=items, seed=seed, test_share=test_share)


def read_rows(path: Path) -> pd.DataFrame:
    """Read a table as strings; what is missing becomes ``""``.

    Args:
        path: A ``.csv``, ``.jsonl`` or ``.parquet`` file, in UTF-8.

    Returns:
        The rows, every value a string, numbered from zero.

    Raises:
        ValueError: The format is another, or the file cannot be read; the message says where.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_json_lines, ".parquet": pd.read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} is no table of texts; give one of {', '.join(readers)}.")
    try:
        rows = reader(path)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not in UTF-8 (byte {error.start}); save it in that encoding."
        ) from error
    except Exception as error:
        # Damaged Parquet fails in as many ways as its footer has fields: KeyError, ArrowInvalid…
        reason = (str(error).splitlines() or ["damaged"])[0].rstrip(".")
        raise ValueError(f"{path} cannot be read: {reason}.") from error
    # Columns stay of type object: a label that is half a character pair has to be named first.
    return pd.DataFrame(
        {str(name): [_as_text(value, path) for value in rows[name]] for name in rows}, dtype=object
    )


def _read_csv(path: Path) -> pd.DataFrame:
    # A text or a label may well read "NA", "null" or "007", and means just that.
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _read_json_lines(path: Path) -> pd.DataFrame:
    rows = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number} is no JSON ({error.msg})") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object")
            rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def _as_text(value: object, path: Path) -> str:
    if value is None or value is pd.NA or value != value:
        return ""
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{path} holds half a character pair in {text[:60]!a}, which is not Unicode; "
            "correct it."
        ) from error
    return text
