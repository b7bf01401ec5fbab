"""Tables for papers: the same rows as CSV, with full numbers, and as LaTeX, ready to print."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from semcal_utils.runs import write_atomically

UNDEFINED = "undefined"


def with_interval(value: float, low: float, high: float, *, digits: int = 1) -> str:
    """Write a share and its interval in percent, such as ``96.1% (93.7%–100.0%)``.

    Args:
        value: a share of 1; nan where undefined.
        low: lower end.
        high: upper end.
        digits: digits after the point.

    Returns:
        The text; "undefined" where there is no value.
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return f"{value:.{digits}%}"
    return f"{value:.{digits}%} ({low:.{digits}%}–{high:.{digits}%})"


def export_table(
    table: pd.DataFrame,
    name: str,
    folders: Sequence[Path],
    *,
    printed: pd.DataFrame | None = None,
    caption: str = "",
) -> list[Path]:
    """Write a table as `<name>.csv` and `<name>.tex` into folders, whole or not at all.

    Args:
        table: full numbers, for the CSV.
        name: file name without its ending.
        folders: where to write.
        printed: what the LaTeX shows; `table` itself if omitted.
        caption: of the LaTeX table.

    Returns:
        The files.
    """
    shown = table if printed is None else printed
    latex = shown.to_latex(
        index=False, escape=True, na_rep=UNDEFINED, caption=caption or None, float_format="%.4f"
    )
    lines = table.to_csv(index=False, lineterminator="\n")
    texts = {
        "csv": lines,
        "tex": latex.replace("‖", r"$\Vert$"),
    }
    files = []
    for folder in folders:
        for ending, text in texts.items():
            path = folder / f"{name}.{ending}"
            write_atomically(path, partial(_write, text=text))
            files.append(path)
    return files


def missing_section(saved: Mapping[str, Mapping[str, object]], section: str, notebook: str) -> str:
    """Name the datasets whose metrics lack a section, and what to run; empty if none does."""
    lacking = [name for name, sections in saved.items() if section not in sections]
    if not lacking:
        return ""
    return f"metrics.json of {', '.join(lacking)} has no section {section!r}: run {notebook} first."


def _write(place: Path, *, text: str) -> None:
    place.write_text(text, encoding="utf-8", newline="\n")
