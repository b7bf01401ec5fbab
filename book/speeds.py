"""README's table of speeds, from the published benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from book.marked_tables import with_table
from book.problems import PublishingError

HEAD = "| work | measured against | speed | ratio |\n|---|---|---|---|\n"


def with_speeds(text: str, published: Path) -> str:
    """Return README's text with its table of speeds made anew.

    Args:
        text: README's text, with a line `<!-- speeds -->` and one `<!-- end of speeds -->`.
        published: Folder with `benchmarks.json`.

    Raises:
        PublishingError: The benchmark's figures are missing, or README has no place for them.
    """
    return with_table(text, "speeds", lambda: HEAD + "".join(measured_rows(published)))


def measured_rows(published: Path) -> list[str]:
    """Return the table's rows from the benchmark's file."""
    path = published / "benchmarks.json"
    try:
        return rows_of(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError, KeyError) as error:
        raise PublishingError(
            "benchmarks.json",
            None,
            "it is missing or not whole",
            "run `make bench`, then `make publish`",
        ) from error


def rows_of(figures: dict[str, Any]) -> list[str]:
    """Return the table's rows from what `make bench` wrote."""
    large, small = figures["language_models"]["gpt2_small"], figures["language_models"]["workbook"]
    city, filtering = small["city_captions"], figures["filtering"]
    peak = large["scoring"]["share_of_matrix_multiplication_peak"]
    fast, compared = tokens(large["scoring"]), "times_the_reference"
    one_by_one, padded = "one text at a time", "captions padded to 512 tokens"
    rows = [
        (
            "scoring, GPT-2 small",
            one_by_one,
            f"{fast}, {peak:.0%} of PyTorch's fastest matrix product",
            large["scoring"][compared],
        ),
        (
            "the same in bfloat16",
            one_by_one,
            tokens(large["scoring"], "_bfloat16"),
            large["scoring"][f"{compared}_bfloat16"],
        ),
        (
            "scoring random words, the workbook's model",
            one_by_one,
            tokens(small["scoring"]),
            small["scoring"][compared],
        ),
        (
            "scoring the city's captions, the same",
            one_by_one,
            rate(city, "captions_per_second"),
            city[compared],
        ),
        (
            "fine-tuning, GPT-2 small",
            padded,
            tokens(large["fine_tuning"]),
            large["fine_tuning"][compared],
        ),
        (
            "fine-tuning, the workbook's model",
            padded,
            tokens(small["fine_tuning"]),
            small["fine_tuning"][compared],
        ),
        (
            "1,000 filterings of a stream",
            "a loop over items",
            f"{filtering['vectorised_seconds']:.2g} s",
            filtering["vectorised_speedup"],
        ),
        (
            "their expectation in closed form",
            "the same loop",
            f"{filtering['closed_form_seconds']:.2g} s",
            filtering["closed_form_speedup"],
        ),
    ]
    return [
        f"| {work} | {against} | {speed} | {times(ratio)} |\n"
        for work, against, speed, ratio in rows
    ]


def tokens(found: dict[str, float], precision: str = "") -> str:
    """Return how many tokens a second a recipe reads."""
    return rate(found, f"tokens_per_second{precision}")


def rate(found: dict[str, float], name: str) -> str:
    """Return a rate in two digits, in the unit that its name begins with."""
    unit = name.partition("_per_second")[0]
    value = float(f"{found[name]:.2g}")
    return f"{value:,.0f} {unit}/s" if value >= 10 else f"{value:g} {unit}/s"


def times(ratio: float) -> str:
    """Return how many times faster."""
    return f"{ratio:.1f}×" if ratio < 10 else f"{ratio:,.0f}×"
