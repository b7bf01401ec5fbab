"""A run's headline numbers beside the published ones: does a reproduction agree?

Headline numbers are what README tells: for each dataset, world and reported recipe the deception
reduction, and the divergence that is left where there was nothing to reduce.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from semcal_utils.runs.places import PUBLISHED

RESULTS = "results.json"
REPORTED = ("paper", "label_matched")
LEVEL = 0.05
"""Chance that a run which differs from the published one by sampling alone is told to differ."""
INTERVAL = 0.95
"""What the intervals behind the figures cover."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; `value` is None where it is undefined."""

    value: float | None
    low: float
    high: float

    def __str__(self) -> str:
        """Return the number and its interval, in four digits."""
        if self.value is None:
            return "undefined"
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class Compared:
    """One headline number, here and as published, and whether the two agree."""

    dataset: str
    world: str
    recipe: str
    what: str
    yours: Estimate
    published: Estimate
    agrees: bool


def results_of(figures: Path, datasets: Iterable[str]) -> dict[str, Any]:
    """Return the numbers that README and the comparison tell, from those behind the figures.

    Args:
        figures: Folder with one folder of figures for each dataset.
        datasets: Which of them; one whose notebooks 02 and 05 have not finished is left out.

    Returns:
        By dataset: `worlds`, what notebook 02 measured of each, and `rows`, one for each recipe
        and world, of notebook 05.
    """
    found = {}
    for dataset in datasets:
        try:
            worlds = json.loads((figures / dataset / "02_worlds.json").read_text("utf-8"))
            recipes = json.loads((figures / dataset / "05_recipes.json").read_text("utf-8"))
            found[dataset] = {
                "worlds": {name: of for name, of in worlds.items() if name != "profile"},
                "rows": recipes["rows"],
            }
        except (FileNotFoundError, KeyError, ValueError):
            continue
    return found


def published_results(root: Path) -> dict[str, Any]:
    """Return the committed results; nothing where none were published yet."""
    try:
        return dict(json.loads((root / PUBLISHED / RESULTS).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def compare(yours: Mapping[str, Any], published: Mapping[str, Any]) -> list[Compared]:
    """Return every headline number of a run beside the published one.

    All numbers together are tested at `LEVEL`: by Bonferroni's rule each one gets its share.
    """
    pairs = [
        (dataset, row, twin)
        for dataset in yours
        for row in yours[dataset]["rows"]
        for twin in published.get(dataset, {}).get("rows", [])
        if row["recipe"] in REPORTED
        and (row["recipe"], row["world"]) == (twin["recipe"], twin["world"])
    ]
    level = LEVEL / max(1, len(pairs))
    return [_compared(dataset, row, twin, level) for dataset, row, twin in pairs]


def _compared(
    dataset: str, row: Mapping[str, Any], twin: Mapping[str, Any], level: float
) -> Compared:
    reducible = row["reduction"] is not None or twin["reduction"] is not None
    name, low, high = ("reduction", "low", "high") if reducible else ("kl", "kl low", "kl high")
    mine, theirs = (
        Estimate(None, 0.0, 0.0) if one[name] is None else Estimate(one[name], one[low], one[high])
        for one in (row, twin)
    )
    what = "deception reduction" if reducible else "KL left, nats"
    agrees = same_within_noise(mine, theirs, level)
    return Compared(dataset, row["world"], row["recipe"], what, mine, theirs, agrees)


def same_within_noise(one: Estimate, other: Estimate, level: float) -> bool:
    """Test the difference of two independent estimates; two intervals may overlap and differ.

    The standard error of each is read off the half of its interval that faces the other. A half
    that ends at a bound of its scale (a reduction of 1, a divergence of 0) was cut there and tells
    too little; then the longer half counts.

    >>> same_within_noise(Estimate(0.90, 0.86, 0.94), Estimate(0.95, 0.91, 0.99), 0.05)
    True
    >>> same_within_noise(Estimate(0.90, 0.87, 0.93), Estimate(0.95, 0.92, 0.98), 0.05)
    False
    """
    if one.value is None or other.value is None:
        return one.value is other.value
    lower, upper = sorted((one, other), key=lambda estimate: estimate.value or 0.0)
    difference = (upper.value or 0.0) - (lower.value or 0.0)
    noise = _half(lower, upwards=True) ** 2 + _half(upper, upwards=False) ** 2
    wide = NormalDist().inv_cdf(0.5 + INTERVAL / 2)
    critical = NormalDist().inv_cdf(1 - level / 2)
    return difference <= 1e-12 + critical * noise**0.5 / wide


def _half(estimate: Estimate, *, upwards: bool) -> float:
    value = estimate.value or 0.0
    above, below = max(0.0, estimate.high - value), max(0.0, value - estimate.low)
    cut = estimate.high >= 1.0 if upwards else estimate.low <= 0.0
    if cut:
        return max(above, below)
    return above if upwards else below


def verdict(rows: list[Compared]) -> str:
    """Return the comparison in one sentence."""
    differ = [row for row in rows if not row.agrees]
    if not rows:
        return "There are no published numbers for what was run here, so nothing is compared."
    if not differ:
        return f"All {len(rows)} headline numbers agree with the published ones."
    named = "; ".join(f"{row.dataset}, {row.world}, {row.recipe}" for row in differ)
    return f"{len(differ)} of {len(rows)} headline numbers differ from the published ones: {named}."


def as_text(rows: list[Compared]) -> str:
    """Return the comparison as a table for a terminal."""
    head = ("dataset", "world", "recipe", "number", "yours", "published", "")
    lines = [head, *(cells_of(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def cells_of(row: Compared) -> tuple[str, ...]:
    """Return a comparison as the cells of a table's row."""
    said = "agrees" if row.agrees else "differs"
    return (
        row.dataset,
        row.world,
        row.recipe,
        row.what,
        str(row.yours),
        str(row.published),
        said,
    )
