"""Run one notebook headless and keep its executed copy."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from semcal_utils import runs
from semcal_utils.runs.notebook_files import UnreadableNotebook, read_notebook
from semcal_utils.runs.plan import Step

SENTENCES = ("StorageFailed", "DamagedArtefact", "MissingArtefact")
"""Errors whose message says all there is to know."""
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
    title = f"  {step.notebook} {step.dataset or ''}".rstrip()
    runtime = runs.project_root() / "data" / "runs" / step.profile / ".runtime"
    try:
        with runs.storing(step.output, but=(PapermillExecutionError,)):
            step.output.parent.mkdir(parents=True, exist_ok=True)
            keep_side_files_in(runtime)
            made_by(step).unlink(missing_ok=True)
            os.environ[runs.MADE_VARIABLE] = str(made_by(step))
            _execute(step, title, place)
    except UnreadableNotebook as error:
        raise NotebookFailed(str(error)) from error
    except PapermillExecutionError as error:
        raise NotebookFailed(
            describe(step, error.exec_count, error.source, error.ename, error.evalue)
        ) from error
    except (CellTimeoutError, TimeoutError) as error:
        source = running_cell(step.output)
        reason = f"the cell did not finish within {CELL_TIMEOUT} s"
        raise NotebookFailed(describe(step, None, source, "", reason)) from error
    except DeadKernelError as error:
        source = running_cell(step.output)
        reason = "the kernel died (is there enough memory?)"
        raise NotebookFailed(describe(step, None, source, "", reason)) from error
    except RuntimeError as error:
        if "Kernel" not in str(error):
            raise
        raise NotebookFailed(
            f"{step.notebook}: Python's kernel does not start ({error}). `make install` puts it "
            "right; a program that guards the machine may also forbid it to listen on loopback."
        ) from error


def made_by(step: Step) -> Path:
    """Return the list of what a notebook made, which its kernel writes while it runs."""
    return step.output.with_name(f".{step.notebook}.made.txt")


def _execute(step: Step, title: str, place: int) -> None:
    papermill.execute_notebook(
        read_notebook(step.source),
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


def describe(step: Step, count: int | None, source: str, kind: str, reason: str) -> str:
    """Return what stopped a notebook, for a person at a terminal.

    An error of the workspace is a sentence that says what to do; any other comes with the source of
    the cell it stopped.
    """
    of = f" ({step.dataset})" if step.dataset else ""
    if kind in SENTENCES:
        return f"{step.notebook}{of} stopped: {reason}"
    cell = f"cell [{count}]" if count is not None else "a cell"
    lines = "\n".join(f"    {line}" for line in source.strip().splitlines())
    error = f"{kind}: {reason}" if kind else reason
    # A name that this package lacks is a mistake of the workbook, and no installation mends it.
    if kind in ("ModuleNotFoundError", "ImportError") and "semcal_utils" not in reason:
        error += "\n  `make install` installs all that the workbook needs."
    if kind == "MemoryError":
        error += "\n  Close other programs, lower ITEMS in the profile or run with --jobs 1."
    return (
        f"{step.notebook}{of} stopped in {cell}:\n\n{lines}\n\n  {error}\n\n"
        f"The executed copy, with the full traceback, is {step.output}."
    )


def running_cell(path: Path) -> str:
    """Return the source of the last cell that an executed copy shows as started."""
    try:
        cells = nbformat.read(path, as_version=4).cells
    except (OSError, ValueError):  # it was being written when the run stopped
        return "(the executed copy cannot be read)"
    started = [
        cell
        for cell in cells
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time")
    ]
    return str(started[-1].source) if started else "(no cell had started)"


def keep_side_files_in(folder: Path) -> None:
    """Send what Jupyter, IPython and matplotlib write on the side into the run folder."""
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        place = folder / variable.lower()
        place.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault(variable, str(place))
    put_own_kernel_first(folder / "jupyter")
    os.environ["SEMCAL_HEADLESS"] = "1"
    # papermill and the kernel warn about frozen modules and a missing debugger on every start.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def put_own_kernel_first(folder: Path) -> None:
    """Let `python3` mean the interpreter that runs this, whatever kernels are installed."""
    place = folder / "kernels" / "python3"
    place.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python"}
    runs.write_json(place / "kernel.json", spec)
    known = os.environ.get("JUPYTER_PATH", "")
    if str(folder) not in known.split(os.pathsep):
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(folder), known]))
