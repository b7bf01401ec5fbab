"""The generated pages of the book: notebooks, the gallery, and one page for each room."""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path

from book.run_times import DATASETS
from book.sources import Notebook, code_cells, source_of, tags_of

FOLDERS = ("all", *DATASETS)
FIGURE = re.compile(r'"(\d\d_[a-z_]+)"')


def page_of(notebook: Notebook, run_time: str) -> Notebook:
    """Return a notebook as the book shows it.

    Solutions are folded, pictures carry their alternative text, and the run time of the last whole
    run stands below the title.
    """
    page = copy.deepcopy(notebook)
    for cell in code_cells(page):
        found = pictures_of(cell)
        if found:
            cell["metadata"]["mystnb"] = {"image": {"alt": " ".join(found)}}
        if "solution" in tags_of(cell) or "hidden-check" in tags_of(cell):
            cell["metadata"]["tags"] = [*tags_of(cell), "hide-input"]
    if run_time:
        note = {"cell_type": "markdown", "id": "run-time", "metadata": {}, "source": [run_time]}
        page["cells"].insert(1, note)
    return page


def pictures_of(cell: dict) -> list[str]:
    """Return the alternative texts of a cell's pictures."""
    return [
        next(iter(about.values()))["alt"]
        for about in (output.get("metadata") for output in cell.get("outputs", []))
        if about and "alt" in next(iter(about.values()))
    ]


def gallery_page(notebooks: dict[str, Notebook], figures: Path, target: Path) -> str:
    """Copy every published figure and return the page that shows them, by dataset.

    A figure's caption is how its notebook reads it; figures of the other datasets say whose twin
    they are.
    """
    readings = readings_by_figure(notebooks)
    lines = ["# Figures", "", "Every figure of the last run; the numbers behind each lie beside it"]
    lines += ["in the folder `figures/`, as JSON.", ""]
    for dataset in FOLDERS:
        paths = sorted((figures / dataset).glob("*.png"))
        if not paths:
            continue
        lines += [f"## {'All datasets' if dataset == 'all' else f'`{dataset}`'}", ""]
        for path in paths:
            (target / dataset).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / dataset / path.name)
            lines += figure_lines(path, dataset, readings, notebooks)
    return "\n".join(lines) + "\n"


def figure_lines(
    path: Path, dataset: str, readings: dict[str, str], notebooks: dict[str, Notebook]
) -> list[str]:
    """Return the Markdown of one figure with its alternative text, caption and notebook."""
    title = path.stem[3:].replace("_", " ")
    reading = readings.get(path.stem, "") if dataset in ("all", "city_pictures") else ""
    about = reading or f"The figure “{title}” of {dataset}."
    home = next((name for name in notebooks if name[:2] == path.stem[:2]), None)
    link = f" ([notebook {path.stem[:2]}](notebooks/{home}.ipynb))" if home else ""
    return [
        f"```{{figure}} gallery/{dataset}/{path.name}",
        f":alt: {about}",
        "",
        f"**{title.capitalize()}**{link}" + (f" {escaped(reading)}" if reading else ""),
        "```",
        "",
    ]


def escaped(text: str) -> str:
    """Return plain text so that Markdown shows it as it is (captions are untrusted)."""
    return re.sub(r"([\\`*_{}\[\]<>$|#~])", r"\\\1", text)


def readings_by_figure(notebooks: dict[str, Notebook]) -> dict[str, str]:
    """Return how each figure is read to the reader, by the name it is saved under."""
    found = {}
    for notebook in notebooks.values():
        for cell in code_cells(notebook):
            texts = pictures_of(cell)
            for name in FIGURE.findall(source_of(cell)):
                if texts and "save_figure" in source_of(cell):
                    found[name] = texts[0]
    return found


def api_pages(package: Path) -> dict[str, str]:
    """Return one page for each room of the package, and their index, by file name."""
    rooms = sorted(
        path.stem
        for path in package.iterdir()
        if not path.name.startswith(("_", ".")) and (path.suffix == ".py" or holds_code(path))
    )
    name = package.name
    pages = {f"api/{room}.md": room_page(package, room) for room in rooms}
    listed = "\n".join(rooms)
    pages["api/index.md"] = (
        f"# The package `{name}`\n\nOne room for every step of the walk; its `__init__` is its "
        "door. Each page is made from the docstrings, which JupyterLab shows with Shift+Tab.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return pages


def holds_code(path: Path) -> bool:
    """Tell whether a folder is a package."""
    return (path / "__init__.py").is_file()


def room_page(package: Path, room: str) -> str:
    """Return the page of one room: its door, then its other modules."""
    name = f"{package.name}.{room}"
    folder = package / room
    inner = sorted(path.stem for path in folder.glob("[a-z]*.py")) if folder.is_dir() else []
    inner += sorted(path.name for path in folder.glob("[a-z]*/") if holds_code(path))
    lines = [f"# `{room}`", ""]
    for module in [name, *(f"{name}.{part}" for part in inner)]:
        if module != name:
            lines += [f"## `{module.removeprefix(package.name + '.')}`", ""]
        lines += ["```{eval-rst}", f".. automodule:: {module}", "   :members:", "```", ""]
    return "\n".join(lines)
