"""Print how many hostile inputs were tried."""

from __future__ import annotations

import resource

from tries import COUNTS, SLOWEST


def pytest_terminal_summary(terminalreporter):
    if not COUNTS:
        return
    terminalreporter.section("hostile inputs")
    for kind, count in sorted(COUNTS.items()):
        terminalreporter.write_line(f"{count:8,d}  {kind} (slowest {SLOWEST[kind]:.2f} s)")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    terminalreporter.write_line(f"{sum(COUNTS.values()):8,d}  in all, peak memory {memory:.2f} GB")
