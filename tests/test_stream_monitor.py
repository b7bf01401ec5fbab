from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcal_utils.divergence import kl_divergence
from semcal_utils.rejection import Decision, SemanticFilter
from semcal_utils.rejection.running_estimates import mean_estimate, reduction_estimate
from semcal_utils.rejection.stream_alarms import (
    PairedScoreAlarm,
    alarm_paths,
    alarm_times,
    bounded_score,
    paired_alarm_paths,
)
from semcal_utils.rejection.stream_monitor import StreamMonitor

LABELS = list("abcdefghij")
WORLD = dict(zip(LABELS, np.linspace(1, 3, 10) / 20, strict=True))
REAL = np.array(list(WORLD.values()))


def deceptive(target: float) -> np.ndarray:
    """Label frequencies with KL(G‖R) at the target, by bisection over a tilt."""
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        tilted = REAL * np.exp(middle * np.linspace(1, -1, 10))
        tilted /= tilted.sum()
        low, high = (middle, high) if kl_divergence(tilted, REAL) < target else (low, middle)
    return tilted


def posts(items: int, frequencies: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    codes = rng.choice(10, items, p=frequencies)
    exact = np.log(REAL / frequencies)[codes]
    return pd.DataFrame(
        {
            "item_id": [f"p{seed}-{i}" for i in range(items)],
            "label": np.array(LABELS)[codes],
            "log_ratio": exact + rng.normal(0, 0.2, items),
        }
    )


def decided(label: str | None, probability: float, *, log_bound: float = 0.0) -> Decision:
    """One item's decision: kept if that is likelier than not."""
    kept = probability > 0.5
    return Decision("post", label, 0.0, probability, 0.5, kept, "" if kept else "no", log_bound)


# ---- the alarm --------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=80), st.randoms())
def test_evidence_does_not_depend_on_the_order(labels: list[int], random) -> None:
    real = np.array([0.1, 0.2, 0.3, 0.4])
    product, counts = 0.0, np.zeros(4)
    for s, label in enumerate(labels, start=1):
        product += math.log((counts[label] + 0.5) / (s - 1 + 2.0)) - math.log(real[label])
        counts[label] += 1
    random.shuffle(labels)
    path = alarm_paths(np.array(labels, dtype=int), real)
    assert (path[-1] if labels else 0.0) == pytest.approx(product, abs=1e-9)


def test_evidence_by_hand() -> None:
    # Two labels at one half: first item 0.5/1 over 0.5, second of the same label 1.5/2 over 0.5.
    path = alarm_paths(np.array([0, 0, 1]), [0.5, 0.5])
    assert np.exp(path) == pytest.approx([1.0, 1.5, 1.5 * (0.5 / 3) / 0.5])


def test_evidence_of_a_label_that_the_world_never_shows_is_infinite() -> None:
    path = alarm_paths([0, 0, 0, 1], [1.0, 0.0])
    assert np.isfinite(path).tolist() == [True, True, True, False]


def test_paths_of_many_streams_equal_paths_one_by_one() -> None:
    labels = np.random.default_rng(0).integers(-1, 10, (7, 60))
    for row, path in zip(labels, alarm_paths(labels, REAL), strict=True):
        assert alarm_paths(row, REAL) == pytest.approx(path)


def test_a_path_can_be_continued() -> None:
    labels = np.random.default_rng(1).integers(0, 10, 100)
    whole = alarm_paths(labels, REAL)
    counts = np.bincount(labels[:40], minlength=10)
    rest = alarm_paths(labels[40:], REAL, counts=counts, log_e=whole[39])
    assert rest == pytest.approx(whole[40:])


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_honest_streams_rarely_raise_the_alarm_however_often_one_looks(alpha: float) -> None:
    labels = np.random.default_rng(12).choice(10, (2000, 2000), p=REAL)
    times = alarm_times(alarm_paths(labels, REAL), alpha=alpha)
    assert np.isfinite(times).mean() <= alpha


def test_severe_deception_is_noticed_within_dozens_of_items() -> None:
    labels = np.random.default_rng(3).choice(10, (500, 400), p=deceptive(0.95))
    times = alarm_times(alarm_paths(labels, REAL), alpha=0.05)
    assert np.isfinite(times).all()
    assert 5 < np.median(times) < 40


def test_honest_pairs_rarely_raise_the_label_free_alarm() -> None:
    rng = np.random.default_rng(4)
    scores = bounded_score(rng.normal(0, 1.5, (2, 2000, 2000)))
    times = alarm_times(paired_alarm_paths(scores[0], scores[1]), alpha=0.05)
    assert np.isfinite(times).mean() <= 0.05


def test_scores_that_differ_raise_the_label_free_alarm_on_either_side() -> None:
    rng = np.random.default_rng(5)
    low, high = (
        bounded_score(rng.normal(-0.5, 1, (200, 2000))),
        bounded_score(rng.normal(0.5, 1, (200, 2000))),
    )
    for stream, reference in ((low, high), (high, low)):
        times = alarm_times(paired_alarm_paths(stream, reference), alpha=0.05)
        assert np.median(times) < 200


def test_label_free_alarm_item_by_item_equals_its_path_and_resumes() -> None:
    rng = np.random.default_rng(6)
    stream, reference = rng.uniform(0, 0.8, 300), rng.uniform(0.2, 1, 300)
    path = paired_alarm_paths(stream, reference)
    alarm = PairedScoreAlarm(alpha=0.01)
    for i, (one, other) in enumerate(zip(stream, reference, strict=True)):
        if i == 120:
            alarm = PairedScoreAlarm.from_json(alarm.to_json())
        alarm.observe(one, other)
        assert alarm.log_e == pytest.approx(path[i])
    assert alarm.alarm_at == alarm_times(path, alpha=0.01)
    low, high = alarm.interval()
    assert low < -0.2 < high


def test_pairs_without_score_are_counted_and_wrong_scores_are_named() -> None:
    alarm = PairedScoreAlarm()
    alarm.observe(math.nan, 0.5)
    assert (alarm.pairs, alarm.refused, alarm.log_e) == (0, 1, pytest.approx(0.0))
    assert alarm.interval() == (-1.0, 1.0)
    with pytest.raises(ValueError, match=r"pair 1 has the score 1\.5"):
        alarm.observe(1.5, 0.5)


def test_label_free_interval_holds_at_all_times_together() -> None:
    rng = np.random.default_rng(7)
    differences = rng.beta(2, 3, (300, 400)) - rng.beta(3, 2, (300, 400))
    broken = 0
    for row in differences:
        alarm = PairedScoreAlarm(alpha=0.2)
        for d in row:
            alarm.observe(max(d, 0.0), max(-d, 0.0))
            low, high = alarm.interval()
            if not low <= -0.2 <= high:
                broken += 1
                break
    assert broken / len(differences) <= 0.2


# ---- the monitor ------------------------------------------------------------------------------


def test_monitor_by_hand() -> None:
    monitor = StreamMonitor({"a": 1, "b": 3})
    for label, probability in (("a", 0.25), ("b", 0.75), ("b", 0.75)):
        monitor.observe(decided(label, probability))
    shares = monitor.frequencies()
    assert shares["real"].tolist() == [0.25, 0.75]
    assert shares["stream"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert shares["kept"].tolist() == [0.0, 1.0]
    assert shares["expected"].tolist() == pytest.approx([0.25 / 1.75, 1.5 / 1.75])
    assert monitor.n_eff == pytest.approx(1.75**2 / (0.0625 + 2 * 0.5625))
    assert monitor.report()["pass_rate"].value == pytest.approx(1.75 / 3)
    assert monitor.log_e == pytest.approx(alarm_paths([0, 1, 1], [0.25, 0.75])[-1])


def test_a_table_counts_as_its_items_do() -> None:
    table = posts(600, deceptive(0.2)).reset_index(drop=True)
    table.loc[[5, 50], "log_ratio"] = math.nan
    table.loc[[7, 70], "label"] = None
    table.loc[[9, 90], "label"] = "volcano"
    table.loc[[100], "item_id"] = table.loc[99, "item_id"]
    once, again = (SemanticFilter(log_bound=0.0, seed=0) for _ in range(2))
    decisions = once.decide(table)
    single, batch = StreamMonitor(WORLD), StreamMonitor(WORLD)
    for item in table.to_dict("records"):
        single.observe(again.decide(item))
    for start in (0, 13, 200):
        batch.observe_table(decisions[start : {0: 13, 13: 200, 200: 600}[start]])
    pd.testing.assert_frame_equal(single.frequencies(), batch.frequencies())
    for name in ("items", "tested", "accepted", "decided", "repeated", "unlabelled", "unseen"):
        assert getattr(single, name) == getattr(batch, name), name
    assert single.items == 599
    assert (single.repeated, single.unlabelled, single.unseen) == (1, 2, {"volcano": 2})
    assert single.decided == 597
    assert single.alarm_at == batch.alarm_at is not None
    assert single.log_e == pytest.approx(batch.log_e)
    assert single.n_eff == pytest.approx(batch.n_eff)


def test_a_monitor_stopped_and_resumed_goes_on_as_if_unbroken() -> None:
    table = posts(300, deceptive(0.4))
    table.loc[3, "label"] = "volcano"
    decisions = map(SemanticFilter(log_bound=0.0, seed=0).decide, table.to_dict("records"))
    unbroken, resumed = StreamMonitor(WORLD), StreamMonitor(WORLD)
    for i, decision in enumerate(decisions):
        if i in (50, 200):
            resumed = StreamMonitor.from_json(json.dumps(json.loads(resumed.to_json())))
        unbroken.observe(decision)
        resumed.observe(decision)
    assert resumed.to_json() == unbroken.to_json()
    assert resumed.report() == unbroken.report()


def test_the_filter_removes_the_deception_and_the_interval_says_so() -> None:
    frequencies = deceptive(0.95)
    table = posts(20_000, frequencies).assign(
        log_ratio=lambda t: t["label"].map(
            dict(zip(LABELS, np.log(REAL / frequencies), strict=True))
        )
    )
    monitor = StreamMonitor(WORLD)
    bound = float(table["log_ratio"].max())
    monitor.observe_table(SemanticFilter(log_bound=bound, seed=0).decide(table))
    report = monitor.report()
    assert report["deception_stream"].low < 0.95 < report["deception_stream"].high
    assert report["deception_kept"].value < 0.002
    assert report["deception_reduction"].value > 0.99
    assert report["pass_rate"].low < math.exp(-bound) < report["pass_rate"].high
    assert monitor.alarm


EVEN = np.full(10, 0.1)
SKEWED = np.exp(np.linspace(0, -5.5, 10))
SKEWED /= SKEWED.sum()


@pytest.mark.parametrize(
    ("stream", "world", "strength", "items"),
    [(deceptive(0.4), REAL, 0.6, 1500), (EVEN, SKEWED, 0.97, 1500), (EVEN, SKEWED, 0.8, 700)],
    ids=["half done", "a world of few labels, nearly done", "a world of few labels, short stream"],
)
def test_intervals_hold_about_as_often_as_they_say(stream, world, strength, items) -> None:
    ratio = strength * np.log(world / stream)
    probability = np.exp(ratio - ratio.max())
    kept = stream * probability / (stream @ probability)
    truth = {
        "deception_stream": float(kl_divergence(stream, world)),
        "deception_kept": float(kl_divergence(kept, world)),
    }
    truth["deception_reduction"] = 1 - truth["deception_kept"] / truth["deception_stream"]
    truth["pass_rate"] = float(stream @ probability)
    held = dict.fromkeys(truth, 0)
    rng = np.random.default_rng(8)
    for _ in range(200):
        codes = rng.choice(10, items, p=stream)
        a = probability[codes]
        monitor = StreamMonitor(dict(zip(LABELS, world, strict=True)))
        monitor.observe_table(
            pd.DataFrame(
                {
                    "label": np.array(LABELS)[codes],
                    "accepted": rng.random(items) < a,
                    "accept_probability": a,
                }
            )
        )
        for name, estimate in monitor.report(draws=400).items():
            held[name] += estimate.low <= truth[name] <= estimate.high
    for name, count in held.items():
        assert count / 200 > 0.9, (name, count)


def test_reduction_is_undefined_on_an_honest_stream_and_when_nothing_is_kept() -> None:
    honest = StreamMonitor(WORLD)
    honest.observe_table(
        SemanticFilter(log_bound=0.0, seed=0).decide(posts(500, REAL).assign(log_ratio=0.0))
    )
    reduction = honest.report()["deception_reduction"]
    assert math.isnan(reduction.value)
    assert "noise" in reduction.note
    nothing = StreamMonitor(WORLD)
    nothing.observe_table(
        SemanticFilter(log_bound=0.0, seed=0).decide(
            posts(500, deceptive(0.9)).assign(log_ratio=-math.inf)
        )
    )
    assert "nothing was kept" in nothing.report()["deception_reduction"].note
    assert nothing.n_eff == 0.0


def test_an_empty_stream_is_reported_as_undefined() -> None:
    monitor = StreamMonitor(WORLD)
    monitor.observe_table(SemanticFilter(log_bound=0.0, seed=0).decide(posts(0, REAL)))
    assert monitor.items == 0
    assert all(math.isnan(e.value) and e.note for e in monitor.report().values())
    assert monitor.frequencies()["stream"].isna().all()
    assert not monitor.alarm
    assert monitor.e_value == 1.0


def test_labels_that_the_world_does_not_list_are_counted_by_name() -> None:
    monitor = StreamMonitor(WORLD)
    for label in ("a", "volcano", "comet", "volcano"):
        monitor.observe(decided(label, 1.0))
    assert monitor.unseen == {"volcano": 2, "comet": 1}
    assert (monitor.items, monitor.tested) == (4, 1)


def test_ever_new_unseen_labels_do_not_fill_memory() -> None:
    monitor = StreamMonitor(WORLD)
    for i in range(3000):
        monitor.observe(decided(f"new {i}", 0.0))
    assert len(monitor.unseen) <= 1001
    assert sum(monitor.unseen.values()) == 3000


def test_a_bound_that_changes_is_refused_item_by_item_and_in_a_table() -> None:
    monitor = StreamMonitor(WORLD)
    monitor.observe(decided("a", 0.75, log_bound=1.0))
    with pytest.raises(ValueError, match=r"log_bound changed from 1\.0 to 0\.5"):
        monitor.observe(decided("b", 0.75, log_bound=0.5))
    table = pd.DataFrame([decided("a", 0.5, log_bound=bound) for bound in (1.0, 6.0)])
    with pytest.raises(ValueError, match=r"log_bound changed from 1\.0 to 6\.0"):
        monitor.observe_table(table)


@pytest.mark.parametrize(
    ("world", "options", "message"),
    [
        ({"a": 1.0, "b": 0.0}, {}, "'b'"),
        ({"a": 1.0, "b": math.nan}, {}, "'b'"),
        ({"a": 1.0}, {}, "two labels"),
        ({"a": 1.0, "b": 1.0}, {"alpha": 0.0}, "alpha"),
    ],
)
def test_a_world_that_is_no_world_is_refused(world, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        StreamMonitor(world, **options)


def test_a_stream_barely_above_its_noise_tells_no_reduction() -> None:
    stream = np.random.default_rng(22).multinomial(800, [0.13, 0.07, *[0.1] * 8]).astype(float)
    kept = np.full(10, 400.0)
    told = reduction_estimate(
        (stream, stream),
        (kept, kept),
        np.full(10, 0.1),
        level=0.95,
        draws=2000,
        rng=np.random.default_rng(0),
    )
    assert math.isnan(told.value) == math.isnan(told.low)
    assert told.note or told.low > -100


@pytest.mark.parametrize(("total", "items"), [(0, 5), (20, 20), (0.3, 1)])
def test_a_few_equal_numbers_are_not_told_as_certain(total, items) -> None:
    squares = total**2 / items if items == 1 else total
    told = mean_estimate(total, squares, items, level=0.95)
    assert told.value == total / items
    assert 0 <= told.low <= told.value <= told.high <= 1
    assert told.high - told.low > 0.1


def test_the_interval_of_a_mean_holds_for_rare_items() -> None:
    rng = np.random.default_rng(1)
    for share, items in ((0.05, 30), (0.2, 10), (0.5, 400)):
        counts = rng.binomial(items, share, 2000)
        told = [mean_estimate(n, n, items, level=0.95) for n in counts.tolist()]
        assert np.mean([one.low <= share <= one.high for one in told]) > 0.93


def test_a_missing_label_of_pandas_is_no_label() -> None:
    monitor = StreamMonitor(WORLD)
    monitor.observe_table(
        pd.DataFrame({"label": [pd.NA, "a"], "accepted": True, "accept_probability": 0.5})
    )
    monitor.observe(decided(pd.NA, 0.5))
    assert (monitor.unlabelled, monitor.tested) == (2, 1)


def test_a_pair_without_a_score_bets_nothing() -> None:
    stream, reference = np.array([0.9, np.nan, 0.9]), np.array([0.1, 0.5, 0.1])
    path = paired_alarm_paths(stream, reference)
    assert path[1] == path[0]
    assert path[2] == pytest.approx(paired_alarm_paths(stream[::2], reference[::2])[1])
