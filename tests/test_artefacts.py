"""Traces of generation, and what is left of their detector when they fade."""

from __future__ import annotations

import numpy as np
import pytest
from worlds_of_words import make_bench

from semcal_utils.detection import auc_interval
from semcal_utils.detection.artefact_experiment import (
    ARTEFACTS,
    PROPORTIONS,
    Media,
    artefact_experiment,
)
from semcal_utils.detection.artefacts import (
    TONE,
    add_artefact,
    add_checkerboard,
    add_tone,
    artefact_detector,
    double_spaces,
    spectra,
    spectrum,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pictures(count, rng):
    """Smooth noise around a random grey."""
    rough = rng.normal(0, 12, (count, 16, 16, 3)).repeat(4, axis=1).repeat(4, axis=2)
    return (np.clip(rough + rng.uniform(80, 180, (count, 1, 1, 1)), 0, 255)).astype(np.uint8)


def test_no_strength_changes_nothing(rng):
    picture, sound = pictures(1, rng)[0], rng.normal(0, 0.1, 500).astype(np.float32)
    assert (add_checkerboard(picture, 0.0, rng) == picture).all()
    assert (add_tone(sound, 16_000, 0.0, rng) == sound).all()
    assert double_spaces("a  b c", 0.0, rng) == "a  b c"


def test_a_fraction_of_a_grey_level_survives_rounding(rng):
    flat = np.full((64, 64, 3), 100, np.uint8)
    shown = add_checkerboard(flat, 0.25, rng).astype(float).mean(axis=2)
    bright = (np.indices((64, 64)).sum(axis=0) % 2).astype(bool)
    assert abs(shown[bright].mean() - 100.25) < 0.03
    assert abs(shown[~bright].mean() - 99.75) < 0.03


def test_a_tone_stands_out_at_its_frequency(rng):
    sound = add_tone(np.zeros(16_000, np.float32), 16_000, 0.01, rng)
    assert abs(np.argmax(np.abs(np.fft.rfft(sound))) - TONE) < 2
    assert abs(sound.max() - 0.01) < 1e-4
    loudest = np.argmax(spectrum(sound, "audio"))
    assert abs(loudest / len(spectrum(sound, "audio")) - TONE / 8_000) < 0.02


def test_every_gap_is_doubled_at_full_strength_and_words_stay(rng):
    assert double_spaces("one two three", 1.0, rng) == "one  two  three"
    assert double_spaces("one two", 0.7, rng).split() == ["one", "two"]


def test_unknown_media_and_negative_strengths_are_refused(rng):
    with pytest.raises(ValueError, match="kinds are image, audio, text"):
        add_artefact(None, "video", 0.1, rng)
    with pytest.raises(ValueError, match="strengths are 0 or more"):
        add_artefact("a b", "text", -1.0, rng)


def test_a_detector_needs_both_kinds():
    with pytest.raises(ValueError, match="both generated and authentic"):
        artefact_detector(np.zeros((4, 2)), np.ones(4, bool))


@pytest.mark.parametrize(("strength", "low", "high"), [(0.0, 0.35, 0.65), (2.0, 0.97, 1.0)])
def test_the_detector_is_at_chance_without_a_trace_and_sure_with_one(strength, low, high, rng):
    made = rng.random(400) < 0.5
    shown = [
        add_checkerboard(picture, strength if fake else 0.0, rng)
        for picture, fake in zip(pictures(400, rng), made, strict=True)
    ]
    features = spectra(shown, "image")
    detector = artefact_detector(features[:200], made[:200])
    claimed = detector.predict_proba(features[200:])[:, 1]
    assert low <= auc_interval(made[200:], claimed).value <= high


@pytest.fixture(scope="module")
def experiment():
    bench = make_bench(test=500)
    weights = dict(zip(bench.categories, bench.real / bench.general, strict=True))
    label_of = dict(zip(bench.test["caption"], bench.test["label"], strict=True))

    def accept(captions):
        ratio = np.array([weights[label_of[" ".join(text.split())]] for text in captions])
        return np.log(ratio), ratio / ratio.max()

    media = Media(
        "text",
        bench.train["caption"].head(400).tolist(),
        bench.test["caption"].tolist(),
        bench.test["label"].tolist(),
    )
    return artefact_experiment(media, bench, (0.0, 1.0), list, accept, resamples=50)


def test_as_the_trace_fades_the_artefact_detector_loses_everything(experiment):
    first, _ = experiment
    found = first[first["detector"] == ARTEFACTS].set_index("strength")
    assert found.loc[1.0, "auc"] > 0.99
    assert found.loc[1.0, "reduction"] > 0.8
    assert found.loc[0.0, "auc_low"] <= 0.5 <= found.loc[0.0, "auc_high"]
    assert abs(found.loc[0.0, "reduction"]) < 0.15


def test_semantic_calibration_does_not_move(experiment):
    first, _ = experiment
    found = first.loc[first["detector"] == PROPORTIONS, "reduction"]
    assert found.min() > 0.9
    assert found.max() - found.min() < 1e-9


def test_authentic_items_in_false_proportion_leave_nothing_to_see_for_it(experiment):
    _, second = experiment
    found = second.set_index("detector")
    assert found.loc[ARTEFACTS, "auc_low"] <= 0.5 <= found.loc[ARTEFACTS, "auc_high"]
    assert abs(found.loc[ARTEFACTS, "reduction"]) < 0.1
    assert found.loc[PROPORTIONS, "reduction"] > 0.9
