"""Hostile names, folders and profiles: a command answers in a sentence and stays in its folder."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tries import SENTENCES, survive, write_one_notebook

from semcal_utils import regenerate
from semcal_utils.media import __main__ as media_command
from semcal_utils.media import folder
from semcal_utils.runs import open_run
from semcal_utils.runs.plan import PlanError, make_plan

NAMES = [
    "two words",
    "it's",
    'say "x"',
    "naïve 水 🔥",
    "a\nb",
    "$(touch owned)",
    "; rm -rf x",
    "%s%n{0}",
    "-rf",
    "a" * 200,
    "<b>",
    "con.",
    "\u202egnp",
]


def save_picture(path, shade=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (shade, 20, 30)).save(path, "PNG")


@pytest.mark.parametrize("name", NAMES)
def test_folders_of_any_name_are_read_and_labelled_by_it(tmp_path, name, capsys):
    for label in (name, "other"):
        for number in range(2):
            save_picture(tmp_path / "mine" / label / f"{name} {number}"[:90] / f"{number}.png")

    def look():
        items = folder.stream(tmp_path / "mine", seed=0)
        assert set(items["label"]) == {name, "other"}
        media_command.main([str(tmp_path / "mine")])

    assert survive("folder names", look, ())
    assert "Every item can be read." in capsys.readouterr().out
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "name", ["../outside", "..", ".", "/etc", "a/b", "a\\..\\b/..", "", ".hidden", "x/../../y"]
)
def test_no_name_leads_out_of_the_runs_folder(tmp_path, name):
    def use():
        open_run("trial", name, root=tmp_path)

    assert not survive("path traversal", use, (ValueError,))
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("name", ["../outside", "..", "/tmp/outside", "a/b", ".hidden"])
def test_a_profile_cannot_name_a_dataset_outside_the_runs_folder(project, name):
    write(project, f"datasets: {{{name!r}: {{}}}}")
    with pytest.raises(PlanError, match="plain folder name"):
        make_plan("hostile", project)


def test_metadata_cannot_reach_out_of_the_folder(tmp_path):
    save_picture(tmp_path / "secret" / "s.png")
    save_picture(tmp_path / "mine" / "a.png")
    rows = "file_name,label\na.png,x\n../secret/s.png,y\n"
    (tmp_path / "mine" / "metadata.csv").write_text(rows)
    assert not survive(
        "path traversal", lambda: folder.stream(tmp_path / "mine", seed=0), SENTENCES
    )


def test_links_out_of_the_folder_loops_and_pipes_do_not_trap_a_reader(tmp_path):
    mine = tmp_path / "mine"
    save_picture(mine / "a" / "1.png")
    save_picture(mine / "b" / "2.png", 10)
    (mine / "a" / "round").symlink_to(mine)
    os.mkfifo(mine / "b" / "pipe.png")
    (mine / "b" / "gone.png").symlink_to(mine / "nowhere.png")

    def look():
        media_command.main([str(mine)])

    survive("links and pipes", look, SENTENCES)
    (mine / "a" / "out").symlink_to("/etc")
    with pytest.raises(ValueError, match="leads out of the folder"):
        folder.stream(mine, seed=0)


CELLS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.lists(st.integers(0, 9), max_size=3),
    st.binary(max_size=6),
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", [60, pytest.param(1_500, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_table_of_any_types_is_read_or_refused_in_a_sentence(tmp_path, kind, count):
    columns = st.lists(
        st.one_of(st.sampled_from(["text", "label", "item_id", "extra"]), st.text(max_size=5)),
        max_size=5,
        unique=True,
    )
    path = tmp_path / f"mine.{kind}"

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def read(data):
        names = data.draw(columns)
        rows = data.draw(st.integers(0, 5))
        table = pd.DataFrame({name: [data.draw(CELLS) for _ in range(rows)] for name in names})
        try:
            if kind == "csv":
                table.to_csv(path, index=False)
            elif kind == "jsonl":
                table.to_json(path, orient="records", lines=True, default_handler=str)
            else:
                table.to_parquet(path)
        except Exception:  # pandas cannot write such a table, so nobody has one
            return
        survive(f"tables of any types, {kind}", lambda: folder.stream(path, seed=0), SENTENCES)

    read()


# --- profiles -----------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    write_one_notebook(tmp_path)
    return tmp_path


def write(project, text):
    (project / "notebooks" / "profiles" / "hostile.yaml").write_bytes(
        text.encode("utf-8", "surrogatepass")
    )


PARTS = [
    "datasets:", "shared:", "notebooks:", "description:", "\n", "  ", ": ", "- ", "{", "}", "[",
    "]", "a", "01_first", "ITEMS", "1", "1e999", "null", "!!python/object/apply:os.system ['x']",
    "&a ", "*a", "'", '"', "../x", "\t", "#", "<<: ", "? ", "|", "\x00", "\ud800", "🔥",
]  # fmt: skip


@pytest.mark.parametrize("count", [40, pytest.param(1_000, marks=pytest.mark.long)])
def test_any_profile_is_a_plan_or_a_sentence(project, count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        start = str(rng.choice(["", "datasets: {a: {}}\n", "datasets:\n"]))
        write(project, start + "".join(rng.choice(PARTS, int(rng.integers(1, 14)))))
        survive("profiles", lambda: make_plan("hostile", project), (PlanError,))


@pytest.mark.parametrize(
    "text",
    [
        "datasets: [a]",
        "datasets: {1: {}}",
        "datasets: {a: 3}",
        "shared: [1]\ndatasets: {a: {}}",
        "notebooks: {01_first: 5}\ndatasets: {a: {}}",
        "notebooks: 7\ndatasets: {a: {}}",
        "datasets: !!python/object/apply:os.system ['touch owned']",
        "x: &x [1]\ny: &y [*x,*x]\ndatasets: {a: {}}",
        "null",
        "3",
        "",
    ],
)
def test_a_profile_of_the_wrong_shape_is_refused_in_a_sentence(project, text):
    write(project, text)
    assert not survive("profiles", lambda: make_plan("hostile", project), (PlanError,))


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (media_command.main, ["no/such/place"]),
        (media_command.main, ["/etc/passwd"]),
        (media_command.main, ["\x01\x02"]),
        (regenerate.main, ["--profile", "../../etc/passwd"]),
        (regenerate.main, ["--profile", ""]),
        (regenerate.main, ["--profile", "a\x00b"]),
        (regenerate.main, ["--profile", "tiny", "--only", "99"]),
        (regenerate.main, ["--profile", "tiny", "--only", "x y"]),
        (regenerate.main, ["--profile", "tiny", "--jobs", "0"]),
        (regenerate.main, ["--profile", "tiny", "--jobs", "-3"]),
    ],
)
def test_a_command_that_is_asked_for_nonsense_answers_in_a_sentence(
    command, arguments, project, monkeypatch, capsys
):
    monkeypatch.setenv("SEMCAL_ROOT", str(project))
    (project / "notebooks" / "profiles" / "tiny.yaml").write_text("datasets: {a: {}}")
    try:
        status = command(arguments)
    except SystemExit as left:
        status = left.code
    assert status == 2
    said = capsys.readouterr().err
    assert said.strip()
    assert "Traceback" not in said


def test_a_file_that_is_no_notebook_is_no_mistake_of_the_workbook(tmp_path):
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    (tmp_path / "notebooks" / "profiles" / "tiny.yaml").write_text("datasets: {a: {}}")
    (tmp_path / "notebooks" / "01_first.ipynb").write_text("no notebook at all")
    ran = subprocess.run(
        [sys.executable, "-m", "semcal_utils.regenerate", "--profile", "tiny"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SEMCAL_ROOT": str(tmp_path)},
    )
    assert ran.returncode == 2
    assert "01_first.ipynb is no notebook" in ran.stderr
    assert "Traceback" not in ran.stderr
