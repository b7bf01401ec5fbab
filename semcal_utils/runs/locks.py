"""One writer at a time: a lock that a dead process cannot keep.

The lock is the operating system's (`flock`, or its like on Windows): it ends with the process that
holds it, however that ends. A note beside it says who that is, for whoever waits.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from semcal_utils.runs.errors import storing
from semcal_utils.runs.files import host_name, is_running, write_json

FOLDER = ".locks"
_PAUSE = 0.2  # s between two tries


@contextmanager
def held(folder: Path, name: str, *, say: Callable[[str], object] = print) -> Iterator[bool]:
    """Hold the lock `name` of a run folder for the length of the block.

    Args:
        folder: The run folder.
        name: What is locked: an artefact, or `notebooks`.
        say: Called once with who holds the lock, when somebody else does.

    Yields:
        Whether it had to be waited for, so that what the other made may be there now.

    Raises:
        StorageFailed: The folder cannot be written to.
    """
    slug = re.sub(r"[^\w.-]", "-", name)
    place = folder / FOLDER / f"{slug}.lock"
    note = place.with_suffix(".holder.json")
    with storing(folder / FOLDER):
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place)
        waited = not _taken(lock)
    if waited:
        say(f"{folder / name} is in use by {_holder(note)}; waiting until it is done.")
        lock.acquire(poll_interval=_PAUSE)
    try:
        write_json(note, {"process": os.getpid(), "host": host_name(), "since": _now()})
        yield waited
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _holder(note: Path) -> str:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        process, host, since = int(found["process"]), str(found["host"]), str(found["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    if host == host_name() and not is_running(process, host):
        return f"a process that process {process}, which has ended, left behind"
    return f"process {process} on {host} since {since}"


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
