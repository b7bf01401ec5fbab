"""Notebook files as they come: saved by other tools, by other versions, or not notebooks at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from semcal_utils.runs.errors import storage_error

PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}


class UnreadableNotebook(ValueError):
    """A file is no notebook that can be run; the message says which, why and what to do."""


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook, with what other tools leave out filled in the same way every time.

    Cells without an id get their place as one, and a notebook that names no kernel is for Python.

    Raises:
        UnreadableNotebook: It is no notebook, is damaged, or may not be read.
    """
    remedy = "open and save it in JupyterLab, or take it from the repository again"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["nbformat"] != 4 or not found["cells"]:
            raise ValueError(f"format {found['nbformat']}, {len(found.get('cells', []))} cells")
        notebook = nbformat.v4.reads(json.dumps(completed(found)))
        nbformat.validate(notebook)
    except OSError as error:
        if storage_error(error):
            raise
        raise UnreadableNotebook(f"{path} cannot be read: {error.strerror or error}.") from error
    # Whatever a parser finds wrong with a file, the file is what has to be mended.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UnreadableNotebook(f"{path} is no notebook ({reason}); {remedy}.") from error
    language = notebook.metadata.kernelspec.get("language", "python")
    if language.lower() != "python":
        raise UnreadableNotebook(f"{path} is a notebook in {language}, not in Python; {remedy}.")
    return notebook


def completed(found: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook of format 4 with what its last tool left out.

    This comes before anything validates it: `nbformat` would give cells another id every time.
    """
    found["nbformat_minor"] = max(found.get("nbformat_minor", 0), 5)
    for place, cell in enumerate(found["cells"]):
        cell.setdefault("id", f"place-{place:02d}")
        cell.setdefault("metadata", {})
        if cell["cell_type"] == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
    about = found.setdefault("metadata", {})
    spoken = (about.get("language_info") or {}).get("name", PYTHON["language"])
    about["kernelspec"] = {**PYTHON, "language": spoken, **(about.get("kernelspec") or {})}
    return found
