"""Run one notebook headless, keep its executed copy, and know whether it must run again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from semcal_utils import workspace
from semcal_utils.regenerate.plan import Step

CELL_TIMEOUT = 1800
"""Seconds after which a cell counts as stalled; the slowest trains a model for a few minutes."""


class NotebookFailed(RuntimeError):
    """A cell raised, stalled or lost its kernel; the message shows which and why."""


def run_step(step: Step, *, place: int = 0) -> None:
    """Execute one notebook by papermill, with a progress bar over its cells.

    Args:
        step: The notebook, its parameters and where the executed copy goes.
        place: Line of its progress bar, where several notebooks run at once.

    Raises:
        NotebookFailed: A cell failed or stalled. The executed copy is kept.
    """
    step.output.parent.mkdir(parents=True, exist_ok=True)
    mark(step).unlink(missing_ok=True)
    runtime = workspace.project_root() / "data" / "runs" / step.profile / ".runtime"
    keep_side_files_in(runtime)
    title = f"  {step.notebook} {step.dataset or ''}".rstrip()
    try:
        papermill.execute_notebook(
            str(step.source),
            str(step.output),
            parameters=step.parameters,
            cwd=str(step.source.parent),
            kernel_name="python3",
            execution_timeout=CELL_TIMEOUT,
            log_output=False,
            # Kernels of this run listen on loopback only; their start-up notice is noise.
            extra_arguments=["--log-level=50"],
            # On a terminal only: in a log file, bars are litter.
            progress_bar={"desc": title, "leave": False, "position": place, "disable": None},
        )
    except PapermillExecutionError as error:
        raise NotebookFailed(
            describe(step, error.exec_count, error.source, f"{error.ename}: {error.evalue}")
        ) from error
    except (CellTimeoutError, TimeoutError) as error:
        source = running_cell(step.output)
        reason = f"the cell did not finish within {CELL_TIMEOUT} s"
        raise NotebookFailed(describe(step, None, source, reason)) from error
    except DeadKernelError as error:
        source = running_cell(step.output)
        reason = "the kernel died (is there enough memory?)"
        raise NotebookFailed(describe(step, None, source, reason)) from error


def describe(step: Step, count: int | None, source: str, reason: str) -> str:
    """Return the notebook, the cell's source and the error, for a person at a terminal."""
    cell = f"cell [{count}]" if count is not None else "a cell"
    lines = "\n".join(f"    {line}" for line in source.strip().splitlines())
    of = f" ({step.dataset})" if step.dataset else ""
    return (
        f"{step.notebook}{of} stopped in {cell}:\n\n{lines}\n\n  {reason}\n\n"
        f"The executed copy, with the full traceback, is {step.output}."
    )


def running_cell(path: Path) -> str:
    """Return the source of the last cell that an executed copy shows as started."""
    started = [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time")
    ]
    return str(started[-1].source) if started else "(no cell had started)"


def keep_side_files_in(folder: Path) -> None:
    """Send what Jupyter, IPython and matplotlib write on the side into the run folder."""
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        place = folder / variable.lower()
        place.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault(variable, str(place))
    os.environ["SEMCAL_HEADLESS"] = "1"
    # papermill and the kernel warn about frozen modules and a missing debugger on every start.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")


# --- was it finished before? --------------------------------------------------------------------


def finished_before(step: Step) -> bool:
    """Tell whether the last finished run had the same source, parameters and inputs."""
    try:
        found = json.loads(mark(step).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return step.output.exists() and found.get("state") == state_of(step)


def record_finished(step: Step, seconds: float) -> None:
    """Note, beside the executed copy, what the finished run was made from and how long it took."""
    workspace.write_json(
        mark(step), {"state": state_of(step), "seconds": seconds, "dataset": step.dataset}
    )


def mark(step: Step) -> Path:
    """Return the note that a finished run leaves beside its executed copy."""
    return step.output.with_suffix(".finished.json")


def state_of(step: Step) -> str:
    """Return a digest of all that a notebook's outcome depends on."""
    notebook = nbformat.read(step.source, as_version=4)
    return workspace.digest(
        {
            "cells": [[cell.cell_type, cell.source] for cell in notebook.cells],
            "parameters": step.parameters,
            "versions": workspace.library_versions(),
            "package": package_digest(),
            "inputs": inputs_of(step),
        }
    )


def package_digest() -> str:
    """Return a digest of the package's own source, so that a mended module is seen."""
    folder = Path(__file__).parents[1]
    return workspace.digest(
        {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*.py"))}
    )


def inputs_of(step: Step) -> dict[str, Any]:
    """Return the notes of the earlier notebooks of the same dataset (or of every dataset)."""
    runs = workspace.project_root() / "data" / "runs" / step.profile
    datasets = [step.dataset] if step.dataset else step.parameters.get("DATASETS", [])
    notes = [
        note
        for dataset in datasets
        for note in sorted((runs / dataset / "notebooks").glob("*.finished.json"))
        if note.name < mark(step).name
    ]
    return {
        str(note.relative_to(runs)): json.loads(note.read_text(encoding="utf-8"))["state"]
        for note in notes
    }
