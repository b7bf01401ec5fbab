"""What a profile asks for: which notebooks run, on which dataset, with which parameters.

A profile is YAML:

    description: what it is for
    shared: {SEED: 0}                     # for every notebook that declares them
    notebooks:
      02_fine_tuning: {EPOCHS: 4}         # for one notebook
    datasets:
      city_pictures: {ITEMS: 8000}        # for one dataset, in every notebook that declares them
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import papermill
import yaml

from semcal_utils.runs import is_folder_name
from semcal_utils.runs.notebook_files import UnreadableNotebook, read_notebook

KNOWN_KEYS = {"description", "shared", "notebooks", "datasets"}
FIRST, LAST = "00", "07"
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}
FORMER_NAMES = {"SEVERITIES": "WORLDS"}
"""What a parameter is called now, for profiles of earlier editions."""


class PlanError(ValueError):
    """A profile or an option asks for something that does not exist."""


@dataclass(frozen=True)
class Step:
    """One notebook on one dataset (None: the notebook is not about a single dataset)."""

    notebook: str
    dataset: str | None
    profile: str
    source: Path
    output: Path
    parameters: dict[str, Any] = field(hash=False)


def make_plan(profile: str, root: Path) -> list[Step]:
    """Return the steps of a profile in running order, every parameter checked.

    Raises:
        PlanError: No such profile, an unknown key, a parameter that no notebook declares, or one
            whose value is of another type than the notebook's default.
    """
    settings = read_profile(profile, root)
    sources = find_notebooks(root)
    declared = {name: declared_parameters(path) for name, path in sources.items()}
    check_names(settings, declared, profile)
    runs = root / "data" / "runs" / profile
    datasets: dict[str, dict[str, Any]] = settings["datasets"]
    steps = []
    for dataset in (None, *datasets, "last"):
        for name, source in sources.items():
            number = name[:2]
            about_all = number in (FIRST, LAST)
            wanted = {None: number == FIRST, "last": number == LAST}.get(dataset, not about_all)
            if not wanted:
                continue
            known = None if about_all else dataset
            values = {
                "PROFILE": profile,
                "DATASET": known,
                "DATASETS": list(datasets),
                **settings["shared"],
                **(datasets[known] if known else {}),
                **settings["notebooks"].get(name, {}),
            }
            parameters = {key: values[key] for key in declared[name] if key in values}
            check_types(parameters, declared[name], name)
            output = runs / (known or "") / "notebooks" / source.name
            steps.append(Step(name, known, profile, source, output, parameters))
    return steps


def select_steps(
    steps: list[Step], *, dataset: str | None, only: str | None, start: str | None
) -> list[Step]:
    """Return the steps that the command line's options leave, or raise naming the choices."""
    datasets = list(dict.fromkeys(step.dataset for step in steps if step.dataset))
    if dataset is not None and dataset not in datasets:
        raise PlanError(
            f"The profile has no dataset {dataset!r}; its datasets are {', '.join(datasets)}."
        )
    numbers = sorted({step.notebook[:2] for step in steps})
    for number in (only, start):
        if number is not None and number[:2].zfill(2) not in numbers:
            raise PlanError(f"There is no notebook {number!r}; choose from {', '.join(numbers)}.")
    chosen = [step for step in steps if dataset is None or step.dataset in (dataset, None)]
    if only is not None:
        chosen = [step for step in chosen if step.notebook[:2] == only[:2].zfill(2)]
    if start is not None:
        chosen = [step for step in chosen if step.notebook[:2] >= start[:2].zfill(2)]
    return chosen


def read_profile(profile: str, root: Path) -> dict[str, Any]:
    """Read `notebooks/profiles/<profile>.yaml`, with empty sections filled in."""
    folder = root / "notebooks" / "profiles"
    path = folder / f"{profile}.yaml"
    if not is_folder_name(profile) or not path.is_file():
        choices = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise PlanError(f"There is no profile {profile!r}; choose from {choices}.")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise PlanError(f"{path} cannot be read: {error.strerror or error}.") from error
    # Dates that do not exist and keys that cannot be keys fail outside of YAML's own errors.
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise PlanError(f"{path.name} is not readable as YAML: {error}") from error
    if not isinstance(settings, Mapping):
        raise PlanError(f"{path.name} must hold the keys {', '.join(sorted(KNOWN_KEYS))}.")
    if unknown := set(settings) - KNOWN_KEYS:
        raise PlanError(
            f"{path.name} has the unknown key {sorted(map(str, unknown))[0]!r}; "
            f"the keys are {', '.join(sorted(KNOWN_KEYS))}."
        )
    if not settings.get("datasets"):
        raise PlanError(f"{path.name} names no dataset; list at least one under `datasets:`.")
    notebooks = _mapping(settings.get("notebooks"), "notebooks", path)
    datasets = _mapping(settings["datasets"], "datasets", path)
    for name in datasets:
        if not is_folder_name(name):
            raise PlanError(f"The dataset {name!r} of {path.name} must be a plain folder name.")
    return {
        "shared": _mapping(settings.get("shared"), "shared", path),
        "notebooks": {
            name: _mapping(of, f"notebooks: {name}", path) for name, of in notebooks.items()
        },
        "datasets": {
            name: _mapping(of, f"datasets: {name}", path) for name, of in datasets.items()
        },
    }


def _mapping(section: object, name: str, path: Path) -> dict[str, Any]:
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise PlanError(f"`{name}:` in {path.name} must list names with values, not {section!r}.")
    for key in section:
        if not isinstance(key, str):
            raise PlanError(f"The name {key!r} under `{name}:` in {path.name} must be text.")
    return dict(section)


def find_notebooks(root: Path) -> dict[str, Path]:
    """Return the numbered notebooks by name, in order."""
    paths = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise PlanError(f"There are no numbered notebooks in {root / 'notebooks'}.")
    return {path.stem: path for path in paths}


def declared_parameters(path: Path) -> dict[str, tuple[str, str]]:
    """Return what a notebook's `parameters` cell declares: name to (type, default as written)."""
    try:
        notebook = read_notebook(path)
    except UnreadableNotebook as error:
        raise PlanError(str(error)) from error
    return {
        name: (re.split(r"\[", about["inferred_type_name"])[0], about["default"])
        for name, about in papermill.inspect_notebook(notebook).items()
    }


def check_names(
    settings: Mapping[str, Any], declared: Mapping[str, Mapping[str, Any]], profile: str
) -> None:
    """Raise when the profile sets a parameter that no notebook would read."""
    everywhere = sorted({name for names in declared.values() for name in names})
    reserved = {"PROFILE", "DATASET", "DATASETS"}
    sections = [("shared", settings["shared"], everywhere)]
    sections += [(f"datasets: {name}", of, everywhere) for name, of in settings["datasets"].items()]
    for notebook, values in settings["notebooks"].items():
        if notebook not in declared:
            raise PlanError(
                f"Profile {profile!r} sets parameters of the notebook {notebook!r}, which does "
                f"not exist; the notebooks are {', '.join(declared)}."
            )
        sections.append((f"notebooks: {notebook}", values, sorted(declared[notebook])))
    for section, values, allowed in sections:
        for name in values:
            if name not in allowed or name in reserved:
                if name in FORMER_NAMES:
                    raise PlanError(
                        f"Profile {profile!r} sets {name!r} under `{section}`, which is now called "
                        f"{FORMER_NAMES[name]}; see its declaration in the notebooks."
                    )
                choices = ", ".join(choice for choice in allowed if choice not in reserved)
                raise PlanError(
                    f"Profile {profile!r} sets {name!r} under `{section}`, but no notebook there "
                    f"declares it; the parameters are {choices}."
                )


def check_types(
    values: Mapping[str, Any], declared: Mapping[str, tuple[str, str]], notebook: str
) -> None:
    """Raise when a value is not of the type its notebook declares."""
    for name, value in values.items():
        kind = declared[name][0]
        expected = PYTHON_TYPES.get(kind)
        if expected is None:
            raise PlanError(
                f"{notebook} declares {name} with type {kind!r}; declare it as one of "
                f"{', '.join(PYTHON_TYPES)}."
            )
        # bool is an int in Python, but True is no number of epochs.
        stray_bool = isinstance(value, bool) and kind != "bool"
        if stray_bool or not isinstance(value, expected):
            raise PlanError(
                f"{name} of {notebook} must be {kind} (default {declared[name][1]}), "
                f"not {type(value).__name__} ({value!r})."
            )
