"""README tells the results of the last run as its figures hold them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from book import PublishingError, speeds
from book.marked_tables import place_of
from book.reported import fill_readme, rows_of, with_results
from book.run_times import DATASETS

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    shutil.copy(PROJECT / "README.md", tmp_path)
    (tmp_path / "figures").mkdir()
    shutil.copy(PROJECT / "figures" / "benchmarks.json", tmp_path / "figures")
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
    told = place_of("results").search(text)[0]
    made = place_of("results").search(with_results(text, PROJECT))[0]
    assert told == made, "run `make publish`"


def test_the_readmes_speeds_are_those_of_the_last_benchmark():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    told = place_of("speeds").search(text)[0]
    assert told == place_of("speeds").search(speeds.with_speeds(text, PROJECT))[0], (
        "run `make publish`"
    )
    figures = json.loads((PROJECT / "figures" / "benchmarks.json").read_text())
    ratio = figures["language_models"]["gpt2_small"]["fine_tuning"]["times_the_reference"]
    row = next(line for line in told.splitlines() if line.startswith("| fine-tuning, GPT-2 small"))
    assert row.endswith(f"| {ratio:.0f}× |")
    assert len(told.splitlines()) == 10


def test_speeds_are_told_in_two_digits():
    assert speeds.rate({"tokens_per_second": 55873.9}, "tokens_per_second") == "56,000 tokens/s"
    assert speeds.rate({"tokens_per_second": 8.4}, "tokens_per_second") == "8.4 tokens/s"
    assert speeds.times(4.849) == "4.8×"
    assert speeds.times(2673.6) == "2,674×"


def test_speeds_that_were_not_measured_are_refused(project):
    text = (project / "README.md").read_text(encoding="utf-8")
    with pytest.raises(PublishingError, match="no place for the speeds"):
        speeds.with_speeds("# nothing", project)
    (project / "figures" / "benchmarks.json").write_text('{"language_models": {}}')
    with pytest.raises(PublishingError, match="make bench"):
        speeds.with_speeds(text, project)


def test_missing_numbers_and_a_readme_without_a_place_are_refused(project):
    with pytest.raises(PublishingError, match="has no place for the results"):
        with_results("# A readme\n", project)
    (project / "figures" / "city_sounds" / "05_recipes.json").unlink()
    with pytest.raises(PublishingError, match=r"city_sounds/05_recipes.json: it is missing"):
        fill_readme(project)
