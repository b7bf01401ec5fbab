from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_language_models import (
    tuned,
)

from semcal_utils.models import (
    load_language_model,
)

# --- killed and resumed -----------------------------------------------------------------------

SCRIPT = """
import resource, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_resumed_training import long_run
limit = {limit}
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
long_run(Path({folder!r}))
"""


def long_run(folder: Path):
    return tuned(folder, epochs=None, max_steps=600, evaluations=10, batch_size=8)


def start(folder: Path, *, limit: int = 0) -> subprocess.Popen:
    script = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(folder), limit=limit)
    return subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, cwd=folder.parent
    )


def finished_checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("checkpoint-*/trainer_state.json"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """A model folder whose training was killed after a checkpoint or two."""
    folder = tmp_path_factory.mktemp("killed") / "model"
    process = start(folder)
    while not finished_checkpoints(folder):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return folder


def test_a_killed_run_resumes_and_equals_an_uninterrupted_one(killed, tmp_path):
    with pytest.raises(FileNotFoundError, match="training has not finished"):
        load_language_model(killed)
    kept = {file.parent.name for file in finished_checkpoints(killed)}
    assert kept

    # A disk that is full stops the run and costs none of the checkpoints.
    process = start(killed, limit=20_000)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "OSError: Could not write to" in errors
    assert {file.parent.name for file in finished_checkpoints(killed)} == kept

    resumed = long_run(killed)
    whole = long_run(tmp_path / "whole")
    assert resumed.history["step"].tolist() == whole.history["step"].tolist()
    assert resumed.history["loss"].tolist() == pytest.approx(
        whole.history["loss"].tolist(), abs=1e-4
    )
    assert resumed.best_step == whole.best_step
    assert not (killed / "checkpoints").exists()


def test_checkpoints_of_another_run_are_not_resumed(tmp_path):
    checkpoint = tmp_path / "model" / "checkpoints" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text("{}")
    (checkpoint.parent / "run.json").write_text('{"settings": "others"}')
    with pytest.warns(UserWarning, match="checkpoints of another run"):
        result = tuned(tmp_path / "model", epochs=1)
    assert result.history["step"].min() == 1
