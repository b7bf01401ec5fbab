"""Untrusted text made harmless: nothing in it is markup, mathematics or hides other text."""

from __future__ import annotations

import html
import unicodedata

_OVERRIDES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def visible_text(text: str) -> str:
    """Return text in which no character can hide or reorder others.

    Control characters and direction marks become their code points in brackets, lone surrogates the
    replacement character. Everything else, joiners of emoji included, stays.

    Args:
        text: untrusted text.

    Returns:
        Text of printable characters; not yet escaped for HTML.
    """
    return "".join(_visible(character) for character in text)


def escaped(text: str) -> str:
    """Return untrusted text for HTML, in content or in a double-quoted attribute.

    Args:
        text: untrusted text.

    Returns:
        Text with no markup of its own.
    """
    return html.escape(visible_text(text), quote=True)


def content(text: str) -> str:
    """Return untrusted text for an element's content, with marks of mathematics set apart.

    Args:
        text: untrusted text.

    Returns:
        Escaped text in which each dollar sign and backslash is an element of its own, so that no
        renderer takes what follows for a formula.
    """
    safe = escaped(text)
    for mark in ("$", "\\"):
        safe = safe.replace(mark, f"<span>{mark}</span>")
    return safe


def _visible(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    kind = unicodedata.category(character)
    reorders = unicodedata.bidirectional(character) in _OVERRIDES or code in (0x200E, 0x200F, 0x61C)
    if kind in ("Cc", "Zl", "Zp") or reorders:
        return f"[U+{code:04X}]"
    return character
