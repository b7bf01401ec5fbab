from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcal_utils.divergence import (
    bias_corrected_kl,
    deception_reduction,
    effective_size,
    expected_filtered_frequencies,
    jensen_shannon,
    kl_divergence,
    label_frequencies,
    noise_band,
    noise_floor,
    reduction_of,
    sampling_band,
    sampling_bias,
    total_variation,
    weight_sums,
)

ABC = ["a", "b", "c"]


@st.composite
def distributions(draw, count=2):
    labels = draw(st.integers(2, 12))
    rows = [
        np.array(draw(st.lists(st.floats(1e-3, 1), min_size=labels, max_size=labels)))
        for _ in range(count)
    ]
    return [row / row.sum() for row in rows]


DIVERGENCES = (kl_divergence, total_variation, jensen_shannon)


def test_divergences_of_two_labels_by_hand():
    even, uneven = [0.5, 0.5], [0.25, 0.75]
    assert kl_divergence(even, uneven) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    assert total_variation(even, uneven) == pytest.approx(0.25)
    assert jensen_shannon([1, 0], [0, 1]) == pytest.approx(math.log(2))


@given(distributions())
def test_divergences_are_zero_at_home_and_ordered_elsewhere(pair):
    p, q = pair
    for divergence in DIVERGENCES:
        assert divergence(p, p) == pytest.approx(0, abs=1e-7)
        assert divergence(p, q) >= -1e-12
    assert total_variation(p, q) <= math.sqrt(kl_divergence(p, q) / 2) + 1e-9
    assert jensen_shannon(p, q) <= math.log(2) + 1e-12


@given(distributions(count=3))
def test_a_stack_of_distributions_is_measured_in_one_call(three):
    stack, real = np.stack(three[:2]), three[2]
    for divergence in DIVERGENCES:
        np.testing.assert_allclose(
            divergence(stack, real), [divergence(row, real) for row in stack], atol=1e-12
        )


def test_a_label_that_the_world_lacks_is_infinitely_divergent():
    assert math.isinf(kl_divergence([0.5, 0.5], [1, 0]))
    assert math.isinf(bias_corrected_kl([0.5, 0.5], [1.0, 0.0], size=1))
    assert kl_divergence([1, 0], [0.5, 0.5]) == pytest.approx(math.log(2))


@pytest.mark.parametrize("wrong", [[-0.1, 1.1], [0.5, 1.5], [math.nan, 1.0]])
def test_frequencies_outside_zero_and_one_are_refused(wrong):
    with pytest.raises(ValueError, match="outside"):
        kl_divergence(wrong, [0.5, 0.5])


def test_frequencies_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to one"):
        total_variation([0.5, 0.4], [0.5, 0.5])


def test_labels_are_counted_in_the_order_of_the_categories():
    np.testing.assert_allclose(label_frequencies(["b", "a", "b", "b"], ABC), [0.25, 0.75, 0])
    np.testing.assert_allclose(label_frequencies(["b", "a"], ABC, [1, 3]), [0.75, 0.25, 0])
    np.testing.assert_allclose(label_frequencies(["a", "b"], ABC, [0.1, 0.3]), [0.25, 0.75, 0])
    assert np.isnan(label_frequencies(["a", "b"], ABC, [0, 0])).all()


def test_unknown_labels_and_a_repeated_category_are_named():
    with pytest.raises(ValueError, match=r"'y' of row 1 is not among the 3 .*\(2 such rows\)"):
        label_frequencies(["a", "y", "b", "z"], ABC)
    with pytest.raises(ValueError, match="'a' is listed twice"):
        label_frequencies(["a"], ["a", "a"])


def test_weights_that_cannot_be_are_named():
    for wrong in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="of row 1 must be finite and >= 0"):
            label_frequencies(["a", "b"], ABC, [0.0, wrong])
    with pytest.raises(ValueError, match="2 labels but weights of shape"):
        label_frequencies(["a", "b"], ABC, [1.0])


def test_expected_frequencies_weigh_each_item_by_its_acceptance():
    found = expected_filtered_frequencies(["a", "a", "b"], [1.0, 0.5, 0.5], ABC)
    np.testing.assert_allclose(found, [0.75, 0.25, 0])


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_probabilities_outside_zero_and_one_are_refused(wrong):
    with pytest.raises(ValueError, match="row 1"):
        expected_filtered_frequencies(["a", "b"], [0.5, wrong], ABC)


def test_effective_size_counts_equal_weights_fully():
    assert effective_size([0.3] * 10) == pytest.approx(10)
    assert effective_size([1, 0, 0]) == pytest.approx(1)
    assert effective_size([0, 0]) == 0


def test_nothing_kept_has_no_frequencies_and_no_reduction():
    filtered = expected_filtered_frequencies(["a", "b", "c"], [0, 0, 0], ABC)
    assert np.isnan(filtered).all()
    found = deception_reduction([0.2, 0.3, 0.5], filtered, [0.4, 0.3, 0.3])
    assert math.isnan(found.value)
    assert found.reason == "nothing was kept"


def test_all_kept_reduces_nothing():
    general, real = [0.2, 0.3, 0.5], [0.4, 0.3, 0.3]
    assert deception_reduction(general, general, real).value == pytest.approx(0)
    assert deception_reduction(general, real, real).value == pytest.approx(1)


def test_an_honest_stream_has_no_reduction():
    found = reduction_of(0.001, 0.0005, noise=0.002)
    assert math.isnan(found.value)
    assert "noise floor" in found.reason


def test_chance_among_items_of_equal_weight_is_the_noise_floor_and_band():
    for sums, squares, size in (
        ([3, 1, 2], [3, 1, 2], 6),
        ([1.5, 0.5], [0.75, 0.25], 4),
    ):
        labels = len(sums)
        assert sampling_bias(sums, squares) == pytest.approx(noise_floor(labels, size))
        assert sampling_bias(sums, squares, 9) == pytest.approx(noise_floor(labels, size, 9))
        assert sampling_band(sums, squares) == pytest.approx(noise_band(labels, size))
        assert sampling_band(sums, squares, 9, level=0.5) == pytest.approx(
            noise_band(labels, size, 9, level=0.5)
        )


def test_a_label_that_was_not_seen_counts_as_one_of_average_weight():
    for counts in ([3, 1, 0], [30, 20, 0, 0], [5, 0, 0]):
        labels, size = len(counts), sum(counts)
        assert sampling_bias(counts, counts) == pytest.approx(noise_floor(labels, size))
        assert sampling_band(counts, counts) == pytest.approx(noise_band(labels, size))
        assert sampling_band(counts, counts, 9) == pytest.approx(noise_band(labels, size, 9))


def test_without_items_chance_is_all_and_with_one_label_it_is_nothing():
    assert math.isinf(sampling_bias([0, 0], [0, 0]))
    assert math.isinf(sampling_band([0, 0], [0, 0]))
    assert math.isinf(sampling_bias([1, 2], [1, 2], 0))
    assert math.isinf(noise_floor(1, 0))
    assert sampling_bias([2.0], [1.0]) == sampling_band([2.0], [1.0]) == 0
    assert "empty" in deception_reduction([np.nan] * 2, [np.nan] * 2, [0.5, 0.5]).reason


def test_sampling_bias_by_hand():
    # Two labels: ½·[Var(p)/p + Var(p)/(1 - p)], and Var(p) = ((1-p)²·S₁ + p²·S₂)/W².
    found = sampling_bias([1.0, 3.0], [0.5, 1.5])
    variance = (0.75**2 * 0.5 + 0.25**2 * 1.5) / 16
    assert found == pytest.approx((variance / 0.25 + variance / 0.75) / 2)


def test_chance_of_a_stream_that_was_weighted_to_its_world():
    rng = np.random.default_rng(3)
    general, world = np.full(8, 1 / 8), rng.dirichlet(np.full(8, 0.7))
    weights = world / general / (world / general).max()
    counts = rng.multinomial(1500, general, 3000)
    kept = counts * weights
    found = kl_divergence(kept / kept.sum(axis=1, keepdims=True), world)
    sums = [(row * weights, row * weights**2) for row in counts]
    assert np.mean([sampling_bias(*one) for one in sums]) == pytest.approx(found.mean(), rel=0.05)
    assert np.mean(found <= [sampling_band(*one) for one in sums]) == pytest.approx(0.95, abs=0.015)
    # The effective size alone would promise much more of it.
    sizes = kept.sum(axis=1) ** 2 / (counts * weights**2).sum(axis=1)
    assert noise_floor(8, float(sizes.mean())) > 1.5 * found.mean()


def test_weights_are_added_up_by_label_for_the_labels_that_the_world_holds():
    labels, weights = ["a", "b", "a"], [0.5, 1.0, 0.25]
    sums, squares = weight_sums(labels, weights, ABC)
    assert sums.tolist() == [0.75, 1.0, 0]
    assert squares.tolist() == [0.3125, 1.0, 0]
    assert weight_sums(labels, weights, ABC, real=[0.5, 0, 0.5])[0].tolist() == [0.75, 0]
    with pytest.raises(ValueError, match="'b' of row 1 is not among"):
        weight_sums(labels, weights, ["a", "c"])


def test_a_label_that_the_world_lacks_leaves_the_reduction_undefined():
    found = deception_reduction([0.5, 0.5], [1, 0], [1, 0])
    assert math.isnan(found.value)
    assert "infinite" in found.reason


def test_the_noise_floor_is_the_mean_divergence_between_samples_of_one_world():
    rng = np.random.default_rng(0)
    world = rng.dirichlet(np.full(8, 5.0))
    first, second = (rng.multinomial(size, world, 4000) / size for size in (1000, 2000))
    between = kl_divergence(first, second)
    assert between.mean() == pytest.approx(noise_floor(8, 1000, 2000), rel=0.05)
    assert kl_divergence(first, world).mean() == pytest.approx(noise_floor(8, 1000), rel=0.05)
    assert np.mean(between <= noise_band(8, 1000, 2000)) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("labels", [3, 10, 40])
@pytest.mark.parametrize("per_label", [20, 50])
def test_the_corrected_divergence_finds_the_truth_from_twenty_items_a_label(labels, per_label):
    rng = np.random.default_rng(labels * 100 + per_label)
    p, q = rng.dirichlet(np.full(labels, 8.0)), rng.dirichlet(np.full(labels, 8.0))
    size, truth = labels * per_label, float(kl_divergence(p, q))
    samples = rng.multinomial(size, p, 20_000) / size
    corrected = np.array([bias_corrected_kl(row, q, size=size) for row in samples])
    plug_in = kl_divergence(samples, q)
    error = corrected.std() / math.sqrt(20_000)
    assert abs(corrected.mean() - truth) < 2 * error
    assert abs(plug_in.mean() - truth) > 2 * error
    assert np.mean(np.abs(corrected - truth) < 2 * corrected.std()) > 0.93


def test_the_corrected_divergence_allows_for_a_sampled_world_too():
    rng = np.random.default_rng(5)
    p, q = rng.dirichlet(np.full(8, 8.0)), rng.dirichlet(np.full(8, 8.0))
    pairs = zip(rng.multinomial(400, p, 1000), rng.multinomial(600, q, 1000), strict=True)
    corrected = [
        bias_corrected_kl(one / 400, other / 600, size=400, other_size=600) for one, other in pairs
    ]
    error = np.std(corrected) / math.sqrt(1000)
    assert abs(np.mean(corrected) - kl_divergence(p, q)) < 2.5 * error


def test_noise_of_two_labels_by_hand():
    # The 95 % point of χ² with one degree of freedom is 3.841; 1/50 + 1/100 = 0.03.
    assert noise_band(2, 50, 100) == pytest.approx(3.841 / 2 * 0.03, rel=1e-3)
    assert noise_floor(2, 50, 100) == pytest.approx(0.015)
    assert noise_band(2, 100, level=0.5) == pytest.approx(0.455 / 200, rel=1e-3)


def test_one_item_is_a_sample():
    assert noise_floor(3, 1) == 1
    assert noise_floor(3, 1, 1) == 2


def test_an_empty_sample_is_all_noise():
    assert math.isinf(noise_floor(5, 0))
    assert math.isinf(noise_band(5, 0))
    assert noise_band(1, 100) == 0
    assert math.isinf(noise_floor(5, 10, 0))
    assert math.isnan(bias_corrected_kl([0.5, 0.5], [0.4, 0.6], size=0))
    assert math.isnan(bias_corrected_kl([0.5, 0.5], [1.0, 0.0], size=0))


def test_the_correction_by_hand():
    # Two labels: (2 - 1)/2n, and for a world sampled m times (Σ p/q - 1)/2m.
    p, q = [0.5, 0.5], [0.2, 0.8]
    plain = kl_divergence(p, q)
    assert bias_corrected_kl(p, q, size=100) == pytest.approx(plain - 1 / 200)
    ratios = 0.5 / 0.2 + 0.5 / 0.8
    assert bias_corrected_kl(p, q, size=100, other_size=40) == pytest.approx(
        plain - 1 / 200 - (ratios - 1) / 80
    )


def test_a_reduction_of_two_divergences_by_hand():
    assert reduction_of(0.4, 0.1) == (pytest.approx(0.75), "")
    assert reduction_of(0.1, 0.4).value == pytest.approx(-3)
    assert reduction_of(0.4, 0.1, noise=0.39).value == pytest.approx(0.75)
    assert math.isnan(reduction_of(0.4, 0.1, noise=0.4).value)
