"""Where things lie, and which notebook makes them."""

from __future__ import annotations

import os
from pathlib import Path

ROOT_VARIABLE = "SEMCAL_ROOT"
METRICS = "metrics.json"
PUBLISHED_PROFILE = "workbook"
PUBLISHED = Path("figures") / "published"
"""What `make publish` writes; all else in `figures/` is what the last run drew."""

# What to tell a reader who opens a notebook before the one that feeds it. Who made an artefact that
# is there stands in the note of its notebook (marks.py).
MADE_BY = {
    "items": "01_captioning",
    "models/captioner": "01_captioning",
    "captions.parquet": "01_captioning",
    "splits.parquet": "02_fine_tuning",
    "models/early_captioner": "06_detection_metrics",
    "models/": "02_fine_tuning",
    "token_log_probs/": "03_acceptance_probabilities",
    "acceptance.parquet": "03_acceptance_probabilities",
    "without_labels.parquet": "03_acceptance_probabilities",
    "filtered/": "04_rejection_sampling",
    "metrics.json": "05_divergence_metrics",
}


def project_root() -> Path:
    """Return the folder that holds `notebooks/`, `data/` and `figures/`.

    `$SEMCAL_ROOT` when set, else the nearest folder at or above the working directory that holds
    `pyproject.toml` and `notebooks/`, else the checkout this package lies in.
    """
    if named := os.environ.get(ROOT_VARIABLE):
        return Path(named).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder
    return Path(__file__).resolve().parents[2]


def is_folder_name(name: str) -> bool:
    """Tell whether a name stays where it is put: no path, not hidden, and text a disk can hold."""
    if not name or name.startswith(".") or "\0" in name or "\\" in name:
        return False
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return Path(name).name == name


def first_maker_of(name: str) -> str:
    """Return the notebook to run for an artefact that nobody has made yet, or an empty text."""
    for prefix in sorted(MADE_BY, key=len, reverse=True):
        if name == prefix or (prefix.endswith("/") and name.startswith(prefix)):
            return MADE_BY[prefix]
    return ""
