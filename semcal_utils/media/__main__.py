"""Look at your own items before the workbook does: ``python -m semcal_utils.media SOURCE``."""

from __future__ import annotations

import argparse
from collections import Counter

from tqdm.auto import tqdm

from semcal_utils.media import modality, undecoded
from semcal_utils.media.folder import stream
from semcal_utils.media.readers import READERS, UnusableItem


def main(arguments: list[str] | None = None) -> None:
    """Print what a folder or a table of texts holds: items by label, and those that are unusable.

    Args:
        arguments: Command line; by default the program's own.
    """
    parser = argparse.ArgumentParser(prog="python -m semcal_utils.media", description=__doc__)
    parser.add_argument("source", help="folder of pictures or sounds, or .csv, .jsonl, .parquet")
    parser.add_argument("--text", default="text", help="column of the texts")
    parser.add_argument("--label", default="label", help="column of the labels")
    options = parser.parse_args(arguments)
    try:
        items = stream(options.source, text=options.text, label=options.label, seed=0)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    kind = modality(items)
    print(f"{len(items)} items ({kind}), by label:")
    for label, count in Counter(items["label"]).most_common():
        print(f"  {count:7,d}  {label}")
    unusable = 0
    for row in tqdm(undecoded(items, kind), desc="Reading", unit="item", disable=len(items) < 1000):
        try:
            READERS[kind](row[kind])
        except UnusableItem as reason:
            unusable += 1
            tqdm.write(f"  cannot be captioned: {row['item_id']}: {reason}")
    print(f"{unusable} of {len(items)} items cannot be captioned.")


if __name__ == "__main__":
    main()
