"""What the last run cost is told to readers as it was measured."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from book import PublishingError
from book.run_times import (
    ROW,
    minutes,
    seconds_by_notebook,
    sentence,
    statement,
    with_run_times,
)
from book.sources import read_notebook, source_of

PROJECT = Path(__file__).parents[1]
PUBLISHED = PROJECT / "figures" / "published"


def test_minutes_are_rounded_up():
    assert [minutes(s) for s in (0.2, 59.9, 60, 61, 268.4)] == ["<1", "<1", "1", "2", "5"]


def test_a_statement_lists_datasets_in_order():
    assert statement({"library_docs": 230.3, "city_sounds": 40.8, "city_pictures": 49.1}) == (
        "<1 / <1 / 4"
    )
    assert statement({"all": 4.3}) == "<1"
    assert sentence({"all": 4.3}) == "The last whole run took 4 s."
    assert "12 s for `city_pictures`, 18 s for `library_docs`" in sentence(
        {"library_docs": 18.0, "city_pictures": 12.1}
    )


@pytest.fixture
def published(tmp_path):
    shutil.copy(PUBLISHED / "run_times.json", tmp_path)
    return tmp_path


def test_only_the_minutes_of_a_readme_change():
    text = (PROJECT / "README.md").read_text()
    made = with_run_times(text, PUBLISHED)
    assert with_run_times(made, PUBLISHED) == made
    before, after = text.splitlines(), made.splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    for old, new in changed:
        assert old.split("|")[:3] == new.split("|")[:3]
        assert old.split("|")[4:] == new.split("|")[4:]
    for name, times in seconds_by_notebook(PUBLISHED).items():
        row = next(line for line in after if line.startswith(f"| [`{name}`]"))
        assert f"| {statement(times)} |" in row


def test_a_notebook_without_a_row_and_a_run_without_times_are_refused(published):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    cost = published / "run_times.json"
    known = json.loads(cost.read_text())
    known["seconds_by_notebook"]["08_more"] = {"all": 1.0}
    cost.write_text(json.dumps(known))
    with pytest.raises(PublishingError, match="08_more: README's table of notebooks has no row"):
        with_run_times(text, published)
    cost.unlink()
    with pytest.raises(PublishingError, match="no whole run has left its times; run `make publish"):
        with_run_times(text, published)


NOTEBOOKS = sorted((PROJECT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
MEASURED = seconds_by_notebook(PUBLISHED)


def numbers_in(text):
    """Minutes as a text states them: `under 1` and `<1` count as one."""
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


@pytest.mark.published
@pytest.mark.parametrize("name", MEASURED)
def test_minutes_in_the_readme_are_those_of_the_last_run(name):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    stated = next(row["minutes"] for row in ROW.finditer(text) if row["name"] == name)
    for told, real in zip(numbers_in(stated), numbers_in(statement(MEASURED[name])), strict=True):
        assert abs(told - real) <= max(1, real / 3), "run `make publish`"


@pytest.mark.published
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_minutes_in_a_notebooks_header_are_of_the_right_size(path):
    if path.stem not in MEASURED:
        pytest.skip("not in the last whole run")
    header = source_of(read_notebook(path)["cells"][0])
    row = re.search(r"^\|---.*\n\| ([^|]*) \|", header, flags=re.M)
    slowest = max(MEASURED[path.stem].values()) / 60
    told = max(numbers_in(row[1]))
    assert slowest <= 3 * told, f"it says {told:g} minutes, but took {slowest:.1f}"
    assert told <= max(3 * slowest, 1)
