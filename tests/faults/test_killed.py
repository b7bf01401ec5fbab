"""A run that is killed at any moment goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import pytest
from fault_projects import Project, assert_same_outcome, kill

KILLS = 6
LONGEST = 30.0
"""Seconds until a kill. A notebook takes 4 to 20 of them, so that every part of a run is hit, and a
run that is killed every quarter of a minute still gets on."""


def set_the_clock_of_all_files(project: Project, rng: np.random.Generator) -> None:
    """Give every file a time between 1973 and 2065, as clocks that jump would."""
    for path in (project.root / "data").rglob("*"):
        if path.is_file() and rng.random() < 0.5:
            moment = float(rng.uniform(1e8, 3e9))
            os.utime(path, (moment, moment))


@pytest.mark.long
def test_kills_at_random_moments_lose_nothing(undisturbed, tmp_path, capsys):
    rng = np.random.default_rng(9)
    expected = undisturbed.outcome()
    project = Project(tmp_path / "project")
    killed = finished = 0
    while killed < KILLS:
        process = project.start()
        time.sleep(float(rng.uniform(1.0, LONGEST)))
        survived = process.poll() is not None
        kill(process, kernels_too=killed % 2 == 0)
        if not survived:
            killed += 1
            set_the_clock_of_all_files(project, rng)
            continue
        assert process.returncode == 0
        assert_same_outcome(project.outcome(), expected)
        finished += 1
        shutil.rmtree(project.root / "data")
    ran = project.finish()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert_same_outcome(project.outcome(), expected)
    assert project.hidden_leftovers() == []
    with capsys.disabled():
        print(f"\n{killed} kills survived, {finished + 1} runs finished, all as undisturbed")
