"""A replayed stream tells the same story wherever one looks, and draws it without trusting it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from semcal_utils.rejection import SemanticFilter
from semcal_utils.rejection.stream_alarms import alarm_paths
from semcal_utils.rejection.stream_monitor import StreamMonitor
from semcal_utils.rejection.stream_replay import PATH_POINTS, StreamReplay
from semcal_utils.show.replayed_stream import draw_replayed_stream
from semcal_utils.show.svg import Drawing, evidence_svg, label_bars_svg, power_of_ten

LABELS = ["fire", "food", "music"]
GENERAL = np.array([0.6, 0.2, 0.2])
WORLD = pd.Series([0.1, 0.5, 0.4], LABELS)


def posts(items: int, *, captions: str | None = None) -> pd.DataFrame:
    codes = np.random.default_rng(0).choice(3, items, p=GENERAL)
    table = pd.DataFrame(
        {
            "item_id": [f"post {number}" for number in range(items)],
            "label": np.array(LABELS)[codes],
            "log_ratio": np.log(WORLD.to_numpy() / GENERAL)[codes],
        }
    )
    return table if captions is None else table.assign(caption=captions)


def replay_of(table: pd.DataFrame, **options) -> StreamReplay:
    return StreamReplay(table, WORLD, **({"log_bound": 1.0, "seed": 3} | options))


def test_a_moment_is_the_account_of_filter_and_monitor():
    table = posts(500)
    moment = replay_of(table).moment(320)
    sieve, monitor = SemanticFilter(log_bound=1.0, seed=3), StreamMonitor(WORLD)
    for item in table[:320].to_dict("records"):
        monitor.observe(sieve.decide(item))
    assert moment.accepted == sieve.counts[""] == monitor.accepted
    assert moment.items == 320
    assert moment.alarm_at == monitor.alarm_at
    assert moment.log_e("general") == pytest.approx(monitor.log_e)
    shares = monitor.frequencies()
    assert moment.frequencies["general"].tolist() == shares["stream"].tolist()
    assert moment.frequencies["filtered"].tolist() == shares["kept"].tolist()
    kept = (shares["kept"] * monitor.accepted).round().astype(int)
    path = alarm_paths(np.repeat(np.arange(len(kept)), kept), WORLD)  # in any order
    assert moment.log_e("filtered") == pytest.approx(path[-1])


def test_moments_may_be_asked_for_in_any_order():
    replay = replay_of(posts(400))
    there = replay.moment(300).report["deception_reduction"]
    assert replay.moment(50).items == 50
    assert replay.moment(300).report["deception_reduction"][:3] == pytest.approx(there[:3])
    assert replay.moment(10**6).items == 400
    assert replay.moment(-5).items == 0


def test_the_evidence_is_handed_on_at_few_places_and_ends_at_the_moment():
    moment = replay_of(posts(3000)).moment(2500)
    assert len(moment.evidence) <= PATH_POINTS
    assert moment.evidence["items"].iloc[[0, -1]].tolist() == [1, 2500]


def test_refused_repeated_and_strange_items_take_no_part():
    table = posts(200)
    table.loc[10, "log_ratio"] = math.nan
    table.loc[20, "item_id"] = "post 19"
    table.loc[30, "label"] = "volcano"
    table.loc[40, "label"] = None
    moment = replay_of(table).moment(200)
    assert moment.items == 200
    assert math.isfinite(moment.log_e("general"))
    monitor = StreamMonitor(WORLD)
    monitor.observe_table(SemanticFilter(log_bound=1.0, seed=3).decide(table))
    assert moment.log_e("general") == pytest.approx(monitor.log_e)


def test_a_label_that_the_world_never_shows_is_left_out():
    world = pd.Series([0.0, 0.5, 0.5], LABELS)
    moment = StreamReplay(posts(50), world, log_bound=1.0, seed=0).moment(50)
    assert list(moment.frequencies.index) == ["food", "music"]


def test_an_empty_stream_can_be_drawn():
    moment = replay_of(posts(0)).moment(10)
    assert (moment.items, moment.accepted, moment.log_e("general")) == (0, 0, 0.0)
    drawing = draw_replayed_stream(moment)
    assert "undefined" in drawing.text
    assert "nan" not in drawing.html


def test_too_few_kept_items_tell_no_reduction():
    replay = replay_of(posts(3000))
    early, late = (replay.moment(n).report["deception_reduction"] for n in (12, 3000))
    assert math.isnan(early.value)
    assert early.note
    assert late.value > 0.95


def test_a_drawing_shows_numbers_bars_and_the_last_decisions():
    drawing = draw_replayed_stream(replay_of(posts(60, captions="a duck by the sea")).moment(60))
    assert isinstance(drawing, Drawing)
    assert "kept " in repr(drawing)
    assert drawing.html.count('class="bar-filtered"') == 3
    assert drawing.html.count("a duck by the sea") == 5
    assert drawing._repr_html_() == drawing.html


@pytest.mark.parametrize(
    "hostile", ['<script>alert("x")</script>', '"><img src=x onerror=alert(1)>', "\u202etxt\x07"]
)
def test_captions_and_labels_are_drawn_as_text(hostile):
    table = posts(40, captions=hostile)
    world = WORLD.rename({"fire": hostile})
    table["label"] = table["label"].replace("fire", hostile)
    html = StreamReplay(table, world, log_bound=1.0, seed=0).moment(40)
    markup = draw_replayed_stream(html).html
    assert "<script" not in markup
    assert "<img" not in markup
    assert "\u202e" not in markup
    assert "\x07" not in markup


def test_long_captions_are_cut_with_an_ellipsis():
    moment = replay_of(posts(3, captions="word " * 80)).moment(3)
    assert " …" in draw_replayed_stream(moment).html


def test_bars_are_as_high_as_their_shares():
    frequencies = pd.DataFrame({"general": [0.4, 0.2], "real": [0.1, math.nan]}, index=["a", "b"])
    markup = label_bars_svg(frequencies, most=0.4, height=150)
    found = [float(part.split('"')[0]) for part in markup.split('height="')[1:]]
    assert [h for h in found if h != 11] == [100.0, 25.0, 50.0]
    assert "a, general: 40.0%" in markup


def test_of_many_labels_those_that_differ_most_are_drawn_and_the_rest_counted():
    shares = np.full(40, 1 / 40)
    world = shares.copy()
    world[3], world[5] = 0.04, 0.01
    table = pd.DataFrame(
        {"general": shares, "real": world}, index=[f"label {n}" for n in range(40)]
    )
    markup = label_bars_svg(table)
    assert "16 more labels not drawn" in markup
    assert "label 3, real" in markup
    assert markup.count('class="bar-real"') == 24


def test_evidence_beyond_the_frame_runs_along_its_edge_and_says_so():
    path = pd.DataFrame({"items": [1, 2], "general": [0.0, 500.0], "filtered": [0.0, -500.0]})
    markup = evidence_svg(path, alarm=math.log(20))
    assert "off the top" in markup
    assert "alarm: E = 20" in markup


def test_numbers_beyond_a_thousand_are_written_as_powers():
    assert power_of_ten(math.log(12.44)) == "12.4"
    assert power_of_ten(math.log(3.2e15)) == "3.2 × 10¹⁵"
    assert power_of_ten(math.log(4.7e-11)) == "4.7 × 10⁻¹¹"
