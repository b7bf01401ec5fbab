"""Student and solution versions: nothing leaks, nothing but NotImplementedError is raised."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import nbclient
import nbformat
import pandas as pd
import pytest
import yaml

from book.assignments import REPORT_STUB, without_hidden, write_assignments
from book.exercises import read_exercises, with_answer, without_solution
from book.problems import PublishingError
from book.sources import (
    find_notebooks,
    read_notebook,
    source_of,
    tags_of,
    write_notebook,
)

PROJECT = Path(__file__).parents[1]
NOTEBOOKS = find_notebooks(PROJECT)
by_name = pytest.mark.parametrize("name", NOTEBOOKS)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    target = tmp_path_factory.mktemp("assignments")
    return target, write_assignments(PROJECT, target)


def versions(made, name):
    folder = made[0] / name
    return [read_notebook(folder / f"{name}_{kind}.ipynb") for kind in ("student", "solution")]


@by_name
def test_no_solution_line_output_or_hidden_test_reaches_students(made, name):
    student, solution = versions(made, name)
    text = json.dumps(student)
    assert "SOLUTION" not in text
    assert "HIDDEN" not in text
    assert not any(cell.get("outputs") for cell in student["cells"])
    secret = set()
    first = next(n for n, c in enumerate(solution["cells"]) if "exercise" in tags_of(c))
    for cell in solution["cells"][first:]:
        if {"solution", "hidden-check"} & set(tags_of(cell)):
            source = source_of(cell)
            inside = source[source.index("BEGIN") : source.index("END")].splitlines()[1:-1]
            secret |= {line.strip() for line in inside if len(line.strip()) > 12}
    checks = "\n".join(source_of(c) for c in solution["cells"] if "check" in tags_of(c))
    shown = {
        line.strip() for cell in student["cells"][first:] for line in source_of(cell).splitlines()
    }
    assert not (secret & shown) - {line.strip() for line in checks.splitlines()}
    assert secret


@by_name
def test_both_versions_have_the_same_cells_and_valid_metadata(made, name):
    nbgraderformat = pytest.importorskip("nbgrader.nbgraderformat")

    student, solution = versions(made, name)
    assert [c["id"] for c in student["cells"]] == [c["id"] for c in solution["cells"]]
    for notebook in (student, solution):
        node = nbformat.reads(json.dumps(notebook), as_version=4)
        nbformat.validate(node)
        nbgraderformat.MetadataValidator().validate_nb(node)
    reports = [c for c in student["cells"] if "report" in tags_of(c)]
    assert all(source_of(cell) == REPORT_STUB for cell in reports)


@by_name
def test_points_in_the_table_are_those_of_the_cells(made, name):
    _, solution = versions(made, name)
    table = pd.read_csv(made[0] / name / "points.csv", dtype={"exercise": str})
    points = [c["metadata"].get("nbgrader", {}).get("points", 0) for c in solution["cells"]]
    assert table["points"].sum() == sum(points)
    assert (table["by_checks"] + table["by_reading"] == table["points"]).all()
    assert table["goal"].str.len().min() > 10


def test_the_whole_table_lists_every_notebook(made):
    assert list(made[1]["notebook"].unique()) == list(NOTEBOOKS)
    assert len(pd.read_csv(made[0] / "points.csv")) == len(made[1])


def run_student(notebook, folder):
    """Run a notebook past its errors, and return the names of the errors."""
    node = nbformat.reads(json.dumps(notebook), as_version=4)
    nbclient.NotebookClient(
        node,
        timeout=600,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
    ).execute()
    return [
        (cell["id"], output["ename"], output["evalue"])
        for cell in node.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]


def test_an_unsolved_notebook_runs_to_its_end(made, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCAL_ROOT", str(tmp_path))
    monkeypatch.setenv("SEMCAL_HEADLESS", "1")
    student, _ = versions(made, "00_start_here")
    errors = run_student(student, str(tmp_path))
    assert {name for _, name, _ in errors} == {"NotImplementedError"}
    assert {cell_id.rsplit("-", 1)[1] for cell_id, _, _ in errors} <= {"check", "use"}


@pytest.mark.long
def test_every_unsolved_notebook_runs_to_its_end_on_a_small_run(made, tmp_path, monkeypatch):
    shutil.copytree(PROJECT / "notebooks", tmp_path / "notebooks")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    monkeypatch.setenv("SEMCAL_ROOT", str(tmp_path))
    monkeypatch.setenv("SEMCAL_HEADLESS", "1")
    small = yaml.safe_load((PROJECT / "notebooks" / "profiles" / "smoke.yaml").read_text())
    about = {"PROFILE": "course", "DATASET": "library_docs", "DATASETS": ["library_docs"]}
    for name in NOTEBOOKS:
        student, _ = versions(made, name)
        cell = next(c for c in student["cells"] if "parameters" in tags_of(c))
        settings = {**about, "ITEMS": 800, **small["notebooks"].get(name, {})}
        lines = [f"{key} = {value!r}" for key, value in settings.items()]
        cell["source"] = "\n".join([source_of(cell), *lines])
        errors = run_student(student, str(tmp_path / "notebooks"))
        assert {kind for _, kind, _ in errors} == {"NotImplementedError"}, (name, errors)


# --- nbgrader, from release to grades -------------------------------------------------------------


@pytest.mark.long
def test_nbgrader_releases_grades_and_tells_right_from_wrong(made, tmp_path, monkeypatch):
    NbGraderAPI = pytest.importorskip("nbgrader.apps").NbGraderAPI
    from traitlets.config import Config

    name = "00_start_here"
    monkeypatch.setenv("SEMCAL_ROOT", str(tmp_path))
    monkeypatch.setenv("SEMCAL_HEADLESS", "1")
    # nbgrader calls alembic by its name, as in an activated environment.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    course = tmp_path / "course"
    shutil.copytree(made[0] / "nbgrader", course)
    config = Config()
    settings = (course / "nbgrader_config.py").read_text()
    exec(settings, {"get_config": lambda: config})
    config.CourseDirectory.root = str(course)
    api = NbGraderAPI(config=config)
    released = api.generate_assignment(name)
    assert released["success"], released["log"]

    # What nbgrader releases is our student version, but for its own bookkeeping.
    student, _ = versions(made, name)
    release = read_notebook(course / "release" / name / f"{name}.ipynb")
    assert [source_of(c) for c in release["cells"]] == [source_of(c) for c in student["cells"]]

    exercises = read_exercises(read_notebook(NOTEBOOKS[name]), name)
    answers = {e.solution["id"]: source_of(e.solution) for e in exercises}
    wrong = {e.solution["id"]: without_solution(source_of(e.solution)) for e in exercises}
    first = exercises[0].solution["id"]
    wrong[first] = with_answer(answers[first], "return 200.0")
    last = exercises[-1].solution["id"]
    wrong[last] = answers[last]
    for who, given in (("ada", answers), ("bob", wrong)):
        handed_in = json.loads(json.dumps(release))
        for cell in handed_in["cells"]:
            if cell["id"] in given:
                cell["source"] = given[cell["id"]]
        write_notebook(course / "submitted" / who / name / f"{name}.ipynb", handed_in)
        graded = api.autograde(name, who)
        assert graded["success"], graded["log"]
    scores = {row["student"]: row["score"] for row in api.get_submissions(name)}
    full = sum(exercise.points for exercise in exercises)
    assert scores == {"ada": full, "bob": exercises[-1].points}


# --- what is refused ------------------------------------------------------------------------------


def test_a_student_version_that_shows_a_solution_is_refused(tmp_path):
    (tmp_path / "notebooks").mkdir()
    notebook = read_notebook(NOTEBOOKS["00_start_here"])
    cell = next(c for c in notebook["cells"] if c["id"] == "exercise-00-2-check")
    cell["source"] = source_of(cell) + "\nreturn float(1 / (real / general).max())"
    write_notebook(tmp_path / "notebooks" / "00_start_here.ipynb", notebook)
    with pytest.raises(
        PublishingError, match="exercise-00-2-check: it shows a line of the solution"
    ):
        write_assignments(tmp_path)
    assert not (tmp_path / "assignments").exists()


def test_a_notebook_without_exercises_is_refused(tmp_path):
    (tmp_path / "notebooks").mkdir()
    notebook = read_notebook(NOTEBOOKS["00_start_here"])
    notebook["cells"] = [c for c in notebook["cells"] if not c["id"].startswith("exercise")]
    write_notebook(tmp_path / "notebooks" / "00_start_here.ipynb", notebook)
    with pytest.raises(PublishingError, match="00_start_here: it has no exercise; add a section"):
        write_assignments(tmp_path)


@pytest.mark.parametrize("indent", ["", "    "])
def test_a_hidden_test_is_cut_out_wherever_its_markers_stand(indent):
    source = (
        f"if True:\n{indent}### BEGIN HIDDEN TESTS \n{indent}assert answer() == 'secret'\n"
        f"{indent}### END HIDDEN TESTS\n    pass"
    )
    assert "secret" not in without_hidden(source)
