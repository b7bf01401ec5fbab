"""README tells the results of the last run as its figures hold them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from semcal_utils.publishing import PublishingError
from semcal_utils.publishing.reported import PLACE, fill_readme, rows_of, with_results
from semcal_utils.publishing.run_times import DATASETS

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    shutil.copy(PROJECT / "README.md", tmp_path)
    for dataset in (*DATASETS, "all"):
        shutil.copytree(
            PROJECT / "figures" / dataset,
            tmp_path / "figures" / dataset,
            ignore=shutil.ignore_patterns("*.png", "*.gif"),
        )
    return tmp_path


def test_a_row_states_both_recipes_with_intervals_and_the_oracles_pass_rate(project):
    path = project / "figures" / "library_docs" / "05_recipes.json"
    row = {"severity": "mild", "reduction": 0.9, "low": 0.8, "high": 1.0, "pass rate": 0.5}
    honest = {"severity": "baseline", "reduction": None, "pass rate": 1.0, "of oracle's": 1.0}
    rows = [
        {**honest, "recipe": "paper"},
        {**honest, "recipe": "stream"},
        {**row, "recipe": "paper", "of oracle's": 1.0},
        {**row, "recipe": "stream", "of oracle's": 0.8, "pass rate": 0.48},
    ]
    path.write_text(json.dumps({"rows": rows}))
    kl = json.loads((path.parent / "02_severities.json").read_text())["mild"]["kl"]
    assert rows_of("library_docs", project) == [
        f"| `library_docs` | mild | {kl:.2f} | 90.0% (80.0%–100.0%) | 50% "
        "| 90.0% (80.0%–100.0%) | 48% | 60% |\n"
    ]


def test_the_readme_is_filled_once(project):
    fill_readme(project)
    assert not fill_readme(project)


def test_the_readmes_results_are_those_of_the_published_figures():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    told = PLACE.search(text)[0]
    made = PLACE.search(with_results(text, PROJECT))[0]
    assert told == made, "run `make publish`"


def test_missing_numbers_and_a_readme_without_a_place_are_refused(project):
    with pytest.raises(PublishingError, match="has no place for the results"):
        with_results("# A readme\n", project)
    (project / "figures" / "city_sounds" / "05_recipes.json").unlink()
    with pytest.raises(PublishingError, match=r"city_sounds/05_recipes.json: it is missing"):
        fill_readme(project)
