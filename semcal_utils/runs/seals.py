"""Seals: digests that an artefact carries, so that what was written is told from what was damaged.

A table's seal stands in the footer of its Parquet file and covers every byte but itself; a folder's
seal is a list of its files with their SHA-256 in `provenance.json`. The fingerprint of an artefact
is a digest of its content alone: the same rows under other parameters have the same one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from semcal_utils.runs.errors import DamagedArtefact
from semcal_utils.runs.files import digest, flush, write_json

STAMP = "provenance.json"
SEAL = "seal"
_BLANK = b"0" * 64
_TAIL = 8  # bytes: a Parquet file ends with the length of its footer and the mark PAR1
_BLOCK = 1 << 20


class Unsealed(ValueError):
    """The artefact carries no seal: an older version of the workbook wrote it."""


# --- tables -------------------------------------------------------------------------------------


def write_sealed_table(path: Path, table: pa.Table, stamp: Mapping[str, Any]) -> None:
    """Write a Parquet file that carries its stamp and its seal.

    Args:
        path: The file; it is overwritten, so give a temporary name.
        table: Its rows.
        stamp: What the table was made from, JSON-like.
    """
    # Random, so that no caption can hold the same characters; the seal takes its place below.
    placeholder = secrets.token_hex(32)
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"provenance": json.dumps(stamp), SEAL: placeholder})
    body, footer = _body_and_footer(path)
    seal = _seal_of(body, footer.replace(placeholder.encode(), _BLANK))
    with path.open("rb+") as file:
        file.seek(-len(footer), 2)
        file.write(footer.replace(placeholder.encode(), seal.encode()))


def check_table(path: Path) -> str:
    """Compare a table with its seal and return the fingerprint of its content.

    Raises:
        DamagedArtefact: The file is not what was written.
        Unsealed: It carries no seal.
    """
    metadata = _footer_of(path)
    seal = (metadata.metadata or {}).get(SEAL.encode())
    if seal is None:
        raise Unsealed(f"{path} carries no seal.")
    body, footer = _body_and_footer(path)
    if _seal_of(body, footer.replace(seal, _BLANK)) != seal.decode("ascii", "replace"):
        raise DamagedArtefact(f"{path} is damaged: its bytes are not those that were written")
    columns = str(metadata.schema.to_arrow_schema().remove_metadata())
    return hashlib.sha256(body + columns.encode()).hexdigest()[:16]


def stamp_of_table(path: Path) -> dict[str, Any] | None:
    """Return what a table was made from; None where it does not say.

    Raises:
        DamagedArtefact: The file is no Parquet file, or its stamp is damaged.
    """
    text = (_footer_of(path).metadata or {}).get(b"provenance")
    if text is None:
        return None
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise DamagedArtefact(f"{path} is damaged: its provenance is not readable") from error


def _footer_of(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        # A damaged footer fails in as many ways as it has fields: ArrowInvalid, UnicodeDecodeError…
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DamagedArtefact(f"{path} cannot be read as Parquet ({reason})") from error


def _body_and_footer(path: Path) -> tuple[bytes, bytes]:
    """Return the SHA-256 of the rows' bytes, and the bytes of the footer."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(-_TAIL, 2)
        length = int.from_bytes(file.read(4), "little") + _TAIL
        rows = size - length
        file.seek(0)
        found = hashlib.sha256()
        while rows > 0 and (block := file.read(min(_BLOCK, rows))):
            found.update(block)
            rows -= len(block)
        return found.digest(), file.read()


def _seal_of(body: bytes, footer: bytes) -> str:
    return hashlib.sha256(body + footer).hexdigest()


# --- folders ------------------------------------------------------------------------------------


def seal_folder(folder: Path, stamp: Mapping[str, Any]) -> None:
    """Note in a folder's `provenance.json` its stamp and the digest of each of its files."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != STAMP:
            flush(path)
            files[path.relative_to(folder).as_posix()] = _digest_of_file(path)
    note = {**stamp, "files": files}
    write_json(folder / STAMP, {**note, SEAL: digest(note, 64)})


def check_folder(folder: Path) -> str:
    """Compare a folder with its seal and return the fingerprint of its content.

    Files that were added since, such as caches, are not looked at.

    Raises:
        DamagedArtefact: A file is missing or not what was written.
        Unsealed: The folder carries no seal.
    """
    note = stamp_of_folder(folder)
    if note is None or SEAL not in note:
        raise Unsealed(f"{folder} carries no seal.")
    if digest({name: of for name, of in note.items() if name != SEAL}, 64) != note[SEAL]:
        raise DamagedArtefact(f"{folder / STAMP} is damaged: it is not what was written")
    for name, expected in note["files"].items():
        path = folder / name
        if not path.is_file():
            raise DamagedArtefact(f"{folder} is damaged: its file {name} is missing")
        if _digest_of_file(path) != expected:
            raise DamagedArtefact(f"{path} is damaged: its bytes are not those that were written")
    return digest(note["files"])


def stamp_of_folder(folder: Path) -> dict[str, Any] | None:
    """Return what a folder was made from; None where it does not say.

    Raises:
        DamagedArtefact: Its `provenance.json` is not readable.
    """
    try:
        return dict(json.loads((folder / STAMP).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise DamagedArtefact(f"{folder / STAMP} is damaged: it is not readable") from error


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- numbers ------------------------------------------------------------------------------------


def sealed_numbers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of a JSON file with their seal."""
    return {**numbers, SEAL: digest(numbers, 64)}


def read_sealed_numbers(path: Path) -> dict[str, Any]:
    """Return the sections of a sealed JSON file.

    Raises:
        DamagedArtefact: The file is not what was written.
        Unsealed: It carries no seal.
    """
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DamagedArtefact(f"{path} is damaged: it is not readable as JSON") from error
    if (seal := found.pop(SEAL, None)) is None:
        raise Unsealed(f"{path} carries no seal.")
    if seal != digest(found, 64):
        raise DamagedArtefact(f"{path} is damaged: its numbers are not those that were written")
    return found
