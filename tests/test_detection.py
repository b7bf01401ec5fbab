"""Detection measures: by hand, against scikit-learn, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from semcal_utils.detection import (
    auc_interval,
    detect,
    detection_probability,
    over_represented,
    reliability_curve,
    share_interval,
)


def test_four_items_by_hand():
    found = detect([True, True, False, False], [-2.0, 0.5, 1.0, 0.2], resamples=20)
    assert found.auc.value == 0.75  # of four pairs, one is the wrong way round
    assert found.confusion.tolist() == [[2, 0], [1, 1]]
    assert found.accuracy.value == 0.75
    assert math.isclose(found.f1.value, 2 / 3)
    assert math.isclose(found.average_precision.value, (1 + 2 / 3) / 2)
    assert math.isnan(found.brier.value)


def test_the_brier_score_is_the_mean_squared_error():
    found = detect([True, False], [-1.0, 1.0], probability=[0.8, 0.4], resamples=5)
    assert math.isclose(found.brier.value, (0.2**2 + 0.4**2) / 2)


@pytest.mark.parametrize("everyone", [True, False])
def test_one_class_leaves_the_measures_undefined_and_says_why(everyone):
    found = detect([everyone] * 5, np.arange(5.0), resamples=5)
    assert "only one class is present" in found.reason
    assert math.isnan(found.auc.value)
    assert math.isnan(found.average_precision.value)
    assert math.isnan(found.f1.value)
    assert found.confusion.sum() == 5


def test_constant_scores_rank_nothing_and_say_so():
    found = detect([True, False, True], [0.3, 0.3, 0.3], resamples=5)
    assert found.auc.value == 0.5
    assert "all scores are equal" in found.reason


def test_an_undefined_score_names_its_row():
    with pytest.raises(ValueError, match="row 1 is nan"):
        detect([True, False], [0.1, math.nan])


def test_lengths_must_agree_and_there_must_be_items():
    with pytest.raises(ValueError, match="one score per item"):
        detect([True], [0.1, 0.2])
    with pytest.raises(ValueError, match="one score per item"):
        detect([], [])
    with pytest.raises(ValueError, match="1 probabilities"):
        detect([True, False], [0.1, 0.2], probability=[0.5])


def test_a_score_of_minus_infinity_is_the_surest_verdict():
    found = detect([True, False], [-math.inf, 0.0], resamples=5)
    assert found.auc.value == 1.0
    assert found.average_precision.value == 1.0


def test_the_area_agrees_with_scikit_learn_ties_included():
    rng = np.random.default_rng(0)
    truth, score = rng.random(300) < 0.4, rng.integers(0, 12, 300).astype(float)
    assert math.isclose(auc_interval(truth, score).value, roc_auc_score(truth, score))


def test_delongs_interval_covers_the_true_area_as_often_as_it_says():
    rng = np.random.default_rng(1)
    true_area, covered = 0.76025, 0  # of two normals one standard deviation apart
    for _ in range(400):
        truth = np.arange(160) < 60
        score = rng.normal(size=160) + truth
        found = auc_interval(truth, score)
        covered += found.low <= true_area <= found.high
    assert 0.92 <= covered / 400 <= 0.98


def test_wilsons_interval_stays_inside_and_knows_the_textbook_case():
    found = share_interval(1, 10)
    assert (round(found.low, 3), round(found.high, 3)) == (0.018, 0.404)
    assert share_interval(0, 8).low == 0.0
    assert math.isnan(share_interval(0, 0).value)


def test_what_is_over_represented_is_read_off_the_labels_weights():
    found = over_represented(["a", "b", "a"], [0.7, 0.3], [0.5, 0.5], ["a", "b"])
    assert found.tolist() == [True, False, True]


def test_held_out_labels_turn_a_ratio_into_an_honest_probability():
    rng = np.random.default_rng(2)
    ratio = rng.normal(size=6000)
    truth = rng.random(6000) < 1 / (1 + np.exp(3 * ratio))  # three times as sure as 1/(1+r)
    claimed = detection_probability(ratio[3000:], ratio[:3000], truth[:3000])
    curve = reliability_curve(truth[3000:], claimed, bins=8)
    assert np.abs(curve["claimed"] - curve["observed"]).max() < 0.06


def test_a_held_out_part_of_one_class_gives_its_base_rate():
    assert detection_probability([0.0, 1.0], [0.3, 0.4], [True, True]).tolist() == [1.0, 1.0]


def test_a_perfect_ranking_of_a_few_items_is_not_called_certain():
    few = auc_interval([True, False], [2.0, 1.0])
    assert (few.value, few.high) == (1.0, 1.0)
    assert few.low < 0.1
    reversed_pair = auc_interval([False] * 40 + [True] * 40, [1.0] * 40 + [0.0] * 40)
    assert reversed_pair.value == 0
    assert 0.05 < reversed_pair.high < 0.12
    alone = auc_interval([True, False, False, False], [1.5, 2.0, 1.0, 0.0])
    assert math.isnan(alone.low)


@pytest.mark.parametrize("outlier", [1e3, 1e5, math.inf])
def test_one_outlier_does_not_flatten_the_claimed_probabilities(outlier):
    rng = np.random.default_rng(3)
    ratio = rng.normal(0, 2, 2000)
    positive = rng.random(2000) < 1 / (1 + np.exp(ratio))
    plain = detection_probability([-2.0, 1.0], ratio, positive)
    bent = detection_probability([-2.0, 1.0], np.r_[ratio, -outlier], np.r_[positive, True])
    assert bent == pytest.approx(plain, abs=0.02)


def test_three_items_all_right_are_not_certain_accuracy():
    accuracy = detect([True, False, True], [-1.0, 1.0, -2.0]).accuracy
    assert accuracy.value == accuracy.high == 1
    assert accuracy.low < 0.5
