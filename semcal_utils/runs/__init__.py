"""Where artefacts live: one folder per run, written whole or not at all, reused only while true.

A run is `data/runs/<profile>/<dataset>/`. Every finished artefact carries the parameters, the
digests of its inputs and the library versions that made it; `Run.table` and `Run.make_folder` hand
it back when all three still match and make it again when they do not. It also carries a seal, a
digest of itself, so that a damaged file is named and never used; one process writes it at a time.
"""

from semcal_utils.runs.audit import artefacts_of, damaged_artefacts, discard
from semcal_utils.runs.errors import DamagedArtefact, MissingArtefact, StorageFailed, storing
from semcal_utils.runs.files import digest, plain, write_atomically, write_json
from semcal_utils.runs.locks import held
from semcal_utils.runs.places import (
    METRICS,
    PUBLISHED_PROFILE,
    ROOT_VARIABLE,
    is_folder_name,
    project_root,
)
from semcal_utils.runs.run import Run, open_run
from semcal_utils.runs.stamps import (
    FORCE_VARIABLE,
    MADE_VARIABLE,
    changed_versions,
    library_versions,
    new_force_token,
)

__all__ = [
    "FORCE_VARIABLE",
    "MADE_VARIABLE",
    "METRICS",
    "PUBLISHED_PROFILE",
    "ROOT_VARIABLE",
    "DamagedArtefact",
    "MissingArtefact",
    "Run",
    "StorageFailed",
    "artefacts_of",
    "changed_versions",
    "damaged_artefacts",
    "digest",
    "discard",
    "held",
    "is_folder_name",
    "library_versions",
    "new_force_token",
    "open_run",
    "plain",
    "project_root",
    "storing",
    "write_atomically",
    "write_json",
]
