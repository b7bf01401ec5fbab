"""What can go wrong with artefacts, each as one sentence: missing, damaged, not storable."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "the file is larger than the system allows",
    errno.EROFS: "the folder is read-only",
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
}
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit (ulimit -f)",
}
_NEEDS_A_PLACE = (errno.EACCES, errno.EPERM)
# Libraries that are not written in Python name the error in the text only.
_NUMBER_IN_TEXT = re.compile(r"(?:os error|errno) (\d+)", re.IGNORECASE)


class MissingArtefact(FileNotFoundError):
    """A notebook asks for an artefact that the notebook before it has not made yet."""


class DamagedArtefact(ValueError):
    """A file exists but does not hold what was written, or not what its name promises."""


class StorageFailed(OSError):
    """Nothing could be written: a full disk, a read-only folder, no permission."""

    def __str__(self) -> str:
        """Return the sentence without the number that Python puts before it."""
        return str(self.strerror)


def storage_error(error: BaseException | None, place: Path | None = None) -> int | None:
    """Return the error number of a failed write that an exception reports, or None.

    Args:
        error: Any exception; the ones it was raised from are looked at, too.
        place: Where was to be written. Without it, a refused permission is no failed write, since
            reading can be refused as well.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        number = getattr(error, "errno", None) if isinstance(error, OSError) else None
        if number is None and (found := _NUMBER_IN_TEXT.search(str(error))):
            number = int(found[1])
        if number is None and "No space left on device" in str(error):
            number = errno.ENOSPC
        if number in _REASONS and (number not in _NEEDS_A_PLACE or _is_at(error, place)):
            return number
        error = error.__cause__ or error.__context__
    return None


def storage_sentence(number: int, place: Path) -> str:
    """Return what failed and what to do, as one sentence."""
    remedy = _REMEDIES.get(number, "make the folder writable")
    return (
        f"{place} could not be written, because {_REASONS[number]}; {remedy} and give the same "
        "command again: what was finished is kept."
    )


@contextmanager
def storing(place: Path, *, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn a failed write in the block, whichever library reports it, into `StorageFailed`.

    Args:
        place: What is written.
        but: Exceptions that pass as they are.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (StorageFailed, *but)):
            raise
        number = storage_error(error, place)
        if number is None:
            raise
        raise StorageFailed(number, storage_sentence(number, place)) from error


def _is_at(error: BaseException, place: Path | None) -> bool:
    name = getattr(error, "filename", None)
    if place is None or not isinstance(name, str):
        return False
    return Path(name).is_relative_to(place.parent)
