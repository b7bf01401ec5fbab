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
from dataclasses import replace
from pathlib import Path

from semcal_utils import runs, worlds
from semcal_utils.acceptance.recipes import check_recipe
from semcal_utils.runs import reproduction
from semcal_utils.runs.chains import MemoryWatch, Outcome, run_all
from semcal_utils.runs.marks import mark, read_mark, reason_to_run, run_of
from semcal_utils.runs.notebook_files import UnreadableNotebook
from semcal_utils.runs.plan import PlanError, Step, make_plan, select_steps
from semcal_utils.runs.report_page import write_page
from semcal_utils.runs.runner import NotebookFailed
from semcal_utils.runs.terminal import run_command

EXPECTED = ("", "not finished before", "forced", "an earlier notebook ran again")
"""Reasons to run that need no mention."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the process exit status (0 well, 1 failed, 2 refused)."""
    options = parse_arguments(arguments)
    root = runs.project_root()
    try:
        plan = make_plan(options.profile, root)
        check_values(plan)
        steps = select_steps(plan, dataset=options.dataset, only=options.only, start=options.start)
    except PlanError as error:
        print(f"semcal_utils.regenerate: {error}", file=sys.stderr)
        return 2
    steps = gathering_what_is_there(steps)
    try:
        if options.list:
            print(table_of_steps(steps))
            return 0
        if options.check_published:
            rows = compared(steps, root, options.profile)
            print(said_of(rows))
            return 0 if rows and all(row.agrees for row in rows) else 1
        if options.check or options.repair:
            # Damage may lie before the notebooks that were asked for, so all are looked at.
            steps = select_steps(plan, dataset=options.dataset, only=None, start=None)
            damaged = look_for_damage(steps, discard=options.repair)
            if options.check:
                return 1 if damaged else 0
        return run_steps(steps, options, root, whole=len(steps) == len(plan))
    except (NotebookFailed, UnreadableNotebook) as failure:
        print(f"\n{failure}", file=sys.stderr)
    except (runs.StorageFailed, runs.DamagedArtefact) as failure:
        print(f"\nsemcal_utils.regenerate: {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is kept: the same command goes on from there.")
        return 130
    return 1


def gathering_what_is_there(steps: list[Step]) -> list[Step]:
    """Let the notebooks about all datasets gather those that are run now or were run before.

    Without this, a first run of one dataset would end at what the others have not made yet.
    """
    now = {step.dataset for step in steps}

    def is_there(step: Step, dataset: str) -> bool:
        folder = runs.project_root() / "data" / "runs" / step.profile / dataset
        return dataset in now or (folder / runs.METRICS).is_file()

    return [
        step
        if "DATASETS" not in step.parameters or now == {None}
        else replace(
            step,
            parameters={
                **step.parameters,
                "DATASETS": [name for name in step.parameters["DATASETS"] if is_there(step, name)],
            },
        )
        for step in steps
    ]


def check_values(steps: list[Step]) -> None:
    """Raise before anything runs where a world or a recipe of the profile cannot be."""
    for step in steps:
        asked = step.parameters
        try:
            worlds.check_targets(asked.get("WORLDS", worlds.WORLDS))
            for recipe in [asked.get("RECIPE", "paper"), *asked.get("RECIPES", ())]:
                check_recipe(recipe)
        except ValueError as error:
            raise PlanError(f"{step.notebook} of profile {step.profile!r}: {error}") from error


def run_steps(steps: list[Step], options: argparse.Namespace, root: Path, *, whole: bool) -> int:
    """Run the steps, print a line for each and what all of them cost, and return 0."""
    began = time.perf_counter()
    with forced_run(options.force), MemoryWatch() as memory:
        outcomes = run_all(
            steps,
            jobs=options.jobs,
            force=options.force,
            report=lambda outcome: print(line_of(outcome), flush=True),
        )
    seconds = time.perf_counter() - began
    if whole and not any(outcome.reused for outcome in outcomes):
        record_cost(outcomes, seconds, memory.most, options.profile)
    print(closing_lines(outcomes, seconds, memory.most, root, options.profile))
    rows = compared(steps, root, options.profile)
    if rows:
        print(f"\n{said_of(rows)}\n")
    print(f"Every figure with its sentence and its numbers: {page_of(steps, root, rows)}")
    return 0


def compared(steps: list[Step], root: Path, profile: str) -> list[reproduction.Compared]:
    """Return the run's headline numbers beside the published ones; none for other profiles."""
    if profile != runs.PUBLISHED_PROFILE:
        return []
    datasets = list(dict.fromkeys(step.dataset for step in steps if step.dataset))
    yours = reproduction.results_of(root / "figures", datasets)
    return reproduction.compare(yours, reproduction.published_results(root))


def said_of(rows: list[reproduction.Compared]) -> str:
    """Return the comparison for a terminal."""
    verdict = reproduction.verdict(rows)
    if not rows:
        return verdict
    title = "Your numbers beside the published ones (with 95 % intervals):"
    return f"{title}\n{reproduction.as_text(rows)}\n{verdict}"


def page_of(steps: list[Step], root: Path, rows: list[reproduction.Compared]) -> Path:
    """Write the run's page and return where it lies."""
    profile = steps[0].profile
    datasets = dict.fromkeys(["all", *(step.dataset for step in steps if step.dataset)])
    places = {name: runs.open_run(profile, name, root=root).figures for name in datasets}
    folder = root / "data" / "runs" / profile
    return write_page(folder, places, [step.output for step in steps], rows)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m semcal_utils.regenerate",
        description="Run the notebooks of a profile and write every table and figure.",
    )
    add = parser.add_argument
    add("--profile", default=runs.PUBLISHED_PROFILE, help="a file in notebooks/profiles/")
    add("--dataset", help="only this dataset of the profile")
    add("--only", metavar="03", help="only the notebook with this number")
    add("--from", dest="start", metavar="03", help="this notebook and those after it")
    add(
        "--jobs",
        type=at_least_one,
        default=min(2, os.cpu_count() or 1),
        help="datasets at once (default: %(default)s; each takes about 1.3 GB and one core)",
    )
    add("--force", action="store_true", help="make everything again")
    add("--list", action="store_true", help="show what would run and why, and run nothing")
    add("--check", action="store_true", help="look for damaged artefacts, and run nothing")
    add(
        "--check-published",
        action="store_true",
        help="compare the last run with the published numbers, run nothing; 1 where they differ",
    )
    add("--repair", action="store_true", help="discard damaged artefacts and make them again")
    return parser.parse_args(arguments)


def at_least_one(text: str) -> int:
    """Read a number of datasets, or say that it must be one at least."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


@contextmanager
def forced_run(force: bool) -> Iterator[None]:
    """Tell the kernels, for the length of the block, that older artefacts are not to be reused."""
    if not force:
        yield
        return
    os.environ[runs.FORCE_VARIABLE] = runs.new_force_token()
    try:
        yield
    finally:
        del os.environ[runs.FORCE_VARIABLE]


def line_of(outcome: Outcome) -> str:
    """Return the one line printed for a notebook."""
    how = "up to date" if outcome.reused else f"{outcome.seconds:7.1f} s"
    why = "" if outcome.reason in EXPECTED else f"  ({outcome.reason})"
    return f"  {outcome.step.notebook:<28} {outcome.step.dataset or '(all)':<16} {how:>10}{why}"


def table_of_steps(steps: list[Step]) -> str:
    """Return the plan as lines, with what would be reused."""
    lines = []
    for step in steps:
        reason = reason_to_run(step)
        state = f"to run  ({reason})" if reason else "up to date"
        lines.append(f"  {step.notebook:<28} {step.dataset or '(all)':<16} {state}")
    return "\n".join(lines)


def look_for_damage(steps: list[Step], *, discard: bool) -> int:
    """Print every damaged artefact of the steps' datasets and return how many there are.

    Args:
        steps: Steps whose datasets are looked at.
        discard: Whether to delete what is damaged, with the notes of the notebooks that made it.
    """
    count = 0
    for dataset in dict.fromkeys(step.dataset for step in steps):
        mine = [step for step in steps if step.dataset == dataset]
        run = run_of(mine[0])
        for name, sentence in damaged_artefacts_of(run).items():
            count += 1
            if not discard or run is None:
                print(sentence)
                continue
            runs.discard(run, name)
            for step in mine:
                made = read_mark(mark(step)).get("artefacts", [])
                if name in {artefact.partition("#")[0] for artefact in made}:
                    mark(step).unlink(missing_ok=True)
            print(f"{run.path(name)} was damaged and is discarded; it is made again now.")
    if not count:
        print("No artefact is damaged.")
    return count


def damaged_artefacts_of(run: runs.Run | None) -> dict[str, str]:
    """Return the damaged artefacts of a run that may not exist yet."""
    return runs.damaged_artefacts(run) if run else {}


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
    runs.write_json(runs.open_run(profile, "all").figures / "cost_of_the_run.json", cost)


def closing_lines(
    outcomes: list[Outcome], seconds: float, memory: int, root: Path, profile: str
) -> str:
    """Return what the run cost and where to look."""
    ran = [outcome for outcome in outcomes if not outcome.reused]
    folder = root / "data" / "runs" / profile
    figures = root / "figures" if profile == runs.PUBLISHED_PROFILE else folder / "*/figures"
    cost = f", peak memory {memory / 1e9:.1f} GB" if ran else ""
    return (
        f"{len(ran)} notebooks run, {len(outcomes) - len(ran)} up to date, "
        f"{seconds / 60:.1f} minutes{cost}.\n"
        f"  figures   {figures}\n"
        f"  notebooks {folder / '*/notebooks'}\n"
        f"  tables    {folder}"
    )


if __name__ == "__main__":
    sys.exit(run_command("semcal_utils.regenerate", main))
