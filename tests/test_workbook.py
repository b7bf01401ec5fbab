"""The whole workbook, once, at tiny sizes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

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
    for dataset in ("city_pictures", "library_docs"):
        metrics = json.loads((runs / dataset / "metrics.json").read_text())["divergence"]
        assert set(metrics) == {"baseline", "mild", "moderate", "severe"}
        figures = {path.name[:2] for path in (runs / dataset / "figures").glob("*.png")}
        assert figures >= {"01", "02", "03", "04", "05"}
    assert (runs / "all" / "figures" / "07_heat_map.png").exists()
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "0 notebooks run" in again.stdout, again.stdout + again.stderr
    written = {path.name for path in tmp_path.iterdir()} - {"home"}
    assert written == {"notebooks", "pyproject.toml", "data"}
