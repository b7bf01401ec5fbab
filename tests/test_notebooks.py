"""Every notebook keeps the rhythm that its readers rely on."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import papermill
import pytest

import book

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path):
    return nbformat.read(path, as_version=4).cells


def test_the_walk_is_complete():
    numbers = [path.stem[:2] for path in NOTEBOOKS]
    assert numbers == ["00", "01", "02", "03", "04", "05", "06", "07"]


@by_name
def test_it_opens_with_title_question_minutes_needs_and_figures(path):
    first = cells(path)[0].source
    assert first.startswith(f"# {path.stem[:2]} · ")
    assert "**Question:**" in first
    assert "minutes on 2 cores" in first
    assert "figures/" in first


@by_name
def test_its_parameters_are_plain_typed_literals(path):
    tagged = [cell for cell in cells(path) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        assert re.match(r"^[A-Z_]+: (int|float|str|bool|list|dict) = ", line), line
    declared = papermill.inspect_notebook(str(path))
    assert all(about["inferred_type_name"] != "None" for about in declared.values())
    assert "PROFILE" in declared


@by_name
def test_every_figure_is_saved_and_then_read_to_the_reader(path):
    sources = [cell.source for cell in cells(path) if cell.cell_type == "code"]
    drawn = [source for source in sources if "run.save_figure(" in source]
    assert len(drawn) >= 2
    for source in drawn:
        assert "Read the figure:" in source
        assert re.search(rf'"{path.stem[:2]}_[a-z_]+"', source)


@by_name
def test_every_section_asks_for_a_prediction(path):
    text = "\n".join(cell.source for cell in cells(path) if cell.cell_type == "markdown")
    sections = re.findall(r"^## \d+\. ", text, flags=re.M)
    predictions = text.count("**Before you run:**")
    panels = 1 if path.stem.startswith("00") else 0  # the map of the notebooks
    assert predictions == len(sections) - panels


@by_name
def test_it_ends_with_exercises_and_what_we_learned(path):
    found = [cell.source for cell in cells(path)]
    start = next(n for n, source in enumerate(found) if source.startswith("## Exercises"))
    assert found[start + 1].startswith("### Exercise")  # tests/test_exercises.py reads them all
    assert found[-1].startswith("## What we learned")
    for source in found[:start]:
        assert "SOLUTION" not in source


@by_name
def test_code_cells_are_short_enough_to_read(path):
    for cell in cells(path):
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 42, cell.source


@pytest.mark.published
@by_name
def test_its_outputs_are_those_of_the_last_publication(path):
    assert book.state_of(path) in ("published", "bare")


@pytest.mark.published
def test_all_notebooks_are_published_or_none_is():
    states = {path.stem: book.state_of(path) for path in NOTEBOOKS}
    assert len(set(states.values())) == 1, states


@by_name
def test_it_names_no_path_of_a_machine_and_is_no_larger_than_a_page_shows(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) <= 1_500_000
    without_pictures = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.search(r"/(home|root|work|Users|tmp)/", without_pictures)


@by_name
def test_its_cells_can_be_told_apart(path):
    ids = [cell["id"] for cell in cells(path)]
    assert len(set(ids)) == len(ids)
