"""Notebooks for a course: a student version, a solution version and a points table from one source.

    assignments/<notebook>/<notebook>_student.ipynb     what students get
    assignments/<notebook>/<notebook>_solution.ipynb    for instructors, with hidden checks
    assignments/<notebook>/points.csv
    assignments/points.csv                              all of them
    assignments/nbgrader/                               a course folder for nbgrader

Both versions carry nbgrader's cell metadata; without nbgrader they are plain notebooks.
"""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path

import pandas as pd

from book.exercises import (
    BEGIN_HIDDEN,
    END_HIDDEN,
    STUB,
    Exercise,
    read_exercises,
    without_solution,
)
from book.problems import PublishingError
from book.published import without_outputs
from book.sources import (
    Cell,
    Notebook,
    as_lines,
    find_notebooks,
    read_notebook,
    source_of,
    write_notebook,
)

FOLDER = "assignments"
REPORT_STUB = "YOUR ANSWER HERE"
NBGRADER_CONFIG = '''"""A course of this workbook for nbgrader: run its commands in this folder."""

c = get_config()
c.CourseDirectory.course_id = "semantic_calibration"
c.ClearSolutions.code_stub = {{"python": {stub!r}}}
c.ClearSolutions.text_stub = {text!r}
c.ExecutePreprocessor.timeout = 600
c.ExecutePreprocessor.allow_errors = True
'''


def write_assignments(root: Path, target: Path | None = None) -> pd.DataFrame:
    """Write every notebook's student version, solution version and points table.

    Args:
        root: The project's folder.
        target: Where to; `assignments/` in the project unless named. What was there is replaced,
            but for the folders that nbgrader fills (`submitted`, `autograded`, its gradebook).

    Returns:
        The points table, one row per exercise.

    Raises:
        PublishingError: An exercise of a notebook is unsound; nothing has been written then.
    """
    target = target or root / FOLDER
    ready = []
    for name, path in find_notebooks(root).items():
        source = without_outputs(read_notebook(path))
        exercises = read_exercises(source, name)
        if not exercises:
            remedy = "add a section `## Exercises` with four of them"
            raise PublishingError(name, None, "it has no exercise", remedy)
        student = student_version(source, exercises)
        refuse_leaks(student, exercises)
        ready.append((name, student, solution_version(source, exercises), points_table(exercises)))
    for name, student, solution, points in ready:
        folder = target / name
        shutil.rmtree(folder, ignore_errors=True)
        write_notebook(folder / f"{name}_student.ipynb", student)
        write_notebook(folder / f"{name}_solution.ipynb", solution)
        points.to_csv(folder / "points.csv", index=False)
        write_notebook(target / "nbgrader" / "source" / name / f"{name}.ipynb", solution)
    config = NBGRADER_CONFIG.format(stub="\n".join(STUB), text=REPORT_STUB)
    (target / "nbgrader" / "nbgrader_config.py").write_text(config, encoding="utf-8")
    table = pd.concat([points for *_, points in ready], ignore_index=True)
    table.to_csv(target / "points.csv", index=False)
    return table


def student_version(source: Notebook, exercises: list[Exercise]) -> Notebook:
    """Return the notebook with solutions stubbed and hidden checks emptied."""
    made = solution_version(source, exercises)
    roles = roles_of(exercises)
    for cell in made["cells"]:
        role = roles.get(cell["id"])
        if role == "solution":
            cell["source"] = as_lines(without_solution(source_of(cell)))
        elif role == "hidden-check":
            cell["source"] = as_lines(without_hidden(source_of(cell)))
        elif role == "report":
            cell["source"] = [REPORT_STUB]
    return made


def solution_version(source: Notebook, exercises: list[Exercise]) -> Notebook:
    """Return the notebook with nbgrader's metadata on its exercise cells, solutions in place."""
    made = copy.deepcopy(source)
    roles = roles_of(exercises)
    points = {k: v for exercise in exercises for k, v in exercise.check_points().items()}
    for cell in made["cells"]:
        if role := roles.get(cell["id"]):
            cell["metadata"]["nbgrader"] = nbgrader_metadata(cell, role, points.get(cell["id"]))
    return made


def roles_of(exercises: list[Exercise]) -> dict[str, str]:
    """Return the role of every cell that nbgrader must know, by cell id."""
    wanted = ("solution", "check", "hidden-check", "report")
    return {
        cell["id"]: role
        for exercise in exercises
        for role, cells in exercise.cells.items()
        if role in wanted
        for cell in cells
    }


def nbgrader_metadata(cell: Cell, role: str, points: int | None) -> dict[str, object]:
    """Return what nbgrader 0.9 keeps on a cell (schema 3)."""
    found: dict[str, object] = {
        "schema_version": 3,
        "grade_id": cell["id"],
        "cell_type": cell["cell_type"],
        "grade": role != "solution",
        "solution": role in ("solution", "report"),
        "locked": role in ("check", "hidden-check"),
        "task": False,
    }
    if points is not None:
        found["points"] = points
    return found


def without_hidden(source: str) -> str:
    """Return the source of a hidden check without what its markers enclose."""
    pattern = rf"^[ \t]*{re.escape(BEGIN_HIDDEN)}[ \t]*\n.*?^[ \t]*{re.escape(END_HIDDEN)}[ \t]*\n?"
    return re.sub(pattern, "", source, flags=re.M | re.S).rstrip("\n")


def hidden_lines(exercise: Exercise) -> list[str]:
    """Return the lines of an exercise that no student may see, without marks and blanks.

    A hidden check may prepare its data like the visible one does; such lines are no secret.
    """
    checks = "\n".join(source_of(cell) for cell in exercise.cells["check"])
    lines: list[str] = []
    for role, stub, known in (
        ("solution", without_solution, ""),
        ("hidden-check", without_hidden, checks),
    ):
        for cell in exercise.cells.get(role, []):
            shown = {line.strip() for line in (stub(source_of(cell)) + "\n" + known).splitlines()}
            lines += [
                line.strip()
                for line in source_of(cell).splitlines()
                if line.strip() and line.strip() not in shown and " SOLUTION" not in line
            ]
    return lines


def refuse_leaks(student: Notebook, exercises: list[Exercise]) -> None:
    """Raise when a line of a solution, a hidden check or an output is left for students.

    Lines that the notebook itself teaches before its exercises are no secret.
    """
    first = exercises[0].cells["exercise"][0]["id"]
    place = next(n for n, cell in enumerate(student["cells"]) if cell["id"] == first)
    taught = {line for cell in student["cells"][:place] for line in stripped_lines(cell)}
    for exercise in exercises:
        secret = {line for line in hidden_lines(exercise) if len(line) > 12} - taught
        for cell in student["cells"]:
            left = secret & set(stripped_lines(cell))
            if left:
                raise PublishingError(
                    exercise.notebook,
                    cell["id"],
                    f"it shows a line of the solution of {exercise.number} ({min(left)!r})",
                    "word one of the two differently",
                )
    for cell in student["cells"]:
        if cell.get("outputs"):
            remedy = "strip the outputs of the source"
            raise PublishingError(exercises[0].notebook, cell["id"], "it has an output", remedy)


def stripped_lines(cell: Cell) -> list[str]:
    """Return the lines of a cell without their indentation."""
    return [line.strip() for line in source_of(cell).splitlines()]


def points_table(exercises: list[Exercise]) -> pd.DataFrame:
    """Return one row per exercise: what it asks, what it gives, how long it takes."""
    return pd.DataFrame(
        [
            {
                "notebook": exercise.notebook,
                "exercise": exercise.number,
                "kind": exercise.kind,
                "title": exercise.title,
                "points": exercise.points,
                "by_checks": exercise.points - exercise.read_points,
                "by_reading": exercise.read_points,
                "minutes": exercise.minutes,
                "goal": exercise.goal,
            }
            for exercise in exercises
        ]
    )
