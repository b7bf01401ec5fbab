"""How many lines of code each room of the package holds: `python -m benchmarks.size`.

A line counts when it holds code: blank lines, comments and docstrings do not.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)


def code_lines(source: str) -> int:
    r"""Return the number of lines of a Python source that hold code.

    >>> code_lines('"A docstring."\n\nx = 1  # why\n# alone\ny = (\n    2\n)\n')
    4
    """
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                docstrings.update(range(first.lineno, (first.end_lineno or 0) + 1))
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            held.update(range(token.start[0], token.end[0] + 1))
    return len(held - docstrings)


def lines_by_room(folder: Path) -> Counter[str]:
    """Return the lines of code under a folder, by its modules and packages."""
    found: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.py")):
        room = path.relative_to(folder).parts[0].removesuffix(".py")
        found[room] += code_lines(path.read_text(encoding="utf-8"))
    return found


def main() -> int:
    """Print the table."""
    for title, folder in (
        ("semcal_utils", ROOT / "semcal_utils"),
        ("book", ROOT / "book"),
        ("tests", ROOT / "tests"),
    ):
        rooms = lines_by_room(folder)
        if title == "semcal_utils":
            for room, lines in rooms.most_common():
                files = len(list((folder / room).rglob("*.py"))) or 1
                print(f"  {room:<20} {lines:6,} lines in {files} files")
        print(f"{title:<22} {rooms.total():6,} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
