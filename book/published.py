"""Put the canonical run's outputs into the committed notebooks, and tell which are stale."""

from __future__ import annotations

import ast
import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path

from book.outputs import publishable
from book.pictures import spoken
from book.problems import PublishingError
from book.sources import (
    CANONICAL_DATASET,
    INJECTED,
    Notebook,
    as_lines,
    code_cells,
    find_notebooks,
    load_pair,
    read_notebook,
    source_of,
    sources_digest,
    tags_of,
    write_notebook,
)
from semcal_utils import runs

LARGEST = 1_500_000
"""Bytes of the largest notebook that repository pages still show with ease."""
MARK = "semcal_published"
REMEDY = "run `make publish`"


@dataclass(frozen=True)
class Published:
    """One published notebook: its name, its size in bytes, and whether the file changed."""

    name: str
    size: int
    changed: bool


def prepare(
    root: Path,
    *,
    profile: str = runs.PUBLISHED_PROFILE,
    dataset: str = CANONICAL_DATASET,
) -> list[tuple[Path, Notebook]]:
    """Return every notebook with the outputs of a finished run; nothing is written yet.

    Args:
        root: The project's folder.
        profile: The run to publish.
        dataset: The dataset that notebooks about one dataset show.

    Raises:
        PublishingError: A run is missing, older than its source, failed, names local paths, or a
            notebook is too large.
    """
    ready = []
    for name, path in find_notebooks(root).items():
        source, executed = load_pair(path, root, profile, dataset)
        made = with_outputs(source, executed, name, f"{profile}/{dataset}")
        check_size(made, name)
        ready.append((path, made))
    return ready


def publish(root: Path, **run: str) -> list[Published]:
    """Write the outputs of a finished run into `notebooks/`; all of them or none (`prepare`)."""
    return write_notebooks(prepare(root, **run))


def write_notebooks(ready: list[tuple[Path, Notebook]]) -> list[Published]:
    """Write prepared notebooks, and return what was written."""
    done = []
    for path, made in ready:
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        changed = path.read_text(encoding="utf-8") != text
        if changed:
            write_notebook(path, made)
        done.append(Published(path.stem, len(text.encode()), changed))
    return done


def with_outputs(source: Notebook, executed: Notebook, name: str, run: str) -> Notebook:
    """Return the source notebook with the executed copy's outputs, made fit to publish."""
    made = without_outputs(source)
    copies = {cell.get("id"): cell for cell in executed["cells"]}
    heading, order = name, 0
    for cell in made["cells"]:
        if cell["cell_type"] == "markdown":
            titles = re.findall(r"^#+ (.*)$", source_of(cell), flags=re.M)
            heading = spoken(titles[-1]) if titles else heading
            continue
        order += 1
        cell["execution_count"] = order
        cell["outputs"] = publishable(
            copies[cell["id"]], name, order=order, fallback_alt=f"A figure to: {heading}"
        )
        if "parameters" in tags_of(cell):
            cell["outputs"] += note_of_parameters(cell, executed, run)
    outputs = [cell.get("outputs") for cell in made["cells"]]
    made["metadata"][MARK] = {
        "run": run,
        "sources": sources_digest(made),
        "outputs": runs.digest(outputs),
    }
    return made


def without_outputs(notebook: Notebook) -> Notebook:
    """Return a copy with no output, no execution count and no mark of publication."""
    bare = copy.deepcopy(notebook)
    bare["metadata"].pop(MARK, None)
    bare["metadata"].pop("widgets", None)
    for cell in code_cells(bare):
        cell["execution_count"], cell["outputs"] = None, []
    return bare


def note_of_parameters(cell: dict, executed: Notebook, run: str) -> list[dict]:
    """Return an output that names the parameters which the run set otherwise than the cell."""
    declared = assignments_of(source_of(cell))
    injected = [c for c in executed["cells"] if INJECTED in tags_of(c)]
    values = assignments_of("\n".join(source_of(c) for c in injected))
    other = {name: value for name, value in values.items() if declared.get(name) != value}
    if not other:
        return []
    listed = ", ".join(f"{name} = {value!r}" for name, value in other.items())
    text = f"The outputs below are of the run {run}, which sets {listed}.\n"
    return [{"name": "stdout", "output_type": "stream", "text": as_lines(text)}]


def assignments_of(source: str) -> dict[str, object]:
    """Return the literals that a parameters cell assigns, by name."""
    found: dict[str, object] = {}
    for line in ast.parse(source).body:
        if isinstance(line, ast.AnnAssign | ast.Assign) and line.value is not None:
            target = line.target if isinstance(line, ast.AnnAssign) else line.targets[0]
            if isinstance(target, ast.Name):
                found[target.id] = ast.literal_eval(line.value)
    return found


def check_size(notebook: Notebook, name: str) -> None:
    """Raise when a notebook is too large for a repository page, naming its heaviest cell."""
    size = len((json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())
    if size <= LARGEST:
        return
    weights = {cell["id"]: len(json.dumps(cell["outputs"])) for cell in code_cells(notebook)}
    heaviest = max(weights, key=lambda cell_id: weights[cell_id])
    raise PublishingError(
        name,
        heaviest,
        f"the notebook would have {size / 1e6:.2f} MB of at most {LARGEST / 1e6:.1f}, "
        f"{weights[heaviest] / 1e6:.2f} MB of it here",
        "show fewer or smaller pictures in this cell",
    )


def state_of(path: Path) -> str:
    """Return whether a committed notebook is `published`, `bare`, or what makes it stale.

    Returns:
        `published` when its outputs are those of `make publish` and its sources are those that ran;
        `bare` when it holds no output; otherwise one sentence with the remedy.
    """
    notebook = read_notebook(path)
    mark = notebook["metadata"].get(MARK)
    outputs = [cell.get("outputs") for cell in notebook["cells"]]
    if mark is None:
        shown = next((c["id"] for c in code_cells(notebook) if c["outputs"]), None)
        if shown is None:
            return "bare"
        problem = "its outputs are not those of `make publish`"
        return str(PublishingError(path.stem, shown, problem, REMEDY))
    if mark["sources"] != sources_digest(notebook):
        problem = "its source was edited after it was published"
        return str(PublishingError(path.stem, None, problem, REMEDY))
    if mark["outputs"] != runs.digest(outputs):
        problem = "its outputs were changed after it was published"
        return str(PublishingError(path.stem, None, problem, REMEDY))
    return "published"
