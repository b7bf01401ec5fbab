from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcal_utils import runs, worlds
from semcal_utils.divergence import kl_divergence
from semcal_utils.worlds.label_counts import (
    TOLERANCE,
    counts_for,
    kl_of_counts,
    most_divergent,
    on_target,
    tilted,
    tilted_to,
)
from semcal_utils.worlds.made_worlds import (
    WORLDS,
    draw_calibration_part,
    draw_real_split,
    target_frequencies,
)


def labels_of(counts):
    return np.repeat([f"label {k:03d}" for k in range(len(counts))], counts).tolist()


def drawn(counts, target_kl: float, seed: int = 0):
    """Draw a world from labels of these counts: kept items per label, and KL(G‖R)."""
    labels = np.array(labels_of(counts))
    members = draw_real_split(labels, target_kl=target_kl, seed=seed)
    kept = np.array([(labels[members] == label).sum() for label in np.unique(labels)])
    return kept, float(kl_of_counts(np.asarray(counts), kept))


@given(
    weights=st.lists(st.floats(0.01, 1), min_size=2, max_size=60),
    target=st.floats(1e-3, 3),
    seed=st.integers(0, 10_000),
)
def test_tilted_frequencies_lie_exactly_at_the_target(weights, target, seed):
    general = np.array(weights) / np.sum(weights)
    real = target_frequencies(general, target, np.random.default_rng(seed))
    assert real.sum() == pytest.approx(1)
    assert kl_divergence(general, real) == pytest.approx(target, rel=1e-6)


def test_worlds_are_those_of_the_paper():
    assert WORLDS == {"baseline": 0.0, "mild": 0.1, "moderate": 0.4, "severe": 0.95}


@pytest.mark.parametrize("general", [[[0.5, 0.5]], [0.0, 0.3, 0.7], [0.5, 0.4], [0.5, 0.6]])
def test_frequencies_that_are_no_distribution_are_refused(general):
    with pytest.raises(ValueError, match="positive numbers that sum to one"):
        target_frequencies(general, 0.1, np.random.default_rng(0))


def test_a_target_of_zero_leaves_the_frequencies_alone():
    general = np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(target_frequencies(general, 0, np.random.default_rng(0)), general)
    rounded = target_frequencies([0.5, 0.5 + 5e-7], 0, np.random.default_rng(0))
    assert rounded.sum() == pytest.approx(1, abs=1e-12)


def test_scores_of_any_size_tilt_without_overflow():
    general, scores = np.array([0.5, 0.5]), np.array([1000.0, 0.0])
    np.testing.assert_allclose(tilted(general, scores, 1.0), [1, 0], atol=1e-12)
    real = tilted_to(general, scores, 0.4)
    assert kl_divergence(general, real) == pytest.approx(0.4)


def test_a_seed_draws_the_same_items_in_every_version():
    labels = labels_of([5, 5])
    held_out = draw_calibration_part(labels, 0.4, seed=0)
    assert np.flatnonzero(held_out).tolist() == [1, 3, 8, 9]
    members = draw_real_split(labels, target_kl=0.1, seed=0)
    assert np.flatnonzero(members).tolist() == [0, 1, 2, 3, 4, 7, 9]


@pytest.mark.parametrize("world", ["mild", "moderate", "severe"])
@pytest.mark.parametrize("labels", [2, 8, 100])
@pytest.mark.parametrize("seed", range(3))
def test_sub_samples_reach_every_world_within_one_percent(world, labels, seed):
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(7500, rng.dirichlet(np.full(labels, 3.0))) + 1
    kept, achieved_kl = drawn(counts, WORLDS[world], seed)
    assert achieved_kl == pytest.approx(WORLDS[world], rel=0.01)
    assert achieved_kl == pytest.approx(kl_divergence(counts / counts.sum(), kept / kept.sum()))
    assert (kept >= 1).all()
    assert (kept <= counts).all()


@settings(max_examples=200, deadline=None)
@given(
    counts=st.lists(st.integers(2, 30), min_size=2, max_size=5),
    share=st.floats(0.05, 1.0),
    seed=st.integers(0, 1000),
)
def test_no_single_item_more_or_less_brings_the_divergence_nearer(counts, share, seed):
    counts = np.array(counts)
    target = share * most_divergent(counts)[1]
    kept = counts_for(counts, np.random.default_rng(seed).uniform(-1, 1, len(counts)), target)
    assert ((kept >= 1) & (kept <= counts)).all()
    distance = abs(kl_of_counts(counts, kept) - target)
    if distance <= TOLERANCE / 10 * target:
        return
    for label, step in itertools.product(range(len(counts)), (-1, 1)):
        moved = kept.copy()
        moved[label] += step
        if 1 <= moved[label] <= counts[label]:
            assert abs(kl_of_counts(counts, moved) - target) >= distance


def test_a_target_one_percent_past_the_largest_is_met_by_the_largest():
    counts, scores = np.array([5, 20, 40]), np.array([0.3, -0.2, 0.9])
    largest = most_divergent(counts)[1]
    kept = counts_for(counts, scores, largest * 1.005)
    assert kl_of_counts(counts, kept) == pytest.approx(largest)
    with pytest.raises(ValueError, match="cannot be reached"):
        counts_for(counts, scores, largest * 1.02)


def test_whole_items_that_meet_the_target_are_left_as_they_are():
    counts, kept = np.array([100, 100]), np.array([100, 25])
    target = float(kl_of_counts(counts, kept))
    assert counts_for(counts, np.array([1.0, -1.0]), target).tolist() == kept.tolist()


@pytest.mark.parametrize(("items", "half"), [(1, 1), (2, 1), (3, 1), (4, 2)])
def test_half_of_a_few_items_is_rounded_down_but_never_to_none(items, half):
    assert draw_real_split(["only"] * items, target_kl=0.0, seed=0).sum() == half


def test_on_target_means_within_one_percent():
    assert on_target(101.0, 100.0)
    assert not on_target(101.1, 100.0)


def test_counts_too_coarse_for_the_target_come_as_near_as_items_allow():
    achieved_kl = drawn([25, 25], 0.4)[1]
    assert not on_target(achieved_kl, 0.4)
    assert abs(achieved_kl - 0.4) < 0.04


def test_the_largest_reachable_divergence_is_the_one_found_by_trying_everything():
    rng = np.random.default_rng(0)
    for _ in range(30):
        counts = rng.integers(1, 7, rng.integers(2, 5))
        every = np.array(list(itertools.product(*(range(1, count + 1) for count in counts))))
        assert most_divergent(counts)[1] == pytest.approx(
            kl_of_counts(counts, every).max(), rel=0.03
        )


def test_a_target_out_of_reach_names_the_largest_that_is_not():
    with pytest.raises(ValueError, match=r"the largest is 0\.148"):
        draw_real_split(labels_of([3] * 100), target_kl=0.95, seed=0)


def test_rare_labels_take_over_where_the_random_tilt_cannot_reach_the_target():
    reached = [drawn([40, 6, 6, 6], 0.9, seed)[1] for seed in range(10)]
    np.testing.assert_allclose(reached, 0.9, rtol=0.01)


def test_baseline_is_a_random_half_at_its_noise_floor():
    kept, divergences = zip(*(drawn([750] * 8, 0.0, seed) for seed in range(200)), strict=True)
    assert all(items.sum() == 3000 for items in kept)
    # Half of a finite table varies half as much as a fresh sample: (K - 1)/2·(1/3000 - 1/6000).
    expected = 7 / 2 * (1 / 3000 - 1 / 6000)
    assert np.mean(divergences) == pytest.approx(expected, rel=0.2)


def test_baseline_keeps_an_item_of_every_label():
    for seed in range(20):
        assert (drawn([1, 1, 1, 50], 0.0, seed)[0] >= 1).all()


def test_the_same_seed_draws_the_same_items_and_another_seed_does_not():
    labels = labels_of([100] * 5)
    first, again, other = (draw_real_split(labels, target_kl=0.4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_worlds_of_one_seed_tilt_in_one_direction():
    mild, severe = (pd.Series(drawn([500] * 6, target, 3)[0]) for target in (0.1, 0.95))
    assert mild.corr(severe, method="spearman") > 0.9
    assert mild.idxmax() == severe.idxmax()


def test_one_label_allows_no_divergence_but_a_baseline():
    assert draw_real_split(["only"] * 10, target_kl=0.0, seed=0).sum() == 5
    with pytest.raises(ValueError, match="single label"):
        draw_real_split(["only"] * 10, target_kl=0.1, seed=0)


@pytest.mark.parametrize("target", [-0.1, float("nan"), float("inf")])
def test_a_target_that_is_no_divergence_is_refused(target):
    with pytest.raises(ValueError, match="nats >= 0"):
        draw_real_split(["a", "b"], target_kl=target, seed=0)


def test_missing_labels_are_named_by_row():
    with pytest.raises(ValueError, match="Row 1 has no label"):
        draw_real_split(["a", None, "b"], target_kl=0.1, seed=0)
    with pytest.raises(ValueError, match="empty"):
        draw_real_split([], target_kl=0.1, seed=0)


@settings(max_examples=50)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 100),
)
def test_the_calibration_part_holds_its_share_of_every_label(counts, share, seed):
    labels = np.array(labels_of(counts))
    held_out = draw_calibration_part(labels.tolist(), share, seed=seed)
    for name, count in zip(np.unique(labels), counts, strict=True):
        taken = held_out[labels == name].sum()
        assert abs(taken - share * count) <= 1
        if count == 1:
            assert taken == 0
        else:
            assert 1 <= taken < count


def test_the_calibration_part_is_a_fifth_of_balanced_labels():
    held_out = draw_calibration_part(labels_of([750] * 8), seed=4)
    assert held_out.sum() == 1200
    np.testing.assert_array_equal(held_out, draw_calibration_part(labels_of([750] * 8), seed=4))


def test_whole_items_go_to_the_labels_that_lose_most_by_rounding():
    # Of 3, 2 and 5 items a half is 1.5, 1 and 2.5: five in all, the odd one to the first label.
    labels = np.array(labels_of([3, 2, 5]))
    held_out = draw_calibration_part(labels.tolist(), 0.5, seed=0)
    assert [held_out[labels == name].sum() for name in np.unique(labels)] == [2, 1, 2]


def test_a_label_of_two_items_is_on_both_sides_whatever_the_share():
    labels = np.array(labels_of([2, 2]))
    for share in (0.1, 0.9):
        held_out = draw_calibration_part(labels.tolist(), share, seed=0)
        assert [held_out[labels == name].sum() for name in np.unique(labels)] == [1, 1]


@pytest.mark.parametrize("share", [-0.1, 0.0, 1.0, 1.1])
def test_a_calibration_share_must_leave_something_on_both_sides(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        draw_calibration_part(["a", "b"], share, seed=0)


# --- the worlds of a run --------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    run = runs.open_run("tiny", "words", root=tmp_path)
    rows = pd.DataFrame({"label": np.repeat(["cat", "dog", "owl"], [60, 30, 30])})
    rows["item_id"] = [f"i{n}" for n in rows.index]
    rows["part"] = np.where(rows.index % 4, "general_train", "general_test")
    rows["caption"] = np.where(rows.index == 1, "", rows["label"] + " number " + rows["item_id"])
    run.table("captions.parquet", lambda: rows)
    return run


def test_one_object_knows_the_stream_and_every_world(run):
    made = worlds.draw(run, {"same": 0.0, "far": 0.3}, calibration_share=0.2, seed=0)
    opened = worlds.open(run)
    assert opened.names == made.names == ["same", "far"]
    assert opened.labels == ["cat", "dog", "owl"]
    assert opened.general.tolist() == [44 / 89, 22 / 89, 23 / 89]  # the silent item counts for none
    assert kl_divergence(opened.general, opened.real["far"]) == pytest.approx(0.3, rel=0.05)
    learnt = opened.ids("general", role="train")
    assert set(opened.ids("far", role="train")) < set(learnt)
    assert not set(opened.ids("far", role="calibration")) & set(learnt)
    ratio = len(learnt) / len(opened.ids("far", role="train"))
    assert np.exp(opened.log_bounds["far"]) == pytest.approx(ratio)
    assert opened.texts("far") == [
        f"{label} number {item}"
        for item, label in opened.train.set_index("item_id")["label"].items()
        if item in opened.ids("far", role="train")
    ]
    assert opened.holds("far", ["nobody", opened.ids("far")[0]]).tolist() == [False, True]
    assert opened.frequencies("far").loc["cat"].tolist() == [44 / 89, opened.real["far"][0]]


def test_a_world_that_was_not_drawn_is_named_with_those_that_were(run):
    made = worlds.draw(run, {"close": 0.2}, calibration_share=0.2, seed=0)
    with pytest.raises(ValueError, match="no world 'severe'; it has close"):
        made.ids("severe")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({}, "names no world"),
        ({"general": 0.1}, "'general', which is the stream"),
        ({"../up": 0.1}, "names the world '../up'"),
        ({"far": "0.2"}, "number of nats"),
        ({"far": True}, "number of nats"),
        ({"far": -0.1}, "zero or more"),
        ({"far": float("nan")}, "zero or more"),
    ],
)
def test_worlds_that_cannot_be_are_refused_before_anything_is_drawn(run, targets, message):
    with pytest.raises(ValueError, match=message):
        worlds.draw(run, targets, calibration_share=0.2, seed=0)
    assert not run.path("splits.parquet").exists()


def test_a_part_that_would_be_empty_is_said_to_be(tmp_path):
    run = runs.open_run("tiny", "one", root=tmp_path)
    one = {"item_id": ["a"], "part": ["general_train"], "label": ["x"], "caption": ["a thing"]}
    run.table("captions.parquet", lambda: pd.DataFrame(one))
    with pytest.raises(ValueError, match=r"All 1 items of 'general' fall into the train part"):
        worlds.draw(run, {"same": 0.0}, calibration_share=0.2, seed=0)
