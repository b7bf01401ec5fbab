"""Exercises are sound: the checks accept the solution and refuse what students plausibly write."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import pytest
import yaml

from book.exercises import (
    KINDS,
    read_exercises,
    signature_of,
    with_answer,
    without_solution,
)
from book.problems import PublishingError
from book.sources import code_cells, find_notebooks, read_notebook, source_of

PROJECT = Path(__file__).parents[1]
NOTEBOOKS = find_notebooks(PROJECT)
by_name = pytest.mark.parametrize("name", NOTEBOOKS)


@cache
def exercises_of(name):
    return read_exercises(read_notebook(NOTEBOOKS[name]), name)


@cache
def imports_of(name):
    """What the notebook's first code cell, its imports, defines."""
    space: dict = {}
    exec(source_of(next(code_cells(read_notebook(NOTEBOOKS[name])))), space)
    return space


def run_checks(exercise, solution, space, roles=("check",)):
    exec(solution, space)
    for role in roles:
        for cell in exercise.cells.get(role, []):
            exec(source_of(cell), space)


def is_refused(exercise, answer, space):
    """Tell whether a visible check fails, and for no other reason than the answer."""
    try:
        run_checks(exercise, answer, space)
    except (AssertionError, RuntimeWarning):  # exercise 03.2 turns warnings into errors
        return True
    return False


def wrong_answers(name):
    path = PROJECT / "tests" / "assignments" / f"wrong_answers_{name[:2]}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@by_name
def test_each_notebook_has_the_four_kinds(name):
    kinds = [exercise.kind for exercise in exercises_of(name)]
    assert set(KINDS[:4]) <= set(kinds)
    assert len(kinds) >= 4
    for exercise in exercises_of(name):
        assert exercise.points >= 1
        assert exercise.minutes >= 5
        assert len(exercise.goal.split()) >= 4


def test_there_are_two_mini_projects():
    projects = [e for name in NOTEBOOKS for e in exercises_of(name) if e.kind == "Mini-project"]
    assert {project.title for project in projects} == {"Bring your own folder", "Attack the filter"}
    assert all(project.read_points for project in projects)


@by_name
def test_every_check_accepts_the_solution(name):
    space = dict(imports_of(name))
    for exercise in exercises_of(name):
        run_checks(exercise, source_of(exercise.solution), space, ("check", "hidden-check"))


@by_name
def test_visible_checks_refuse_three_plausible_wrong_answers_each(name):
    listed = wrong_answers(name)
    assert set(listed) == {exercise.number for exercise in exercises_of(name)}
    shared = dict(imports_of(name))
    for exercise in exercises_of(name):
        run_checks(exercise, source_of(exercise.solution), shared)
        mistakes = listed[exercise.number]
        assert len({mistake["answer"] for mistake in mistakes}) >= 3
        for mistake in mistakes:
            answer = with_answer(source_of(exercise.solution), mistake["answer"])
            assert is_refused(exercise, answer, dict(shared)), (
                f"{exercise.number} accepts: {mistake['mistake']}"
            )


@by_name
def test_every_stub_raises_and_has_the_solutions_signature(name):
    space = dict(imports_of(name))
    for exercise in exercises_of(name):
        solution = source_of(exercise.solution)
        stub = without_solution(solution)
        assert signature_of(stub) == signature_of(solution)
        with pytest.raises(NotImplementedError):
            run_checks(exercise, stub, space)


# --- what is refused ----------------------------------------------------------------------------


@pytest.fixture
def sound():
    return read_notebook(NOTEBOOKS["00_start_here"])


def cell_of(notebook, cell_id):
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


def edited(notebook, cell_id, old, new):
    made = copy.deepcopy(notebook)
    cell = cell_of(made, cell_id)
    assert old in source_of(cell)
    cell["source"] = source_of(cell).replace(old, new)
    return made


def without(notebook, cell_id):
    made = copy.deepcopy(notebook)
    made["cells"].remove(cell_of(made, cell_id))
    return made


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda nb: without(nb, "exercise-00-3-check"),
            "exercise-00-3: exercise 00.3 has no check",
        ),
        (lambda nb: without(nb, "exercise-00-3-solution"), "exercise 00.3 has 0 solution cells"),
        (lambda nb: without(nb, "exercise-00-2"), "exercise 00.1 has 2 solution cells"),
        (
            lambda nb: edited(nb, "exercise-00-1-solution", "    # END SOLUTION", ""),
            "exercise-00-1-solution: its markers are ['# BEGIN SOLUTION']",
        ),
        (
            lambda nb: edited(nb, "exercise-00-1-solution", "# END SOLUTION", "# BEGIN SOLUTION"),
            "not one balanced pair",
        ),
        (
            lambda nb: edited(nb, "exercise-00-1-solution", "# BEGIN", "print() # BEGIN"),
            "not one balanced pair",
        ),
        (
            lambda nb: edited(
                nb,
                "exercise-00-1-solution",
                'def predicted_coins() -> float:\n    """Return how many coins must flow by, '
                'on average, for 100 to be kept."""\n    # BEGIN SOLUTION\n',
                "# BEGIN SOLUTION\ndef predicted_coins() -> float:\n    'What is needed.'\n",
            ),
            "exercise-00-1-solution: the stub cannot be made",
        ),
        (
            lambda nb: edited(nb, "exercise-00-1", "2 points", "two points"),
            "exercise-00-1: the heading of the exercise is out of form",
        ),
        (lambda nb: edited(nb, "exercise-00-1", "Predict", "Guess"), "'Guess' is no kind"),
        (lambda nb: edited(nb, "exercise-00-2", "00.2", "00.7"), "exercise 00.7 stands where 00.2"),
        (
            lambda nb: edited(nb, "exercise-00-1-check", "assert ", "print "),
            "exercise-00-1-check: the check of exercise 00.1 asserts nothing",
        ),
        (lambda nb: edited(nb, "exercise-00-3", "4 points", "1 point"), "fewer points than graded"),
    ],
)
def test_an_unsound_exercise_is_refused_by_notebook_cell_and_remedy(sound, spoil, told):
    with pytest.raises(PublishingError) as refused:
        read_exercises(spoil(sound), "00_start_here")
    message = str(refused.value)
    assert message.startswith("00_start_here")
    assert told in message
    assert "; " in message  # the remedy


def test_a_stub_that_differs_from_its_solution_is_refused(sound):
    cell = cell_of(sound, "exercise-00-1-solution")
    cell["source"] = (
        "# BEGIN SOLUTION\ndef predicted_coins(heads: float) -> float:\n    'What is needed.'\n"
        "    return 1.0\n# END SOLUTION\n"
    )
    with pytest.raises(PublishingError, match="exercise-00-1-solution: the stub cannot be made"):
        read_exercises(sound, "00_start_here")
    cell["source"] = (
        "def predicted_coins(\n    # BEGIN SOLUTION\n    heads: float,\n    # END SOLUTION\n"
        ") -> float:\n    'What is needed.'\n    return 1.0\n"
    )
    with pytest.raises(PublishingError, match="exercise-00-1-solution: the stub"):
        read_exercises(sound, "00_start_here")
