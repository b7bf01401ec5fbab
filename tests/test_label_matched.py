from __future__ import annotations

import numpy as np
import pytest

from semcal_utils.acceptance import accept_probability, log_mean_exp
from semcal_utils.acceptance.caption_classifier import CaptionClassifier, cross_fitted_posteriors
from semcal_utils.acceptance.label_matched import fit_label_matched, gather_evidence
from semcal_utils.acceptance.label_matching import match_labels
from semcal_utils.acceptance.oracles import caption_oracle_log_ratios, label_oracle_pass_rate
from semcal_utils.acceptance.sharpening import (
    choose_sharpening,
    labels_needed,
    sharpen,
    sharpening_curve,
)
from semcal_utils.acceptance.stacking import stack_posteriors
from semcal_utils.divergence import (
    deception_reduction,
    expected_filtered_frequencies,
    kl_divergence,
    noise_band,
)
from semcal_utils.divergence.frequencies import effective_size
from semcal_utils.worlds.made_worlds import target_frequencies

CATEGORIES = [f"label {k}" for k in range(6)]
GENERAL = np.full(6, 1 / 6)


class SimulatedCaptions:
    """Captions are two numbers about their label's place on a circle; the posterior is exact."""

    def __init__(self, target_kl, spread=0.75, seed=0):
        self.real = target_frequencies(GENERAL, target_kl, np.random.default_rng(4))
        angles = 2 * np.pi * np.arange(6) / 6
        self.centres = 2 * np.column_stack([np.cos(angles), np.sin(angles)])
        self.spread, self.rng = spread, np.random.default_rng(seed)

    def draw(self, items):
        codes = np.arange(items) % 6
        places = self.centres[codes] + self.rng.normal(0, self.spread, (items, 2))
        gaps = ((places[:, None] - self.centres) ** 2).sum(axis=2) / (2 * self.spread**2)
        joint = np.exp(gaps.min(axis=1, keepdims=True) - gaps)
        posterior = joint / joint.sum(axis=1, keepdims=True)
        log_ratio = caption_oracle_log_ratios(posterior, GENERAL, self.real)
        return [CATEGORIES[code] for code in codes], posterior, log_ratio

    def reduction(self, labels, accept):
        filtered = expected_filtered_frequencies(labels, accept, CATEGORIES)
        return deception_reduction(GENERAL, filtered, self.real).value


def test_power_one_of_a_true_ratio_changes_nothing():
    _, _, log_ratio = SimulatedCaptions(0.4).draw(20_000)
    rule = sharpen(log_ratio, 1.0, 1.0)
    assert rule.shift == pytest.approx(0, abs=0.03)
    np.testing.assert_allclose(rule.log_ratios(log_ratio), log_ratio - rule.shift)
    assert rule.log_bound == pytest.approx(log_ratio.max() - rule.shift)


def test_power_zero_keeps_everything():
    rule = sharpen([-1e4, 0.0, 1e4], 0.0)
    np.testing.assert_array_equal(
        accept_probability(rule.log_ratios([-1e4, 0.0, 1e4]), rule.log_bound), 1.0
    )


def test_the_exact_ratio_leaves_labels_short_and_sharpening_makes_up_for_it():
    world = SimulatedCaptions(0.4)
    labels, _, log_ratio = world.draw(4000)
    curve = sharpening_curve(log_ratio, labels, world.real, CATEGORIES, quantiles=(0.9,))
    best = choose_sharpening(curve)
    exact = curve.loc[curve["power"] == 1.0, "deception_reduction"].item()
    assert exact < 0.8
    assert best["power"] > 1
    new_labels, _, new_ratio = world.draw(4000)
    rule = sharpen(log_ratio, best["power"], best["quantile"])
    accept = accept_probability(rule.log_ratios(new_ratio), rule.log_bound)
    assert world.reduction(new_labels, accept) > exact + 0.08


def test_the_choice_on_held_out_labels_is_near_the_best_in_hindsight():
    world = SimulatedCaptions(0.95)
    labels, _, log_ratio = world.draw(1200)
    test_labels, _, test_ratio = world.draw(4000)
    chosen = choose_sharpening(sharpening_curve(log_ratio, labels, world.real, CATEGORIES))
    hindsight = sharpening_curve(
        test_ratio, test_labels, world.real, CATEGORIES, held_out=log_ratio
    )
    same = (hindsight["power"] == chosen["power"]) & (hindsight["quantile"] == chosen["quantile"])
    reached = hindsight.loc[same, "deception_reduction"].item()
    assert hindsight["deception_reduction"].max() - reached < 0.02


def test_a_minimum_pass_rate_is_kept_or_the_most_generous_row_is_chosen():
    world = SimulatedCaptions(0.95)
    labels, _, log_ratio = world.draw(1500)
    curve = sharpening_curve(
        log_ratio, labels, world.real, CATEGORIES, powers=np.arange(1, 9), quantiles=(0.98,)
    )
    assert choose_sharpening(curve, minimum_pass_rate=0.2)["pass_rate"] >= 0.2
    assert choose_sharpening(curve, minimum_pass_rate=0.99)["pass_rate"] == curve["pass_rate"].max()


def test_more_labels_choose_a_better_power():
    world = SimulatedCaptions(0.4)
    labels, _, log_ratio = world.draw(2000)
    table = labels_needed(
        log_ratio,
        labels,
        world.real,
        CATEGORIES,
        sizes=(30, 600),
        repeats=8,
        powers=np.arange(0, 6, 0.5),
    )
    lost = table["best_in_hindsight"] - table["deception_reduction"]
    by_size = lost.groupby(table["size"]).mean()
    assert by_size[600] < by_size[30]
    assert by_size[600] < 0.02
    with pytest.raises(ValueError, match="between 1 and 1999"):
        labels_needed(log_ratio, labels, world.real, CATEGORIES, sizes=(2000,))


@pytest.mark.parametrize("target_kl", [0.1, 0.4, 0.95])
def test_matched_labels_match_the_world_on_captions_not_seen(target_kl):
    world = SimulatedCaptions(target_kl)
    _, posterior, _ = world.draw(2000)
    rule = match_labels(posterior, world.real)
    np.testing.assert_allclose(rule.frequencies, world.real, atol=1e-4)
    labels, new_posterior, _ = world.draw(6000)
    accept = accept_probability(rule.log_ratios(new_posterior), rule.log_bound)
    assert world.reduction(labels, accept) > 0.97
    assert accept.mean() == pytest.approx(rule.pass_rate, rel=0.1)


def test_matching_certain_captions_gives_the_label_oracle():
    world = SimulatedCaptions(0.4)
    posterior = np.eye(6)[np.arange(600) % 6]
    rule = match_labels(posterior, world.real)
    assert rule.pass_rate == pytest.approx(label_oracle_pass_rate(GENERAL, world.real), rel=1e-3)
    accept = np.exp(np.minimum(0, rule.log_ratios(np.eye(6)) - rule.log_bound))
    np.testing.assert_allclose(accept, world.real / world.real.max(), atol=1e-3)


def test_without_clipping_the_matched_weights_are_deconvolved():
    # Two labels and one doubtful caption each: no weight needs clipping below zero.
    posterior = np.array([[0.8, 0.2], [0.2, 0.8]])
    real = np.array([0.4, 0.6])
    rule = match_labels(posterior, real)
    deconvolved = np.linalg.solve(posterior.T @ posterior, real)
    accept = posterior @ deconvolved
    found = np.exp(rule.log_ratios(posterior) - rule.log_bound)
    np.testing.assert_allclose(found, accept / accept.max(), rtol=1e-4)


def test_a_label_that_no_caption_speaks_of_cannot_be_matched():
    with pytest.raises(ValueError, match="label number 1, which the world has"):
        match_labels([[1.0, 0.0], [1.0, 0.0]], [0.4, 0.6])
    assert match_labels([[1.0, 0.0], [1.0, 0.0]], [1.0, 0.0]).pass_rate == pytest.approx(1)


@pytest.mark.parametrize("wrong", [-0.1, 1.1])
def test_a_minimum_pass_rate_outside_zero_and_one_is_refused(wrong):
    with pytest.raises(ValueError, match=r"lies in \[0, 1\]"):
        match_labels([[0.5, 0.5]], [0.5, 0.5], minimum_pass_rate=wrong)


def test_the_penalised_match_is_at_the_optimum_of_its_dual():
    world = SimulatedCaptions(0.95, spread=1.6)
    _, posterior, _ = world.draw(1500)
    rule = match_labels(posterior, world.real, minimum_pass_rate=0.4)
    assert rule.ridge > 1e-5
    scale = 1 / np.sqrt(world.real)
    accept = np.clip(posterior @ rule.weights, 0, 1)
    gap = ((posterior - world.real) * scale).T @ accept / len(posterior)
    # weights = 1 + λ·scale - (λ·scale)·R: the part of λ·scale along one is free, so solve for it.
    free = np.linalg.lstsq(np.eye(6) - world.real, rule.weights - 1, rcond=None)[0]
    multipliers = -gap / rule.ridge
    np.testing.assert_allclose(
        multipliers * scale - (multipliers * scale) @ world.real,
        free - free @ world.real,
        atol=0.02,
    )


def test_the_matched_ratio_averages_one():
    world = SimulatedCaptions(0.4)
    _, posterior, _ = world.draw(2000)
    rule = match_labels(posterior, world.real)
    assert log_mean_exp(rule.log_ratios(posterior)) == pytest.approx(0, abs=1e-6)
    assert rule.log_ratios(posterior).max() <= rule.log_bound + 1e-12


def test_a_minimum_pass_rate_is_bought_with_exactness():
    world = SimulatedCaptions(0.95, spread=1.6)
    _, posterior, _ = world.draw(3000)
    free, bound = (match_labels(posterior, world.real, minimum_pass_rate=p) for p in (0, 0.3))
    assert free.pass_rate < 0.3 <= bound.pass_rate
    mismatch = [kl_divergence(rule.frequencies, world.real) for rule in (free, bound)]
    assert mismatch[0] < mismatch[1] < kl_divergence(GENERAL, world.real)


def test_an_honest_stream_is_matched_by_keeping_it():
    _, posterior, _ = SimulatedCaptions(0.4).draw(2000)
    rule = match_labels(posterior, posterior.mean(axis=0))
    assert rule.pass_rate == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("target_kl", [0.1, 0.4, 0.95])
def test_the_kept_stream_matches_the_world_at_half_the_oracles_pass_rate(target_kl):
    world = SimulatedCaptions(target_kl)
    labels, posterior, log_ratio = world.draw(1500)
    evidence = gather_evidence({"half": log_ratio / 2}, posterior, GENERAL, world.real)
    recipe = fit_label_matched(evidence, labels, world.real, CATEGORIES)
    assert recipe.candidates["chosen"].sum() == 1
    new_labels, new_posterior, new_ratio = world.draw(5000)
    evidence = gather_evidence({"half": new_ratio / 2}, new_posterior, GENERAL, world.real)
    accept = recipe.accept(evidence[recipe.estimator])
    assert world.reduction(new_labels, accept) > 0.96
    assert accept.mean() > 0.4 * label_oracle_pass_rate(GENERAL, world.real)


def test_an_honest_stream_comes_to_no_harm():
    world = SimulatedCaptions(0.4)
    labels, posterior, _ = world.draw(1500)
    noise = world.rng.normal(0, 0.3, 1500)
    recipe = fit_label_matched(
        {"ratio": noise, "posterior": posterior}, labels, GENERAL, CATEGORIES
    )
    new_labels, new_posterior, _ = world.draw(3000)
    evidence = {"ratio": world.rng.normal(0, 0.3, 3000), "posterior": new_posterior}
    accept = recipe.accept(evidence[recipe.estimator])
    filtered = expected_filtered_frequencies(new_labels, accept, CATEGORIES)
    assert kl_divergence(filtered, GENERAL) < noise_band(6, effective_size(accept))
    assert recipe.candidates["deception_reduction"].isna().all()


def test_bad_evidence_is_refused_by_name():
    labels = ["label 0", "label 1"]
    with pytest.raises(ValueError, match="at least one estimator"):
        fit_label_matched({}, labels, GENERAL, CATEGORIES)
    with pytest.raises(ValueError, match="'short' covers 1 captions but 2"):
        fit_label_matched({"short": [0.0]}, labels, GENERAL, CATEGORIES, minimum_pass_rate=0.1)
    with pytest.raises(ValueError, match="label number 2"):
        fit_label_matched({"ratio": [0.0, 1.0]}, labels, GENERAL, CATEGORIES)
    with pytest.raises(ValueError, match="finite"):
        sharpen([0.0, np.nan], 1.0)
    with pytest.raises(ValueError, match="power"):
        sharpen([0.0], -1.0)


def test_a_label_of_the_stream_that_the_world_lacks_is_named_and_nearly_all_dropped():
    labels = np.repeat(["a", "b", "c"], [500, 300, 200])
    ratios = np.repeat([np.log(0.4), np.log(8 / 3), -12.0], [500, 300, 200])
    with pytest.warns(UserWarning, match=r"R holds no 'c', .* given the frequency 0\.0005"):
        recipe = fit_label_matched(
            {"log ratio": ratios}, labels.tolist(), [0.2, 0.8, 0.0], ["a", "b", "c"]
        )
    accept = recipe.accept(ratios)
    assert accept[labels == "c"].mean() < 0.01
    assert accept[labels == "b"].mean() > 0.9


def test_stacking_leaves_a_calibrated_posterior_alone_and_cools_an_overconfident_one():
    labels, posterior, _ = SimulatedCaptions(0.4).draw(3000)
    calm = stack_posteriors(posterior, None, labels, CATEGORIES)
    assert calm.sharpness == pytest.approx(1, abs=0.1)
    loud = posterior**3 / (posterior**3).sum(axis=1, keepdims=True)
    cooled = stack_posteriors(loud, None, labels, CATEGORIES)
    assert cooled.sharpness == pytest.approx(1 / 3, abs=0.05)
    np.testing.assert_allclose(cooled.posterior(loud), posterior, atol=0.08)


def test_stacking_on_few_captions_keeps_the_classifiers_posterior():
    world = SimulatedCaptions(0.4)
    labels, posterior, _ = world.draw(24)
    noise = world.rng.normal(size=(24, 8))
    stack = stack_posteriors(posterior, noise, labels, CATEGORIES)
    assert np.abs(stack.posterior(posterior, noise) - posterior).mean() < 0.03


def test_stacking_learns_from_further_evidence():
    world = SimulatedCaptions(0.4, spread=2.0)
    labels, posterior, log_ratio = world.draw(3000)
    codes = np.array([CATEGORIES.index(label) for label in labels])
    hint = (codes == 0) + world.rng.normal(0, 0.3, 3000)
    stack = stack_posteriors(posterior, np.column_stack([hint, log_ratio]), labels, CATEGORIES)

    def loss(rows):
        return -np.log(rows[np.arange(3000), codes]).mean()

    assert loss(stack.held_out) < loss(posterior) - 0.1
    np.testing.assert_allclose(stack.held_out.sum(axis=1), 1)


def test_stacking_refuses_features_that_are_not_finite():
    labels, posterior, _ = SimulatedCaptions(0.4).draw(20)
    features = np.zeros((20, 1))
    features[3] = np.inf
    with pytest.raises(ValueError, match="Row 3 of the features"):
        stack_posteriors(posterior, features, labels, CATEGORIES)


WORDS = {"fire": ["flames rise", "smoke over a roof"], "sea": ["waves roll", "a boat sails"]}


def small_captions(count=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(WORDS), count).tolist()
    captions = [f"{rng.choice(WORDS[label])} {rng.choice(['today', 'now'])}" for label in labels]
    return captions, labels


def test_a_caption_classifier_finds_labels_and_spreads_its_doubt():
    captions, labels = small_captions()
    classifier = CaptionClassifier(["sea", "fire", "unseen"]).fit(captions, labels)
    posterior = classifier.posterior(["flames and smoke", "waves and a boat", ""])
    assert posterior.shape == (3, 3)
    assert posterior[0, 1] > 0.8
    assert posterior[1, 0] > 0.8
    assert (posterior[:, 2] == 0).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    assert classifier.posterior([]).shape == (0, 3)


def test_cross_fitted_posteriors_are_honest_about_captions_without_meaning():
    rng = np.random.default_rng(0)
    captions = [f"caption {number}" for number in range(200)]
    labels = rng.choice(["fire", "sea"], 200).tolist()
    codes = np.array(labels) == "sea"
    seen = CaptionClassifier(["fire", "sea"]).fit(captions, labels).posterior(captions)
    honest = cross_fitted_posteriors(captions, labels, ["fire", "sea"], progress=False)
    assert np.mean((seen[:, 1] > 0.5) == codes) > 0.9
    assert np.mean((honest[:, 1] > 0.5) == codes) < 0.65


def test_a_caption_classifier_refuses_what_it_cannot_learn_from():
    classifier = CaptionClassifier(["fire", "sea"])
    with pytest.raises(ValueError, match="at least two labels"):
        classifier.fit(["a", "b"], ["fire", "fire"])
    with pytest.raises(ValueError, match="2 captions but 1"):
        classifier.fit(["a", "b"], ["fire"])
    with pytest.raises(ValueError, match="Every caption is empty"):
        classifier.fit(["", " "], ["fire", "sea"])
    with pytest.raises(ValueError, match="cross-fitted"):
        cross_fitted_posteriors(["a"], ["fire"], ["fire", "sea"], progress=False)


def test_as_many_captions_as_folds_can_be_cross_fitted():
    captions, labels = small_captions(count=8, seed=1)
    rows = cross_fitted_posteriors(captions, labels, ["fire", "sea"], folds=8, progress=False)
    np.testing.assert_allclose(rows.sum(axis=1), 1)
