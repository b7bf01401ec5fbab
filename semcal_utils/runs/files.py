"""Files that are whole or absent, values as JSON, tables by item."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from semcal_utils.runs.errors import DamagedArtefact, storing


def digest(value: object, length: int = 16) -> str:
    """Return a short hexadecimal SHA-256 of a JSON-like value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def state_of_files(files: Iterable[Path]) -> str:
    """Return a digest of files' names, sizes and times, which is quick where they are large."""
    found = hashlib.sha256()
    for file in files:
        about = file.stat()
        found.update(f"{os.fsencode(file)!r} {about.st_size} {about.st_mtime_ns}\n".encode())
    return found.hexdigest()[:16]


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
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8", newline="\n"))


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Call `write` on a temporary name beside `path`, then rename; nothing is left on failure.

    What a killed process left beside `path` is cleared away.

    Raises:
        StorageFailed: The disk is full, or the folder cannot be written to.
    """
    here = _owner()
    partial = path.with_name(f".{path.name}.{here}.partial")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _clear_partials_of_the_dead(path)
            write(partial)
            flush(partial)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def check_item_ids(frame: pd.DataFrame, name: str) -> None:
    """Raise when a table lacks `item_id` or repeats one.

    A table over worlds or recipes lists an item once for each of them.
    """
    if "item_id" not in frame.columns:
        raise DamagedArtefact(f"{name} has no column item_id; its columns are {list(frame)}.")
    keys = ["item_id", *(name for name in ("world", "recipe") if name in frame.columns)]
    repeated = frame.duplicated(keys)
    if repeated.any():
        raise DamagedArtefact(
            f"{name} lists item {frame.loc[repeated, 'item_id'].iloc[0]!r} twice; "
            "every item_id must be unique."
        )


def flush(path: Path) -> None:
    """Have the system write a file to the disk: a power cut after a rename then loses nothing."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def is_running(process: int, host: str) -> bool:
    """Tell whether a process still runs; one of another machine is taken to."""
    return host != host_name() or psutil.pid_exists(process)


def host_name() -> str:
    """Return this machine's name as it stands in the names of temporary files."""
    return platform.node().replace(".", "_").replace("-", "_") or "here"


def _owner() -> str:
    return f"{host_name()}-{os.getpid()}"


def _clear_partials_of_the_dead(path: Path) -> None:
    start, end = f".{path.name}.", ".partial"
    for other in path.parent.iterdir():
        if not (other.name.startswith(start) and other.name.endswith(end)):
            continue
        host, _, process = other.name[len(start) : -len(end)].rpartition("-")
        if host and process.isdigit() and not is_running(int(process), host):
            other.unlink(missing_ok=True)
