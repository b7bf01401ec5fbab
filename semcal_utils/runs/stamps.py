"""Stamps: what an artefact was made from, compared to tell whether it is still true."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from semcal_utils.runs.files import plain
from semcal_utils.runs.sources import code_behind

FORCE_VARIABLE = "SEMCAL_FORCE"
MADE_VARIABLE = "SEMCAL_MADE"
"""Names a file in which a notebook that is run headless lists what it made or found current."""
LIBRARIES = ("semcal-utils", "torch", "transformers", "datasets", "numpy", "scikit-learn")


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries whose change makes an artefact untrue."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def new_force_token() -> str:
    """Return a value for `$SEMCAL_FORCE` that makes everything without it untrue.

    A name and no time: a clock that jumps must not decide what is made again.
    """
    return secrets.token_hex(8)


def changed_versions(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Say which library versions differ, or return an empty text."""
    return ", ".join(
        f"{name} was {before.get(name, 'not recorded')} and is {now.get(name, 'not recorded')}"
        for name in now
        if before.get(name) != now[name]
    )


def stamp_of(parameters: Mapping[str, object], make: Callable[..., Any]) -> dict[str, Any]:
    """Return what an artefact depends on: parameters, as JSON types, library versions and code.

    Args:
        parameters: What the artefact is made with.
        make: Its maker; the package's code behind it counts.
    """
    return {
        "parameters": plain(parameters),
        "versions": library_versions(),
        "code": code_behind(make),
    }


def note_made(name: str) -> None:
    """Note that the notebook of this process makes an artefact, where somebody keeps the list."""
    if place := os.environ.get(MADE_VARIABLE):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")


def force_mark() -> dict[str, str]:
    """Return the mark of the forced run this process belongs to, empty outside of one."""
    token = os.environ.get(FORCE_VARIABLE, "")
    return {"forced": token} if token else {}
