"""Nothing stale is ever current: code, sources and base models that changed are seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from semcal_utils import media
from semcal_utils.models.grid import state_of_base
from semcal_utils.runs import marks
from semcal_utils.runs.plan import Step
from semcal_utils.runs.sources import PACKAGE, code_behind

MAKE = """
import sys
from pathlib import Path
import pandas as pd
from semcal_utils import runs, show
from semcal_utils.acceptance import bounds
run = runs.open_run("trial", "home", root=Path(sys.argv[1]))
made = []
def make():
    made.append(1)
    return pd.DataFrame({"item_id": ["a"]})
run.table("rows.parquet", make, top_p=0.75)
print("made" if made else "reused")
"""


@pytest.fixture
def copied(tmp_path):
    """A copy of the package, and what a table made with it says."""
    package = tmp_path / "copy" / "semcal_utils"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))

    def made() -> list[str]:
        environment = {**os.environ, "PYTHONPATH": str(package.parent)}
        command = [sys.executable, "-c", MAKE, str(tmp_path)]
        ran = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
        )
        return ran.stdout.splitlines()

    return package, made


def edit(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\nEDITED = True\n", encoding="utf-8")


def test_a_table_is_made_again_when_the_code_behind_its_maker_changed(copied):
    package, made = copied
    assert made() == ["made"]
    assert made() == ["reused"]
    for plumbing in ("show/style.py", "runs/errors.py", "city/sounds.py"):
        edit(package / plumbing)
    assert made() == ["reused"], "figures, places and rooms that were not imported change no row"
    edit(package / "acceptance" / "bounds.py")
    assert made() == ["rows.parquet is made again: the code that makes it changed.", "made"]
    assert made() == ["reused"]


def test_a_maker_of_the_package_depends_on_its_own_module_only():
    from semcal_utils.models import grid
    from semcal_utils.worlds import draw_real_split

    here = code_behind(lambda: draw_real_split)
    assert code_behind(draw_real_split) != code_behind(grid.train_model)
    assert here == code_behind(lambda: None)  # both see what this file imports


def step(tmp_path, **parameters):
    source = tmp_path / "01_first.ipynb"
    if not source.exists():
        source.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4}))
    return Step("01_first", "home", "trial", source, tmp_path / "out.ipynb", parameters)


def test_the_mark_of_a_finished_notebook_holds_the_state_of_its_source(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCAL_ROOT", str(tmp_path))
    table = tmp_path / "posts.csv"
    table.write_text("text,label\nhello,a\n")
    before = marks.outside_of(step(tmp_path, SOURCE="posts.csv"))
    assert set(before) == {"SOURCE"}
    table.write_text("text,label\nhello,a\ngoodbye,b\n")
    assert marks.outside_of(step(tmp_path, SOURCE="posts.csv")) != before
    assert marks.outside_of(step(tmp_path, SOURCE="", CAPTIONER="embedded")) == {}
    assert marks.outside_of(step(tmp_path, SOURCE="hub:somebody/posts")) == {}


def test_what_lies_beside_the_files_that_are_read_makes_nothing_run_again(tmp_path):
    folder = tmp_path / "zoo"
    (folder / "cats").mkdir(parents=True)
    (folder / "cats" / "1.png").write_bytes(b"a")
    (folder / "metadata.csv").write_text("file_name,label\n")
    before = media.source_state(str(folder))
    (folder / ".sync").mkdir()
    for litter in (".DS_Store", "cats/Thumbs.db", "cats/desktop.ini", ".sync/x", "notes.txt"):
        (folder / litter).write_text("moved")
    assert media.source_state(str(folder)) == before
    (folder / "metadata.csv").write_text("file_name,label\ncats/1.png,c\n")
    described = media.source_state(str(folder))
    assert described != before
    (folder / "cats" / "2.png").write_bytes(b"b")
    assert media.source_state(str(folder)) != described


def test_another_base_model_in_the_same_folder_is_another_base(tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"one")
    before = state_of_base(str(folder))
    (folder / ".DS_Store").write_text("x")
    assert state_of_base(str(folder)) == before != ""
    (folder / "model.safetensors").write_bytes(b"another")
    assert state_of_base(str(folder)) != before
    assert state_of_base("gpt2") == ""
