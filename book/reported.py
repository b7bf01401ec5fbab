"""README's minutes, results and speeds, from the last run's and the benchmark's own numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from book.marked_tables import with_table
from book.problems import PublishingError
from book.run_times import DATASETS, with_run_times
from book.speeds import with_speeds
from semcal_utils import runs

HEAD = (
    "| dataset | severity | KL(G‖R), nats | `paper` recipe | keeps | `stream` recipe | keeps "
    "| label oracle keeps |\n|---|---|---|---|---|---|---|---|\n"
)


def fill_readme(root: Path) -> bool:
    """Write the minutes and the results of the last run, and the measured speeds, into README.

    Returns:
        Whether README changed.

    Raises:
        PublishingError: README lacks a notebook of the run or the place for a table, or the numbers
            of the run or of the benchmark are missing.
    """
    path = root / "README.md"
    text = path.read_text(encoding="utf-8")
    made = with_speeds(with_results(with_run_times(text, root), root), root)
    if made != text:
        runs.write_atomically(
            path, lambda partial: partial.write_text(made, encoding="utf-8", newline="\n")
        )
    return made != text


def with_results(text: str, root: Path) -> str:
    """Return README's text with its table of results made anew.

    Args:
        text: README's text, with a line `<!-- results -->` and one `<!-- end of results -->`.
        root: The project.

    Raises:
        PublishingError: A figure's numbers are missing, or README has no place for the table.
    """

    def table() -> str:
        return HEAD + "".join(row for dataset in DATASETS for row in rows_of(dataset, root))

    return with_table(text, "results", table)


def rows_of(dataset: str, root: Path) -> list[str]:
    """Return one row per severity at which there was something to reduce."""
    recipes = numbers(root, dataset, "05_recipes")["rows"]
    distances = numbers(root, dataset, "02_severities")
    made = []
    for severity in dict.fromkeys(row["severity"] for row in recipes):
        found = {row["recipe"]: row for row in recipes if row["severity"] == severity}
        if found["paper"]["reduction"] is None:
            continue
        oracle = found["stream"]["pass rate"] / found["stream"]["of oracle's"]
        made.append(
            f"| `{dataset}` | {severity} | {distances[severity]['kl']:.2f} "
            f"| {reduction(found['paper'])} | {found['paper']['pass rate']:.0%} "
            f"| {reduction(found['stream'])} | {found['stream']['pass rate']:.0%} "
            f"| {oracle:.0%} |\n"
        )
    return made


def reduction(row: dict[str, float]) -> str:
    """Return a deception reduction with its interval."""
    return f"{row['reduction']:.1%} ({row['low']:.1%}–{row['high']:.1%})"


def numbers(root: Path, dataset: str, figure: str) -> dict[str, Any]:
    """Read the numbers behind a published figure."""
    path = root / "figures" / dataset / f"{figure}.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        remedy = "run `python -m semcal_utils.regenerate` from end to end"
        raise PublishingError(f"{dataset}/{figure}.json", None, "it is missing", remedy) from error
