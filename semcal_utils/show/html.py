"""Coloured words as static HTML: inline styles, no scripts, and every text from outside escaped.

Colours lie on whatever ground the page has, and text keeps the page's own colour, so that the same
markup reads well in light and dark themes and on paper. Zero is the bare ground.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from semcal_utils.show.escaping import content, escaped
from semcal_utils.show.word_shares import WordShare

GENERAL = "230,159,0"
REAL = "0,114,178"
KEPT = "#56B4E9"
DROPPED = "#999999"
STRONGEST = 0.62
"""Opacity of the strongest colour: black and white text both stay legible on it."""

UP, DOWN = "▲", "▼"
_SMALL = "font-size:11px;line-height:1.3"
# A mathematics renderer would otherwise typeset what stands between two dollar signs.
_FRAME = (
    '<div class="tex2jax_ignore mathjax_ignore" style="font-family:system-ui,sans-serif;'
    "font-size:14px;line-height:1.35;color:inherit;max-width:100%;"
    '-webkit-print-color-adjust:exact;print-color-adjust:exact">{}</div>'
)


def direction(text: str) -> str:
    """Return "rtl" if the first letter with a direction runs from right to left, else "ltr"."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def symmetric_scale(shares: Iterable[WordShare]) -> float:
    """Return the nats at which colours are strongest: the 0.98 quantile of |share|.

    Args:
        shares: of all captions that are shown together.

    Returns:
        A positive number of nats; a few words past it are shown as strongest.
    """
    sizes = [abs(share.share) for share in shares if share.kind != "recipe"]
    return max(float(np.quantile(sizes, 0.98, method="higher")) if sizes else 1.0, 1e-6)


def signed(nats: float, digits: int = 2) -> str:
    """Return a number with its sign in typographic form: +0.42, −0.10, 0.00."""
    rounded = f"{abs(nats):.{digits}f}"
    if float(rounded) == 0:
        return rounded
    return ("+" if nats > 0 else "−") + rounded


def arrow(nats: float) -> str:
    """Return a number with its sign as a shape: ▲0.42 for the world, ▼0.10 for the stream."""
    return signed(nats).replace("+", UP).replace("−", DOWN)


def tint(nats: float, scale: float) -> str:
    """Return the background of a share: blue for the world, amber for the stream, none at zero.

    Args:
        nats: the share.
        scale: nats at which the colour is strongest.

    Returns:
        A CSS colour.
    """
    opacity = STRONGEST * min(1.0, abs(nats) / scale)
    return f"rgba({REAL if nats > 0 else GENERAL},{opacity:.3f})"


def words_html(shares: Sequence[WordShare], scale: float) -> str:
    """Return a caption as a line of coloured words, each over its share.

    Args:
        shares: in reading order.
        scale: nats at which the colour is strongest.

    Returns:
        One element; its direction is that of the text.
    """
    if not shares:
        return '<div style="opacity:.7"><i>no words</i></div>'
    flow = direction(" ".join(share.text for share in shares))
    words = " ".join(_word_html(share, scale) for share in shares)
    return f'<div dir="{flow}" style="line-height:1.25">{words}</div>'


def legend_html(scale: float) -> str:
    """Return the key to colours, signs, outlines and chips.

    Args:
        scale: nats at which the colour is strongest.

    Returns:
        One element.
    """
    bar = (
        '<span style="display:inline-block;width:120px;height:12px;vertical-align:middle;'
        "border:1px solid rgba(128,128,128,.5);border-radius:3px;background:linear-gradient("
        f"to right,{tint(-scale, scale)},transparent,{tint(scale, scale)})"
        '"></span>'
    )
    clipped = '<span style="border:1.5px dashed currentColor;padding:0 4px">word</span>'
    entries = (
        f"{DOWN} more likely in the stream (general) {signed(-scale)} {bar} {signed(scale)} {UP} "
        "more likely in the world (real), nats",
        f"{clipped} clipped: holds tokens that are not counted",
        f"{_chip('end')} end of caption",
    )
    spans = "".join(
        f'<span style="display:inline-block;margin-right:14px">{entry}</span>' for entry in entries
    )
    return f'<div dir="ltr" style="{_SMALL};margin:2px 0 8px">{spans}</div>'


def footer_html(facts: Sequence[str]) -> str:
    """Return the line under a caption: sum, bound and acceptance, the sum in bold."""
    first, *others = facts
    told = " &nbsp;·&nbsp; ".join([f"<b>{first}</b>", *others])
    return f'<div dir="ltr" style="{_SMALL};margin-top:4px">{told}</div>'


def verdict_html(accepted: bool) -> str:
    """Return "✓ kept" or "✗ dropped", told apart by shape as well as colour."""
    line = f"1.5px solid {KEPT}" if accepted else f"1.5px dashed {DROPPED}"
    told = "✓ kept" if accepted else "✗ dropped"
    return f'<span style="border:{line};border-radius:4px;padding:0 4px">{told}</span>'


def framed(*parts: str) -> str:
    """Join parts in the frame that all of these pictures share."""
    return _FRAME.format("".join(parts))


def _word_html(share: WordShare, scale: float) -> str:
    title, body = {
        "word": (share.text, f"<bdi>{content(share.text) or '&nbsp;'}</bdi>"),
        "end": ("end of caption", _chip("end")),
        "recipe": ("what the recipe adds to every caption", _chip("recipe")),
    }[share.kind]
    told = f"{title}: {signed(share.share, 3)} nats in {share.tokens} token(s)"
    outline = ""
    number = arrow(share.share)
    if share.clipped:
        told += f", {share.clipped} clipped ({signed(share.clipped_share, 3)} nats not counted)"
        outline = "outline:1.5px dashed currentColor;outline-offset:-1px;"
        number = "clipped" if share.clipped == share.tokens else number
    return (
        f'<span title="{escaped(told)}" style="display:inline-block;text-align:center;'
        f"vertical-align:top;margin:2px 0;padding:2px 4px 1px;border-radius:4px;max-width:100%;"
        f'overflow-wrap:anywhere;{outline}background:{tint(share.share, scale)}">'
        f'{body}<br><span dir="ltr" style="font-size:10px">{number}</span></span>'
    )


def _chip(name: str) -> str:
    return (
        '<span style="border:1px solid currentColor;border-radius:9px;padding:0 6px;'
        f'font-size:11px">{name}</span>'
    )
