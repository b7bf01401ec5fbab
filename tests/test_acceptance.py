from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcal_utils.acceptance import (
    accept_probability,
    exact_log_bound,
    log_mean_exp,
    log_ratios,
    normalised_log_ratios,
    nucleus_mask,
    paper_log_ratios,
)

finite = st.floats(-1e4, 1e4)
ragged = st.lists(st.lists(st.tuples(finite, finite), max_size=12), min_size=1, max_size=20)


def test_a_log_ratio_is_the_sum_over_tokens():
    found = log_ratios([[-1.0, -2.0], [-3.0]], [[-2.0, -2.5], [-1.0]])
    np.testing.assert_allclose(found, [1.5, -2.0])


@pytest.mark.parametrize(
    ("differences", "kept"),
    [
        ([3, 2, 1], [True, False, False]),
        ([2, 1, 1], [True, True, False]),
        ([1, -3, 2], [False, True, False]),
        ([2, -2, 2, 2], [True, True, True, False]),
        ([0, 0, 0], [True, False, False]),
        ([5], [True]),
    ],
)
def test_published_clipping_keeps_the_first_and_drops_the_token_that_crosses(differences, kept):
    assert nucleus_mask(differences).tolist() == kept


def test_ties_are_kept_in_reading_order():
    assert nucleus_mask([1, -1, 1, -1], top_p=0.5).tolist() == [True, True, False, False]
    many = np.tile([1.0, -1.0, 0.5], 100)
    kept = nucleus_mask(many, top_p=0.4)
    assert np.flatnonzero(kept).tolist() == np.flatnonzero(np.abs(many) == 1)[:100].tolist()


def published_log_ratio(real, general, top_p):
    """The published rule, one caption at a time, as plain Python."""
    differences = [one - other for one, other in zip(real, general, strict=True)]
    if not any(differences):
        return 0.0
    order = sorted(range(len(differences)), key=lambda place: -abs(differences[place]))
    total = 0.0
    for place in order:
        total += abs(differences[place])
    kept, cumulative = differences[order[0]], abs(differences[order[0]])
    for place in order[1:]:
        cumulative += abs(differences[place])
        if cumulative / total > top_p:
            break
        kept += differences[place]
    return kept


@settings(max_examples=200)
@given(captions=ragged, top_p=st.sampled_from([0.0, 0.3, 0.75, 1.0]))
def test_the_vectorised_paper_rule_equals_the_loop_over_captions(captions, top_p):
    real = [[pair[0] for pair in caption] for caption in captions]
    general = [[pair[1] for pair in caption] for caption in captions]
    expected = [
        published_log_ratio(one, other, top_p) for one, other in zip(real, general, strict=True)
    ]
    found = paper_log_ratios(real, general, top_p=top_p)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(captions=ragged)
def test_swapping_the_models_turns_the_sign(captions):
    real = [[pair[0] for pair in caption] for caption in captions]
    general = [[pair[1] for pair in caption] for caption in captions]
    for ratios in (log_ratios, paper_log_ratios):
        np.testing.assert_allclose(ratios(real, general), -ratios(general, real), atol=1e-8)


def test_ratios_of_arrays_equal_ratios_of_lists():
    rng = np.random.default_rng(0)
    real = [rng.normal(size=length) for length in rng.integers(0, 9, 50)]
    general = [rng.normal(size=len(row)) for row in real]
    as_lists = [row.tolist() for row in real], [row.tolist() for row in general]
    np.testing.assert_array_equal(log_ratios(real, general), log_ratios(*as_lists))
    np.testing.assert_array_equal(paper_log_ratios(real, general), paper_log_ratios(*as_lists))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_log_prob_that_is_not_finite_names_its_item(wrong):
    with pytest.raises(ValueError, match=r"Item 'docs-1' .* not finite"):
        log_ratios([[-1.0], [wrong, -1.0]], [[-1.0], [-1.0, -1.0]], item_ids=["docs-0", "docs-1"])


def test_token_lists_of_different_lengths_name_their_item():
    with pytest.raises(ValueError, match="Item 'b' has 2 tokens under the real model and 1"):
        paper_log_ratios([[-1.0], [-1.0, -2.0]], [[-1.0], [-1.0]], item_ids=["a", "b"])
    with pytest.raises(ValueError, match="2 captions under the real model but 1"):
        log_ratios([[-1.0], [-1.0]], [[-1.0]])


def test_repeated_and_missing_item_ids_are_refused():
    with pytest.raises(ValueError, match="item_id 'a' occurs more than once"):
        log_ratios([[-1.0], [-1.0]], [[-1.0], [-1.0]], item_ids=["a", "a"])
    with pytest.raises(ValueError, match="2 captions but 1 item_ids"):
        paper_log_ratios([[-1.0], [-1.0]], [[-1.0], [-1.0]], item_ids=["a"])


def test_acceptance_is_the_ratio_over_the_bound_and_never_above_one():
    found = accept_probability(np.log([0.5, 2.0, 4.0, 9.0]), np.log(4.0))
    np.testing.assert_allclose(found, [0.125, 0.5, 1.0, 1.0])


def test_ten_thousand_nats_neither_overflow_nor_vanish_into_nan():
    with np.errstate(over="raise", invalid="raise"):
        found = accept_probability([-1e4, 0.0, 1e4, -np.inf], 2.0)
    np.testing.assert_allclose(found, [0.0, np.exp(-2), 1.0, 0.0])


def test_a_ratio_that_is_nan_names_its_row():
    with pytest.raises(ValueError, match="row 1 is nan"):
        accept_probability([0.0, float("nan")], 1.0)


@pytest.mark.parametrize("log_bound", [-0.1, float("nan"), float("inf")])
def test_a_bound_below_one_is_refused(log_bound):
    with pytest.raises(ValueError, match="log_bound"):
        accept_probability([0.0], log_bound)


def test_the_exact_bound_is_the_inverse_share_of_the_sub_sample():
    assert exact_log_bound(600, 150) == pytest.approx(np.log(4))
    assert exact_log_bound(600, 600) == 0


@pytest.mark.parametrize("counts", [(10, 0), (10, 11), (0, 0)])
def test_a_sub_sample_larger_than_the_stream_or_empty_gives_no_bound(counts):
    with pytest.raises(ValueError, match="no bound"):
        exact_log_bound(*counts)


@given(values=st.lists(finite, min_size=1, max_size=30))
def test_normalised_ratios_average_one(values):
    shifted = normalised_log_ratios(values, values)
    assert log_mean_exp(shifted) == pytest.approx(0, abs=1e-9)


def test_means_in_logs_reach_beyond_the_floats():
    assert log_mean_exp([1e4, 1e4 + np.log(3)]) == pytest.approx(1e4 + np.log(2))
    with pytest.raises(ValueError, match="no log ratios"):
        log_mean_exp([])


def test_pass_rate_is_the_mean_of_the_capped_ratio():
    rng = np.random.default_rng(0)
    ratio = rng.gamma(0.5, 2.0, 10_000)
    accept = accept_probability(np.log(ratio), np.log(3.0))
    assert accept.mean() == pytest.approx(np.mean(np.minimum(1, ratio / 3)), rel=1e-12)
