"""Was a notebook finished before, and is what it made still there and still true?

A finished run leaves a note beside its executed copy: what it was made from, part by part, so that
a reader can be told why a notebook runs again, and which artefacts it made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from semcal_utils import runs
from semcal_utils.runs.notebook_files import read_notebook
from semcal_utils.runs.plan import Step
from semcal_utils.runs.runner import made_by
from semcal_utils.runs.sources import package_digest

CHANGES = {
    "notebook": "the notebook changed",
    "parameters": "its parameters changed",
    "package": "the package changed",
    "inputs": "an earlier notebook ran again",
    "outside": "a source or model of yours changed",
}
OUTSIDE = ("SOURCE", "CAPTIONER", "BASE")
"""Parameters that may name files outside of the workbook."""


def mark(step: Step) -> Path:
    """Return the note that a finished run leaves beside its executed copy."""
    return step.output.with_suffix(".finished.json")


def run_of(step: Step) -> runs.Run | None:
    """Return the run a step works in; None before it exists, and for a step about all datasets."""
    folder = step.output.parent.parent
    if step.dataset is None or not folder.is_dir():
        return None
    return runs.Run(step.profile, step.dataset, folder, folder / "figures")


def reason_to_run(step: Step) -> str:
    """Say why a notebook must run, or return an empty text when its last run is still true.

    Raises:
        DamagedArtefact: What it made is not what was written.
    """
    found = read_mark(mark(step))
    if not found or not step.output.exists():
        return "not finished before"
    before, now = found["made_from"], made_from(step)
    if before != now:
        if changes := runs.changed_versions(before["versions"], now["versions"]):
            return changes
        return next(why for part, why in CHANGES.items() if before.get(part) != now[part])
    if (run := run_of(step)) is None:
        return ""
    for name in found["artefacts"]:
        file, _, section = name.partition("#")
        if not run.path(file).exists():
            return f"{file} is gone"
        if not section:
            run.check(name)
        elif name not in run.metrics_sections():
            return f"the section {section!r} of {file} is gone"
    return ""


def read_mark(path: Path) -> dict[str, Any]:
    """Return what a note says; nothing where there is none, or only half of one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {key: found[key] for key in ("state", "made_from", "artefacts")}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def record_finished(step: Step, state: dict[str, Any], seconds: float) -> None:
    """Note what a finished run was made from, which artefacts it made and how long it took.

    Args:
        step: The notebook that was run.
        state: `made_from` as it was before the run: a file that was changed meanwhile is no part of
            the outcome.
        seconds: Duration.
    """
    listed = made_by(step)
    made = sorted({*listed.read_text("utf-8").splitlines()}) if listed.exists() else []
    note = {"made_from": state, "state": runs.digest(state), "artefacts": made}
    runs.write_json(mark(step), {**note, "seconds": seconds, "dataset": step.dataset})
    listed.unlink(missing_ok=True)


def made_from(step: Step) -> dict[str, Any]:
    """Return all that a notebook's outcome depends on, as digests."""
    notebook = read_notebook(step.source)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return {
        "notebook": runs.digest([[cell.cell_type, cell.source] for cell in notebook.cells]),
        "parameters": runs.digest(step.parameters),
        "versions": runs.library_versions(),
        "package": package_digest(code),
        "inputs": runs.digest(inputs_of(step)),
        "outside": outside_of(step),
    }


def outside_of(step: Step) -> dict[str, str]:
    """Return the state of the sources and models that the parameters name, where they are files."""
    named = {name: step.parameters.get(name) for name in OUTSIDE}
    if not any(named.values()):
        return {}
    # Imported here alone: `runs` stands below all rooms, and embedded data need no look.
    from semcal_utils.media import source_state

    root = runs.project_root()
    found = {name: source_state(str(value), root) for name, value in named.items() if value}
    return {name: state for name, state in found.items() if state}


def inputs_of(step: Step) -> dict[str, str]:
    """Return the notes of the earlier notebooks of the same dataset (or of every dataset)."""
    folder = runs.project_root() / "data" / "runs" / step.profile
    datasets = [step.dataset] if step.dataset else step.parameters.get("DATASETS", [])
    notes = [
        note
        for dataset in datasets
        for note in sorted((folder / dataset / "notebooks").glob("*.finished.json"))
        if note.name < mark(step).name
    ]
    return {str(note.relative_to(folder)): read_mark(note).get("state", "") for note in notes}
