"""A run of the published shape, and the tables that leave the workbook."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from semcal_utils.detection.exported_tables import export_table, missing_section, with_interval
from semcal_utils.detection.same_shape import (
    Animation,
    best_at,
    mixed_acceptance,
    mixing_share,
    reductions_at,
)
from semcal_utils.divergence import kl_divergence

GENERAL = np.full(4, 0.25)
REAL = np.array([0.7, 0.1, 0.1, 0.1])


def test_the_mixed_world_lies_at_the_target():
    share = mixing_share(GENERAL, REAL, 0.2)
    assert kl_divergence(GENERAL, (1 - share) * REAL + share * GENERAL) == pytest.approx(0.2)
    assert 0 < share < 1


def test_a_target_out_of_reach_names_the_largest():
    with pytest.raises(ValueError, match=r"up to 0\.43 nats, not 5"):
        mixing_share(GENERAL, REAL, 5.0)


def test_mixing_the_ratio_mixes_the_world():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 40_000)
    accept = (REAL / REAL.max())[labels] * rng.uniform(0.5, 1.0, 40_000)  # noise, alike for all
    share = 0.3
    found = mixed_acceptance(accept, share)
    kept = np.bincount(labels, found, minlength=4) / found.sum()
    assert np.allclose(kept, (1 - share) * REAL + share * GENERAL, atol=0.01)
    assert found.max() == 1
    with pytest.raises(ValueError, match="Nothing is accepted"):
        mixed_acceptance([0.0, 0.0], 0.3)


def test_a_perfect_filter_stops_at_its_noise_floor():
    animation = Animation(labels=4, general_kl=float(kl_divergence(GENERAL, REAL)), kept=300)
    drawn = reductions_at(
        REAL, GENERAL, REAL, kept=300, repeats=20_000, rng=np.random.default_rng(1)
    )
    assert drawn.mean() == pytest.approx(best_at(animation), abs=5e-4)
    assert drawn.max() <= 1


def test_the_published_animation_lies_within_a_perfect_filters_noise():
    assert best_at(Animation()) == pytest.approx(1 - (9 / 1500) / 0.35)
    assert abs(best_at(Animation()) - Animation().reduction) < 0.01


def test_intervals_are_written_as_people_read_them():
    assert with_interval(0.961, 0.937, 1.0) == "96.1% (93.7%–100.0%)"
    assert with_interval(0.5, math.nan, math.nan, digits=0) == "50%"
    assert with_interval(math.nan, 0.1, 0.2) == "undefined"


def test_a_table_leaves_as_csv_and_as_latex(tmp_path):
    table = pd.DataFrame({"name": ["a_b & c"], "KL(G‖R)": [0.25]})
    files = export_table(table, "07_x", [tmp_path / "one", tmp_path / "two"], caption="Ours.")
    assert len(files) == 4
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "one" / "07_x.csv"), table)
    latex = (tmp_path / "two" / "07_x.tex").read_text("utf-8")
    assert r"a\_b \& c" in latex
    assert r"$\Vert$" in latex
    assert r"\caption{Ours.}" in latex


def test_a_dataset_without_a_section_is_named_with_the_notebook():
    saved = {"a": {"detection": {}}, "b": {}}
    assert missing_section(saved, "detection", "06_detection_metrics") == (
        "metrics.json of b has no section 'detection': run 06_detection_metrics first."
    )
    assert missing_section({"a": {"x": 1}}, "x", "n") == ""
