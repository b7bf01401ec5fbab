from __future__ import annotations

import json
import math
import tracemalloc
from itertools import count, islice

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from semcal_utils.rejection import (
    SemanticFilter,
    accept_items,
    filter_table,
    item_uniforms,
    sample_exactly,
)

KNOWN_UNIFORMS = [0.3254023744818787, 0.7318199696817551, 0.28585408316128735]


def stream(items: int, *, seed: int = 0, prefix: str = "post") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "item_id": [f"{prefix}-{i:06d}" for i in range(items)],
            "label": rng.choice(["fire", "music", "food"], items),
            "log_ratio": rng.normal(-0.5, 1.0, items),
        }
    )


def rows(table: pd.DataFrame) -> list[dict]:
    return table.to_dict("records")


def by_id(decisions: pd.DataFrame) -> pd.DataFrame:
    return decisions.set_index("item_id").sort_index()


# ---- random numbers ---------------------------------------------------------------------------


def test_random_numbers_are_uniform_and_unrelated_between_seeds() -> None:
    ids = [str(i) for i in range(200_000)]
    first, second = item_uniforms(ids, seed=1), item_uniforms(ids, seed=2)
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / math.sqrt(len(ids))
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 4 / math.sqrt(len(ids))


def test_random_numbers_do_not_change_between_versions() -> None:
    known = item_uniforms(["a", "city_pictures-000001", "emoji 🔥"], seed=7)
    assert known == pytest.approx(KNOWN_UNIFORMS, abs=1e-15)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), unique=True, min_size=1), st.randoms())
def test_a_random_number_depends_on_the_id_not_on_the_order(ids: list[str], random) -> None:
    ids = [i.encode("utf-8", "ignore").decode() or "x" for i in ids]
    ids = list(dict.fromkeys(ids))
    numbers = dict(zip(ids, item_uniforms(ids, seed=3), strict=True))
    random.shuffle(ids)
    assert dict(zip(ids, item_uniforms(ids, seed=3), strict=True)) == numbers


def test_certain_items_pass_and_impossible_ones_do_not() -> None:
    ids = [str(i) for i in range(1000)]
    assert accept_items(np.ones(1000), seed=0, item_ids=ids).all()
    assert not accept_items(np.zeros(1000), seed=0, item_ids=ids).any()


def test_items_pass_as_often_as_their_probability_says() -> None:
    ids = [str(i) for i in range(100_000)]
    probability = np.tile([0.02, 0.3, 0.75, 0.9], 25_000)
    accepted = accept_items(probability, seed=11, item_ids=ids)
    for p in (0.02, 0.3, 0.75, 0.9):
        passed = accepted[probability == p].sum()
        assert stats.binomtest(int(passed), 25_000, p).pvalue > 1e-3


@pytest.mark.parametrize(
    ("probability", "ids", "message"),
    [
        ([0.5, math.nan], ["a", "b"], "'b' is nan"),
        ([0.5, 1.5], ["a", "b"], "'b' is 1.5"),
        ([0.5, 0.5], ["a", "a"], "'a' appears more than once"),
        ([0.5, 0.5], ["a", None], r"item 1 .* has no item_id"),
        ([0.5, 0.5], ["a", ""], r"item 1 .* has no item_id"),
        ([0.5], ["a", "b"], "one probability per item"),
    ],
)
def test_a_wrong_item_is_named(probability, ids, message) -> None:
    with pytest.raises(ValueError, match=message):
        accept_items(probability, seed=0, item_ids=ids)


def test_ids_that_are_not_text_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"item 1 .* has 3"):
        item_uniforms(["a", 3], seed=0)
    with pytest.raises(ValueError, match="not valid Unicode"):
        item_uniforms(["a", "\ud800"], seed=0)


# ---- tables -----------------------------------------------------------------------------------


def test_kept_stream_matches_the_world_when_the_ratio_is_true() -> None:
    rng = np.random.default_rng(5)
    labels = ["fire", "music", "food", "sport"]
    general, real = np.array([0.6, 0.2, 0.1, 0.1]), np.array([0.1, 0.3, 0.4, 0.2])
    codes = rng.choice(4, 60_000, p=general)
    table = pd.DataFrame(
        {
            "item_id": [str(i) for i in range(codes.size)],
            "label": np.array(labels)[codes],
            "log_ratio": np.log(real / general)[codes],
        }
    )
    log_bound = float(np.log(real / general).max())
    kept = filter_table(table, log_bound=log_bound, seed=2).query("accepted")
    observed = kept["label"].value_counts()[labels].to_numpy()
    assert stats.chisquare(observed, real * observed.sum()).pvalue > 1e-3
    assert observed.sum() / codes.size == pytest.approx(math.exp(-log_bound), abs=0.01)


def test_table_keeps_rejected_and_refused_items_with_their_reasons() -> None:
    table = pd.DataFrame(
        {
            "item_id": ["a", "b", "c", "d"],
            "label": ["x", "x", "y", "y"],
            "log_ratio": [5.0, -math.inf, math.nan, math.inf],
        }
    )
    decided = filter_table(table, log_bound=1.0, seed=0)
    assert decided["accepted"].tolist() == [True, False, False, False]
    assert decided["reason"].tolist() == [
        "",
        "coin at or above accept_probability",
        "log_ratio is missing or not a number",
        "log_ratio is infinite",
    ]
    assert decided["accept_probability"].tolist()[:2] == [1.0, 0.0]
    assert decided["accept_probability"].isna().tolist() == [False, False, True, True]


def test_table_takes_its_own_probabilities_without_a_bound() -> None:
    table = stream(500).assign(accept_probability=0.25)
    decided = filter_table(table, seed=0)
    assert (decided["accept_probability"] == 0.25).all()
    assert (decided["accepted"] == (decided["coin"] < 0.25)).all()
    with pytest.raises(ValueError, match="accept_probability"):
        filter_table(table.drop(columns="accept_probability"), seed=0)


def test_empty_table_gives_an_empty_table() -> None:
    assert filter_table(stream(0), log_bound=1.0, seed=0).empty
    assert SemanticFilter(log_bound=1.0, seed=0).decide(stream(0)).empty
    assert SemanticFilter(log_bound=1.0, seed=0).decide([]).empty


def test_the_lacking_column_is_named() -> None:
    with pytest.raises(ValueError, match="log_ratio"):
        filter_table(stream(3).drop(columns="log_ratio"), log_bound=1.0, seed=0)
    with pytest.raises(ValueError, match="item_id"):
        SemanticFilter(log_bound=1.0, seed=0).decide(stream(3).drop(columns="item_id"))


# ---- the filter -------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    ratios=st.lists(
        st.one_of(st.floats(-4, 4), st.sampled_from([math.nan, math.inf, -math.inf])), max_size=60
    ),
    ids=st.lists(st.sampled_from(["", None, *"abcdefghijklmnopqrstuvwxyz"]), max_size=60),
    cut=st.integers(0, 60),
    remember=st.integers(0, 10),
)
def test_batches_and_single_items_meet_the_same_decisions(ratios, ids, cut, remember) -> None:
    pairs = list(zip(ids, ratios, strict=False))
    items = [{"item_id": i, "label": "x", "log_ratio": r} for i, r in pairs]
    table = pd.DataFrame(items, columns=["item_id", "label", "log_ratio"])
    options = {"log_bound": 0.5, "seed": 4, "remember": remember}
    one, many = SemanticFilter(**options), SemanticFilter(**options)
    singly = [one.decide(item) for item in items]
    batches = pd.concat([many.decide(table[:cut]), many.decide(table[cut:])])
    assert batches["accepted"].tolist() == [d.accepted for d in singly]
    assert batches["reason"].tolist() == [d.reason for d in singly]
    for column in ("accept_probability", "coin", "log_bound"):
        expected = np.array([getattr(d, column) for d in singly], dtype=float)
        np.testing.assert_allclose(batches[column].astype(float), expected, rtol=1e-12)
    assert one.to_json() == many.to_json()


def test_arrival_order_does_not_change_who_passes() -> None:
    table = stream(2000)
    shuffled = table.sample(frac=1, random_state=1)
    forwards = SemanticFilter(log_bound=0.5, seed=9).decide(table)
    backwards = SemanticFilter(log_bound=0.5, seed=9).decide(shuffled)
    pd.testing.assert_series_equal(by_id(forwards)["accepted"], by_id(backwards)["accepted"])


def test_filter_and_table_agree() -> None:
    table = stream(2000)
    by_filter = SemanticFilter(log_bound=0.5, seed=9).decide(table)
    by_table = filter_table(table, log_bound=0.5, seed=9)
    pd.testing.assert_frame_equal(by_filter[by_table.columns], by_table)


def test_a_stream_stopped_and_resumed_decides_as_if_unbroken() -> None:
    items = rows(stream(400)) + rows(stream(50))  # the first fifty ids return
    whole, first = (SemanticFilter(log_bound=0.0, seed=5) for _ in range(2))
    unbroken = [whole.decide(item) for item in items]
    decided = [first.decide(item) for item in items[:137]]
    resumed = SemanticFilter.from_json(json.dumps(json.loads(first.to_json())))
    decided += [resumed.decide(item) for item in items[137:]]
    assert decided == unbroken
    assert resumed.to_json() == whole.to_json()
    assert sum(resumed.counts.values()) == 450
    assert resumed.counts["repeated item_id"] == 50


def test_a_refused_item_may_return_with_a_ratio() -> None:
    sieve = SemanticFilter(log_bound=0.0, seed=0)
    assert sieve.decide({"item_id": "a", "log_ratio": None}).reason.startswith("log_ratio is miss")
    assert sieve.decide({"item_id": "a", "log_ratio": 1.0}).accepted
    assert sieve.decide({"item_id": "a", "log_ratio": 1.0}).reason == "repeated item_id"


def test_memory_stays_flat_on_an_endless_stream() -> None:
    endless = ({"item_id": f"n{i}", "label": "x", "log_ratio": -1.0} for i in count())
    decisions = map(SemanticFilter(log_bound=0.0, seed=0, remember=500).decide, endless)
    tracemalloc.start()
    for _ in islice(decisions, 2000):
        pass
    before = tracemalloc.get_traced_memory()[0]
    for _ in islice(decisions, 6000):
        pass
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def test_an_item_without_a_ratio_is_named() -> None:
    with pytest.raises(ValueError, match="'a' has no log_ratio"):
        SemanticFilter(log_bound=0.0, seed=0).decide({"item_id": "a", "caption": "ab"})


@pytest.mark.parametrize("bound", [math.nan, math.inf, -1.0])
def test_a_bound_that_is_no_bound_is_refused(bound: float) -> None:
    with pytest.raises(ValueError, match="log_bound"):
        SemanticFilter(log_bound=bound, seed=0)


# ---- samples of an exact size -----------------------------------------------------------------


def test_sample_has_exactly_the_size_asked_for() -> None:
    table = stream(1000)
    for n in (0, 1, 250, 1000):
        sample = sample_exactly(table, n, log_bound=1.0, seed=3)
        assert len(sample) == n
        assert sample["item_id"].is_unique
        assert sample["item_id"].is_monotonic_increasing
    with pytest.raises(ValueError, match=r"asked for 1001 items, but only 1000 of 1000"):
        sample_exactly(table, 1001, log_bound=1.0, seed=3)


def test_small_samples_follow_the_acceptance_probabilities() -> None:
    labels = np.tile(["rare", "common"], 5000)
    table = pd.DataFrame(
        {
            "item_id": [str(i) for i in range(10_000)],
            "label": labels,
            "log_ratio": np.where(labels == "rare", 0.0, math.log(1 / 4)),
        }
    )
    drawn = [
        sample_exactly(table, 50, log_bound=0.0, seed=seed)["label"].eq("rare").sum()
        for seed in range(60)
    ]
    assert stats.binomtest(int(np.sum(drawn)), 3000, 0.8).pvalue > 1e-3


def test_impossible_items_are_never_sampled() -> None:
    table = stream(20).assign(log_ratio=[-math.inf] * 10 + [math.nan] * 5 + [0.0] * 5)
    sample = sample_exactly(table, 5, log_bound=0.0, seed=0)
    assert (sample["log_ratio"] == 0.0).all()
    with pytest.raises(ValueError, match="only 5 of 20"):
        sample_exactly(table, 6, log_bound=0.0, seed=0)
