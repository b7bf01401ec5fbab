"""Notebooks as plain JSON: read, write, name, and pair with their executed copies.

Plain JSON keeps a file byte for byte as it is where nothing is meant to change, so that a published
notebook differs from its source in outputs only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from book.problems import PublishingError
from semcal_utils import runs
from semcal_utils.runs.plan import FIRST, LAST, find_notebooks

Notebook = dict[str, Any]
Cell = dict[str, Any]
CANONICAL_DATASET = "city_pictures"
INJECTED = "injected-parameters"

__all__ = ["CANONICAL_DATASET", "find_notebooks"]


def read_notebook(path: Path) -> Notebook:
    """Return a notebook as JSON.

    Raises:
        PublishingError: The file is no notebook of format 4.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version, cells = found["nbformat"], found["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishingError(
            path.stem, None, f"{path.name} is no readable notebook ({error})", "restore the file"
        ) from error
    if version != 4 or not isinstance(cells, list):
        raise PublishingError(
            path.stem, None, f"it has notebook format {version}, not 4", "save it with JupyterLab 4"
        )
    for place, cell in enumerate(cells):
        cell.setdefault("id", f"place-{place:02d}")  # some tools leave it out
    return dict(found)


def write_notebook(path: Path, notebook: Notebook) -> None:
    """Write a notebook in the one format of this workbook, whole or not at all."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    runs.write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def source_of(cell: Cell) -> str:
    """Return a cell's source as one string (notebooks keep a string or a list of lines)."""
    return as_text(cell["source"])


def as_text(value: str | list[str]) -> str:
    """Return notebook text as one string."""
    return value if isinstance(value, str) else "".join(value)


def as_lines(text: str) -> list[str]:
    """Return text as notebooks keep it: lines with their ends."""
    return text.splitlines(keepends=True)


def tags_of(cell: Cell) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.get("metadata", {}).get("tags", []))


def code_cells(notebook: Notebook) -> Iterator[Cell]:
    """Yield the code cells in order."""
    return (cell for cell in notebook["cells"] if cell["cell_type"] == "code")


def sources_digest(notebook: Notebook) -> str:
    """Return a digest of every cell's kind and source; outputs and metadata do not count."""
    return runs.digest([[cell["cell_type"], source_of(cell)] for cell in notebook["cells"]])


def executed_path(root: Path, name: str, profile: str, dataset: str) -> Path:
    """Return where `regenerate` keeps the executed copy of a notebook.

    The first and the last notebook are about no single dataset and lie beside the datasets.
    """
    runs = root / "data" / "runs" / profile
    about_all = name[:2] in (FIRST, LAST)
    return (runs if about_all else runs / dataset) / "notebooks" / f"{name}.ipynb"


def load_pair(
    source_path: Path, root: Path, profile: str, dataset: str
) -> tuple[Notebook, Notebook]:
    """Return a notebook and its executed copy, whose sources agree cell by cell.

    Raises:
        PublishingError: There is no finished run, or the source was edited after it.
    """
    name = source_path.stem
    run = f"run `python -m semcal_utils.regenerate --profile {profile} --dataset {dataset}`"
    path = executed_path(root, name, profile, dataset)
    if not path.is_file():
        raise PublishingError(name, None, f"it has no executed copy in {path.parent}", run)
    source, executed = read_notebook(source_path), read_notebook(path)
    copies = {cell.get("id"): cell for cell in executed["cells"] if INJECTED not in tags_of(cell)}
    for cell in source["cells"]:
        copy = copies.pop(cell["id"], None)
        if copy is None or source_of(copy) != source_of(cell):
            raise PublishingError(name, cell["id"], "it was edited after the last run", run)
    if copies:
        gone = next(iter(copies))
        raise PublishingError(name, gone, "the last run still had this cell", run)
    # papermill notes a failure; without the note of a finished run the copy is half a run.
    if not path.with_suffix(".finished.json").is_file():
        failed = next((c["id"] for c in code_cells(executed) if has_error(c)), None)
        problem = "its last run stopped with an error" if failed else "its last run did not finish"
        raise PublishingError(name, failed, problem, f"mend the cell, then {run}")
    return source, executed


def has_error(cell: Cell) -> bool:
    """Tell whether a code cell ended with an error."""
    return any(output["output_type"] == "error" for output in cell.get("outputs", []))
