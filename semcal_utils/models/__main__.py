"""The command `python -m semcal_utils.models`: train, or cost, every model of a profile."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from semcal_utils.models.cost import cost_lines
from semcal_utils.models.grid import ModelSettings, draw_worlds, processes, train_model
from semcal_utils.models.model_cards import publish_language_model
from semcal_utils.runs import Run, open_run, project_root
from semcal_utils.runs.plan import PlanError, declared_parameters, make_plan
from semcal_utils.runs.terminal import run_command

NOTEBOOK = "02_fine_tuning"


def settings_of(profile: str, root: Path) -> dict[str, ModelSettings]:
    """Return the settings of every dataset of a profile, as notebook 02 would get them.

    Raises:
        PlanError: As `regenerate.plan.make_plan`.
    """
    found = {}
    for step in make_plan(profile, root):
        if step.notebook == NOTEBOOK and step.dataset:
            defaults = {
                parameter: ast.literal_eval(default)
                for parameter, (_, default) in declared_parameters(step.source).items()
            }
            found[step.dataset] = ModelSettings.from_parameters({**defaults, **step.parameters})
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the models of a profile; what is finished is reused, what was killed is resumed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--dataset", help="only this one")
    parser.add_argument("--publish", metavar="OWNER", help="upload each model to the hub")
    parser.add_argument("--cost", action="store_true", help="only compute how long it should take")
    options = parser.parse_args(arguments)
    try:
        chosen = settings_of(options.profile, project_root())
        if options.dataset is not None and options.dataset not in chosen:
            raise PlanError(f"{options.profile} has no dataset {options.dataset!r}.")
        if options.cost:
            print("\n".join(cost_lines(chosen)))
            return 0
        for dataset, settings in chosen.items():
            if options.dataset in (None, dataset):
                train_dataset(open_run(options.profile, dataset), settings, options.publish)
    except (PlanError, FileNotFoundError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def train_dataset(run: Run, settings: ModelSettings, owner: str | None = None) -> None:
    """Train the general and the real models of one dataset, and publish them where asked."""
    data = draw_worlds(run, settings)
    for split in ("general", *data.names):
        folder = train_model(run, data, settings, split)
        if processes().is_main_process:
            print(f"{run.dataset}: {split} is in {os.path.relpath(folder, project_root())}")
            if owner is not None:
                publish_language_model(
                    folder,
                    f"{owner}/{run.dataset}_{split}",
                    title=f"{run.dataset}, {split}",
                    description=f"Captions of {run.dataset}: "
                    + ("the stream." if split == "general" else f"the world {split}."),
                )
    processes().wait_for_everyone()


if __name__ == "__main__":
    sys.exit(run_command("semcal_utils.models", main))
