"""The page of a run: every figure with its sentence and its numbers, and the comparison above."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from semcal_utils.runs.files import write_atomically
from semcal_utils.runs.reproduction import Compared, cells_of, verdict

NAME = "index.html"
SAVED = re.compile(r'"(\d\d_[a-z_]+)"')
READING = "**Read the figure:**"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 3rem; border-bottom: 1px solid #ccc }
nav a { margin-right: 1rem } figure { margin: 2rem 0 } img { max-width: 100%; height: auto }
figcaption { margin-top: .5rem } .scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem }
td, th { padding: .25rem .7rem .25rem 0; text-align: left; white-space: nowrap;
         border-bottom: 1px solid #eee }
.differs { color: #a33; font-weight: 600 }
pre { background: #f6f6f6; padding: .7rem; overflow-x: auto; max-height: 22rem; font-size: .8rem }
"""


def write_page(
    folder: Path, figures: dict[str, Path], executed: Iterable[Path], rows: list[Compared]
) -> Path:
    """Write the page of a run and return where it lies.

    Args:
        folder: The run's folder, `data/runs/<profile>`.
        figures: By dataset, the folder its figures were written to.
        executed: The executed notebooks, which say how each figure is read.
        rows: The comparison with the published numbers; empty where there is none.
    """
    parts = [f"<h1>The run <em>{html.escape(folder.name)}</em></h1>"]
    shown = {name: sorted(_pictures(place)) for name, place in figures.items()}
    shown = {name: paths for name, paths in shown.items() if paths}
    links = "".join(f'<a href="#{quote(name)}">{html.escape(name)}</a>' for name in shown)
    parts.append(f"<nav>{links}</nav>")
    if rows:
        parts += _comparison(rows)
    readings = readings_of(executed)
    for name, paths in shown.items():
        parts.append(f'<h2 id="{html.escape(name, quote=True)}">{html.escape(name)}</h2>')
        parts += [_figure(path, folder, readings.get((name, path.stem), "")) for path in paths]
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(folder.name)}: figures and numbers</title>"
        f"<style>{STYLE}</style><body>" + "\n".join(parts) + "</body></html>\n"
    )
    target = folder / NAME
    write_atomically(target, lambda partial: partial.write_text(page, encoding="utf-8"))
    return target


def readings_of(executed: Iterable[Path]) -> dict[tuple[str, str], str]:
    """Return how each figure is read, by dataset and by the name it is saved under.

    Args:
        executed: Paths `<dataset>/notebooks/<notebook>.ipynb`, or `notebooks/…` for all datasets.
    """
    found: dict[tuple[str, str], str] = {}
    for path in executed:
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, KeyError):  # a notebook that did not run has no sentences
            continue
        number, dataset = path.stem[:2], path.parent.parent.name
        of = "all" if number in ("00", "07") else dataset
        for cell in cells:
            source = "".join(cell["source"])
            if cell["cell_type"] != "code" or "save_figure" not in source:
                continue
            sentence = next(filter(None, map(_reading, cell.get("outputs", []))), "")
            for name in SAVED.findall(source):
                found[of, name] = sentence
    return found


def _reading(output: dict[str, Any]) -> str:
    text = "".join(output.get("data", {}).get("text/markdown", ""))
    return text.partition(READING)[2].strip()


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.suffix in (".png", ".gif")]


def _comparison(rows: list[Compared]) -> list[str]:
    head = ("dataset", "world", "recipe", "number", "yours", "published", "")
    body = [
        "<tr>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells_of(row)[:-1])
        + f'<td class="{cells_of(row)[-1]}">{cells_of(row)[-1]}</td></tr>'
        for row in rows
    ]
    return [
        "<h2>Your numbers beside the published ones</h2>",
        f"<p>{html.escape(verdict(rows))} Brackets hold 95 % intervals; the test is on the "
        "difference of the two, at 5 % for the whole table.</p>",
        '<div class="scroll"><table><tr>',
        *(f"<th>{name}</th>" for name in head),
        "</tr>",
        *body,
        "</table></div>",
    ]


def _figure(path: Path, folder: Path, reading: str) -> str:
    title = path.stem[3:].replace("_", " ").capitalize()
    where = quote(Path(os.path.relpath(path, folder)).as_posix())
    said = _emphasised(reading[:1].upper() + reading[1:])
    numbers = path.with_suffix(".json")
    behind = ""
    if numbers.is_file():
        text = html.escape(numbers.read_text(encoding="utf-8"))
        behind = f"<details><summary>the numbers behind it</summary><pre>{text}</pre></details>"
    return (
        f'<figure><img loading="lazy" src="{where}" alt="{html.escape(title, quote=True)}">'
        f"<figcaption><strong>{html.escape(title)}</strong> (notebook {path.stem[:2]}). {said}"
        f"</figcaption>{behind}</figure>"
    )


def _emphasised(text: str) -> str:
    """Return a notebook's sentence as HTML: escaped, with its code words as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
