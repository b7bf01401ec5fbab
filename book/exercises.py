"""The exercises of a notebook: their headings, cells and checks, read and refused when unsound.

An exercise is a heading cell, a solution cell, one or more check cells, and optionally a hidden
check, a cell that uses the answer on the notebook's own data, and a report:

    ### Exercise 03.2 · Code · A mean of ratios of any size

    *3 points · 15 minutes · goal: average numbers that overflow*

    What is asked …

The solution cell holds one function whose body stands between `# BEGIN SOLUTION` and
`# END SOLUTION`. Cells say what they are by tags: `exercise`, `solution`, `check`, `hidden-check`,
`use`, `report`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from book.problems import PublishingError
from book.sources import Cell, Notebook, source_of, tags_of

KINDS = ("Predict", "Derive", "Code", "Investigate", "Mini-project")
BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
ROLES = ("solution", "check", "hidden-check", "use", "report")
HEADING = re.compile(
    r"^### Exercise (?P<number>\d\d\.\d) · (?P<kind>[A-Z][a-z-]+) · (?P<title>.+)\n\n"
    r"\*(?P<points>\d+) points?(?:, (?P<read>\d+) of them by reading)? · "
    r"(?P<minutes>\d+) minutes · "
    r"goal: (?P<goal>.+)\*\n\n"
)
FORMAT = (
    "write `### Exercise NN.N · Kind · Title`, an empty line, "
    "`*N points · N minutes · goal: …*`, an empty line and the task"
)


@dataclass
class Exercise:
    """One exercise; points by reading are part of its points."""

    notebook: str
    number: str
    kind: str
    title: str
    points: int
    read_points: int
    minutes: int
    goal: str
    cells: dict[str, list[Cell]] = field(default_factory=dict)

    @property
    def solution(self) -> Cell:
        """Return the solution cell."""
        return self.cells["solution"][0]

    def check_points(self) -> dict[str, int]:
        """Return the points of each graded cell: one for a hidden check, the rest for visible."""
        visible, hidden = self.cells["check"], self.cells.get("hidden-check", [])
        by_checks = self.points - self.read_points
        found = {cell["id"]: 1 for cell in hidden}
        left = by_checks - len(hidden)
        for place, cell in enumerate(visible):
            found[cell["id"]] = left // len(visible) + (place < left % len(visible))
        for cell in self.cells.get("report", []):
            found[cell["id"]] = self.read_points
        return found


def read_exercises(notebook: Notebook, name: str) -> list[Exercise]:
    """Return the exercises of a notebook, in order.

    Raises:
        PublishingError: A heading out of form, unbalanced or stray solution markers, a solution
            that is no single function, an exercise without a solution or a check, more graded cells
            than points, or numbers out of order.
    """
    found: list[Exercise] = []
    for cell in notebook["cells"]:
        if "exercise" in tags_of(cell) or source_of(cell).startswith("### Exercise"):
            found.append(read_heading(cell, name))
            continue
        check_markers(cell, name)
        for role in ROLES:
            if role in tags_of(cell):
                if not found:
                    problem = f"the tag {role!r} stands before the first exercise"
                    raise PublishingError(name, cell["id"], problem, "move it below its exercise")
                found[-1].cells.setdefault(role, []).append(cell)
    for place, exercise in enumerate(found, start=1):
        check_exercise(exercise, f"{name[:2]}.{place}")
    return found


def read_heading(cell: Cell, name: str) -> Exercise:
    """Return the exercise that a heading cell opens, still without its other cells."""
    match = HEADING.match(source_of(cell) + "\n\n")
    if match is None:
        raise PublishingError(
            name, cell["id"], "the heading of the exercise is out of form", FORMAT
        )
    if match["kind"] not in KINDS:
        problem = f"{match['kind']!r} is no kind of exercise"
        raise PublishingError(name, cell["id"], problem, f"choose from {', '.join(KINDS)}")
    return Exercise(
        notebook=name,
        number=match["number"],
        kind=match["kind"],
        title=match["title"],
        points=int(match["points"]),
        read_points=int(match["read"] or 0),
        minutes=int(match["minutes"]),
        goal=match["goal"],
        cells={"exercise": [cell]},
    )


def check_markers(cell: Cell, name: str) -> None:
    """Raise when solution or hidden-test markers are unbalanced, nested or in an untagged cell."""
    source = source_of(cell)
    for begin, end, tag in ((BEGIN, END, "solution"), (BEGIN_HIDDEN, END_HIDDEN, "hidden-check")):
        marks = [line.strip() for line in source.splitlines() if line.strip() in (begin, end)]
        tagged = tag in tags_of(cell)
        loose = re.findall(rf"(?:BEGIN|END) {begin.split(' ', 2)[2]}", source)
        if len(loose) != len(marks) or marks not in ([], [begin, end]):
            problem = (
                f"its markers are {marks or loose}, not one balanced pair on lines of their own"
            )
            raise PublishingError(name, cell["id"], problem, f"write one `{begin}` and one `{end}`")
        if bool(marks) != tagged and not (tag == "solution" and cell["cell_type"] == "markdown"):
            problem = f"it has {'markers' if marks else 'no markers'} but the tags {tags_of(cell)}"
            raise PublishingError(
                name, cell["id"], problem, f"tag it {tag!r} and mark what students must not see"
            )


def check_exercise(exercise: Exercise, expected: str) -> None:
    """Raise when an exercise lacks a cell, has an unsound solution, or is out of order."""
    name, heading = exercise.notebook, exercise.cells["exercise"][0]["id"]
    if exercise.number != expected:
        problem = f"exercise {exercise.number} stands where {expected} is expected"
        raise PublishingError(name, heading, problem, "number the exercises in order")
    if len(exercise.cells.get("solution", [])) != 1:
        problem = (
            f"exercise {expected} has {len(exercise.cells.get('solution', []))} solution cells"
        )
        raise PublishingError(name, heading, problem, "give it one cell tagged 'solution'")
    if not exercise.cells.get("check"):
        problem = f"exercise {expected} has no check"
        raise PublishingError(name, heading, problem, "add a cell with assertions, tagged 'check'")
    for cell in exercise.cells["check"]:
        if "assert " not in source_of(cell):
            problem = f"the check of exercise {expected} asserts nothing"
            raise PublishingError(name, cell["id"], problem, "assert what a right answer gives")
    if bool(exercise.read_points) != bool(exercise.cells.get("report")):
        problem = f"exercise {expected} has points by reading or a report, but not both"
        raise PublishingError(name, heading, problem, "name the points and tag the cell 'report'")
    if min(exercise.check_points().values()) < 1:
        problem = f"exercise {expected} has fewer points than graded cells"
        raise PublishingError(name, heading, problem, "raise its points")
    check_stub(exercise)


def check_stub(exercise: Exercise) -> None:
    """Raise when the student's stub is not the solution's function with another body."""
    cell = exercise.solution
    name, cell_id = exercise.notebook, cell["id"]
    try:
        solved = signature_of(source_of(cell))
        stub = signature_of(without_solution(source_of(cell)))
    except (SyntaxError, ValueError) as error:
        raise PublishingError(
            name,
            cell_id,
            f"the stub cannot be made ({error})",
            "mark the body of one function only",
        ) from error
    if solved != stub:
        raise PublishingError(
            name,
            cell_id,
            f"the stub is {stub!r} but the solution is {solved!r}",
            "mark the body of the function only",
        )


def signature_of(source: str) -> str:
    """Return the signature of the one function that a solution cell defines at its top level.

    Raises:
        ValueError: The cell holds anything else than imports and one function with a docstring.
        SyntaxError: The cell is not Python.
    """
    body = [
        node for node in ast.parse(source).body if not isinstance(node, ast.Import | ast.ImportFrom)
    ]
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        raise ValueError("a solution cell holds one function and nothing else")
    function = body[0]
    if ast.get_docstring(function) is None:
        raise ValueError(f"{function.name} has no docstring to tell the student what it returns")
    returns = ast.unparse(function.returns) if function.returns else "nothing stated"
    return f"{function.name}({ast.unparse(function.args)}) -> {returns}"


STUB = ("# YOUR CODE HERE", 'raise NotImplementedError("This exercise is yours to solve.")')


def without_solution(source: str) -> str:
    """Return the source with the marked lines replaced by the stub, as deep as the begin marker."""
    kept: list[str] = []
    inside = False
    for line in source.splitlines():
        if line.strip() == BEGIN:
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            kept += [indent + stub for stub in STUB]
        elif line.strip() == END:
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def with_answer(source: str, body: str) -> str:
    """Return the source with the marked lines replaced by another body (for tests and graders)."""
    stubbed = without_solution(source).splitlines()
    place = next(number for number, line in enumerate(stubbed) if line.strip() == STUB[0])
    indent = stubbed[place][: len(stubbed[place]) - len(stubbed[place].lstrip())]
    answer = [indent + line if line else line for line in body.rstrip().splitlines()]
    return "\n".join([*stubbed[:place], *answer, *stubbed[place + len(STUB) :]])
