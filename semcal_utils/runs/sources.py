"""Which of the package's own files a notebook's outcome depends on.

Imports are followed from the notebook's cells through the package, wherever in a file they stand,
and so are strings that name a module, as `import_module` takes them. A notebook that imports no
stream monitor is not run again when the stream monitor changes.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

PACKAGE = Path(__file__).parents[1]
NAME = PACKAGE.name
DOTTED = re.compile(rf"{NAME}(\.\w{{1,80}})+")  # a module that is imported by its name
# What runs a notebook, and with which environment, decides its outcome, too.
PLUMBING = ("runs", "show", "regenerate.py", "__init__.py")
ALWAYS = (f"{NAME}.runs.runner",)


def package_digest(cells: Iterable[str]) -> str:
    """Return a digest of every file of the package that a notebook's code cells lead to.

    Args:
        cells: Sources of the code cells. One that is not plain Python counts as importing all.
    """
    return _digest({file: _digest_of_file(file) for file in files_behind(cells)})


def code_behind(make: Callable[..., Any]) -> str:
    """Return a digest of the package's files behind what makes an artefact.

    For a maker of the package that is its module and what that imports; for one of a notebook, the
    rooms that the notebook imports. Where artefacts lie and how figures look (`runs`, `show`)
    changes no value, so an edit there makes nothing again.

    Files count as they were when this process began: an edit after that is not what ran.
    """
    while isinstance(make, partial):
        make = make.func
    module = getattr(make, "__module__", None) or ""
    if module.split(".")[0] == NAME:
        names = [module]
    else:
        known = getattr(make, "__globals__", {})
        names = [name for name in map(_imported_name, known.values()) if name.startswith(NAME)]
    files = _with_data(_files_from(names, without=PLUMBING))
    return _digest({file: AS_IMPORTED.get(file, "new") for file in files})


def _imported_name(value: object) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    return str(value.__module__) if isinstance(value, type | FunctionType) else ""


def _digest(files: Mapping[Path, str]) -> str:
    listed = sorted((file.relative_to(PACKAGE).as_posix(), found) for file, found in files.items())
    return hashlib.sha256(repr(listed).encode()).hexdigest()[:16]


def _digest_of_file(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def files_behind(cells: Iterable[str]) -> list[Path]:
    """Return the package's files that code leads to, with the data beside them, sorted."""
    waiting = list(ALWAYS)
    for cell in cells:
        try:
            waiting += names_in(ast.parse(cell), NAME)
        except SyntaxError:
            return sorted(_with_data(PACKAGE.rglob("*.py")))
    return sorted(_with_data(_files_from(waiting)))


def _files_from(names: Iterable[str], *, without: Container[str] = ()) -> set[Path]:
    """Return the package's modules that names lead to, import by import.

    Args:
        names: Dotted names.
        without: Rooms that are no part of it, nor what is reached through them alone.
    """
    waiting, seen = list(names), set()
    while waiting:
        for file in _files_of(waiting.pop()):
            if file not in seen and file.relative_to(PACKAGE).parts[0] not in without:
                seen.add(file)
                waiting += _names_in_file(file)
    return seen


def names_in(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield dotted names that code imports, or has as strings, from this package.

    Args:
        tree: Parsed code.
        package: Name of the package the code stands in, for relative imports.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(start if node.level else []), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and DOTTED.fullmatch(str(node.value)):
            yield str(node.value)


@cache
def _names_in_file(file: Path) -> tuple[str, ...]:
    inside = file.relative_to(PACKAGE.parent).parent.as_posix().replace("/", ".")
    return tuple(names_in(ast.parse(file.read_bytes()), inside))


def _files_of(name: str) -> Iterator[Path]:
    """Yield the file of a module, and those of the packages around it, which run first."""
    parts = name.split(".")
    if parts[0] != NAME:
        return
    for depth in range(1, len(parts) + 1):
        place = PACKAGE.joinpath(*parts[1:depth])
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                yield file


def _with_data(files: Iterable[Path]) -> set[Path]:
    found = set(files)
    for folder in {file.parent for file in found} - {PACKAGE}:
        found.update(
            file
            for file in folder.iterdir()
            if file.is_file() and file.suffix not in (".py", ".pyc") and file.name[0] != "."
        )
    return found


AS_IMPORTED = {
    file: _digest_of_file(file)
    for file in PACKAGE.rglob("*")
    if file.is_file() and file.suffix != ".pyc" and not file.name.startswith(".")
}
"""Digests of the package's files when this process began."""
