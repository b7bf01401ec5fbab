"""What changed between two runs is stated, and nothing made before the change is used after it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from fault_projects import PROFILE, assert_same_outcome

from semcal_utils.runs import open_run, stamps

OTHER_CLOCK = """
import time
_true, _began = time.time, time.monotonic()
def jumping():
    # Ten years ahead and ten years back, turn by turn, every two seconds.
    return _true() + (3e8 if int(time.monotonic() - _began) // 2 % 2 else -3e8)
time.time = jumping
"""
OTHER_VERSION = """
import importlib.metadata as metadata
_true = metadata.version
metadata.version = lambda name: "0.0.1" if name == "scikit-learn" else _true(name)
"""


def captions(ids=("a", "b")):
    return pd.DataFrame({"item_id": list(ids)})


def test_another_version_is_stated_by_name(tmp_path, monkeypatch, capsys):
    run = open_run("trial", "city_pictures", root=tmp_path)
    run.table("captions.parquet", captions)
    now = {**stamps.library_versions(), "torch": "9.9"}
    monkeypatch.setattr(stamps, "library_versions", lambda: now)
    run.table("captions.parquet", captions)
    said = capsys.readouterr().out
    assert said.startswith("captions.parquet is made again: torch was 2.")
    assert said.endswith("and is 9.9.\n")


def test_another_parameter_with_the_same_outcome_keeps_the_fingerprint(tmp_path):
    run = open_run("trial", "city_pictures", root=tmp_path)
    run.table("captions.parquet", captions, seed=0)
    before = run.fingerprint("captions.parquet")
    run.table("captions.parquet", captions, seed=1)
    assert run.provenance("captions.parquet")["parameters"] == {"seed": 1}
    assert run.fingerprint("captions.parquet") == before

    def fill(place: Path):
        (place / "weights").write_text("same")

    run.make_folder("models/general", fill, epochs=1)
    before = run.fingerprint("models/general")
    assert run.make_folder("models/general", fill, epochs=2)[1]
    assert run.fingerprint("models/general") == before


def with_startup_code(project, code):
    place = project.root / "startup"
    place.mkdir()
    (place / "sitecustomize.py").write_text(code)
    paths = [str(place), os.environ.get("PYTHONPATH", "")]
    project.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


@pytest.mark.long
def test_a_changed_parameter_reuses_nothing_stale(copied, undisturbed, tmp_path):
    text = (PROFILE % copied.items).replace("EPOCHS: 2.0", "EPOCHS: 1.0")
    copied.write_profile(text)
    listed = copied.finish("--list").stdout
    assert (
        "02_fine_tuning               city_pictures    to run  (its parameters changed)" in listed
    )
    ran = copied.finish()
    assert ran.returncode == 0, ran.stderr

    fresh = type(copied)(tmp_path / "fresh")
    fresh.write_profile(text)
    for name in ("items", "models/captioner"):
        shutil.copytree(undisturbed.run / name, fresh.run / name)
    ran = fresh.finish()
    assert ran.returncode == 0, ran.stderr
    assert_same_outcome(copied.outcome(), fresh.outcome())
    same = pd.testing.assert_frame_equal
    with pytest.raises(AssertionError):
        same(*(p.outcome()["token_log_probs/moderate.parquet"] for p in (copied, undisturbed)))


@pytest.mark.long
def test_a_changed_library_is_stated_and_its_work_made_again(copied, undisturbed):
    with_startup_code(copied, OTHER_VERSION)
    ran = copied.finish("--only", "04")
    assert ran.returncode == 0, ran.stderr
    assert "scikit-learn was " in ran.stdout
    assert " and is 0.0.1)" in ran.stdout
    executed = (copied.run / "notebooks" / "04_rejection_sampling.ipynb").read_text()
    assert "filtered/moderate.parquet is made again: scikit-learn was" in executed
    assert_same_outcome(copied.outcome(), undisturbed.outcome())


@pytest.mark.long
def test_a_clock_that_jumps_changes_nothing(copied, undisturbed):
    with_startup_code(copied, OTHER_CLOCK)
    ran = copied.finish("--from", "04", "--force")
    assert ran.returncode == 0, ran.stderr
    assert "4 notebooks run" in ran.stdout
    assert_same_outcome(copied.outcome(), undisturbed.outcome())
    again = copied.finish()
    assert "0 notebooks run" in again.stdout, again.stdout
