"""Look at your own items before the workbook does: ``python -m semcal_utils.media SOURCE``."""

from __future__ import annotations

import argparse
import sys
import textwrap
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from datasets import disable_progress_bars
from tqdm.auto import tqdm

from semcal_utils.media import HUB, load_items, modality, undecoded
from semcal_utils.media.readers import READERS, UnusableItem
from semcal_utils.runs.terminal import run_command

if TYPE_CHECKING:
    from datasets import Dataset

_LISTED = 20


def main(arguments: list[str] | None = None) -> None:
    """Print what a source holds: items by label, and those that are unusable, with the reason.

    Args:
        arguments: Command line; by default the program's own.
    """
    parser = argparse.ArgumentParser(prog="python -m semcal_utils.media", description=__doc__)
    parser.add_argument(
        "source",
        help="folder of pictures or sounds; table of texts (.csv, .jsonl, .parquet); "
        "hub:<dataset id> or hub:<folder>",
    )
    parser.add_argument("--text", default="text", help="column of the texts of a table")
    parser.add_argument("--label", default="label", help="column of the labels")
    parser.add_argument("--caption", default="", help="column of captions that exist already")
    options = parser.parse_args(arguments)
    disable_progress_bars()
    try:
        with warnings.catch_warnings(record=True) as noticed:
            warnings.simplefilter("always", UserWarning)
            items = load_items(
                "your items",
                source=options.source,
                seed=0,
                text=options.text,
                label=options.label,
                caption=options.caption,
            )
    except (ValueError, OSError) as error:
        parser.error(str(error) + _advice(options.source))
    for notice in noticed:
        if issubclass(notice.category, UserWarning):
            print(f"Note: {notice.message}")
    _describe(items)
    _read_all(items)


def _describe(items: Dataset) -> None:
    kind = modality(items)
    parts = Counter(items["part"])
    print(f"{len(items):,} items ({kind}), of which {parts['general_test']:,} to test; by label:")
    for label, count in Counter(items["label"]).most_common():
        print(f"  {count:7,d}  {label}")
    if kind == "text":
        print("The first one says:")
        print(textwrap.shorten(items[0]["text"], 100, placeholder=" ..."))


def _read_all(items: Dataset) -> None:
    kind = modality(items)
    unusable = []
    for row in tqdm(undecoded(items, kind), desc="Reading", unit="item", disable=len(items) < 1000):
        try:
            READERS[kind](row[kind])
        except UnusableItem as reason:
            unusable.append(f"  {row['item_id']}: {reason}")
    if not unusable:
        print("Every item can be read.")
        return
    print(f"{len(unusable):,} of {len(items):,} items cannot be captioned; they stay in the table:")
    print("\n".join(unusable[:_LISTED]))
    if len(unusable) > _LISTED:
        print(f"  ... and {len(unusable) - _LISTED:,} more.")


def _advice(source: str) -> str:
    folder = Path(source).expanduser()
    in_layout = folder.is_dir() and next(folder.rglob("*.parquet"), None) is not None
    if in_layout and not source.startswith(HUB):
        return f" It holds .parquet files: if it has the hub's layout, give {HUB}{source}."
    return ""


if __name__ == "__main__":
    sys.exit(run_command("semcal_utils.media", main))
