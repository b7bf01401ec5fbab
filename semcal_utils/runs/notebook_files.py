"""Notebook files as they come: saved by other tools, by other versions, or not notebooks at all."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.validator import MissingIDFieldWarning

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
        text = path.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingIDFieldWarning)
            warnings.simplefilter("ignore", FutureWarning)
            notebook = nbformat.reads(text, as_version=4)
        for place, cell in enumerate(notebook.cells):
            cell.setdefault("id", f"place-{place:02d}")
            cell.setdefault("metadata", NotebookNode())
            str(cell.cell_type), str(cell.source)
        notebook.metadata.setdefault("kernelspec", NotebookNode(PYTHON))
    except OSError as error:
        if storage_error(error):
            raise
        raise UnreadableNotebook(f"{path} cannot be read: {error.strerror or error}.") from error
    # Whatever a parser finds wrong with a file, the file is what has to be mended.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UnreadableNotebook(f"{path} is no notebook ({reason}); {remedy}.") from error
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    language = notebook.metadata.kernelspec.get("language", "python")
    if language.lower() != "python":
        raise UnreadableNotebook(f"{path} is a notebook in {language}, not in Python; {remedy}.")
    return notebook
