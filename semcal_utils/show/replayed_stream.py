"""One moment of a stream as a drawing: numbers, bars, evidence, and the last decisions."""

from __future__ import annotations

import math

import pandas as pd

from semcal_utils.rejection.running_estimates import RunningEstimate
from semcal_utils.rejection.stream_replay import StreamMoment
from semcal_utils.show.escaping import content, visible_text
from semcal_utils.show.html import framed, verdict_html
from semcal_utils.show.svg import (
    Drawing,
    evidence_svg,
    label_bars_svg,
    power_of_ten,
    tiles_html,
)

LONGEST_CAPTION = 110
"""Letters of a caption in the list; what is cut is marked by an ellipsis."""


def draw_replayed_stream(moment: StreamMoment) -> Drawing:
    """Draw a stream after some items.

    Args:
        moment: the account.

    Returns:
        The drawing; captions and labels are escaped.
    """
    facts = replay_facts(moment)
    frequencies = moment.frequencies.rename(index=visible_text)
    bars = label_bars_svg(frequencies)
    evidence = evidence_svg(moment.evidence, alarm=-math.log(moment.alpha))
    pictures = (
        '<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start">'
        f'<div style="flex:3 1 340px;max-width:560px">{bars}</div>'
        f'<div style="flex:2 1 240px;max-width:330px">{evidence}</div></div>'
    )
    told = "; ".join(f"{name} {number} ({remark})" for name, number, remark in facts)
    return Drawing(framed(tiles_html(facts), pictures, _latest_html(moment.latest)), told)


def replay_facts(moment: StreamMoment) -> list[tuple[str, str, str]]:
    """Return the numbers of a moment: name, number, remark."""
    report = moment.report
    before, after = report["deception_stream"], report["deception_kept"]
    alarm = "silent" if moment.alarm_at is None else f"alarm at item {moment.alarm_at:,}"
    bound, limit = f"M = {math.exp(moment.log_bound):.2f}", f"alarm at {1 / moment.alpha:g}"
    return [
        ("kept", f"{moment.accepted:,} of {moment.items:,}", bound),
        ("pass rate", *_with_interval(report["pass_rate"])),
        ("deception", f"{_nats(before.value)} → {_nats(after.value)}", "nats, stream → kept"),
        ("deception reduction", *_with_interval(report["deception_reduction"])),
        ("evidence E, stream", power_of_ten(moment.log_e("general")), alarm),
        ("evidence E, kept", power_of_ten(moment.log_e("filtered")), limit),
    ]


def _with_interval(estimate: RunningEstimate) -> tuple[str, str]:
    if math.isnan(estimate.value):
        return "undefined", estimate.note
    return f"{estimate.value:.1%}", f"95 %: {estimate.low:.1%} to {estimate.high:.1%}"


def _nats(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _latest_html(latest: pd.DataFrame) -> str:
    if latest.empty:
        return ""
    lines = "".join(_decision_html(row) for row in latest.to_dict("records"))
    return (
        '<div style="margin-top:8px;border-top:1px solid rgba(128,128,128,.4);padding-top:4px">'
        f'<div style="font-size:11px;opacity:.75">the last items, newest first</div>{lines}</div>'
    )


def _decision_html(row: dict) -> str:
    caption = str(row.get("caption") or "(no caption)")
    shown = caption if len(caption) <= LONGEST_CAPTION else f"{caption[:LONGEST_CAPTION]} …"
    label = row.get("label")
    of = f" · {content(label)}" if isinstance(label, str) else ""
    probability = row["accept_probability"]
    why = content(str(row["reason"]))
    if not math.isnan(probability):
        sign = "<" if row["accepted"] else "≥"
        why = f"coin {row['coin']:.2f} {content(sign)} a = {probability:.2f}"
    return (
        '<div style="display:flex;gap:8px;align-items:baseline;padding:1px 0">'
        f'<span style="flex:none;width:86px">{verdict_html(bool(row["accepted"]))}</span>'
        '<span style="flex:none;width:142px;font-size:11px;font-variant-numeric:tabular-nums">'
        f"{why}</span>"
        f'<span style="min-width:0;overflow-wrap:anywhere"><bdi>{content(shown)}</bdi>'
        f'<span style="font-size:11px;opacity:.75">{of}</span></span></div>'
    )
