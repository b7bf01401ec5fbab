"""The HTML book: the notebooks with their outputs, a gallery, the package's pages, and more.

Sphinx reads what this module lays out in `build/book_source/` and writes `build/book/`. Nothing is
executed and nothing is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from book.book_front import front_page
from book.book_pages import FOLDERS, api_pages, gallery_page, page_of
from book.problems import PublishingError
from book.published import state_of, with_outputs
from book.run_times import RUN_TIMES, seconds_by_notebook, sentence
from book.sources import (
    CANONICAL_DATASET,
    Notebook,
    find_notebooks,
    load_pair,
    read_notebook,
    write_notebook,
)
from semcal_utils import runs
from semcal_utils.runs.places import PUBLISHED

PACKAGE = Path(__file__).parents[1] / "semcal_utils"
# An untidy docstring still reads well; a page or a notebook must be clean.
COMPLAINT = re.compile(r"^(?!.*docstring of )(?!.*duplicate object description).*(WARNING|ERROR): ")


def build_book(root: Path, target: Path | None = None, *, package: Path = PACKAGE) -> Path:
    """Build the book and return the folder of its pages.

    Args:
        root: The project's folder: `notebooks/`, `figures/` and `book/` are read from it.
        target: Where the pages go; `build/book` in the project unless named.
        package: The package whose rooms get pages.

    Raises:
        PublishingError: A notebook has neither published outputs nor a finished run, or Sphinx
            found something wrong; its words follow.
    """
    target = target or root / "build" / "book"
    source, doctrees = (
        target.with_name(f"{target.name}_{part}") for part in ("source", "doctrees")
    )
    lay_out(root, source, package)
    for folder in (target, doctrees):
        shutil.rmtree(folder, ignore_errors=True)
    environment = {**os.environ, "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-d", str(doctrees)]
    ran = subprocess.run(
        [*command, str(source), str(target)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    complaints = [line for line in ran.stderr.splitlines() if COMPLAINT.search(line)]
    if ran.returncode != 0 or complaints:
        missing = "No module named sphinx" in ran.stderr
        remedy = "install the extra `book`" if missing else "mend what it names and build again"
        words = "\n".join(complaints) if complaints else ran.stderr[-4000:]
        raise PublishingError("book", None, f"Sphinx complains:\n{words}\n", remedy)
    return target


def lay_out(root: Path, source: Path, package: Path) -> None:
    """Write everything that Sphinx reads into a fresh folder."""
    published = root / PUBLISHED
    notebooks = {name: shown_notebook(path, root) for name, path in find_notebooks(root).items()}
    times = seconds_by_notebook(published) if (published / RUN_TIMES).is_file() else {}
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source, ignore=shutil.ignore_patterns("__pycache__"))
    for name, notebook in notebooks.items():
        line = sentence(times[name]) if name in times else ""
        write_notebook(source / "notebooks" / f"{name}.ipynb", page_of(notebook, line))
    # What the last run drew; before a run, the images that were published.
    drawn = any((root / "figures" / name).is_dir() for name in FOLDERS)
    figures = root / "figures" if drawn else published
    gallery = gallery_page(notebooks, figures, source / "gallery")
    index = (root / "book" / "index.md").read_text(encoding="utf-8")
    front = front_page(index, root, notebooks, source / "front")
    pages = {"index.md": front, "gallery.md": gallery, **api_pages(package)}
    for page, text in pages.items():
        (source / page).parent.mkdir(exist_ok=True)
        (source / page).write_text(text, encoding="utf-8")


def shown_notebook(path: Path, root: Path) -> Notebook:
    """Return a notebook with outputs: as it was published, else from the last run."""
    if state_of(path) == "published":
        return read_notebook(path)
    profile = runs.PUBLISHED_PROFILE
    source, executed = load_pair(path, root, profile, CANONICAL_DATASET)
    return with_outputs(source, executed, path.stem, f"{profile}/{CANONICAL_DATASET}")
