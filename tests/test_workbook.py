"""The whole workbook, once, at tiny sizes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parents[1]


@pytest.mark.workbook
def test_every_notebook_runs_in_the_smoke_profile(tmp_path):
    shutil.copytree(PROJECT / "notebooks", tmp_path / "notebooks")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    environment = {**os.environ, "SEMCAL_ROOT": str(tmp_path), "HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "semcal_utils.regenerate", "--profile", "smoke"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    print(ran.stdout)
    assert ran.returncode == 0, ran.stderr[-4000:]
    runs = tmp_path / "data" / "runs" / "smoke"
    for dataset in ("city_pictures", "city_sounds", "library_docs"):
        metrics = json.loads((runs / dataset / "metrics.json").read_text())["divergence"]
        assert set(metrics) == {"baseline", "mild", "moderate", "severe"}
        figures = {path.name[:2] for path in (runs / dataset / "figures").glob("*.png")}
        assert figures >= {"01", "02", "03", "04", "05", "06"}
    for name in ("07_heat_map.png", "07_published.png", "07_recipes.csv", "07_recipes.tex"):
        assert (runs / "all" / "figures" / name).exists()
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "0 notebooks run" in again.stdout, again.stdout + again.stderr
    written = {path.name for path in tmp_path.iterdir()} - {"home"}
    assert written == {"notebooks", "pyproject.toml", "data"}


@pytest.mark.workbook
def test_a_table_of_texts_of_your_own_goes_through_the_whole_workbook(tmp_path):
    shutil.copytree(PROJECT / "notebooks", tmp_path / "notebooks")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    rng = np.random.default_rng(0)
    words = {"sea": ["wave", "boat", "gull"], "town": ["tram", "shop", "clock"]}
    topics = rng.choice(list(words), 400)
    pairs = [rng.choice(words[topic], 2) for topic in topics]
    lines = [
        f'"the {first} and the {second} number {place}",{topics[place]}'
        for place, (first, second) in enumerate(pairs)
    ]
    (tmp_path / "mine.csv").write_text("sentence,topic\n" + "\n".join(lines))
    (tmp_path / "notebooks" / "profiles" / "mine.yaml").write_text(
        """
        shared: {WORLDS: {honest: 0.0, close: 0.2}}
        notebooks:
          02_fine_tuning: {VOCABULARY: 300, WIDTH: 32, LAYERS: 1, EPOCHS: 2.0, SAMPLES: 20}
          04_rejection_sampling: {REPEATS: 20, STREAMS: 50, FRAMES: 6}
          05_divergence_metrics: {RESAMPLES: 20}
          06_detection_metrics: {RESAMPLES: 10, SEEDS: 1, JUDGED_ITEMS: 40}
          07_results: {REPEATS: 50}
        datasets:
          mine: {SOURCE: mine.csv, ITEMS: 0, TEXT_COLUMN: sentence, LABEL_COLUMN: topic}
        """
    )
    environment = {**os.environ, "SEMCAL_ROOT": str(tmp_path)}
    command = [sys.executable, "-m", "semcal_utils.regenerate", "--profile", "mine"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    tables = tmp_path / "data" / "runs" / "mine" / "all" / "tables"
    results = (tables / "07_results.csv").read_text()
    assert results.count("mine,") == 2
