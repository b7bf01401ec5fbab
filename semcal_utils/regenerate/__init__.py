"""Regenerate the workbook: `python -m semcal_utils.regenerate` runs the notebooks by papermill.

A profile (`notebooks/profiles/<name>.yaml`) names the datasets and the parameters. Every dataset
goes through the numbered notebooks in order, then the last one gathers. A notebook whose source,
parameters, inputs and package versions are those of its last finished run is not run again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semcal_utils import workspace
from semcal_utils.regenerate.chains import MemoryWatch, Outcome, run_all
from semcal_utils.regenerate.plan import PlanError, Step, make_plan, select_steps
from semcal_utils.regenerate.runner import NotebookFailed, finished_before


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the process exit status (0 well, 1 failed, 2 refused)."""
    options = parse_arguments(arguments)
    root = workspace.project_root()
    try:
        plan = make_plan(options.profile, root)
        steps = select_steps(plan, dataset=options.dataset, only=options.only, start=options.start)
    except PlanError as error:
        print(f"semcal_utils.regenerate: {error}", file=sys.stderr)
        return 2
    if options.list:
        print(table_of_steps(steps))
        return 0
    began = time.perf_counter()
    try:
        with forced_run(options.force), MemoryWatch() as memory:
            outcomes = run_all(
                steps,
                jobs=options.jobs,
                force=options.force,
                report=lambda outcome: print(line_of(outcome), flush=True),
            )
    except NotebookFailed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is kept: the same command goes on from there.")
        return 130
    seconds = time.perf_counter() - began
    if len(steps) == len(plan) and not any(outcome.reused for outcome in outcomes):
        record_cost(outcomes, seconds, memory.most, options.profile)
    print(closing_lines(outcomes, seconds, memory.most, root, options.profile))
    return 0


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m semcal_utils.regenerate",
        description="Run the notebooks of a profile and write every table and figure.",
    )
    add = parser.add_argument
    add("--profile", default=workspace.PUBLISHED_PROFILE, help="a file in notebooks/profiles/")
    add("--dataset", help="only this dataset of the profile")
    add("--only", metavar="03", help="only the notebook with this number")
    add("--from", dest="start", metavar="03", help="this notebook and those after it")
    add(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="datasets at once (default: %(default)s; each takes about 1.3 GB and one core)",
    )
    add("--force", action="store_true", help="make everything again")
    add("--list", action="store_true", help="show what would run, and run nothing")
    return parser.parse_args(arguments)


@contextmanager
def forced_run(force: bool) -> Iterator[None]:
    """Tell the kernels, for the length of the block, that older artefacts are not to be reused."""
    if not force:
        yield
        return
    os.environ[workspace.FORCE_VARIABLE] = workspace.start_of_forced_run()
    try:
        yield
    finally:
        del os.environ[workspace.FORCE_VARIABLE]


def line_of(outcome: Outcome) -> str:
    """Return the one line printed for a notebook."""
    how = "up to date" if outcome.reused else f"{outcome.seconds:7.1f} s"
    return f"  {outcome.step.notebook:<28} {outcome.step.dataset or '(all)':<16} {how:>10}"


def table_of_steps(steps: list[Step]) -> str:
    """Return the plan as lines, with what would be reused."""
    lines = []
    for step in steps:
        state = "up to date" if finished_before(step) else "to run"
        lines.append(f"  {step.notebook:<28} {step.dataset or '(all)':<16} {state:>10}")
    return "\n".join(lines)


def record_cost(outcomes: list[Outcome], seconds: float, memory: int, profile: str) -> None:
    """Keep what a whole run cost beside its figures; these numbers differ from run to run."""
    notebooks: dict[str, dict[str, float]] = {}
    for outcome in outcomes:
        name = outcome.step.dataset or "all"
        notebooks.setdefault(outcome.step.notebook, {})[name] = round(outcome.seconds, 1)
    cost = {
        "minutes": round(seconds / 60, 2),
        "peak_memory_gb": round(memory / 1e9, 2),
        "cores": os.cpu_count(),
        "seconds_by_notebook": notebooks,
    }
    workspace.write_json(workspace.open_run(profile, "all").figures / "cost_of_the_run.json", cost)


def closing_lines(
    outcomes: list[Outcome], seconds: float, memory: int, root: Path, profile: str
) -> str:
    """Return what the run cost and where to look."""
    ran = [outcome for outcome in outcomes if not outcome.reused]
    folder = root / "data" / "runs" / profile
    figures = root / "figures" if profile == workspace.PUBLISHED_PROFILE else folder / "*/figures"
    cost = f", peak memory {memory / 1e9:.1f} GB" if ran else ""
    return (
        f"{len(ran)} notebooks run, {len(outcomes) - len(ran)} up to date, "
        f"{seconds / 60:.1f} minutes{cost}.\n"
        f"  figures   {figures}\n"
        f"  notebooks {folder / '*/notebooks'}\n"
        f"  tables    {folder}"
    )
