"""One run: the folder that the notebooks hand artefacts through."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from semcal_utils.runs import locks, seals, stamps
from semcal_utils.runs.errors import DamagedArtefact, MissingArtefact, storing
from semcal_utils.runs.files import check_item_ids, digest, plain, write_atomically, write_json
from semcal_utils.runs.places import (
    METRICS,
    PUBLISHED,
    PUBLISHED_PROFILE,
    first_maker_of,
    is_folder_name,
    project_root,
)


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

        Raises:
            DamagedArtefact: A table of that name exists and is not what was written.
            StorageFailed: The table could not be written.
        """
        stamp = stamps.stamp_of(parameters, make)
        if not self._is_current(name, stamp):
            with locks.held(self.folder, name) as waited:
                if not (waited and self._is_current(name, stamp)):
                    self._state_why(name, stamp)
                    frame = make()
                    check_item_ids(frame, name)
                    self._write_table(name, frame, stamp)
        with storing(self.path(name)):
            stamps.note_made(name)
        return self.load_table(name)

    def load_table(self, name: str) -> pd.DataFrame:
        """Return a finished table.

        Raises:
            MissingArtefact: It does not exist yet; the message names the notebook that makes it.
            DamagedArtefact: The file is not what was written, or has no unique `item_id`.
        """
        path = self._existing(name)
        self.check(name)
        frame = pq.read_table(path).to_pandas()
        check_item_ids(frame, name)
        return frame

    def _write_table(self, name: str, frame: pd.DataFrame, stamp: dict[str, Any]) -> None:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        write_atomically(
            self.path(name),
            lambda partial: seals.write_sealed_table(
                partial, table, {**stamp, **stamps.force_mark()}
            ),
        )

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

        Raises:
            DamagedArtefact: A folder of that name exists and is not what was written.
            StorageFailed: The disk is full, or the run folder cannot be written to.
        """
        stamp = stamps.stamp_of(parameters, make)
        target = self.path(name)
        with storing(target):
            stamps.note_made(name)
        if self._is_current(name, stamp):
            return target, False
        with locks.held(self.folder, name) as waited:
            if waited and self._is_current(name, stamp):
                return target, False
            self._state_why(name, stamp)
            partial = target.with_name(f".{target.name}.{digest(stamp)}.partial")
            with storing(target):
                _clear_leftovers(target, but=partial)
                partial.mkdir(parents=True, exist_ok=True)
                make(partial)
                seals.seal_folder(partial, {**stamp, **stamps.force_mark()})
                _replace_folder(target, partial)
        return target, True

    def load_folder(self, name: str) -> Path:
        """Return a finished folder; `MissingArtefact` names the notebook that makes it.

        Raises:
            DamagedArtefact: One of its files is missing or not what was written.
        """
        path = self._existing(name)
        self.check(name)
        return path

    # --- numbers and figures ------------------------------------------------------------------

    def save_metrics(self, section: str, numbers: Mapping[str, object]) -> None:
        """Replace one section of `metrics.json` and keep the others."""
        with locks.held(self.folder, METRICS):
            path = self.path(METRICS)
            try:
                known = seals.read_sealed_numbers(path)
            except (FileNotFoundError, seals.Unsealed):
                known = {}
            except DamagedArtefact as error:
                if not stamps.force_mark():
                    raise DamagedArtefact(f"{error}; {self._remedy()}") from error
                known = {}
            write_json(path, seals.sealed_numbers({**known, section: plain(numbers)}))
        with storing(path):
            stamps.note_made(f"{METRICS}#{section}")

    def load_metrics(self) -> dict[str, Any]:
        """Return every section of `metrics.json`."""
        path = self._existing(METRICS)
        try:
            return seals.read_sealed_numbers(path)
        except seals.Unsealed as error:
            raise self._not_sealed(METRICS) from error
        except DamagedArtefact as error:
            raise DamagedArtefact(f"{error}; {self._remedy()}") from error

    def metrics_sections(self) -> list[str]:
        """Return what `metrics.json` holds, each section as `metrics.json#<section>`."""
        return [f"{METRICS}#{section}" for section in self.load_metrics()]

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

    # --- what makes an artefact current -------------------------------------------------------

    def fingerprint(self, name: str) -> str:
        """Return a digest of a finished artefact's content, to name it as an input of another.

        Only the content counts: made again with other parameters but the same outcome, an artefact
        keeps its fingerprint, and what was made from it stays current.
        """
        self._existing(name)
        return self.check(name)

    def check(self, name: str) -> str:
        """Compare an artefact with its seal and return its fingerprint.

        Raises:
            DamagedArtefact: It is not what was written; the message says how to have it made again.
        """
        try:
            return self._compare(name)
        except seals.Unsealed as error:
            raise self._not_sealed(name) from error
        except DamagedArtefact as error:
            raise DamagedArtefact(f"{error}; {self._remedy()}") from error

    def provenance(self, name: str) -> dict[str, Any] | None:
        """Return the parameters and versions an artefact was made with, or None without one."""
        try:
            return self._made_from(name)
        except DamagedArtefact as error:
            raise DamagedArtefact(f"{error}; {self._remedy()}") from error

    def _made_from(self, name: str) -> dict[str, Any] | None:
        path = self.path(name)
        try:
            return seals.stamp_of_folder(path) if path.is_dir() else seals.stamp_of_table(path)
        except FileNotFoundError:
            return None

    def _is_current(self, name: str, stamp: dict[str, Any]) -> bool:
        # A forced run makes everything once: what carries its mark is its own work.
        forced = stamps.force_mark()
        try:
            found = self._made_from(name)
            if found is None or {key: found.get(key) for key in stamp} != stamp:
                return False
            if forced and found.get("forced") != forced["forced"]:
                return False
            self._compare(name)
        except seals.Unsealed:  # an older version of the workbook wrote it
            return False
        except DamagedArtefact as error:
            if forced:
                return False
            raise DamagedArtefact(f"{error}; {self._remedy()}") from error
        return True

    def _compare(self, name: str) -> str:
        path = self.path(name)
        return seals.check_folder(path) if path.is_dir() else seals.check_table(path)

    def _state_why(self, name: str, stamp: dict[str, Any]) -> None:
        try:
            found = self.provenance(name)
        except DamagedArtefact:  # a forced run makes it again, whatever it was
            return
        changes = stamps.changed_versions((found or {}).get("versions", {}), stamp["versions"])
        if found and changes:
            print(f"{name} is made again: {changes}.")
        elif found and found.get("code") != stamp["code"]:
            print(f"{name} is made again: the code that makes it changed.")

    def _not_sealed(self, name: str) -> DamagedArtefact:
        return DamagedArtefact(
            f"{self.path(name)} carries no seal, so an older version of the workbook wrote it, or "
            f"something else did; {self._remedy()}"
        )

    def _remedy(self) -> str:
        return (
            f"it is not used. `python -m semcal_utils.regenerate --profile {self.profile} --repair`"
            " makes again what is damaged."
        )

    def _existing(self, name: str) -> Path:
        path = self.path(name)
        if not path.exists():
            maker = first_maker_of(name) or "that makes it"
            raise MissingArtefact(
                f"{name} of {self.dataset} (profile {self.profile}) does not exist yet: run the "
                f"notebook {maker} first, or `python -m semcal_utils.regenerate "
                f"--profile {self.profile} --dataset {self.dataset}` for all of them."
            )
        return path


def open_run(profile: str, dataset: str, *, root: Path | None = None) -> Run:
    """Open (and make) the folder of one dataset under one profile.

    Figures of the published profile go to `figures/<dataset>/`; every other profile keeps its own
    inside the run folder, so that an experiment never overwrites a published figure.
    """
    for kind, name in (("profile", profile), ("dataset", dataset)):
        if not is_folder_name(name):
            raise ValueError(f"The {kind} name {name!r} must be a plain folder name.")
    if (profile, dataset) == (PUBLISHED_PROFILE, PUBLISHED.name):
        raise ValueError(
            f"A dataset of the profile {profile} cannot be called {dataset!r}: "
            f"{PUBLISHED.as_posix()}/ holds what is published. Choose another name."
        )
    root = root or project_root()
    folder = root / "data" / "runs" / profile / dataset
    folder.mkdir(parents=True, exist_ok=True)
    published = profile == PUBLISHED_PROFILE
    return Run(
        profile, dataset, folder, root / "figures" / dataset if published else folder / "figures"
    )


def _clear_leftovers(target: Path, *, but: Path) -> None:
    """Remove what killed runs left: partial folders of other parameters, and replaced folders."""
    if not target.parent.is_dir():
        return
    for other in target.parent.iterdir():
        mine = other.name.startswith(f".{target.name}.")
        if mine and other.suffix in (".partial", ".replaced") and other != but:
            shutil.rmtree(other)


def _replace_folder(target: Path, partial: Path) -> None:
    replaced = partial.with_suffix(".replaced")
    if target.exists():
        os.replace(target, replaced)
    os.replace(partial, target)
    shutil.rmtree(replaced, ignore_errors=True)
