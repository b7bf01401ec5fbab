from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcal_utils.acceptance import accept_probability
from semcal_utils.acceptance.label_shift import bbse_frequencies, em_frequencies
from semcal_utils.acceptance.oracles import (
    caption_confusion,
    caption_oracle_log_ratios,
    forecast,
    label_oracle_acceptance,
    label_oracle_pass_rate,
    label_weights,
)
from semcal_utils.divergence import (
    deception_reduction,
    expected_filtered_frequencies,
    kl_divergence,
)


def test_the_label_oracle_turns_the_stream_into_the_world():
    labels, categories = ["a"] * 50 + ["b"] * 30 + ["c"] * 20, ["a", "b", "c"]
    general, real = [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]
    accept = label_oracle_acceptance(labels, general, real, categories)
    assert accept.max() == 1
    np.testing.assert_allclose(expected_filtered_frequencies(labels, accept, categories), real)
    assert accept.mean() == pytest.approx(label_oracle_pass_rate(general, real))


def test_a_label_that_the_world_lacks_is_never_accepted():
    accept = label_oracle_acceptance(["a", "b"], [0.5, 0.5], [1.0, 0.0], ["a", "b"])
    assert accept.tolist() == [1.0, 0.0]


def test_a_label_that_the_stream_lacks_cannot_be_added():
    with pytest.raises(ValueError, match="label number 1"):
        label_weights([1.0, 0.0], [0.5, 0.5])


def test_exact_items_do_not_make_an_exact_stream_by_hand():
    # Two labels, half each in G; R wants nine to one. One caption in five names the other label.
    says = np.array([[0.8, 0.2], [0.2, 0.8]])
    general, real = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    found = forecast(says, general, real)
    # T = [[.68, .32], [.32, .68]] where captions are read exactly; here T is given as it stands:
    # filtered(a) = .5·(.8·1.8 + .2·.2) = .74, and the labels regress from .9 towards .5.
    np.testing.assert_allclose(found.frequencies, [0.74, 0.26])
    assert 0 < found.reduction.value < 1


@given(doubt=st.floats(0, 0.45), share=st.floats(0.55, 0.95), labels=st.integers(2, 6))
def test_a_forecast_equals_what_the_caption_oracle_keeps(doubt, share, labels):
    says = np.full((labels, labels), doubt / (labels - 1))
    np.fill_diagonal(says, 1 - doubt)
    general = np.full(labels, 1 / labels)
    real = np.r_[share, np.full(labels - 1, (1 - share) / (labels - 1))]
    posterior = (says * general[:, None] / (general @ says)).T
    confusion = says @ posterior
    log_ratio = caption_oracle_log_ratios(posterior, general, real)
    accept = accept_probability(log_ratio, max(0.0, log_ratio.max()))
    kept = general * (says @ accept)
    found = forecast(confusion, general, real)
    np.testing.assert_allclose(found.frequencies, kept / kept.sum())
    # Captions alone are exact all the same: their law in the kept stream is the world's.
    captions = (general @ says) * accept
    np.testing.assert_allclose(captions / captions.sum(), real @ says)


def test_confusion_averages_the_posterior_by_label():
    table = caption_confusion(["a", "a", "b"], [[1, 0], [0.5, 0.5], [0.2, 0.8]], ["a", "b"])
    np.testing.assert_allclose(table.to_numpy(), [[0.75, 0.25], [0.2, 0.8]])
    assert table.index.tolist() == table.columns.tolist() == ["a", "b"]


def test_rows_that_are_no_distributions_are_named():
    with pytest.raises(ValueError, match="Row 1 of the posterior"):
        caption_oracle_log_ratios([[0.5, 0.5], [0.5, 0.6]], [0.5, 0.5], [0.5, 0.5])


class SimulatedCaptions:
    """Captions with two numbers, Gaussian about their label: the posterior is known exactly."""

    def __init__(self, general, real, spread=1.0, seed=0):
        self.general, self.real = np.asarray(general), np.asarray(real)
        angles = 2 * np.pi * np.arange(len(general)) / len(general)
        self.centres = 2 * np.column_stack([np.cos(angles), np.sin(angles)])
        self.spread, self.rng = spread, np.random.default_rng(seed)

    def draw(self, frequencies, items):
        codes = self.rng.choice(len(frequencies), items, p=frequencies)
        places = self.centres[codes] + self.rng.normal(0, self.spread, (items, 2))
        gaps = ((places[:, None] - self.centres) ** 2).sum(axis=2) / (2 * self.spread**2)
        joint = np.exp(-gaps + gaps.min(axis=1, keepdims=True)) * self.general
        return codes, joint / joint.sum(axis=1, keepdims=True)


GENERAL, REAL = [0.3, 0.3, 0.2, 0.2], [0.05, 0.15, 0.3, 0.5]


def test_em_finds_the_worlds_frequencies_without_labels():
    world = SimulatedCaptions(GENERAL, REAL)
    _, posterior = world.draw(REAL, 20_000)
    np.testing.assert_allclose(em_frequencies(posterior, GENERAL), REAL, atol=0.015)


def test_bbse_finds_the_worlds_frequencies_without_labels():
    world = SimulatedCaptions(GENERAL, REAL)
    codes, general_posterior = world.draw(GENERAL, 20_000)
    _, real_posterior = world.draw(REAL, 20_000)
    names = list("abcd")
    confusion = caption_confusion([names[code] for code in codes], general_posterior, names)
    found = bbse_frequencies(real_posterior, confusion)
    np.testing.assert_allclose(found, REAL, atol=0.02)


def test_em_on_certain_captions_counts_them_and_a_prior_adds_its_own_by_hand():
    certain = np.eye(2)[[0, 0, 0, 1]]
    np.testing.assert_allclose(em_frequencies(certain, [0.5, 0.5]), [0.75, 0.25], atol=1e-8)
    found = em_frequencies(certain, [0.5, 0.5], strength=4)
    np.testing.assert_allclose(found, [5 / 8, 3 / 8], atol=1e-8)


def test_two_labels_are_told_apart_at_the_test_level_by_hand():
    # Evidence of 55 certain captions against 45: 2·(55·ln 1.1 + 45·ln 0.9) = 1.0, p = 0.32.
    certain = np.eye(2)[[0] * 55 + [1] * 45]
    half = np.array([0.5, 0.5])
    assert np.array_equal(em_frequencies(certain, half, significance=0.31), half)
    np.testing.assert_allclose(
        em_frequencies(certain, half, significance=0.33), [0.55, 0.45], atol=1e-6
    )


def test_pseudo_captions_hold_em_near_the_stream():
    world = SimulatedCaptions(GENERAL, REAL)
    _, posterior = world.draw(REAL, 200)
    distances = [
        kl_divergence(GENERAL, em_frequencies(posterior, GENERAL, strength=strength))
        for strength in (0, 100, 1e6)
    ]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-3


def test_an_honest_stream_is_left_alone_and_a_deceptive_one_is_not():
    world = SimulatedCaptions(GENERAL, REAL)
    left_alone = 0
    for _ in range(100):
        _, posterior = world.draw(GENERAL, 300)
        found = em_frequencies(posterior, GENERAL, significance=0.05)
        left_alone += np.array_equal(found, GENERAL)
    assert 0.88 <= left_alone / 100 <= 1
    _, posterior = world.draw(REAL, 300)
    found = em_frequencies(posterior, GENERAL, significance=0.05)
    assert deception_reduction(GENERAL, found, REAL).value > 0.8


def test_estimates_need_captions_and_a_stream_with_every_label():
    with pytest.raises(ValueError, match="no real captions"):
        em_frequencies(np.zeros((0, 2)), [0.5, 0.5])
    with pytest.raises(ValueError, match="positive frequency"):
        em_frequencies([[0.5, 0.5]], [1.0, 0.0])
    with pytest.raises(ValueError, match="Row 0"):
        bbse_frequencies([[0.5, 0.5]], [[math.nan, math.nan], [0, 1]])


def test_em_takes_the_streams_labels_as_counts_or_as_shares():
    rows = np.repeat([[0.9, 0.1], [0.2, 0.8]], [30, 70], axis=0)
    by_shares = em_frequencies(rows, [0.5, 0.5], significance=0.05)
    assert em_frequencies(rows, [400, 400], significance=0.05) == pytest.approx(by_shares)
