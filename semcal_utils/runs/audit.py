"""Look a whole run through for damage, and discard what is damaged so that it is made again."""

from __future__ import annotations

import shutil

from semcal_utils.runs.errors import DamagedArtefact
from semcal_utils.runs.places import METRICS
from semcal_utils.runs.run import Run
from semcal_utils.runs.seals import STAMP


def artefacts_of(run: Run) -> list[str]:
    """Return the names of the finished artefacts in a run folder, in alphabetic order."""
    tables = run.folder.rglob("*.parquet")
    folders = (note.parent for note in run.folder.rglob(STAMP))
    numbers = run.folder.glob(METRICS)
    names = {path.relative_to(run.folder) for path in (*tables, *folders, *numbers)}
    # Hidden folders hold what is being made; what a finished folder holds is a part of it.
    whole = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    return sorted(name.as_posix() for name in whole if not names.intersection(name.parents))


def damaged_artefacts(run: Run) -> dict[str, str]:
    """Return what is damaged in a run, by name, with the sentence that says how."""
    found = {}
    for name in artefacts_of(run):
        try:
            if name == METRICS:
                run.load_metrics()
            else:
                run.check(name)
        except DamagedArtefact as error:
            found[name] = str(error)
    return found


def discard(run: Run, name: str) -> None:
    """Delete an artefact."""
    path = run.path(name)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
