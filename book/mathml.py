"""A Sphinx extension that writes formulas as MathML while the book is built.

Every current browser draws MathML itself: no script, nothing to download, formulas take the page's
colour in light and dark, and screen readers can speak them.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def setup(app: Any) -> dict[str, Any]:
    """Register the renderer `mathml` with Sphinx."""
    app.add_html_math_renderer("mathml", (write_inline, None), (write_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def as_mathml(latex: str, display: str = "inline") -> str:
    """Return a LaTeX formula as MathML.

    Raises:
        ValueError: A command is left that the converter does not know.
    """
    found = convert(latex, display=display)
    if "\\" in found:
        raise ValueError(f"The formula {latex!r} holds a command that MathML cannot show.")
    return str(found)


def write_inline(writer: Any, node: nodes.Element) -> None:
    """Write a formula inside a line."""
    writer.body.append(as_mathml(node.astext()))
    raise nodes.SkipNode


def write_block(writer: Any, node: nodes.Element) -> None:
    """Write a formula on a line of its own, which scrolls where the page is narrow."""
    writer.body.append(
        f'<div class="formula" tabindex="0">{as_mathml(node.astext(), "block")}</div>\n'
    )
    raise nodes.SkipNode
