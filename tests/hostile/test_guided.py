"""Coverage-guided fuzzing of the readers, for a bounded time and in a process of its own."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tries import COUNTS

SECONDS = 12


@pytest.mark.long
@pytest.mark.parametrize("reader", ["picture", "sound", "table", "profile"])
def test_guided_fuzzing_finds_no_file_that_breaks_a_reader(reader):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: it has builds for Linux on x86_64 only")
    ran = subprocess.run(
        [sys.executable, "guided.py", reader, "--seconds", str(SECONDS)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    COUNTS[f"guided by coverage, {reader}s"] += int(
        re.search(r"number_of_executed_units: (\d+)", ran.stderr)[1]
    )
