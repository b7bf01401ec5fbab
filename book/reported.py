"""README's minutes, results and speeds, from the published numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from book.marked_tables import with_table
from book.problems import PublishingError
from book.run_times import with_run_times
from book.speeds import with_speeds
from semcal_utils.runs.reproduction import RESULTS

HEAD = (
    "| dataset | world | KL(G‖R), nats | `paper` recipe | keeps | `label_matched` | keeps "
    "| label oracle keeps |\n|---|---|---|---|---|---|---|---|\n"
)


def filled(text: str, published: Path) -> str:
    """Return README's text with its minutes, results and speeds made anew.

    Args:
        text: README's text.
        published: Folder of the published numbers.

    Raises:
        PublishingError: README lacks a notebook of the run or the place for a table, or the numbers
            of the run or of the benchmark are missing.
    """
    return with_speeds(with_results(with_run_times(text, published), published), published)


def with_results(text: str, published: Path) -> str:
    """Return README's text with its table of results made anew.

    Args:
        text: README's text, with a line `<!-- results -->` and one `<!-- end of results -->`.
        published: Folder of the published numbers.

    Raises:
        PublishingError: The numbers are missing, or README has no place for the table.
    """

    def table() -> str:
        found = results(published)
        return HEAD + "".join(row for name in found for row in rows_of(name, found[name]))

    return with_table(text, "results", table)


def rows_of(dataset: str, found: dict[str, Any]) -> list[str]:
    """Return one row per world at which there was something to reduce."""
    recipes, distances = found["rows"], found["worlds"]
    made = []
    for world in dict.fromkeys(row["world"] for row in recipes):
        found = {row["recipe"]: row for row in recipes if row["world"] == world}
        if found["paper"]["reduction"] is None:
            continue
        oracle = found["label_matched"]["pass rate"] / found["label_matched"]["of oracle's"]
        made.append(
            f"| `{dataset}` | {world} | {distances[world]['kl']:.2f} "
            f"| {reduction(found['paper'])} | {found['paper']['pass rate']:.0%} "
            f"| {reduction(found['label_matched'])} | {found['label_matched']['pass rate']:.0%} "
            f"| {oracle:.0%} |\n"
        )
    return made


def reduction(row: dict[str, float]) -> str:
    """Return a deception reduction with its interval."""
    return f"{row['reduction']:.1%} ({row['low']:.1%}–{row['high']:.1%})"


def results(published: Path) -> dict[str, Any]:
    """Read the published results."""
    try:
        return dict(json.loads((published / RESULTS).read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        remedy = "run `make publish`"
        raise PublishingError(RESULTS, None, "it is missing or not whole", remedy) from error
