"""A Sphinx extension that reads this package's docstrings as they are written: as plain text.

They hold formulas such as |G|/|R|, which reStructuredText takes for substitutions, and indented
examples after a colon, which it takes for a mistake.
"""

from __future__ import annotations

import re
from typing import Any


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx; later than napoleon, which turns sections into fields first."""
    app.connect("autodoc-process-docstring", mend_lines, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def mend_lines(_: Any, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Change the lines of a docstring in place."""
    lines[:] = with_literal_blocks([without_substitutions(line) for line in lines])


def without_substitutions(line: str) -> str:
    r"""Return a line whose bars are bars; those in code stay as they are.

    >>> print(without_substitutions("M = |G|/|R|, see `a | b`"))
    M = \|G\|/\|R\|, see `a | b`
    """
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(p if p.startswith("`") else re.sub(r"(?<!\\)\|", r"\\|", p) for p in parts)


def with_literal_blocks(lines: list[str]) -> list[str]:
    """Return lines in which an indented block after a paragraph is shown as it is written.

    Lists, fields and directives keep their own indented parts.
    """
    made: list[str] = []
    for place, line in enumerate(lines):
        made.append(line)
        after = lines[place + 2] if place + 2 < len(lines) else ""
        deeper = len(after) - len(after.lstrip()) > len(line) - len(line.lstrip())
        plain = re.match(r"\s*[^\s:.*+\-\d]", line) and not line.endswith("::")
        if plain and deeper and not lines[place + 1].strip():
            made += ["", line[: len(line) - len(line.lstrip())] + "::"]
    return made
