"""What is known before and after: hindsight, honest stacks, labels too rare to be held out."""

from __future__ import annotations

import numpy as np
import pytest

from semcal_utils.acceptance.hindsight import hindsight
from semcal_utils.acceptance.label_matched import fit_label_matched
from semcal_utils.acceptance.oracles import caption_oracle_log_ratios
from semcal_utils.acceptance.stacking import stack_posteriors, stack_unseen

CATEGORIES = ["fire", "food", "sea"]
GENERAL, REAL = np.full(3, 1 / 3), np.array([0.1, 0.3, 0.6])


def doubtful_captions(items, seed=0, accuracy=0.7):
    """Captions that name the right label with a known probability, and their exact posterior."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, items)
    says = np.where(rng.random(items) < accuracy, codes, rng.integers(0, 3, items))
    right = accuracy + (1 - accuracy) / 3
    posterior = np.where(np.eye(3, dtype=bool)[says], right, (1 - right) / 2)
    return [CATEGORIES[code] for code in codes], posterior, rng


def test_hindsight_is_never_worse_than_the_choice_and_says_how_much_was_lost():
    labels, posterior, rng = doubtful_captions(3000)
    exact = caption_oracle_log_ratios(posterior, GENERAL, REAL)
    evidence = {"ratio": exact, "noise": rng.normal(size=3000), "posterior": posterior}
    own = np.arange(3000) < 1200
    table = hindsight(evidence, labels, REAL, CATEGORIES, own, minimum_pass_rate=0.2)
    table = table.set_index("estimator")
    assert (table["lost"] >= 0).all()
    assert table.loc["ratio", "lost"] < 0.02
    assert table.loc["posterior", "lost"] == 0
    assert table.loc["posterior", "deception_reduction"] > 0.95
    assert table.loc["noise", "deception_reduction"] < 0.1
    assert table["method"].tolist() == ["sharpen", "sharpen", "deconvolve"]


def test_hindsight_chooses_nothing_from_the_test_part():
    labels, posterior, _ = doubtful_captions(2000)
    exact = caption_oracle_log_ratios(posterior, GENERAL, REAL)
    own = np.arange(2000) < 1000
    before = hindsight({"ratio": exact}, labels, REAL, CATEGORIES, own)
    other = [*labels[:1000], *labels[1000:][::-1]]
    after = hindsight({"ratio": exact}, other, REAL, CATEGORIES, own)
    assert before.loc[0, "power"] == after.loc[0, "power"]
    assert before.loc[0, "pass_rate"] == after.loc[0, "pass_rate"]


def test_hindsight_of_an_honest_stream_is_undefined():
    labels, posterior, _ = doubtful_captions(1500)
    own = np.arange(1500) < 700
    table = hindsight({"posterior": posterior}, labels, GENERAL, CATEGORIES, own)
    assert table["deception_reduction"].isna().all()
    assert table["lost"].isna().all()


def test_hindsight_needs_both_parts():
    with pytest.raises(ValueError, match="both parts"):
        hindsight({"ratio": np.zeros(2)}, ["fire", "sea"], REAL, CATEGORIES, [True, True])


def test_a_stack_never_judges_a_caption_that_it_was_fitted_on():
    labels, posterior, rng = doubtful_captions(400)
    features, own = rng.normal(size=(400, 2)), np.arange(400) < 200
    found = stack_unseen(posterior, features, labels, CATEGORIES, own, seed=3)
    stack = stack_posteriors(posterior[own], features[own], labels[:200], CATEGORIES, seed=3)
    np.testing.assert_allclose(found[own], stack.held_out)
    np.testing.assert_allclose(found[~own], stack.posterior(posterior[~own], features[~own]))
    relabelled = [*labels[:200], *reversed(labels[200:])]
    again = stack_unseen(posterior, features, relabelled, CATEGORIES, own, seed=3)
    np.testing.assert_array_equal(found, again)


def test_a_label_too_rare_to_be_held_out_stops_the_recipe_only_if_the_stream_lacks_it():
    labels, posterior, _ = doubtful_captions(900)
    held_out = np.array(labels) != "fire"
    names = np.array(labels)[held_out].tolist()
    evidence = {"posterior": posterior[held_out]}
    with pytest.raises(ValueError, match="label number 0"):
        fit_label_matched(evidence, names, REAL, CATEGORIES)
    recipe = fit_label_matched(evidence, names, REAL, CATEGORIES, general=GENERAL)
    assert 0 < recipe.accept(posterior).mean() <= 1


def test_a_stream_of_one_label_is_kept_whole():
    evidence = {"ratio": np.linspace(-1, 1, 50), "posterior": np.ones((50, 1))}
    recipe = fit_label_matched(evidence, ["sea"] * 50, [1], ["sea"])
    accept = recipe.accept(evidence[recipe.estimator])
    np.testing.assert_allclose(accept, 1)
    assert recipe.candidates["deception_reduction"].isna().all()


def test_a_rule_that_keeps_little_gets_no_credit_for_being_known_less_exactly():
    labels, posterior, rng = doubtful_captions(1200, accuracy=0.9)
    exact = caption_oracle_log_ratios(posterior, GENERAL, REAL)
    evidence = {"blurred": exact + rng.normal(0, 0.8, 1200), "posterior": posterior}
    recipe = fit_label_matched(evidence, labels, REAL, CATEGORIES, general=GENERAL)
    kept = recipe.candidates.set_index("estimator")
    assert recipe.estimator == "posterior"
    assert kept.loc["posterior", "filtered_kl"] == kept["filtered_kl"].min()
