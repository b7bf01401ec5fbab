"""The command line of this room: `publish`, `book` and `assignments`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from book.problems import PublishingError
from semcal_utils import runs
from semcal_utils.runs.terminal import run_command


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status (0 well, 1 refused with a remedy)."""
    parser = argparse.ArgumentParser(
        prog="python -m book", description="Publish notebooks, book, course."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser
    add("publish", help="put the last run into figures/published/, README and notebooks/")
    add("book", help="build the HTML book in build/book/")
    add("assignments", help="write student and solution versions into assignments/")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    try:
        lines = COMMANDS[options.command](runs.project_root())
    except PublishingError as refusal:
        print(f"book: {refusal}", file=sys.stderr)
        return 1
    print("\n".join([*lines, f"{time.perf_counter() - began:.1f} s"]))
    return 0


def publish(root: Path) -> list[str]:
    """Publish, and return what was published."""
    from book.publication import publish_all

    notebooks, size = publish_all(root)
    return [
        *(
            f"  {of.name:<30} {of.size / 1e6:5.2f} MB  {'written' if of.changed else 'unchanged'}"
            for of in notebooks
        ),
        f"  {'figures/published':<30} {size / 1e6:5.2f} MB  written",
    ]


def book(root: Path) -> list[str]:
    """Build the book, and return where it is."""
    from book.pages import build_book

    pages = build_book(root)
    return [f"{len(list(pages.rglob('*.html')))} pages; open {pages / 'index.html'}"]


def assignments(root: Path) -> list[str]:
    """Write the assignments, and return their points."""
    from book.assignments import FOLDER, write_assignments

    table = write_assignments(root)
    totals = table.groupby("notebook").agg(
        exercises=("exercise", "size"), points=("points", "sum"), minutes=("minutes", "sum")
    )
    return [totals.to_string(), f"{len(table)} exercises in {root / FOLDER}"]


COMMANDS = {"publish": publish, "book": book, "assignments": assignments}

if __name__ == "__main__":
    sys.exit(run_command("book", main))
