"""What several test files share."""

from __future__ import annotations

import resource
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture
def ax():
    """One frame in the workbook's style, to be drawn in."""
    import matplotlib.pyplot as plt

    from semcal_utils import show

    show.use_style()
    figure, ax = show.new_figure()
    yield ax
    plt.close(figure)


@pytest.fixture(scope="session")
def browser():
    """One headless browser for all tests: a process can drive no two at once."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = found or (own if Path(own).exists() else None)
        if found is None:
            pytest.skip(
                f"no browser is installed: there is no {', '.join(BROWSERS)}, and "
                "`playwright install chromium` was not run"
            )
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


# How many hostile inputs were tried, by this process or by the workers that it shared them out to.
HOSTILE: list[dict] = []


def pytest_sessionfinish(session):
    tries = sys.modules.get("tries")
    if tries is None:
        return
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found = {"counts": dict(tries.COUNTS), "slowest": dict(tries.SLOWEST), "memory": memory}
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["hostile"] = found
    else:
        HOSTILE.append(found)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    HOSTILE.extend(filter(None, [getattr(node, "workeroutput", {}).get("hostile")]))


def pytest_terminal_summary(terminalreporter):
    counts = sum((Counter(found["counts"]) for found in HOSTILE), Counter())
    if not counts:
        return
    terminalreporter.section("hostile inputs")
    for kind, count in sorted(counts.items()):
        slowest = max(found["slowest"].get(kind, 0) for found in HOSTILE)
        terminalreporter.write_line(f"{count:8,d}  {kind} (slowest {slowest:.2f} s)")
    memory = max(found["memory"] for found in HOSTILE)
    terminalreporter.write_line(f"{sum(counts.values()):8,d}  in all, peak memory {memory:.2f} GB")
