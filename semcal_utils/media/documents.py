"""Real text at hand: what the installed scientific libraries say about themselves.

An item is the opening sentence of a docstring, its label the library it comes from. Libraries are
found by their import name and read as source; none of them is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from semcal_utils.media.parts import assign_parts
from semcal_utils.media.sentences import docstrings, opening_sentence

if TYPE_CHECKING:
    from datasets import Dataset

LIBRARIES: dict[str, str] = {
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "scikit-learn": "sklearn",
    "matplotlib": "matplotlib",
    "torch": "torch",
    "sympy": "sympy",
    "transformers": "transformers",
}
"""Label (the name on the package index) and import name of each library."""

# Tests speak about tests, and copies of other projects would carry the wrong label.
_SKIPPED_FOLDERS = frozenset({"tests", "test", "_vendor", "vendored", "externals", "__pycache__"})


def stream(items: int, seed: int, test_share: float, *, progress: bool = True) -> Dataset:
    """Gather opening sentences of docstrings, equally many from every library.

    Args:
        items: Number of sentences; what eight does not divide goes to the first libraries.
        seed: Decides which source files are read first, the order of the items and their parts.
        test_share: Share of the items, in [0, 1), that goes to ``general_test``.
        progress: Whether to show a bar.

    Returns:
        ``items`` rows: ``item_id``, ``part``, ``label`` (library), ``fine_label`` (its top
        submodule, such as ``scipy.signal``), ``reference_caption`` and ``text`` (both the
        sentence). No sentence occurs twice, letter case aside.

    Raises:
        ValueError: A library has fewer sentences than asked of it, or is not installed.
    """
    from datasets import Dataset

    rows: list[tuple[str, str, str]] = []
    seen: set[str] = set()
    bar = tqdm(LIBRARIES, desc="Reading docstrings", unit="library", disable=not progress)
    for position, library in enumerate(bar):
        wanted = items // len(LIBRARIES) + (position < items % len(LIBRARIES))
        rng = np.random.default_rng([seed, position])
        found = _distinct_sentences(library, wanted, seen, rng)
        if len(found) < wanted:
            raise ValueError(
                f"library_docs cannot provide {items} items: {library} has only {len(found)} "
                f"distinct opening sentences, {wanted} are needed; ask for at most "
                f"{len(found) * len(LIBRARIES)} items."
            )
        rows += [(library, submodule, sentence) for submodule, sentence in found]
    order = np.random.default_rng([seed, len(LIBRARIES)]).permutation(len(rows))
    labels, submodules, sentences = (list(c) for c in zip(*(rows[i] for i in order), strict=True))
    return Dataset.from_dict(
        {
            "item_id": [f"docs-{number:06d}" for number in range(len(rows))],
            "part": assign_parts(labels, test_share=test_share, seed=seed),
            "label": labels,
            "fine_label": submodules,
            "reference_caption": sentences,
            "text": sentences,
        }
    )


def _distinct_sentences(
    library: str, wanted: int, seen: set[str], rng: np.random.Generator
) -> list[tuple[str, str]]:
    root = _library_root(library)
    found: list[tuple[str, str]] = []
    paths = _source_files(root)
    for number in rng.permutation(len(paths)):
        if len(found) >= wanted:
            break
        path = paths[number]
        for sentence in _opening_sentences(path):
            if sentence.casefold() not in seen and len(found) < wanted:
                seen.add(sentence.casefold())
                found.append((_submodule(path, root), sentence))
    return found


def _library_root(library: str) -> Path:
    spec = find_spec(LIBRARIES[library])
    if spec is None or spec.origin is None:
        raise ValueError(
            f"library_docs reads the docstrings of {library}, which is not installed; "
            f"run: pip install {library}"
        )
    return Path(spec.origin).parent


def _source_files(root: Path) -> list[Path]:
    paths = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in _SKIPPED_FOLDERS]
        paths += [Path(folder, name) for name in names if name.endswith(".py")]
    # The order of a folder's entries differs between file systems, the sorted order does not.
    return sorted(paths, key=lambda path: path.relative_to(root).parts)


def _opening_sentences(path: Path) -> Iterator[str]:
    for docstring in docstrings(path.read_bytes()):
        sentence = opening_sentence(docstring)
        if sentence is not None:
            yield sentence


def _submodule(path: Path, root: Path) -> str:
    top = path.relative_to(root).parts[0].removesuffix(".py")
    return root.name if top == "__init__" else f"{root.name}.{top}"
