"""Mutation testing: `python tests/mutation/mutants.py` changes one thing at a time in the rooms of
the statistics and counts the changes that their tests notice.

A mutant is a copy of the package with one operator, comparison, constant or condition changed. It
is killed when the room's tests fail (or do not end); a survivor is printed with its line, for it is
a fact that no test states. The sample is seeded, so that two runs look at the same mutants.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parents[2]
TESTS = {
    "divergence": ["test_divergence.py", "test_intervals.py"],
    "acceptance": [
        "test_acceptance.py",
        "test_acceptance_by_hand.py",
        "test_bounds.py",
        "test_calibration.py",
        "test_hindsight.py",
        "test_light_classifier.py",
        "test_oracles.py",
        "test_label_matched.py",
    ],
    "worlds": ["test_worlds.py"],
}
SECONDS = 300
"""Longer than any room's tests take; a mutant that does not end by then is killed."""
BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


def main() -> int:
    """Try a sample of mutants of each room and print how many are killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", nargs="+", choices=list(TESTS), default=list(TESTS))
    parser.add_argument("--sample", type=int, default=40, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="mutants tried at once")
    options = parser.parse_args()
    found = {}
    for room in options.rooms:
        rng = np.random.default_rng(options.seed)
        everything = list(mutants_of(room))
        chosen = sorted(rng.permutation(len(everything))[: options.sample])

        def lives(place: int, room: str = room, everything: list = everything) -> bool:
            path, line, what, source = everything[place]
            alive = survives(room, path, source)
            if alive:
                print(f"survived  {path.relative_to(PROJECT)}:{line}: {what}", flush=True)
            return alive

        with ThreadPoolExecutor(options.jobs) as pool:
            killed = len(chosen) - sum(pool.map(lives, chosen))
        found[room] = {"mutants": len(everything), "tried": len(chosen), "killed": killed}
        print(f"{room}: {killed} of {len(chosen)} killed ({len(everything)} possible)", flush=True)
    print(json.dumps(found))
    return 0


def mutants_of(room: str) -> Iterator[tuple[Path, int, str, str]]:
    """Yield every mutant of a room: its file, the line, what changed, and the file's new source."""
    for path in sorted((PROJECT / "semcal_utils" / room).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        left_out = {id(node) for node in decorations(tree)}
        places = [
            place
            for place, node in enumerate(ast.walk(tree))
            if changes_of(node) and id(node) not in left_out
        ]
        for place in places:
            for number in range(len(changes_of(node_at(tree, place)))):
                mutant = copy.deepcopy(tree)
                node = node_at(mutant, place)
                before = ast.unparse(node)
                changes_of(node)[number]()
                yield path, node.lineno, f"{before}  ->  {ast.unparse(node)}", ast.unparse(mutant)


def decorations(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what decorators of classes are made of: that one is frozen is no statistic."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                yield from ast.walk(decorator)


def node_at(tree: ast.AST, place: int) -> ast.AST:
    """Return the node at a place of the tree's walk."""
    return next(node for number, node in enumerate(ast.walk(tree)) if number == place)


def changes_of(node: ast.AST) -> list:
    """Return functions that each change the node in one way."""
    found = []
    if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        found.append(lambda: setattr(node, "op", BINARY[type(node.op)]()))
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        found.append(lambda: node.ops.__setitem__(0, COMPARED[type(node.ops[0])]()))
    if isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        found.append(lambda: setattr(node, "op", other()))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        found.append(lambda: setattr(node, "op", ast.UAdd()))
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        found.append(lambda: setattr(node, "value", node.value + 1))
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        found.append(lambda: setattr(node, "value", not node.value))
    return found


def survives(room: str, path: Path, source: str) -> bool:
    """Tell whether a room's tests pass on a copy of the package with one file changed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("semcal_utils", "tests", "notebooks"):
            shutil.copytree(PROJECT / name, root / name, ignore=ignored)
        shutil.copy(PROJECT / "pyproject.toml", root)
        (root / path.relative_to(PROJECT)).write_text(source, encoding="utf-8")
        tests = [str(root / "tests" / name) for name in TESTS[room]]
        present = [test for test in tests if Path(test).exists()]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *present]
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        try:
            ran = subprocess.run(
                command,
                cwd=root,
                env=environment,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            print(f"timed out  {path.name}", flush=True)
            return False
        return ran.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
