from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from semcal_utils.acceptance import exact_log_bound, log_mean_exp
from semcal_utils.acceptance.calibration import calibrate_items, reliability


def simulated_ratios(items=20_000, share=0.4, seed=0):
    """True log ratios of general captions of which a share is real, r = P(real|c)/share."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1.0, 1.0 / share - 1.0, items)
    real = rng.random(items) < chance
    return np.log(chance / share), real, exact_log_bound(items, int(real.sum()))


def test_calibrated_ratios_average_one_and_stay_under_the_bound():
    truth, real, log_bound = simulated_ratios(4000)
    found = calibrate_items(3 * truth + 2, real, log_bound=log_bound)
    ratios = found.log_ratios(3 * truth + 2)
    assert log_mean_exp(ratios) == pytest.approx(0, abs=1e-6)
    assert ratios.max() <= log_bound + 1e-12
    assert np.all(np.diff(ratios[np.argsort(truth)]) >= -1e-12)


def test_calibration_undoes_the_overconfidence_that_a_slope_can_undo():
    # Log ratios of captions whose log odds of being real are a line in them.
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 1.5, 20_000)
    real = rng.random(20_000) < 0.4 * expit(odds)
    raw = 3 * (odds - np.log1p(0.6 * np.exp(odds))) + 2
    found = calibrate_items(raw, real, log_bound=exact_log_bound(20_000, int(real.sum())))
    predicted = expit(found.log_ratios(raw))
    middle = (raw > np.quantile(raw, 0.1)) & (raw < np.quantile(raw, 0.9))
    pooled = reliability(found.log_ratios(raw)[middle], real[middle], bins=5)
    assert np.abs(pooled["predicted"] - pooled["observed"]).max() < 0.05
    assert predicted.std() < expit(raw).std()


def test_held_out_ratios_are_reliable_after_calibration_and_not_before():
    truth, real, log_bound = simulated_ratios()
    raw = 4 * truth
    first = np.arange(len(raw)) % 2 == 0
    calibrated = calibrate_items(raw[first], real[first], log_bound=log_bound)

    def error(log_ratio):
        table = reliability(log_ratio, real[~first])
        return float((table["predicted"] - table["observed"]).abs().mean())

    assert error(raw[~first]) > 0.05
    assert error(calibrated.log_ratios(raw[~first])) < 0.025


def test_reliability_of_three_captions_by_hand():
    # The real caption counts once as real with weight 3 (so that both pools weigh alike).
    log_ratio, real = np.array([-1.0, 0.0, 1.0]), np.array([False, False, True])
    table = reliability(log_ratio, real, bins=1)
    pool = (expit(-1.0) + expit(0.0) + expit(1.0) + 3 * expit(1.0)) / 6
    assert table["predicted"].tolist() == pytest.approx([pool])
    assert table["observed"].tolist() == pytest.approx([0.5])
    assert table["captions"].tolist() == [3]


def test_bins_of_distinct_ratios_weigh_alike():
    log_ratio = np.linspace(-2, 2, 400)
    real = np.arange(400) % 2 == 0
    table = reliability(log_ratio, real, bins=8)
    assert table["captions"].tolist() == pytest.approx([50] * 8, abs=1)
    assert table["predicted"].is_monotonic_increasing


def test_uninformative_ratios_calibrate_to_one():
    rng = np.random.default_rng(0)
    real = rng.random(5000) < 0.3
    found = calibrate_items(rng.normal(size=5000), real, log_bound=exact_log_bound(10, 3))
    assert np.abs(found.log_ratios([-2.0, 0.0, 2.0])).max() < 0.15


def test_ratios_of_thousands_of_nats_calibrate_without_overflow():
    truth, real, log_bound = simulated_ratios(2000)
    with np.errstate(over="raise", invalid="raise"):
        found = calibrate_items(truth * 1e4, real, log_bound=log_bound)
        assert np.isfinite(found.log_ratios(truth * 1e4)).all()


def test_bad_input_to_calibration_is_refused():
    with pytest.raises(ValueError, match="row 1 is not finite"):
        calibrate_items([0.0, np.nan], [True, False], log_bound=1.0)
    with pytest.raises(ValueError, match="None of the held-out captions is real"):
        calibrate_items([0.0, 1.0], [False, False], log_bound=1.0)
    with pytest.raises(ValueError, match="2 log ratios but 1"):
        calibrate_items([0.0, 1.0], [True], log_bound=1.0)
    with pytest.raises(ValueError, match="log_bound"):
        calibrate_items([0.0, 1.0], [True, False], log_bound=-1.0)


def test_where_every_caption_is_real_every_ratio_is_one():
    found = calibrate_items([0.0, 1.0, 2.0], [True, True, True], log_bound=0.0)
    np.testing.assert_allclose(found.log_ratios([0.0, 1.0, 2.0]), 0.0)


@pytest.mark.parametrize("outlier", [1e3, 1e4, 1e6])
def test_one_outlier_does_not_flatten_the_curve(outlier):
    rng = np.random.default_rng(7)
    raw = rng.normal(0, 2, 3000)
    real = rng.random(3000) < expit(0.4 * raw - 1)
    plain = calibrate_items(raw, real, log_bound=2.0).log_ratios([-1.0, 0.5])
    bent = calibrate_items(np.r_[raw, -outlier], np.r_[real, False], log_bound=2.0)
    assert bent.log_ratios([-1.0, 0.5]) == pytest.approx(plain, abs=0.02)
