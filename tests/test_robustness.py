"""Noise, drift, unseen topics and an adversary: each does what its name says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds_of_words import make_bench, true_log_ratio

from semcal_utils.detection import robustness
from semcal_utils.detection.caption_noise import (
    NOISES,
    likely_words,
    noisy,
    pad,
    unseen_topic,
)

OPTIONS = {"resamples": 20, "seed": 0}


@pytest.fixture(scope="module")
def bench():
    return make_bench(test=600)


def judge(captions):
    """The exact ratio where a caption is known, as likely as the stream where it is not."""
    known = pd.Series(list(captions))
    ratio = np.ones(len(known))
    plain = known.str.fullmatch(r"a [\w ]+ (at night|by day|in the street|by the sea)")
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.exp(true_log_ratio(known))
    ratio[plain & np.isfinite(exact)] = exact[plain & np.isfinite(exact)]
    return np.clip(ratio / 2.0, 0, 1)


@given(caption=st.text("ab \t", max_size=30), strength=st.floats(0, 1))
def test_noise_never_invents_a_caption_nor_loses_all_of_one(caption, strength):
    for noise in NOISES:
        (found,) = noisy([caption], noise, strength, seed=0)
        assert bool(found.split()) == bool(caption.split())


@pytest.mark.parametrize("noise", list(NOISES))
def test_without_strength_words_stay_as_they_are(noise):
    assert noisy(["two cows at sunset"], noise, 0.0, seed=0) == ["two cows at sunset"]


def test_each_noise_does_what_its_name_says():
    captions = ["a big dog next to a car at night"] * 50
    dropped = noisy(captions, "words dropped", 0.3, seed=0)
    swapped = noisy(captions, "words swapped", 0.3, seed=0)
    said = noisy(captions, "words paraphrased", 1.0, seed=0)
    assert abs(np.mean([len(text.split()) for text in dropped]) - 9 * 0.7) < 0.6
    assert all(sorted(text.split()) == sorted(captions[0].split()) for text in swapped)
    assert len(set(swapped)) > 5
    assert all("big" not in text and "next to" not in text and "dog" in text for text in said)


def test_unknown_noise_and_impossible_strengths_are_refused():
    with pytest.raises(ValueError, match="no noise 'hail'"):
        noisy(["a"], "hail", 0.1, seed=0)
    with pytest.raises(ValueError, match="strength between 0 and 1"):
        noisy(["a"], "words dropped", 1.5, seed=0)


def test_the_adversary_pads_what_it_owns_with_words_of_the_world(bench):
    real = bench.train.loc[bench.train["real"], "caption"]
    words = likely_words(real, bench.train["caption"], count=4)
    assert set(words) <= {"violin", "piano", "drum", "microphone"}
    padded = pad(["a fire", "a wave"], [True, False], words, 2, seed=0)
    assert padded[1] == "a wave"
    assert padded[0].startswith("a fire ")
    assert set(padded[0].split()[2:]) <= set(words)


def test_noise_costs_reduction_and_strength_zero_costs_nothing(bench):
    table = robustness.noise_rows({"exact": judge}, bench, (0.0, 0.5), **OPTIONS)
    by = table.pivot(index="trial", columns="strength", values="reduction")
    assert by[0.0].nunique() == 1
    assert (by.loc["words dropped", 0.5]) < by.loc["words dropped", 0.0]


def test_a_world_that_drifts_to_the_stream_leaves_the_filter_behind(bench):
    table = robustness.drift_rows({"exact": judge}, bench, bench.general, (0.0, 0.5), **OPTIONS)
    assert table["pass_rate"].nunique() == 1
    reductions = table.set_index("strength")["reduction"]
    assert reductions[0.5] < reductions[0.0]


def test_unseen_topics_pass_a_filter_that_finds_them_ordinary(bench):
    table = robustness.unseen_rows(
        {"open": judge, "shut": lambda c: judge(c) * [not t.endswith(("a lease", "a will"))
                                                       and "treaty" not in t for t in c]},
        bench, (0.0, 0.2), **OPTIONS,
    )  # fmt: skip
    new = table[table["strength"] == 0.2].set_index("method")
    assert new.loc["open", "accepted_new"] == pytest.approx(0.5)
    assert new.loc["shut", "accepted_new"] < 0.5
    assert new.loc["shut", "reduction"] > new.loc["open", "reduction"]
    assert table[table["strength"] == 0.0]["accepted_new"].isna().all()


def test_padding_moves_only_over_represented_items(bench):
    seen = []

    def watch(captions):
        seen.append(list(captions))
        return np.full(len(captions), 0.5)

    robustness.padding_rows({"watch": watch}, bench, (0, 2), **OPTIONS)
    longer = np.array([a != b for a, b in zip(*seen, strict=True)])
    assert (longer == (bench.test["label"] == "fire").to_numpy()).all()


def test_other_captions_of_the_same_items_can_be_judged(bench):
    versions = {0.0: bench.test["caption"].tolist(), 1.0: ["a blur"] * len(bench.test)}
    table = robustness.replaced_rows({"exact": judge}, bench, versions, "blurred", **OPTIONS)
    assert table.set_index("strength").loc[1.0, "reduction"] == pytest.approx(0.0)


def test_novelty_is_the_area_under_the_curve_of_low_scores():
    assert robustness.novelty_auc([0.0, -1.0], [-5.0, -6.0]) == 1.0
    assert robustness.novelty_auc([0.0, -5.5], [-5.0, -6.0]) == 0.75


def test_unseen_sentences_are_seeded_and_share_no_word_of_the_captions(bench):
    assert unseen_topic(5, seed=1) == unseen_topic(5, seed=1) != unseen_topic(5, seed=2)
    words = set(" ".join(unseen_topic(200, seed=0)).split()) - {"a", "the", "of", "on", "an"}
    assert not words & set(" ".join(bench.test["caption"]).split())


def test_a_bench_is_not_changed_by_a_trial(bench):
    before = bench.test.copy()
    robustness.padding_rows({"exact": judge}, replace(bench), (3,), **OPTIONS)
    pd.testing.assert_frame_equal(before, bench.test)
