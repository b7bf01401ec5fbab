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

from semcal_utils.show.style import COLOURS

MOST_LABELS = 24
"""Labels drawn beside one another; of more, those whose stream and world differ most."""

LOWEST_TENS, HIGHEST_TENS = 6, 12
"""The axis of evidence reaches from 10^-6 to 10^12; what lies beyond runs along its edge."""

_QUIET = 'fill="currentColor" fill-opacity=".72"'


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


def svg(width: float, height: float, told: str, *shapes: str) -> str:
    """Return shapes as one picture that shrinks with the page.

    Args:
        width: of the drawing's own units; pixels where there is room.
        height: in the same units.
        told: what the picture shows, in words, for readers who cannot see it.
        *shapes: SVG elements.
    """
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{html.escape(told)}" '
        f'style="width:100%;max-width:{width:g}px;height:auto;display:block" '
        f'font-family="system-ui,sans-serif" font-size="12">{"".join(shapes)}</svg>'
    )


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
    left, top, bottom = 40, 26, 62 if len(shown) > 4 else 24
    deep, wide = height - top - bottom, width - left - 4
    ceiling = _ceiling(shown, most)
    shapes = [_legend(list(map(str, shown.columns)), width, left_out)]
    for tick in np.linspace(0, ceiling, 5):
        y = top + deep * (1 - tick / ceiling)
        shapes.append(
            _rule(left, width - 4, y, 0.35 if tick == 0 else 0.13)
            + f'<text x="{left - 5}" y="{y + 4:.1f}" text-anchor="end" font-size="10.5" {_QUIET}>'
            f"{tick:.0%}</text>"
        )
    slot = wide / max(len(shown), 1)
    bar = 0.82 * slot / max(shown.shape[1], 1)
    for row, (label, shares) in enumerate(shown.iterrows()):
        middle = left + (row + 0.5) * slot
        name = html.escape(str(label))
        for place, (side, share) in enumerate(shares.items()):
            if math.isnan(share):
                continue
            tall = deep * min(share / ceiling, 1.0)
            x = middle + (place - shown.shape[1] / 2) * bar
            shapes.append(
                f'<rect class="bar-{side}" x="{x:.1f}" y="{top + deep - tall:.1f}" '
                f'width="{bar * 0.93:.1f}" height="{tall:.1f}" '
                f'fill="{COLOURS.get(str(side), COLOURS["rejected"])}">'
                f"<title>{name}, {side}: {share:.1%}</title></rect>"
            )
        shapes.append(_name_below(name, middle, top + deep, turned=len(shown) > 4))
    told = f"share of items by label: {', '.join(map(str, shown.columns))}"
    return svg(width, height, told, *shapes)


def evidence_svg(
    evidence: pd.DataFrame, *, alarm: float, width: float = 330, height: float = 270
) -> str:
    """Draw the evidence against the stream and against what was kept, and where the alarm is.

    Args:
        evidence: columns items, general, filtered: log E in nats.
        alarm: log E at which the alarm is raised.
        width: pixels.
        height: pixels.
    """
    left, top, bottom = 42, 26, 36
    deep, wide = height - top - bottom, width - left - 8
    tens = evidence[["general", "filtered"]].to_numpy() / math.log(10)
    high, low = HIGHEST_TENS, -LOWEST_TENS
    last = float(evidence["items"].iloc[-1]) if len(evidence) else 1.0
    # The alarm is a matter of the first items: a logarithmic axis gives them room.
    x = left + wide * np.log(evidence["items"].to_numpy()) / max(math.log(last), 1e-9)

    def y_of(exponent: Any) -> Any:
        return top + deep * (high - np.clip(exponent, low, high)) / (high - low)

    shapes = [
        _rule(left, width - 8, float(y_of(exponent)), 0.13)
        + f'<text x="{left - 5}" y="{float(y_of(exponent)) + 4:.1f}" text-anchor="end" '
        f'font-size="10.5" {_QUIET}>10'
        f'<tspan dy="-4" font-size="8">{_minus(exponent)}</tspan></text>'
        for exponent in range(-LOWEST_TENS, HIGHEST_TENS + 1, 3)
    ]
    y = float(y_of(alarm / math.log(10)))
    shapes.append(
        f'<line x1="{left}" x2="{width - 8:g}" y1="{y:.1f}" y2="{y:.1f}" '
        f'stroke="{COLOURS["wrong"]}" stroke-width="1.4" stroke-dasharray="5 4"/>'
        f'<text x="{width - 10:g}" y="{y - 5:.1f}" text-anchor="end" font-size="10.5" '
        f'fill="{COLOURS["wrong"]}">alarm: E = {math.exp(alarm):.3g}</text>'
    )
    for place, side in enumerate(("general", "filtered")):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y_of(tens[:, place]), strict=True))
        shapes.append(
            f'<polyline class="evidence-{side}" points="{points}" fill="none" '
            f'stroke="{COLOURS[side]}" stroke-width="2.2" stroke-linejoin="round"/>'
        )
    beyond = " (off the top)" if tens.size and tens[-1, 0] > high else ""
    shapes.append(
        f'<text x="0" y="14" font-weight="600" fill="currentColor">evidence E</text>'
        f'<text x="80" y="14" font-size="10.5" {_QUIET}>amber: the stream{beyond}, '
        "light blue: kept</text>"
    )
    for decade in range(math.floor(math.log10(last)) + 1):
        at = left + wide * decade * math.log(10) / max(math.log(last), 1e-9)
        if at < width - 70 or 10**decade == last:
            shapes.append(
                f'<text x="{at:.1f}" y="{height - 18:g}" text-anchor="middle" font-size="10.5" '
                f"{_QUIET}>{10**decade:,}</text>"
            )
    shapes.append(
        f'<text x="{width - 8:g}" y="{height - 18:g}" text-anchor="end" font-size="10.5" {_QUIET}>'
        f"{last:,.0f} items</text>"
    )
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


def _legend(sides: list[str], width: float, left_out: int) -> str:
    shapes, x = [], width - 4 - 78 * len(sides)
    for side in sides:
        shapes.append(
            f'<rect x="{x:g}" y="5" width="11" height="11" rx="2" '
            f'fill="{COLOURS.get(side, COLOURS["rejected"])}"/>'
            f'<text x="{x + 16:g}" y="15" fill="currentColor">{html.escape(side)}</text>'
        )
        x += 78
    note = f" ({left_out} more labels not drawn)" if left_out else ""
    shapes.append(
        '<text x="0" y="14" font-weight="600" fill="currentColor">share of items'
        f'<tspan font-weight="400" font-size="10.5">{note}</tspan></text>'
    )
    return "".join(shapes)


def _rule(x1: float, x2: float, y: float, opacity: float) -> str:
    return (
        f'<line x1="{x1:g}" x2="{x2:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" '
        f'stroke-opacity="{opacity}"/>'
    )


def _name_below(name: str, x: float, y: float, *, turned: bool) -> str:
    if not turned:
        return f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle" {_QUIET}>{name}</text>'
    return (
        f'<text x="{x + 4:.1f}" y="{y + 13:.1f}" text-anchor="end" font-size="11" '
        f'transform="rotate(-35 {x + 4:.1f} {y + 13:.1f})" {_QUIET}>{name}</text>'
    )


def _minus(number: int) -> str:
    return str(number).replace("-", "−")
