"""Where artefacts live: one folder per run, written whole or not at all, reused only while true.

A run is `data/runs/<profile>/<dataset>/`. Every finished artefact carries the parameters, the
digests of its inputs and the library versions that made it; `Run.table` and `Run.folder` hand it
back when all three still match and make it again when they do not.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FORCE_VARIABLE = "SEMCAL_FORCE"
ROOT_VARIABLE = "SEMCAL_ROOT"
STAMP = "provenance.json"
PUBLISHED_PROFILE = "workbook"
LIBRARIES = ("semcal-utils", "torch", "transformers", "datasets", "numpy", "scikit-learn")

# What to tell a reader who opens a notebook before the one that feeds it.
MADE_BY = {
    "items": "01_captioning",
    "models/captioner": "01_captioning",
    "captions.parquet": "01_captioning",
    "splits.parquet": "02_fine_tuning",
    "models/early_captioner": "06_detection_metrics",
    "models/": "02_fine_tuning",
    "token_log_probs/": "03_acceptance_probabilities",
    "acceptance/": "03_acceptance_probabilities",
    "filtered/": "04_rejection_sampling",
    "metrics.json": "05_divergence_metrics",
}


class MissingArtefact(FileNotFoundError):
    """A notebook asks for an artefact that the notebook before it has not made yet."""


class DamagedArtefact(ValueError):
    """A file exists but does not hold what its name promises."""


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
    return Path(__file__).resolve().parents[1]


def digest(value: object, length: int = 16) -> str:
    """Return a short hexadecimal SHA-256 of a JSON-like value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries whose change makes an artefact untrue."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def plain(value: Any) -> Any:
    """Return `value` as JSON types: NumPy numbers become numbers, nan and infinities null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, pd.Series):
        return plain(value.to_dict())
    if isinstance(value, pd.DataFrame):
        return plain(value.to_dict(orient="records"))
    if isinstance(value, np.ndarray | pd.Index):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        # Six significant digits: more than any figure shows, fewer than rounding noise reaches.
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, str) else str(value)


def write_json(path: Path, value: object) -> None:
    """Write `value` as readable JSON, whole or not at all."""
    text = json.dumps(plain(value), indent=1, ensure_ascii=False, sort_keys=False) + "\n"
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Call `write` on a temporary name beside `path`, then rename; nothing is left on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class Run:
    """One dataset under one profile: the folder that the notebooks hand artefacts through."""

    profile: str
    dataset: str
    folder: Path
    figures: Path

    def path(self, name: str) -> Path:
        """Return where the artefact `name` (such as `captions.parquet`) lives in this run."""
        return self.folder / name

    # --- tables -------------------------------------------------------------------------------

    def table(
        self, name: str, make: Callable[[], pd.DataFrame], **parameters: object
    ) -> pd.DataFrame:
        """Return the Parquet table `name`, making it only when no current one exists.

        Args:
            name: File name inside the run folder, ending in `.parquet`.
            make: Called without arguments when the table must be made.
            **parameters: Everything the table depends on: settings, and `Run.fingerprint` of its
                inputs. JSON-like values.

        Returns:
            The table as it was read back from disk, so a first and a second run see the same.
        """
        stamp = self._stamp(parameters)
        if not self._is_current(name, stamp):
            frame = make()
            check_item_ids(frame, name)
            self._write_table(name, frame, stamp)
        return self.load_table(name)

    def load_table(self, name: str) -> pd.DataFrame:
        """Return a finished table.

        Raises:
            MissingArtefact: It does not exist yet; the message names the notebook that makes it.
            DamagedArtefact: The file is not a readable Parquet table with unique `item_id`.
        """
        path = self._existing(name)
        try:
            frame = pq.read_table(path).to_pandas()
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedArtefact(
                f"{path} cannot be read as Parquet ({error}); delete it and run "
                f"{maker_of(name)} again."
            ) from error
        check_item_ids(frame, name)
        return frame

    def _write_table(self, name: str, frame: pd.DataFrame, stamp: dict[str, Any]) -> None:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        metadata = {**(table.schema.metadata or {}), b"provenance": json.dumps(stamp).encode()}
        table = table.replace_schema_metadata(metadata)
        write_atomically(self.path(name), lambda partial: pq.write_table(table, partial))

    # --- folders (models, items) --------------------------------------------------------------

    def make_folder(
        self, name: str, make: Callable[[Path], Any], **parameters: object
    ) -> tuple[Path, bool]:
        """Return the folder `name`, letting `make` fill it only when no current one exists.

        `make` gets a partial folder whose name depends on the parameters, so that training that
        was interrupted finds its checkpoints again. The folder takes its real name when `make`
        returns.

        Returns:
            The folder, and whether it was made now (False: reused).
        """
        stamp = self._stamp(parameters)
        target = self.path(name)
        if self._is_current(name, stamp):
            return target, False
        partial = target.with_name(f".{target.name}.{digest(stamp)}.partial")
        for other in target.parent.glob(f".{target.name}.*.partial"):
            if other != partial:
                shutil.rmtree(other)
        partial.mkdir(parents=True, exist_ok=True)
        make(partial)
        write_json(partial / STAMP, stamp)
        replaced = target.with_name(f".{target.name}.{digest(stamp)}.replaced")
        if target.exists():
            os.replace(target, replaced)
        os.replace(partial, target)
        shutil.rmtree(replaced, ignore_errors=True)
        return target, True

    def load_folder(self, name: str) -> Path:
        """Return a finished folder; `MissingArtefact` names the notebook that makes it."""
        return self._existing(name)

    # --- numbers and figures ------------------------------------------------------------------

    def save_metrics(self, section: str, numbers: Mapping[str, object]) -> None:
        """Replace one section of `metrics.json` and keep the others."""
        path = self.path("metrics.json")
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        write_json(path, {**known, section: plain(numbers)})

    def load_metrics(self) -> dict[str, Any]:
        """Return every section of `metrics.json`."""
        return dict(json.loads(self._existing("metrics.json").read_text(encoding="utf-8")))

    def save_figure(self, figure: Any, name: str, *, numbers: Mapping[str, object]) -> Path:
        """Save a figure as `<name>.png` (150 dpi) with the numbers behind it as `<name>.json`.

        The PNG carries no date and no software version: the same numbers give the same bytes.
        """
        path = self.figures / f"{name}.png"
        write_atomically(
            path,
            lambda partial: figure.savefig(
                partial, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None}
            ),
        )
        write_json(path.with_suffix(".json"), {"profile": self.profile, **numbers})
        return path

    def fingerprint(self, name: str) -> str:
        """Return a digest of a finished artefact's content, to name it as an input of another."""
        path = self._existing(name)
        found = hashlib.sha256()
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []
        for file in files or [path]:
            found.update(file.name.encode())
            with file.open("rb") as stream:
                found.update(hashlib.file_digest(stream, "sha256").digest())
        return found.hexdigest()[:16]

    # --- what makes an artefact current -------------------------------------------------------

    def _stamp(self, parameters: Mapping[str, object]) -> dict[str, Any]:
        return {"parameters": plain(parameters), "versions": library_versions()}

    def _is_current(self, name: str, stamp: dict[str, Any]) -> bool:
        if self.provenance(name) != stamp:
            return False
        # A forced run makes everything once: what was written after it began is its own work.
        forced_since = float(os.environ.get(FORCE_VARIABLE, 0))
        return self.path(name).stat().st_mtime >= forced_since

    def provenance(self, name: str) -> dict[str, Any] | None:
        """Return the parameters and versions an artefact was made with, or None without one."""
        path = self.path(name)
        try:
            if path.is_dir():
                return dict(json.loads((path / STAMP).read_text(encoding="utf-8")))
            return dict(json.loads((pq.read_schema(path).metadata or {})[b"provenance"]))
        except (FileNotFoundError, KeyError, pa.ArrowInvalid, json.JSONDecodeError):
            return None

    def _existing(self, name: str) -> Path:
        path = self.path(name)
        if not path.exists():
            raise MissingArtefact(
                f"{name} of {self.dataset} (profile {self.profile}) does not exist yet: run the "
                f"notebook {maker_of(name)} first, or `python -m semcal_utils.regenerate "
                f"--profile {self.profile} --dataset {self.dataset}` for all of them."
            )
        return path


def open_run(profile: str, dataset: str, *, root: Path | None = None) -> Run:
    """Open (and make) the folder of one dataset under one profile.

    Figures of the published profile go to `figures/<dataset>/`; every other profile keeps its own
    inside the run folder, so that an experiment never overwrites a published figure.
    """
    for kind, name in (("profile", profile), ("dataset", dataset)):
        if not name or Path(name).name != name or name.startswith("."):
            raise ValueError(f"The {kind} name {name!r} must be a plain folder name.")
    root = root or project_root()
    folder = root / "data" / "runs" / profile / dataset
    folder.mkdir(parents=True, exist_ok=True)
    published = profile == PUBLISHED_PROFILE
    return Run(
        profile, dataset, folder, root / "figures" / dataset if published else folder / "figures"
    )


def check_item_ids(frame: pd.DataFrame, name: str) -> None:
    """Raise when a table lacks `item_id` or repeats one.

    Membership tables list an item once per severity, so they are unique in the pair.
    """
    if "item_id" not in frame.columns:
        raise DamagedArtefact(f"{name} has no column item_id; its columns are {list(frame)}.")
    keys = ["item_id", "severity"] if "severity" in frame.columns else ["item_id"]
    repeated = frame.duplicated(keys)
    if repeated.any():
        raise DamagedArtefact(
            f"{name} lists item {frame.loc[repeated, 'item_id'].iloc[0]!r} twice; "
            "every item_id must be unique."
        )


def maker_of(name: str) -> str:
    """Return the notebook that makes an artefact."""
    for prefix in sorted(MADE_BY, key=len, reverse=True):
        if name == prefix or (prefix.endswith("/") and name.startswith(prefix)):
            return MADE_BY[prefix]
    raise ValueError(f"No notebook makes {name!r}; the artefacts are {', '.join(MADE_BY)}.")


def start_of_forced_run() -> str:
    """Return the value for `$SEMCAL_FORCE` that makes everything older than now untrue."""
    return f"{time.time():.3f}"
