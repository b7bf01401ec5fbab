"""The book's first page: what the filter does, in one picture, and a card for each notebook."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from book.sources import Notebook, source_of

HERO, WALK = "<!-- hero -->", "<!-- walk -->"
PICTURE = re.compile(r"!\[([^\]]*)\]\((figures/[^)]+)\)")
QUESTION = re.compile(r"\*\*Question:\*\* (.+)")


def front_page(page: str, root: Path, notebooks: Mapping[str, Notebook], pictures: Path) -> str:
    """Return the first page with its picture and its cards in place of the two comments.

    README chooses the pictures: its first one, and the figure of each notebook's row.

    Args:
        page: Markdown that holds the comments `HERO` and `WALK`, or lacks them.
        root: The project's folder, with `README.md` and `figures/`.
        notebooks: By name, in the order of the walk.
        pictures: Folder beside the page that the pictures are copied to.
    """
    readme = root / "README.md"
    told = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    hero = PICTURE.search(told)
    shown = picture_lines(root / hero[2], hero[1], pictures) if hero else []
    cards = [card(name, notebook, root, told, pictures) for name, notebook in notebooks.items()]
    walk = "\n".join(["`````{container} walk", *cards, "`````"])
    return page.replace(HERO, "\n".join(shown)).replace(WALK, walk)


def card(name: str, notebook: Notebook, root: Path, readme: str, pictures: Path) -> str:
    """Return the Markdown of one notebook's card: its figure, its title and its question."""
    opening = source_of(notebook["cells"][0])
    title = re.sub(r"^# ", "", opening.splitlines()[0])
    question = QUESTION.search(opening)
    row = re.search(rf"^\| \[`{name}`\].*\]\((figures/[^)]+)\)", readme, re.M)
    figure = picture_lines(root / row[1], "", pictures, f"notebooks/{name}.html") if row else []
    words = [f"**[{title}](notebooks/{name}.ipynb)**", ""]
    words += [question[1][:1].upper() + question[1][1:]] if question else []
    return "\n".join(["````{container} stop", *figure, *words, "````"])


def picture_lines(path: Path, alt: str, pictures: Path, target: str = "") -> list[str]:
    """Copy a picture and return the Markdown that shows it; nothing where it was not made yet."""
    if not path.is_file():
        return []
    pictures.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, pictures / path.name)
    alt = alt or f"The figure “{path.stem[3:].replace('_', ' ')}”."
    return [
        f"```{{image}} {pictures.name}/{path.name}",
        f":alt: {alt}",
        *([f":target: {target}"] if target else []),
        "```",
        "",
    ]
