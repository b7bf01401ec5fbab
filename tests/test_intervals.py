from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import chi2

from semcal_utils.acceptance.oracles import label_oracle_acceptance, label_oracle_pass_rate
from semcal_utils.divergence import expected_filtered_frequencies, kl_divergence, noise_band
from semcal_utils.divergence.frequencies import (
    CELLS_AT_ONCE,
    acceptance_by_label,
    repeated_filterings,
    row_blocks,
)
from semcal_utils.divergence.intervals import measure_filter
from semcal_utils.worlds.made_worlds import target_frequencies

CATEGORIES = [f"label {k}" for k in range(8)]
GENERAL = np.full(8, 1 / 8)


class SimulatedStream:
    """A stream whose captions name the right label with a known probability; its exact ratio."""

    def __init__(self, accuracy, target_kl, seed=3):
        self.real = target_frequencies(GENERAL, target_kl, np.random.default_rng(seed))
        self.says = np.full((8, 8), (1 - accuracy) / 7)
        np.fill_diagonal(self.says, accuracy)
        ratio = (self.says.T / self.says.sum(axis=0)[:, None]) @ (self.real / GENERAL)
        self.accept_by_caption = ratio / ratio.max()
        kept = GENERAL * (self.says @ self.accept_by_caption)
        self.kept = kept / kept.sum()
        self.truth = float(
            1 - kl_divergence(self.kept, self.real) / kl_divergence(GENERAL, self.real)
        )

    def draw(self, items, rng):
        codes = rng.integers(0, 8, items)
        captions = (rng.random(items)[:, None] > np.cumsum(self.says, axis=1)[codes]).sum(axis=1)
        labels = [CATEGORIES[code] for code in codes]
        return labels, self.accept_by_caption[np.minimum(captions, 7)]


@pytest.mark.parametrize(
    ("accuracy", "target_kl", "items", "draws", "most"),
    [
        (0.5, 0.4, 1000, 500, 0.97),
        (0.8, 0.4, 1000, 500, 0.97),
        (0.8, 0.95, 500, 500, 0.97),
        (0.97, 0.4, 1000, 200, 1.0),  # nearly perfect filters err on the wide side
    ],
)
def test_intervals_cover_the_truth_of_a_simulated_stream(accuracy, target_kl, items, draws, most):
    world = SimulatedStream(accuracy, target_kl)
    rng = np.random.default_rng(0)
    kept_kl = float(kl_divergence(world.kept, world.real))
    covered, covered_kl, corrected = 0, 0, []
    for draw in range(draws):
        labels, accept = world.draw(items, rng)
        found = measure_filter(labels, accept, world.real, CATEGORIES, resamples=250, seed=draw)
        covered += found.deception_reduction.low <= world.truth <= found.deception_reduction.high
        covered_kl += found.filtered_kl.low <= kept_kl <= found.filtered_kl.high
        corrected.append(found.deception_reduction.corrected)
    assert 0.93 <= covered / draws <= most
    assert 0.93 <= covered_kl / draws <= most
    assert abs(np.mean(corrected) - world.truth) < 0.01


def test_the_same_seed_gives_the_same_interval():
    labels, accept = SimulatedStream(0.8, 0.4).draw(400, np.random.default_rng(0))
    real = SimulatedStream(0.8, 0.4).real
    first, again = (measure_filter(labels, accept, real, CATEGORIES, seed=7) for _ in range(2))
    assert first == again


def test_a_single_model_and_a_stack_of_one_measure_alike():
    world = SimulatedStream(0.8, 0.4)
    labels, accept = world.draw(400, np.random.default_rng(0))
    one = measure_filter(labels, accept, world.real, CATEGORIES)
    stack = measure_filter(labels, accept[None], world.real, CATEGORIES)
    assert one == stack


def test_models_that_disagree_widen_the_interval():
    world = SimulatedStream(0.8, 0.4)
    labels, accept = world.draw(2000, np.random.default_rng(0))
    blurred = 0.5 * accept + 0.5 * accept.mean()
    alike = measure_filter(labels, np.stack([accept, accept]), world.real, CATEGORIES)
    unlike = measure_filter(labels, np.stack([accept, blurred]), world.real, CATEGORIES)
    width = [
        found.deception_reduction.high - found.deception_reduction.low for found in (alike, unlike)
    ]
    assert width[1] > 1.5 * width[0]


def test_the_label_oracle_is_measured_as_perfect():
    world = SimulatedStream(0.8, 0.4)
    labels = list(np.repeat(CATEGORIES, 250))
    accept = label_oracle_acceptance(labels, GENERAL, world.real, CATEGORIES)
    found = measure_filter(labels, accept, world.real, CATEGORIES)
    assert found.deception_reduction.value == pytest.approx(1)
    assert found.deception_reduction.high == pytest.approx(1)
    assert found.pass_rate.value == pytest.approx(label_oracle_pass_rate(GENERAL, world.real))
    assert found.filtered_kl.value == pytest.approx(0, abs=1e-12)
    assert found.reason == ""


@pytest.mark.parametrize(
    ("accept", "real", "reason"),
    [
        (np.zeros(800), None, "nothing was kept"),
        (np.full(800, 0.5), GENERAL, "noise floor"),
        (np.full(800, 0.5), [0, *[1 / 7] * 7], "infinite"),
    ],
)
def test_what_is_undefined_is_none_with_a_reason(accept, real, reason):
    labels = list(np.repeat(CATEGORIES, 100))
    real = SimulatedStream(0.8, 0.4).real if real is None else real
    found = measure_filter(labels, accept, real, CATEGORIES)
    assert reason in found.reason
    assert math.isnan(found.deception_reduction.value)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["deception_reduction"] == dict.fromkeys(["value", "corrected", "low", "high"])


def test_the_corrected_divergence_is_below_the_plug_in_by_about_its_noise_floor():
    labels, accept = SimulatedStream(0.8, 0.4).draw(400, np.random.default_rng(1))
    found = measure_filter(labels, accept, SimulatedStream(0.8, 0.4).real, CATEGORIES)
    for estimate, size in (
        (found.general_kl, 400),
        (found.filtered_kl, found.effective_size),
    ):
        bias = estimate.value - estimate.corrected
        assert bias == pytest.approx(7 / (2 * size), rel=0.5)


def test_every_number_of_a_measurement_by_hand():
    labels, accept = ["a"] * 60 + ["b"] * 40, np.r_[np.full(60, 0.2), np.full(40, 0.6)]
    real = np.array([0.2, 0.8])
    found = measure_filter(labels, accept, real, ["a", "b"], real_size=500, resamples=50)
    general, filtered = np.array([0.6, 0.4]), np.array([1 / 3, 2 / 3])
    size = 36.0**2 / (60 * 0.04 + 40 * 0.36)
    assert (found.items, found.labels) == (100, 2)
    assert found.pass_rate.value == pytest.approx(0.36)
    assert found.effective_size == pytest.approx(size)
    assert found.general_kl.value == pytest.approx(kl_divergence(general, real))
    assert found.filtered_kl.value == pytest.approx(kl_divergence(filtered, real))
    assert found.general_total_variation.value == pytest.approx(0.4)
    assert found.filtered_total_variation.value == pytest.approx(0.8 - 2 / 3)
    assert found.deception_reduction.value == pytest.approx(
        1 - kl_divergence(filtered, real) / kl_divergence(general, real)
    )
    assert found.general_noise_band == pytest.approx(noise_band(2, 100, 500))
    # Var(p) of a share, then ½·[Var/p + Var/(1 - p)], and half of one χ² of the same mean.
    variance = ((2 / 3) ** 2 * 60 * 0.04 + (1 / 3) ** 2 * 40 * 0.36) / 36**2
    noise = variance / (1 / 3) + variance / (2 / 3) + 1 / 500
    assert found.filtered_noise_floor == pytest.approx(noise / 2)
    assert found.filtered_noise_band == pytest.approx(noise / 2 * chi2.ppf(0.95, 1))


def test_a_higher_level_gives_a_wider_interval():
    world = SimulatedStream(0.8, 0.4)
    labels, accept = world.draw(500, np.random.default_rng(4))
    width = []
    for level in (0.5, 0.9, 0.99):
        found = measure_filter(labels, accept, world.real, CATEGORIES, level=level)
        assert found.level == level
        assert found.deception_reduction.low < found.deception_reduction.corrected
        width.append(found.deception_reduction.high - found.deception_reduction.low)
        width.append(found.pass_rate.high - found.pass_rate.low)
    # Of a normal estimate: 2·0.674, 2·1.645 and 2·2.576 standard errors.
    assert width[1] < width[3] < width[5]
    assert width[3] / width[1] == pytest.approx(1.645 / 0.674, rel=0.15)
    assert width[5] / width[1] == pytest.approx(2.576 / 0.674, rel=0.25)


@pytest.mark.parametrize("options", [{"level": 0}, {"level": 1}, {"resamples": 1}])
def test_impossible_intervals_are_refused(options):
    real = SimulatedStream(0.8, 0.4).real
    with pytest.raises(ValueError, match="level between 0 and 1 and at least two resamples"):
        measure_filter(CATEGORIES, np.ones(8), real, CATEGORIES, **options)


def test_two_resamples_are_enough_to_measure():
    real = SimulatedStream(0.8, 0.4).real
    found = measure_filter(CATEGORIES * 50, np.ones(400), real, CATEGORIES, resamples=2)
    assert found.pass_rate.low == found.pass_rate.high == 1


def test_a_mean_over_models_is_the_mean_of_their_measures():
    world = SimulatedStream(0.8, 0.4)
    labels, accept = world.draw(400, np.random.default_rng(0))
    alone = [
        measure_filter(labels, row, world.real, CATEGORIES, resamples=2)
        for row in (accept, accept**2)
    ]
    both = measure_filter(
        labels, np.stack([accept, accept**2]), world.real, CATEGORIES, resamples=2
    )
    for name in ("pass_rate", "filtered_kl", "filtered_total_variation", "general_kl"):
        values = [getattr(found, name).value for found in alone]
        assert getattr(both, name).value == pytest.approx(np.mean(values))
    assert both.effective_size == pytest.approx(np.mean([found.effective_size for found in alone]))


def test_all_kept_reduces_nothing_and_passes_everything():
    labels = list(np.repeat(CATEGORIES, 100))
    found = measure_filter(labels, np.ones(800), SimulatedStream(0.8, 0.4).real, CATEGORIES)
    assert found.deception_reduction.value == pytest.approx(0)
    assert found.pass_rate.value == 1
    assert found.effective_size == pytest.approx(800)


def test_bad_input_to_a_measurement_is_refused():
    real = SimulatedStream(0.8, 0.4).real
    with pytest.raises(ValueError, match="stream is empty"):
        measure_filter([], [], real, CATEGORIES)
    with pytest.raises(ValueError, match="2 labels but 3"):
        measure_filter(CATEGORIES[:2], [0.1, 0.2, 0.3], real, CATEGORIES)
    with pytest.raises(ValueError, match="not in"):
        measure_filter(CATEGORIES[:1], [1.2], real, CATEGORIES)
    with pytest.raises(ValueError, match="'fire' of row 0"):
        measure_filter(["fire"], [0.2], real, CATEGORIES)


def test_acceptance_by_label_shows_who_is_over_rejected():
    labels = ["a"] * 100 + ["b"] * 100
    accept = np.r_[np.full(100, 0.6), np.full(100, 0.2)]
    table = acceptance_by_label(labels, accept, [0.5, 0.5], ["a", "b"])
    assert table["expected_acceptance"].tolist() == pytest.approx([0.4, 0.4])
    assert table["achieved_acceptance"].tolist() == pytest.approx([0.6, 0.2])
    assert table["achieved_over_expected"].tolist() == pytest.approx([1.5, 0.5])
    assert table["filtered"].tolist() == pytest.approx([0.75, 0.25])


def test_standard_errors_of_acceptance_by_hand():
    # Label a: mean 0.4 and variance 0.04 over two items, so √(0.04/2).
    table = acceptance_by_label(["a", "a", "b"], [0.2, 0.6, 1.0], [0.5, 0.5], ["a", "b"])
    assert table["standard_error"].tolist() == pytest.approx([math.sqrt(0.02), 0])
    assert table["items"].tolist() == [2, 1]
    assert table["general"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert table["expected_acceptance"].tolist() == pytest.approx([0.45, 0.9])
    assert table["filtered"].tolist() == pytest.approx([0.8 / 1.8, 1 / 1.8])


def test_a_label_that_never_comes_has_no_acceptance():
    table = acceptance_by_label(["a"], [0.5], [0.5, 0.5], ["a", "b"])
    assert math.isnan(table.loc["b", "achieved_acceptance"])


@pytest.mark.parametrize(("rows", "width"), [(10, 3), (7, CELLS_AT_ONCE), (5, 0), (0, 4), (9, 1)])
def test_blocks_cover_all_rows_once_and_stay_within_memory(rows, width):
    blocks = list(row_blocks(rows, width))
    assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(rows))
    assert all((block.stop - block.start) * width <= CELLS_AT_ONCE for block in blocks)
    assert len(list(row_blocks(10, CELLS_AT_ONCE // 5))) == 2


def test_repeated_filterings_average_to_the_closed_form():
    rng = np.random.default_rng(0)
    labels = list(rng.choice(CATEGORIES[:6], 500))
    accept = rng.random(500)
    counts = repeated_filterings(labels, accept, CATEGORIES, repeats=4000, rng=rng)
    assert counts.shape == (4000, 8)
    assert (counts[:, 6:] == 0).all()
    expected = expected_filtered_frequencies(labels, accept, CATEGORIES)
    np.testing.assert_allclose(counts.sum(axis=0) / counts.sum(), expected, atol=2e-3)
    assert counts.sum(axis=1).mean() == pytest.approx(accept.sum(), rel=0.01)


def test_repeated_filterings_keep_all_of_the_sure_and_none_of_the_hopeless():
    counts = repeated_filterings(
        ["a", "b", "b"], [0.0, 1.0, 1.0], ["a", "b"], repeats=5, rng=np.random.default_rng(0)
    )
    assert counts.tolist() == [[0, 2]] * 5


def test_one_label_has_nothing_to_reduce():
    found = measure_filter(["only"] * 20, np.full(20, 0.5), [1.0], ["only"])
    assert math.isnan(found.deception_reduction.value)
    assert "noise floor" in found.reason
    assert found.pass_rate.value == 0.5
    assert found.filtered_noise_band == 0


def test_the_streams_own_distance_comes_with_its_interval():
    world = SimulatedStream(0.8, 0.4)
    labels, accept = world.draw(2000, np.random.default_rng(2))
    found = measure_filter(labels, accept, world.real, CATEGORIES).general_total_variation
    truth = float(np.abs(GENERAL - world.real).sum() / 2)
    assert found.low <= truth <= found.high
    assert found.high - found.low < 0.1


@pytest.mark.parametrize("labels", [8, 20, 50])
def test_intervals_hold_their_own_estimates_where_bias_is_large(labels):
    rng = np.random.default_rng(labels)
    categories = [f"label {k}" for k in range(labels)]
    general = np.full(labels, 1 / labels)
    real = target_frequencies(general, 0.4, rng)
    codes = rng.permutation(np.repeat(np.arange(labels), 1000 // labels))
    accept = (real / general / (real / general).max())[codes]
    found = measure_filter(np.array(categories)[codes], accept, real, categories)
    for name in (
        "pass_rate",
        "general_kl",
        "filtered_kl",
        "general_total_variation",
        "filtered_total_variation",
        "deception_reduction",
    ):
        estimate = getattr(found, name)
        assert estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12, name


def test_total_variation_lies_in_its_interval_about_as_often_as_that_says():
    rng = np.random.default_rng(6)
    labels = 20
    categories = [f"label {k}" for k in range(labels)]
    general = np.full(labels, 1 / labels)
    real = target_frequencies(general, 0.4, rng)
    probability = (real / general) ** 0.95
    probability /= probability.max()
    kept = general * probability / (general @ probability)
    truth, held = float(np.abs(kept - real).sum() / 2), 0
    for seed in range(150):
        codes = rng.integers(0, labels, 2000)
        found = measure_filter(
            np.array(categories)[codes], probability[codes], real, categories, seed=seed
        ).filtered_total_variation
        held += found.low <= truth <= found.high
    assert held / 150 > 0.9


def test_where_a_stream_may_as_well_be_honest_nothing_bounds_what_a_filter_added():
    rng = np.random.default_rng(2)
    real = np.full(10, 0.1)
    general = real * np.exp(np.linspace(-0.35, 0.35, 10))
    general /= general.sum()
    reductions = []
    for seed in range(20):
        codes = rng.choice(10, 300, p=general)
        accept = np.where(codes < 5, 0.9, 1.0)
        found = measure_filter(
            np.array(list("abcdefghij"))[codes], accept, real, list("abcdefghij"), seed=seed
        )
        if not found.reason:
            reductions.append(found.deception_reduction)
    unbounded = [one for one in reductions if math.isnan(one.low)]
    assert unbounded
    assert all(one.low > -50 for one in reductions if not math.isnan(one.low))
    assert all(one.high >= one.value for one in reductions)
