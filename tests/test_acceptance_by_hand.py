"""Small cases of the acceptance room whose numbers can be worked out on paper."""

from __future__ import annotations

import inspect
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, logsumexp

from semcal_utils.acceptance import (
    accept_probability,
    log_mean_exp,
    log_ratios,
    nucleus_mask,
    paper_log_ratios,
)
from semcal_utils.acceptance.bounds import bound_curve, optimal_log_bound, quantile_log_bound
from semcal_utils.acceptance.calibration import calibrate_items, reliability
from semcal_utils.acceptance.caption_classifier import CaptionClassifier, cross_fitted_posteriors
from semcal_utils.acceptance.label_matched import (
    MINIMUM_SHARE_OF_ORACLE,
    TOLERANCE,
    fit_label_matched,
    gather_evidence,
)
from semcal_utils.acceptance.label_matching import match_labels
from semcal_utils.acceptance.label_shift import bbse_frequencies, em_frequencies
from semcal_utils.acceptance.oracles import (
    caption_confusion,
    caption_oracle_log_ratios,
    checked_posterior,
    label_oracle_pass_rate,
    label_weights,
)
from semcal_utils.acceptance.sharpening import (
    POWERS,
    QUANTILES,
    best_in_hindsight,
    choose_sharpening,
    labels_needed,
    sharpen,
    sharpening_curve,
)
from semcal_utils.acceptance.stacking import stack_posteriors, stack_unseen
from semcal_utils.divergence import (
    kl_divergence,
    noise_floor,
    sampling_bias,
)

AB = ["a", "b"]


# --- ratios and clipping --------------------------------------------------------------------------


@pytest.mark.parametrize("top_p", [-0.1, 1.1])
def test_a_share_outside_zero_and_one_is_no_clipping(top_p):
    with pytest.raises(ValueError, match="top_p must lie between 0 and 1"):
        nucleus_mask([1.0], top_p)


def test_clipping_takes_many_captions_at_once_and_refuses_what_is_not_finite():
    many = np.array([[3.0, 2.0, 1.0], [1.0, -3.0, 2.0]])
    assert nucleus_mask(many).tolist() == [[True, False, False], [False, True, False]]
    assert nucleus_mask(np.zeros((2, 0))).shape == (2, 0)
    assert nucleus_mask([1.0, 2.0], 1.0).tolist() == [True, True]
    with pytest.raises(ValueError, match="finite"):
        nucleus_mask([1.0, math.inf])


def test_small_differences_are_clipped_like_large_ones():
    for scale in (2.0**-10, 1.0, 2.0**10):
        found = nucleus_mask(np.array([1.0, 2.0, 0.5]) * scale, 0.9)
        assert found.tolist() == [True, True, False]


def test_a_caption_without_tokens_has_a_ratio_of_one():
    assert log_ratios([[], [-1.0]], [[], [-3.0]]).tolist() == [0.0, 2.0]
    assert paper_log_ratios([[], [-1.0]], [[], [-3.0]]).tolist() == [0.0, 2.0]


def test_sentences_count_the_captions_that_they_speak_of():
    nan = math.nan
    with pytest.raises(ValueError, match=r"Row 1 .* not finite \(2 such captions\)"):
        log_ratios([[-1.0], [nan, nan], [nan]], [[-1.0], [-1.0, -1.0], [-1.0]])
    with pytest.raises(ValueError, match=r"row 1 is nan \(2 in all\)"):
        accept_probability([0.0, nan, nan], 1.0)
    with pytest.raises(ValueError, match=r"'b' occurs more than once \(1 such ids\)"):
        log_ratios([[0.0]] * 3, [[0.0]] * 3, item_ids=["a", "b", "b"])


def test_means_in_logs_run_along_the_axis_that_is_asked_for():
    table = np.log([[1.0, 3.0], [5.0, 7.0]])
    np.testing.assert_allclose(np.exp(log_mean_exp(table)), [2, 6])
    np.testing.assert_allclose(np.exp(log_mean_exp(table, axis=0)), [3, 5])
    assert log_mean_exp([-math.inf, 0.0]) == pytest.approx(math.log(0.5))
    with pytest.raises(ValueError, match="finite"):
        log_mean_exp([-math.inf, -math.inf])


# --- bounds ---------------------------------------------------------------------------------------


def test_a_row_of_the_bound_curve_by_hand():
    # Ratios 1/2 and 3/2, bound 1: δ = 1/4, pass rate 3/4, effective size (3/2)²/(1 + 1/4).
    (row,) = bound_curve(np.log([0.5, 1.5]), [0.0], labels=3).to_dict("records")
    assert row["delta"] == pytest.approx(0.25)
    assert row["pass_rate"] == pytest.approx(0.75)
    assert row["kl_guarantee"] == pytest.approx(-math.log(0.75))
    assert row["effective_size"] == pytest.approx(2.25 / 1.25)
    assert row["noise_floor"] == pytest.approx(1 / row["effective_size"])
    assert row["total"] == pytest.approx(row["kl_guarantee"] + row["noise_floor"])


def test_the_optimal_bound_is_the_least_total_of_its_curve():
    log_ratio = np.random.default_rng(0).normal(size=400)
    log_ratio -= log_mean_exp(log_ratio)
    tried = np.linspace(0, log_ratio.max(), 50)
    totals = bound_curve(log_ratio, tried, labels=8)["total"]
    found = optimal_log_bound(log_ratio, labels=8, steps=50)
    assert found == pytest.approx(tried[int(totals.argmin())])


def test_bounds_are_tried_up_to_the_largest_ratio_and_no_further():
    # Nearly equal ratios: every bound above the largest keeps less and promises nothing more.
    found = optimal_log_bound([0.0, 0.1, 0.2], labels=2, steps=3)
    largest = 0.2 - float(log_mean_exp([0.0, 0.1, 0.2]))
    assert found in (0, pytest.approx(largest / 2), pytest.approx(largest))


def test_quantiles_of_bounds_by_hand_and_their_limits():
    ratios = np.log([0.4, 0.8, 1.2, 1.6])
    assert quantile_log_bound(ratios, 0.5) == 0
    assert quantile_log_bound(ratios, 2 / 3) == pytest.approx(math.log(1.2))
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match="quantile lies between"):
            quantile_log_bound(ratios, wrong)


# --- calibration ----------------------------------------------------------------------------------


def test_the_standard_error_of_a_bin_by_hand():
    # Weights 3, 1, 1, 1: √(½·½·12)/6.
    table = reliability(np.array([-1.0, 0.0, 1.0]), np.array([False, False, True]), bins=1)
    assert list(table) == ["predicted", "observed", "standard_error", "captions"]
    assert table["standard_error"].tolist() == pytest.approx([math.sqrt(3) / 6])


def test_a_bin_ends_where_half_of_the_weight_lies_below():
    # Steps that weigh 2, 2 and 4: their middles are at 1/8, 3/8 and 3/4 of the pool.
    table = reliability([0.0, 1.0, 2.0, 2.0], [True] * 4, bins=2)
    assert table["captions"].tolist() == [2, 2]


def test_a_bound_of_one_leaves_no_ratio_but_one():
    raw = np.linspace(-1, 1, 60)
    found = calibrate_items(raw, raw > 0, log_bound=0.0)
    np.testing.assert_allclose(found.log_ratios(raw), 0, atol=1e-12)


# --- what a world is known by ---------------------------------------------------------------------


def test_label_weights_by_hand():
    found = label_weights([0.5, 0.3, 0.2, 0.0], [0.25, 0.75, 0.0, 0.0])
    np.testing.assert_allclose(found, [0.5, 2.5, 0, 0])
    assert label_oracle_pass_rate([0.5, 0.5], [0.8, 0.2]) == pytest.approx(1 / 1.6)


def test_a_caption_of_a_label_that_the_world_lacks_is_as_unlikely_as_floats_allow():
    found = caption_oracle_log_ratios([[1.0, 0.0], [0.0, 1.0]], [0.5, 0.5], [1.0, 0.0])
    assert found[0] == pytest.approx(math.log(2))
    assert -800 < found[1] < -700


def test_what_is_a_posterior():
    assert checked_posterior([[0.5, 0.50005]]).shape == (1, 2)
    for wrong in ([[0.5, 0.5002]], [[1.5, -0.5]], [[0.5, 0.3]]):
        with pytest.raises(ValueError, match="Row 0 of the posterior"):
            checked_posterior(wrong)
    with pytest.raises(ValueError, match="one row per caption"):
        checked_posterior([0.5, 0.5])


def test_a_label_without_captions_has_no_confusion():
    table = caption_confusion(["a"], [[0.9, 0.1]], AB)
    assert table.loc["a"].tolist() == [0.9, 0.1]
    assert table.loc["b"].isna().all()


def test_inverted_confusion_by_hand():
    confusion = [[0.8, 0.2], [0.2, 0.8]]
    # A world of 3/4 a reads as .75·.8 + .25·.2 = .65.
    np.testing.assert_allclose(bbse_frequencies([[0.65, 0.35]], confusion), [0.75, 0.25])
    # Read as more of a than a itself would be: b gets the least that a label is given.
    least = bbse_frequencies([[0.9, 0.1]], confusion, smallest=0.01)
    np.testing.assert_allclose(least, [1 / 1.01, 0.01 / 1.01])
    with pytest.raises(ValueError, match="no real captions"):
        bbse_frequencies(np.zeros((0, 2)), confusion)


def test_expectation_and_maximisation_take_a_step_at_a_time():
    rows = np.array([[0.8, 0.2], [0.4, 0.6]])
    once = em_frequencies(rows, [0.5, 0.5], iterations=1)
    np.testing.assert_allclose(once, [0.6, 0.4])
    # From (.6, .4): shares .48/(.48 + .08) and .24/(.24 + .24).
    twice = em_frequencies(rows, [0.5, 0.5], iterations=2)
    np.testing.assert_allclose(twice, [(6 / 7 + 0.5) / 2, (1 / 7 + 0.5) / 2])
    stopped = em_frequencies(rows, [0.5, 0.5], tolerance=0.2)
    np.testing.assert_allclose(stopped, once)


# --- sharpening -----------------------------------------------------------------------------------


def test_shift_and_bound_of_a_sharpening_by_hand():
    two = [0.0, math.log(2)]
    whole = sharpen(two, 2.0, 1.0)  # ratios 1 and 4, mean 2.5
    assert whole.shift == pytest.approx(math.log(2.5))
    assert whole.log_bound == pytest.approx(math.log(4 / 2.5))
    np.testing.assert_allclose(np.exp(whole.log_ratios(two)), [0.4, 1.6])
    cut = sharpen(two, 2.0, 0.5)  # cut at 2: ratios 1 and 2, mean 1.5
    assert cut.shift == pytest.approx(math.log(1.5))
    assert cut.log_bound == pytest.approx(math.log(2 / 1.5))
    assert (cut.power, cut.quantile) == (2.0, 0.5)
    assert sharpen(two, 1.0, 0.0).log_bound == 0


@pytest.mark.parametrize(("power", "quantile"), [(-0.1, 0.5), (1.0, -0.1), (1.0, 1.1)])
def test_what_is_no_sharpening(power, quantile):
    with pytest.raises(ValueError, match="Needed: power"):
        sharpen([0.0, 1.0], power, quantile)


def test_a_row_of_the_sharpening_curve_by_hand():
    labels = ["a"] * 60 + ["b"] * 40
    log_ratio = np.where(np.array(labels) == "a", math.log(0.5), math.log(1.75))
    world = np.array([0.3, 0.7])
    curve = sharpening_curve(log_ratio, labels, world, AB, powers=[0, 1], quantiles=[1.0])
    kept, exact = curve.to_dict("records")
    assert kept["pass_rate"] == 1
    assert kept["filtered_kl"] == pytest.approx(kl_divergence([0.6, 0.4], world))
    assert kept["deception_reduction"] == pytest.approx(0)
    accept = np.where(np.array(labels) == "a", 0.5 / 1.75, 1)
    assert exact["pass_rate"] == pytest.approx(accept.mean())
    assert exact["filtered_kl"] == pytest.approx(0, abs=1e-12)
    assert exact["corrected_kl"] == pytest.approx(
        -sampling_bias([60 * 0.5 / 1.75, 40], [60 * (0.5 / 1.75) ** 2, 40])
    )
    assert exact["deception_reduction"] == pytest.approx(1)
    honest = sharpening_curve(log_ratio, labels, [0.6, 0.4], AB, powers=[1])
    assert honest["deception_reduction"].isna().all()


def test_the_choice_reads_the_corrected_divergence_and_hindsight_the_plain_one():
    curve = pd.DataFrame(
        {
            "power": [1.0, 2.0, 3.0],
            "pass_rate": [0.6, 0.4, 0.2],
            "filtered_kl": [0.05, 0.02, 0.03],
            "corrected_kl": [0.04, 0.01, -0.01],
        }
    )
    assert choose_sharpening(curve)["power"] == 3
    assert best_in_hindsight(curve)["power"] == 2
    assert choose_sharpening(curve, minimum_pass_rate=0.4)["power"] == 2
    assert choose_sharpening(curve, minimum_pass_rate=0.41)["power"] == 1
    assert best_in_hindsight(curve, minimum_pass_rate=0.7)["power"] == 1


def test_draws_of_few_labels_are_counted_and_differ():
    rng = np.random.default_rng(0)
    labels = rng.choice(AB, 60).tolist()
    log_ratio = (np.array(labels) == "b") + rng.normal(size=60)
    arguments = (log_ratio, labels, [0.2, 0.8], AB)
    table = labels_needed(*arguments, sizes=(5, 59), repeats=3, powers=(0, 1, 2))
    assert table[["size", "repeat"]].to_numpy().tolist() == [
        [size, repeat] for size in (5, 59) for repeat in range(3)
    ]
    again = labels_needed(*arguments, sizes=(5,), repeats=3, powers=(0, 1, 2))
    pd.testing.assert_frame_equal(again, table[:3])
    other = labels_needed(*arguments, sizes=(5,), repeats=3, powers=(0, 1, 2), seed=1)
    assert not other["best_in_hindsight"].equals(again["best_in_hindsight"])
    assert len(labels_needed(*arguments, sizes=(1,), repeats=2, powers=(0, 1))) == 2
    for sizes in ((), (0,), (60,)):
        with pytest.raises(ValueError, match="between 1 and 59"):
            labels_needed(*arguments, sizes=sizes)


@pytest.mark.parametrize("posterior", [np.zeros((0, 2)), [[0.2, 0.3, 0.5]]])
def test_matching_needs_captions_and_a_frequency_for_each_label(posterior):
    with pytest.raises(ValueError, match="captions and one frequency per label"):
        match_labels(posterior, [0.5, 0.5])


# --- stacking -------------------------------------------------------------------------------------


def doubtful(count=300, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, count)
    says = np.clip(0.5 + (codes - 0.5) * rng.uniform(-0.4, 1.2, count), 0.02, 0.98)
    feature = np.column_stack([codes + rng.normal(0, 2, count), np.full(count, 7.0)])
    return [AB[code] for code in codes], np.column_stack([1 - says, says]), feature, codes


def test_the_stack_is_at_the_least_of_its_penalised_loss():
    labels, posterior, features, codes = doubtful()
    penalty = 3.0
    stack = stack_posteriors(posterior, features, labels, AB, penalty=penalty)
    np.testing.assert_allclose(stack.centre, features.mean(axis=0))
    np.testing.assert_allclose(stack.scale, [features[:, 0].std(), 1.0])
    standard = np.clip((features - stack.centre) / stack.scale, -4, 4)

    def loss(sharpness, offsets, weights):
        logits = sharpness * np.log(posterior) + offsets + standard @ weights
        fit = -log_softmax(logits, axis=1)[np.arange(len(codes)), codes].sum()
        pulled = (sharpness - 1) ** 2 + (offsets**2).sum() + (weights**2).sum()
        return fit + penalty / 2 * pulled

    best = loss(stack.sharpness, stack.offsets, stack.weights)
    for step in (-0.02, 0.02):
        assert loss(stack.sharpness + step, stack.offsets, stack.weights) > best
        for label in range(2):
            moved = stack.offsets + step * np.eye(2)[label]
            assert loss(stack.sharpness, moved, stack.weights) > best
            moved = stack.weights + step * np.outer([1, 0], np.eye(2)[label])
            assert loss(stack.sharpness, stack.offsets, moved) > best


def test_a_strong_penalty_leaves_the_posterior_alone():
    labels, posterior, features, _ = doubtful()
    stack = stack_posteriors(posterior, features, labels, AB, penalty=1e9)
    assert stack.sharpness == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(stack.posterior(posterior, features), posterior, atol=1e-4)


def test_an_odd_feature_counts_no_more_than_four_deviations():
    labels, posterior, features, _ = doubtful()
    stack = stack_posteriors(posterior, features, labels, AB)
    odd = [[stack.centre[0] + far * stack.scale[0], 7.0] for far in (3.9, 4, 1000, -3.9, -4, -1000)]
    found = stack.posterior(np.full((6, 2), 0.5), odd)
    np.testing.assert_allclose(found[1], found[2])
    np.testing.assert_allclose(found[4], found[5])
    assert abs(found[0, 1] - found[1, 1]) > 1e-4
    assert abs(found[3, 1] - found[4, 1]) > 1e-4


def test_stacking_needs_as_many_captions_as_folds_and_labels():
    labels, posterior, _, _ = doubtful(5)
    assert stack_posteriors(posterior, None, labels, AB).held_out.shape == (5, 2)
    with pytest.raises(ValueError, match="at least 5"):
        stack_posteriors(posterior[:4], None, labels[:4], AB)
    with pytest.raises(ValueError, match="got 4 and 5"):
        stack_posteriors(posterior, None, labels[:4], AB)


def test_the_first_row_whose_evidence_is_not_finite_is_named():
    labels, posterior, features, _ = doubtful(20)
    for rows, named in (([0], 0), ([7, 3], 3)):
        broken = features.copy()
        broken[rows, 1] = math.nan
        with pytest.raises(ValueError, match=f"Row {named} of the features is not finite"):
            stack_posteriors(posterior, broken, labels, AB)


def test_captions_out_of_the_calibration_part_are_read_by_the_whole_stack():
    labels, posterior, features, _ = doubtful()
    own = np.arange(300) < 200
    found = stack_unseen(posterior, features, labels, AB, own)
    stack = stack_posteriors(posterior[own], features[own], labels[:200], AB)
    np.testing.assert_allclose(found[own], stack.held_out)
    np.testing.assert_allclose(found[~own], stack.posterior(posterior[~own], features[~own]))


# --- the label_matched recipe ---------------------------------------------------------------------


def certain_evidence():
    """Sixty captions of a and forty of b, and a world the other way round."""
    labels = ["a"] * 60 + ["b"] * 40
    return labels, np.array([0.4, 0.6]), np.eye(2)[[0] * 60 + [1] * 40]


def test_the_recipe_states_what_it_chose_from():
    labels, world, certain = certain_evidence()
    evidence = gather_evidence({"flat": np.zeros(100)}, certain, [0.6, 0.4], world)
    assert list(evidence) == ["flat", "caption_oracle", "posterior"]
    recipe = fit_label_matched(evidence, labels, world, AB)
    assert recipe.minimum_pass_rate == pytest.approx(
        MINIMUM_SHARE_OF_ORACLE * label_oracle_pass_rate([0.6, 0.4], world)
    )
    table = recipe.candidates.set_index("estimator")
    assert table["method"].tolist() == ["sharpen", "sharpen", "deconvolve"]
    assert table["power"].isna().tolist() == [False, False, True]
    assert table.loc["flat", "pass_rate"] == 1
    assert table.loc["flat", "filtered_kl"] == pytest.approx(kl_divergence([0.6, 0.4], world))
    assert table.loc["flat", "deception_reduction"] == pytest.approx(0)
    assert table.loc["posterior", "pass_rate"] == pytest.approx(4 / 9 * 0.6 + 0.4, abs=1e-3)
    assert table["chosen"].sum() == 1
    assert recipe.log_bound == recipe.rule.log_bound
    assert set(recipe.curves) == {"flat", "caption_oracle"}
    accept = recipe.accept(evidence[recipe.estimator])
    np.testing.assert_allclose(accept[0] / accept[-1], 4 / 9, rtol=0.02)


def test_near_ties_go_to_the_rule_that_keeps_most():
    # Three powers of one exact ratio, each alone: the tie is drawn at half a point of the deception
    # or a tenth of the noise floor, whichever is more.
    labels, world, _ = certain_evidence()
    exact = np.where(np.array(labels) == "a", math.log(4 / 6), math.log(6 / 4))
    slightly_less = 0.97 * exact
    options = {"powers": (1.0,), "quantiles": (1.0,), "minimum_pass_rate": 0.1}
    recipe = fit_label_matched(
        {"exact": exact, "less": slightly_less}, labels, world, AB, **options
    )
    table = recipe.candidates.set_index("estimator")
    assert table.loc["less", "pass_rate"] > table.loc["exact", "pass_rate"]
    tie = max(TOLERANCE * kl_divergence([0.6, 0.4], world), 0.1 * noise_floor(2, 100))
    assert 0 < table.loc["less", "filtered_kl"] - table.loc["exact", "filtered_kl"] < tie
    assert recipe.estimator == "less"
    far = fit_label_matched({"exact": exact, "far": 0.8 * exact}, labels, world, AB, **options)
    table = far.candidates.set_index("estimator")
    assert table.loc["far", "filtered_kl"] - table.loc["exact", "filtered_kl"] > tie
    assert far.estimator == "exact"


def test_a_rule_that_keeps_too_little_is_chosen_only_where_none_keeps_enough():
    labels, world, _ = certain_evidence()
    exact = np.where(np.array(labels) == "a", math.log(4 / 6), math.log(6 / 4))
    options = {"powers": (1.0,), "quantiles": (1.0,)}
    evidence = {"exact": exact, "flat": np.zeros(100)}
    kept = (4 / 9) * 0.6 + 0.4
    enough = fit_label_matched(evidence, labels, world, AB, minimum_pass_rate=kept, **options)
    assert enough.estimator == "exact"
    more = fit_label_matched(evidence, labels, world, AB, minimum_pass_rate=kept + 0.01, **options)
    assert more.estimator == "flat"
    alone = fit_label_matched({"exact": exact}, labels, world, AB, minimum_pass_rate=1.0, **options)
    assert alone.estimator == "exact"


# --- settings -------------------------------------------------------------------------------------


def test_the_classifier_reads_words_pairs_and_runs_of_letters():
    steps = CaptionClassifier(AB)._pipeline.named_steps
    words, runs = (vectoriser for _, vectoriser in steps["features"].transformer_list)
    assert (words.ngram_range, words.sublinear_tf) == ((1, 2), True)
    assert (runs.analyzer, runs.ngram_range, runs.sublinear_tf) == ("char", (2, 5), True)
    assert steps["regression"].C == 30


def test_published_numbers_were_made_with_these_defaults():
    def defaults(function):
        found = inspect.signature(function).parameters.values()
        return {one.name: one.default for one in found if one.default is not one.empty}

    assert defaults(stack_posteriors) == {"penalty": 10.0, "folds": 5, "seed": 0}
    assert defaults(sharpen) == {"quantile": 0.9}
    assert defaults(reliability) == {"bins": 10}
    assert defaults(em_frequencies) == {
        "strength": 0.0,
        "significance": None,
        "tolerance": 1e-9,
        "iterations": 10_000,
    }
    assert defaults(bbse_frequencies) == {"smallest": 1e-4}
    assert tuple(number / 4 for number in range(33)) == POWERS
    assert QUANTILES == (0.9,)
    assert (MINIMUM_SHARE_OF_ORACLE, TOLERANCE) == (0.5, 0.005)
    options = defaults(labels_needed)
    assert (options["repeats"], options["quantile"], options["seed"]) == (20, 0.9, 0)


def test_a_label_with_two_captions_is_cross_fitted_in_two_folds():
    captions, labels = ["fire here", "fire there", "sea here", "sea there"], ["a", "a", "b", "b"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        rows = cross_fitted_posteriors(captions, labels, AB, folds=4, progress=False)
    np.testing.assert_allclose(rows.sum(axis=1), 1)


def test_log_sums_agree_with_the_library():
    values = np.random.default_rng(0).normal(size=(4, 9)) * 50
    np.testing.assert_allclose(log_mean_exp(values), logsumexp(values, axis=1) - math.log(9))
