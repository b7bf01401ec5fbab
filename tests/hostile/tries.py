"""Counting hostile inputs, and what may come of one: a result, or one clear sentence."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from semcal_utils.media.readers import UnusableItem

COUNTS: Counter[str] = Counter()
SLOWEST: dict[str, float] = {}
LONGEST_SENTENCE = 2000
"""Characters; a sentence may quote a name, but not a file."""


def survive(kind: str, work: Callable[[], object], errors: tuple[type[Exception], ...]) -> bool:
    """Try one hostile input: True for a result, False for a sentence; anything else raises.

    Args:
        kind: Under which name it is counted.
        work: Does something with the input.
        errors: What may be raised, each with one sentence.
    """
    COUNTS[kind] += 1
    began = time.perf_counter()
    raised: Exception | None = None
    try:
        work()
    except errors as error:
        raised = error
    SLOWEST[kind] = max(SLOWEST.get(kind, 0.0), time.perf_counter() - began)
    if raised is None:
        return True
    sentence = str(raised)
    assert sentence.strip(), f"{type(raised).__name__} without a word"
    assert len(sentence) < LONGEST_SENTENCE, sentence[:200]
    assert "Traceback" not in sentence
    return False


def write_one_notebook(root: Path) -> None:
    """Make a folder a project of one notebook, for profiles to be hostile to."""
    (root / "notebooks" / "profiles").mkdir(parents=True)
    cell = new_code_cell("ITEMS: int = 1", metadata={"tags": ["parameters"]})
    found = new_notebook(cells=[cell])
    found.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    found.metadata["language_info"] = {"name": "python"}
    nbformat.write(found, root / "notebooks" / "01_first.ipynb")


SENTENCES: tuple[type[Exception], ...] = (UnusableItem, ValueError, FileNotFoundError)
