"""Pictures that panels redraw while a slider moves: SVG text, made in milliseconds.

Words and lines take the page's own colour, so that a picture reads well on light and dark themes
and on paper. Names are escaped: labels come from outside.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from semcal_utils.show.style import COLOURS, Look

MOST_LABELS = 24
"""Labels drawn beside one another; of more, those whose stream and world differ most."""

LOWEST_TENS, HIGHEST_TENS = 6, 12
"""The axis of evidence reaches from 10^-6 to 10^12; what lies beyond runs along its edge."""

QUIET: Look = {"fill": "currentColor", "fill_opacity": 0.72, "font_size": 10.5}
TITLE: Look = {"fill": "currentColor", "font_weight": 600}


@dataclass(frozen=True)
class Drawing:
    """A picture as HTML, with the same told in words for where HTML is not shown.

    Attributes:
        html: escaped markup.
        text: plain words.
    """

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def shape(name: str, content: str = "", **attributes: Any) -> str:
    """Return an SVG element.

    Args:
        name: such as "rect".
        content: escaped markup within it.
        **attributes: with "_" for "-" and one at the end ignored; escaped here, numbers rounded.
    """
    written = []
    for key, value in attributes.items():
        told = f"{value:.5g}" if isinstance(value, float) else html.escape(str(value))
        written.append(f'{key.rstrip("_").replace("_", "-")}="{told}"')
    end = f">{content}</{name}>" if content else "/>"
    return f"<{name} {' '.join(written)}{end}"


def rule(x1: float, x2: float, y: float, opacity: float = 0.13) -> str:
    """Return a level line in the page's colour."""
    return shape("line", x1=x1, x2=x2, y1=y, y2=y, stroke="currentColor", stroke_opacity=opacity)


def svg(width: float, height: float, told: str, *shapes: str) -> str:
    """Return shapes as one picture that shrinks with the page.

    Args:
        width: of the drawing's own units; pixels where there is room.
        height: in the same units.
        told: what the picture shows, in words, for readers who cannot see it.
        *shapes: SVG elements.
    """
    return shape(
        "svg", "".join(shapes), viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=told,
        style=f"width:100%;max-width:{width:g}px;height:auto;display:block",
        font_family="system-ui,sans-serif", font_size=12,
    )  # fmt: skip


def label_bars_svg(
    frequencies: pd.DataFrame, *, width: float = 560, height: float = 270, most: float | None = None
) -> str:
    """Draw label frequencies side by side, as `plot_label_bars` does on paper.

    Args:
        frequencies: one row per label; columns such as `general`, `real`, `filtered`. NaN columns
            have no bars yet.
        width: pixels.
        height: pixels.
        most: share at the top of the axis; fits the bars if omitted.
    """
    shown, left_out = _most_telling(frequencies)
    turned = len(shown) > 4
    left, top, bottom = 40, 26, 62 if turned else 24
    deep, wide = height - top - bottom, width - left - 4
    ceiling = _ceiling(shown, most)
    note = f" ({left_out} more labels not drawn)" if left_out else ""
    shapes = [shape("text", "share of items" + shape("tspan", note, font_size=10.5), y=14, **TITLE)]
    for place, side in enumerate(shown):
        x = width - 4 - 78 * (shown.shape[1] - place)
        fill = COLOURS.get(side, COLOURS["rejected"])
        shapes.append(shape("rect", x=x, y=5, width=11, height=11, rx=2, fill=fill))
        shapes.append(shape("text", html.escape(side), x=x + 16, y=15, fill="currentColor"))
    for tick in np.linspace(0, ceiling, 5):
        y = top + deep * (1 - tick / ceiling)
        shapes.append(rule(left, width - 4, y, 0.13 if tick else 0.35))
        shapes.append(shape("text", f"{tick:.0%}", x=left - 5, y=y + 4, text_anchor="end", **QUIET))
    slot = wide / max(len(shown), 1)
    bar = 0.82 * slot / max(shown.shape[1], 1)
    for row, (label, shares) in enumerate(shown.iterrows()):
        middle = left + (row + 0.5) * slot
        name = html.escape(str(label))
        for place, (side, share) in enumerate(shares.dropna().items()):
            tall = deep * min(share / ceiling, 1.0)
            x = middle + (place - shown.shape[1] / 2) * bar
            told = shape("title", f"{name}, {side}: {share:.1%}")
            fill = COLOURS.get(side, COLOURS["rejected"])
            size: Look = {"x": x, "y": top + deep - tall, "width": bar * 0.93, "height": tall}
            shapes.append(shape("rect", told, class_=f"bar-{side}", fill=fill, **size))
        x, y = (middle + 4, top + deep + 13) if turned else (middle, top + deep + 16)
        look: Look = {"text_anchor": "middle"}
        if turned:
            look = {"text_anchor": "end", "transform": f"rotate(-35 {x:.1f} {y:.1f})"}
        shapes.append(shape("text", name, x=x, y=y, **look, **QUIET))
    return svg(width, height, f"share of items by label: {', '.join(shown)}", *shapes)


def evidence_svg(evidence: pd.DataFrame, *, alarm: float) -> str:
    """Draw the evidence against the stream and against what was kept, and where the alarm is.

    Args:
        evidence: columns items, general, filtered: log E in nats.
        alarm: log E at which the alarm is raised.
    """
    width, height, left, top, bottom = 330, 270, 42, 26, 36
    deep, right = height - top - bottom, width - 8
    high, low = HIGHEST_TENS, -LOWEST_TENS
    last = float(evidence["items"].iloc[-1]) if len(evidence) else 1.0

    def x_of(items: Any) -> Any:
        # The alarm is a matter of the first items: a logarithmic axis gives them room.
        return left + (right - left) * np.log(items) / max(math.log(last), 1e-9)

    def y_of(nats: Any) -> Any:
        return top + deep * (high - np.clip(nats / math.log(10), low, high)) / (high - low)

    shapes = []
    for tens in range(low, high + 1, 3):
        y = float(y_of(tens * math.log(10)))
        power = shape("tspan", str(tens).replace("-", "−"), dy=-4, font_size=8)
        shapes.append(rule(left, right, y))
        shapes.append(shape("text", f"10{power}", x=left - 5, y=y + 4, text_anchor="end", **QUIET))
    y, red = float(y_of(alarm)), COLOURS["wrong"]
    dashed: Look = {"stroke": red, "stroke_width": 1.4, "stroke_dasharray": "5 4"}
    shapes.append(shape("line", x1=left, x2=right, y1=y, y2=y, **dashed))
    named: Look = QUIET | {"fill": red, "fill_opacity": 1, "text_anchor": "end"}
    shapes.append(shape("text", f"alarm: E = {math.exp(alarm):.3g}", x=right - 2, y=y - 5, **named))
    for side in ("general", "filtered"):
        places = zip(x_of(evidence["items"]), y_of(evidence[side]), strict=True)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        line: Look = {"fill": "none", "stroke": COLOURS[side], "stroke_width": 2.2}
        shapes.append(shape("polyline", class_=f"evidence-{side}", points=points, **line))
    off = len(evidence) and evidence["general"].iloc[-1] > high * math.log(10)
    told = f"amber: the stream{' (off the top)' if off else ''}, light blue: kept"
    shapes.append(
        shape("text", "evidence E", y=14, **TITLE) + shape("text", told, x=80, y=14, **QUIET)
    )
    for decade in range(math.floor(math.log10(last)) + 1):
        x = float(x_of(10**decade))
        if x < width - 70:
            place: Look = {"x": x, "y": height - 18, "text_anchor": "middle"}
            shapes.append(shape("text", f"{10**decade:,}", **place, **QUIET))
    place = {"x": right, "y": height - 18, "text_anchor": "end"}
    shapes.append(shape("text", f"{last:,.0f} items", **place, **QUIET))
    return svg(width, height, "evidence against the stream and against what was kept", *shapes)


def tiles_html(facts: Sequence[tuple[str, str, str]]) -> str:
    """Write numbers in a row, each under its name.

    Args:
        facts: name, number, and a quiet remark below it; plain text.
    """
    tiles = "".join(
        '<div style="flex:1 1 112px;min-width:0;border-left:3px solid rgba(128,128,128,.4);'
        'padding:1px 4px 1px 9px">'
        f'<div style="font-size:11px;opacity:.75">{html.escape(name)}</div>'
        f'<div style="font-size:17px;font-weight:600;white-space:nowrap;line-height:1.25;'
        f'font-variant-numeric:tabular-nums">{html.escape(number)}</div>'
        f'<div style="font-size:11px;opacity:.75;font-variant-numeric:tabular-nums">'
        f"{html.escape(remark)}</div></div>"
        for name, number, remark in facts
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px;margin:4px 0 10px">{tiles}</div>'


def power_of_ten(nats: float) -> str:
    """Write exp(nats) shortly: 0.031, 12.4 or 3.2 × 10^15."""
    exponent = math.floor(nats / math.log(10))
    if -3 <= exponent <= 3:
        return f"{math.exp(nats):,.3g}"
    factor = math.exp(nats - exponent * math.log(10))
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{factor:.1f} × 10{raised}"


def _most_telling(frequencies: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    left_out = len(frequencies) - MOST_LABELS
    if left_out <= 0:
        return frequencies, 0
    gap = frequencies.max(axis=1) - frequencies.min(axis=1)
    telling = gap.sort_values(ascending=False, kind="stable").index[:MOST_LABELS]
    return frequencies[frequencies.index.isin(telling)], left_out


def _ceiling(frequencies: pd.DataFrame, most: float | None) -> float:
    largest = float(np.nanmax(frequencies.to_numpy(), initial=0.0)) if most is None else most
    return next((c for c in (0.08, 0.12, 0.2, 0.32, 0.4, 0.6, 0.8) if c >= largest), 1.0)
