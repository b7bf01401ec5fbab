"""What the last whole run cost, per notebook, as readers are told it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from book.problems import PublishingError

RUN_TIMES = "run_times.json"
DATASETS = ("city_pictures", "city_sounds", "library_docs")
ROW = re.compile(r"^\| \[`(?P<name>\d\d_\w+)`\]\([^)]*\) \| [^|]* \| (?P<minutes>[^|]*) \|", re.M)


def seconds_by_notebook(published: Path) -> dict[str, dict[str, float]]:
    """Return the seconds of the published run, by notebook and dataset.

    Raises:
        PublishingError: No whole run has left its cost.
    """
    try:
        cost = json.loads((published / RUN_TIMES).read_text(encoding="utf-8"))
        return {str(name): dict(times) for name, times in cost["seconds_by_notebook"].items()}
    except (FileNotFoundError, KeyError, json.JSONDecodeError) as error:
        remedy = "run `make publish ARGS=--force`"
        raise PublishingError(RUN_TIMES, None, "no whole run has left its times", remedy) from error


def minutes(seconds: float) -> str:
    """Return seconds as a reader's minutes: `<1`, or rounded to the next whole one.

    >>> [minutes(s) for s in (4.3, 59, 61, 245.4)]
    ['<1', '<1', '2', '5']
    """
    return "<1" if seconds < 60 else str(int(-(-seconds // 60)))


def statement(times: dict[str, float]) -> str:
    """Return the minutes of one notebook: one number, or one for each dataset in order."""
    if "all" in times:
        return minutes(times["all"])
    return " / ".join(minutes(times[name]) for name in DATASETS if name in times)


def sentence(times: dict[str, float]) -> str:
    """Return the run time of one notebook as a sentence for its page of the book."""
    listed = ", ".join(
        f"{seconds:.0f} s" + ("" if name == "all" else f" for `{name}`")
        for name, seconds in sorted(times.items())
    )
    return f"The last whole run took {listed}."


def with_run_times(text: str, published: Path) -> str:
    """Return README's text with the minutes of the last run in its table of notebooks.

    Raises:
        PublishingError: The table lacks a notebook of the run.
    """
    times = seconds_by_notebook(published)
    if missing := set(times) - {match["name"] for match in ROW.finditer(text)}:
        problem = "README's table of notebooks has no row for it"
        raise PublishingError(min(missing), None, problem, "add `| [`name`](…) | question | 1 | …`")
    return ROW.sub(lambda match: with_minutes(match, times), text)


def with_minutes(row: re.Match[str], times: dict[str, dict[str, float]]) -> str:
    """Return a row of README's table with its minutes replaced."""
    if row["name"] not in times:
        return row.group()
    start, end = (place - row.start() for place in row.span("minutes"))
    return row.group()[:start] + statement(times[row["name"]]) + row.group()[end:]
