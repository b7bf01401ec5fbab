"""Figures of recipes, reliability and bounds show the numbers that they were given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from semcal_utils import show
from semcal_utils.acceptance.bounds import bound_curve

COMPARISON = pd.DataFrame(
    {
        "world": ["baseline", "baseline", "severe", "severe"],
        "recipe": ["paper", "label_matched", "paper", "label_matched"],
        "reduction": [np.nan, np.nan, 0.8, 0.99],
        "low": [np.nan, np.nan, 0.7, 0.98],
        "high": [np.nan, np.nan, 0.9, 1.0],
        "pass rate": [0.5, 0.95, 0.3, 0.25],
        "kl": [0.001, 0.0, 0.2, 0.01],
        "kl low": [0.0, 0.0, 0.1, 0.0],
        "kl high": [0.004, 0.001, 0.3, 0.02],
        "noise band": [0.004, 0.004, 0.01, 0.012],
    }
)


def test_recipes_write_reduction_and_pass_rate_and_say_what_is_undefined(ax):
    reach = pd.DataFrame(
        {"label oracle": [np.nan, 1.0], "forecast": [np.nan, 0.7]}, index=["baseline", "severe"]
    )
    assert show.plot_recipes(COMPARISON, oracles=reach, ax=ax) is ax
    written = [text.get_text() for text in ax.texts]
    assert "99.0%\npass 25%" in written
    assert "80.0%\npass 30%" in written
    assert written.count("undefined") == 2
    assert "pass 95%" in written
    names = ax.get_legend_handles_labels()[1]
    assert {"paper", "label_matched", "label oracle", "forecast"} == set(names)


def test_a_recipe_that_harms_has_room_below_zero(ax):
    harmful = COMPARISON.assign(reduction=-0.4, low=-0.6, high=-0.2)
    show.plot_recipes(harmful, ax=ax)
    assert ax.get_ylim()[0] <= -0.6


def test_kept_divergences_stand_over_the_noise_of_a_perfect_filter(ax):
    show.plot_kept_divergence(COMPARISON, ax=ax)
    bands = [round(patch.get_height(), 6) for patch in ax.patches[:4]]
    assert bands == [0.004, 0.01, 0.004, 0.012]
    points = np.concatenate([line.get_ydata() for line in ax.lines])
    assert 0.2 in points
    assert ax.get_yscale() == "log"


def test_reliability_draws_every_bin_with_its_error(ax):
    table = pd.DataFrame(
        {"predicted": [0.2, 0.8], "observed": [0.3, 0.7], "standard_error": [0.05, 0.02]}
    )
    show.plot_reliability({"before": table, "calibrated": table}, ax=ax)
    bars = ax.collections[0].get_segments()
    assert bars[0][:, 1] == pytest.approx([0.2, 0.4])
    assert ax.get_legend_handles_labels()[1] == ["before", "calibrated"]


def test_acceptance_by_label_is_matched_by_name_not_by_place(ax):
    oracle = pd.Series({"fire": 0.1, "food": 1.0})
    show.plot_acceptance_against_oracle(oracle, {"after": pd.Series({"food": 0.9, "fire": 0.2})})
    points = plt.gca().lines[-1]
    assert points.get_xdata().tolist() == [0.1, 1.0]
    assert points.get_ydata().tolist() == [0.2, 0.9]
    plt.close(plt.gcf())


def test_the_chosen_power_is_marked_and_powers_that_keep_too_little_are_shaded(ax):
    curve = pd.DataFrame(
        {"power": [0.0, 1.0, 2.0], "deception_reduction": [0, 0.6, 0.9], "pass_rate": [1, 0.4, 0.1]}
    )
    show.plot_sharpening({"choice": curve}, chosen=1.0, minimum_pass_rate=0.2, ax=ax)
    assert "chosen s = 1" in [text.get_text() for text in ax.texts]
    assert len(ax.patches) == 1


def test_labels_needed_shows_the_median_and_the_ninth_tenth(ax):
    lost = pd.DataFrame({"size": [25] * 10 + [100] * 10, "lost": [*np.arange(10) / 100, *[0] * 10]})
    show.plot_labels_needed(lost, needed=100, ax=ax)
    assert ax.lines[1].get_ydata() == pytest.approx([0.045, 0])
    assert ax.lines[0].get_ydata() == pytest.approx([0.081, 0])


def test_a_bound_curve_names_its_marks(ax):
    log_ratio = np.random.default_rng(0).normal(size=500)
    curve = bound_curve(log_ratio, np.linspace(0, 2, 9), labels=5)
    show.plot_bound_curve(curve.assign(kl=0.1), {"in use": 1.0, "optimum": 0.5}, ax=ax)
    assert {text.get_text().strip() for text in ax.texts} == {"in use", "optimum"}
