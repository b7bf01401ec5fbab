from __future__ import annotations

import math

import numpy as np
import pytest

from semcal_utils.acceptance import accept_probability
from semcal_utils.acceptance.bounds import (
    bound_curve,
    measure_bound,
    optimal_log_bound,
    quantile_log_bound,
)
from semcal_utils.divergence import kl_divergence


def test_what_is_accepted_is_never_further_from_the_world_than_guaranteed():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        captions = int(rng.integers(2, 40))
        general = np.full(captions, 1 / captions)
        real = rng.dirichlet(np.full(captions, rng.uniform(0.05, 2))) + 1e-12
        real /= real.sum()
        log_ratio = np.log(real / general)
        log_bound = rng.uniform(0, max(log_ratio.max(), 0.1))
        bound = measure_bound(log_ratio, log_bound)
        accepted = general * accept_probability(log_ratio, log_bound)
        law = accepted / accepted.sum()
        assert kl_divergence(law, real) <= bound.kl_guarantee + 1e-9
        assert bound.pass_rate == pytest.approx((1 - bound.delta) * math.exp(-log_bound))
        assert bound.delta == pytest.approx(
            np.maximum(real / general - math.exp(log_bound), 0).mean(), abs=1e-9
        )


def test_the_exact_bound_lets_nothing_through_above_it():
    ratio = np.array([0.25, 0.75, 1.0, 2.0])
    bound = measure_bound(np.log(ratio), math.log(2.0))
    assert bound.delta == pytest.approx(0, abs=1e-12)
    assert bound.pass_rate == pytest.approx(0.5)
    assert bound.kl_guarantee == pytest.approx(0, abs=1e-12)


def test_a_quantile_bound_of_one_is_the_largest_ratio():
    log_ratio = np.log([0.25, 0.75, 1.0, 2.0])
    assert quantile_log_bound(log_ratio, 1.0) == pytest.approx(math.log(2))
    assert quantile_log_bound(log_ratio, 0.0) == 0


def test_a_smaller_bound_keeps_more_and_promises_less():
    rng = np.random.default_rng(1)
    curve = bound_curve(rng.normal(size=5000), np.linspace(0, 3, 20), labels=8)
    assert (np.diff(curve["pass_rate"]) < 0).all()
    assert (np.diff(curve["kl_guarantee"]) < 0).all()
    assert (np.diff(curve["delta"]) < 0).all()


def test_the_optimal_bound_grows_with_the_stream():
    rng = np.random.default_rng(2)
    few, many = (optimal_log_bound(rng.normal(size=size), labels=10) for size in (300, 30_000))
    assert 0 < few < many


def test_bounds_hold_at_ten_thousand_nats():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        bound = measure_bound([-1e4, 0.0, 1e4], 5000.0)
        assert quantile_log_bound([-1e4, 0.0, 1e4], 1.0) == pytest.approx(math.log(3))
    assert bound.delta == pytest.approx(0)
    assert bound.pass_rate == 0


def test_impossible_bounds_are_refused():
    with pytest.raises(ValueError, match="M"):
        measure_bound([0.0], -0.5)
    with pytest.raises(ValueError, match="quantile"):
        quantile_log_bound([0.0], 1.5)
    with pytest.raises(ValueError, match="no log ratios"):
        measure_bound([], 1.0)


@pytest.mark.parametrize("log_bound", [0.0, 0.7, 2.0])
def test_the_pass_rate_of_a_simulated_stream_is_the_mean_of_the_capped_ratio(log_bound):
    rng = np.random.default_rng(6)
    general, real = np.full(50, 1 / 50), rng.dirichlet(np.full(50, 0.4)) + 1e-9
    ratio = real / real.sum() / general
    expected = float(general @ np.minimum(1, ratio / math.exp(log_bound)))
    stream = rng.choice(50, 200_000, p=general)
    accept = accept_probability(np.log(ratio)[stream], log_bound)
    kept = rng.random(200_000) < accept
    error = math.sqrt(expected * (1 - expected) / 200_000)
    assert abs(kept.mean() - expected) < 4 * error
    bound = measure_bound(np.log(ratio)[stream], log_bound)
    assert bound.pass_rate == pytest.approx(expected, rel=0.05)
