"""A small copy of the workbook in a folder of its own, to be killed, filled up and damaged."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

CHECKOUT = Path(__file__).parents[2]
PROFILE = """
description: The whole walk on one dataset, as small as it goes, to be interrupted.
shared: {WORLDS: {baseline: 0.0, moderate: 0.4}}
notebooks:
  01_captioning: {LESSONS: 240, EPOCHS_OF_CAPTIONER: 2}
  02_fine_tuning: {VOCABULARY: 300, WIDTH: 32, LAYERS: 1, EPOCHS: 2.0, REAL_EPOCHS: 1.0, SAMPLES: 9}
  04_rejection_sampling: {REPEATS: 20, STREAMS: 20, STREAM_ITEMS: 300, FRAMES: 3}
  05_divergence_metrics: {RESAMPLES: 20}
  06_detection_metrics: {RESAMPLES: 5, SEEDS: 1, JUDGED_ITEMS: 40, EARLY_STEPS: 0}
  07_results: {REPEATS: 20}
datasets:
  city_pictures: {ITEMS: %d}
"""


@dataclass
class Project:
    """A folder with notebooks and a profile, and the command that runs it."""

    root: Path
    items: int = 400
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.root / "notebooks").exists():  # a copy of a project, or one in use
            return
        self.root.mkdir(parents=True, exist_ok=True)
        shutil.copytree(CHECKOUT / "notebooks", self.root / "notebooks")
        shutil.copy(CHECKOUT / "pyproject.toml", self.root)
        self.write_profile(PROFILE % self.items)

    @property
    def runs(self) -> Path:
        """Return the folder of the profile's runs."""
        return self.root / "data" / "runs" / "faults"

    @property
    def run(self) -> Path:
        """Return the run folder of the one dataset."""
        return self.runs / "city_pictures"

    def write_profile(self, text: str) -> None:
        """Write the profile that the command runs."""
        (self.root / "notebooks" / "profiles" / "faults.yaml").write_text(text)

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start the command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "semcal_utils.regenerate", "--profile", "faults", *options],
            cwd=self.root,
            env={**self._clean(), "SEMCAL_ROOT": str(self.root), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, whatever that is."""
        process = self.start(*options)
        out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def outcome(self) -> dict[str, Any]:
        """Return every final table and number, read from the files."""
        tables = {
            str(path.relative_to(self.run)): pd.read_parquet(path)
            for path in sorted(self.run.rglob("*.parquet"))
            if not any(part.startswith(".") for part in path.relative_to(self.run).parts)
        }
        published = [self.run / "league.csv", *sorted((self.runs / "all" / "tables").glob("*.csv"))]
        metrics = json.loads((self.run / "metrics.json").read_text())
        return {
            **tables,
            "metrics.json": metrics,
            **{path.name: pd.read_csv(path) for path in published},
        }

    def hidden_leftovers(self) -> list[str]:
        """Return the temporary files that nothing uses any more."""
        return [
            str(path.relative_to(self.run))
            for path in self.run.rglob(".*")
            if path.name.endswith((".partial", ".replaced"))
        ]

    @staticmethod
    def _clean() -> dict[str, str]:
        # What the test process set up for its own notebooks is not for this one.
        ours = ("SEMCAL_", "IPYTHONDIR", "JUPYTER_", "MPLCONFIGDIR")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**kept, "OMP_NUM_THREADS": "1"}


def kill(process: subprocess.Popen[str], *, kernels_too: bool) -> None:
    """Kill the command's process group at once, and where asked the kernels it started.

    Kernels are sessions of their own: left alone, they notice a little later that they are orphans.
    """
    if process.poll() is None:
        command = psutil.Process(process.pid)
        command.suspend()  # so that nothing starts between the list and the kill
        tree = command.children(recursive=True)
        for one in [one for one in tree if kernels_too or _is_in_group(one, process.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        command.kill()
    process.communicate()


def assert_same_outcome(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise where a table or a number is missing or differs."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(found[name], value, obj=name)
        else:
            assert found[name] == value, name


def wait_for(path: Path, process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Wait until a file exists; raise when the process ends or the time is over first."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.05)


def _is_in_group(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group
    except ProcessLookupError:
        return False
