"""One list of packages: the conda environment, the lock and pyproject agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))


def locked():
    """The lock's packages and their versions."""
    lines = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines:
        if match := re.match(r"^([A-Za-z0-9._-]+)==([^ ;]+)", line):
            found[canonicalize_name(match[1])] = match[2]
    return found


def test_the_lock_satisfies_every_requirement_of_the_package():
    versions = locked()
    wanted = [*PYPROJECT["project"]["dependencies"]]
    wanted += PYPROJECT["project"]["optional-dependencies"]["test"]
    for text in wanted:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{text} is not in requirements.lock"
        assert requirement.specifier.contains(versions[name]), f"{text}, locked {versions[name]}"


def test_packages_of_the_extras_agree_with_the_lock_where_it_names_them():
    versions = locked()
    for extra, wanted in PYPROJECT["project"]["optional-dependencies"].items():
        for text in wanted:
            requirement = Requirement(text)
            found = versions.get(canonicalize_name(requirement.name))
            assert found is None or requirement.specifier.contains(found), (extra, text, found)


def test_conda_takes_its_packages_from_the_lock_and_a_python_we_support():
    pip = next(entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))
    assert "-r requirements.lock" in pip
    assert "-e ." in pip
    plain = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    python = next(entry for entry in plain if entry.startswith("python="))
    version = python.split("=")[1]
    assert version in Requirement(f"x{PYPROJECT['project']['requires-python']}").specifier
    assert f"Programming Language :: Python :: {version}" in PYPROJECT["project"]["classifiers"]
    assert {entry.split("=")[0] for entry in plain} == {"python", "pip"}
    assert CONDA["channels"] == ["conda-forge"]


def test_every_supported_python_is_named():
    named = [c.rsplit(" ", 1)[1] for c in PYPROJECT["project"]["classifiers"] if ":: 3." in c]
    assert named == ["3.11", "3.12", "3.13"]
