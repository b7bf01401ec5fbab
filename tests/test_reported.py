"""README tells the published results as they were measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from book import PublishingError, speeds
from book.marked_tables import place_of
from book.reported import filled, rows_of, with_results

PROJECT = Path(__file__).parents[1]
PUBLISHED = PROJECT / "figures" / "published"


@pytest.fixture
def published(tmp_path):
    for path in PUBLISHED.glob("*.json"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_a_row_states_both_recipes_with_intervals_and_the_oracles_pass_rate():
    row = {"world": "mild", "reduction": 0.9, "low": 0.8, "high": 1.0, "pass rate": 0.5}
    honest = {"world": "baseline", "reduction": None, "pass rate": 1.0, "of oracle's": 1.0}
    rows = [
        {**honest, "recipe": "paper"},
        {**honest, "recipe": "label_matched"},
        {**row, "recipe": "paper", "of oracle's": 1.0},
        {**row, "recipe": "label_matched", "of oracle's": 0.8, "pass rate": 0.48},
    ]
    assert rows_of("library_docs", {"rows": rows, "worlds": {"mild": {"kl": 0.1}}}) == [
        "| `library_docs` | mild | 0.10 | 90.0% (80.0%–100.0%) | 50% "
        "| 90.0% (80.0%–100.0%) | 48% | 60% |\n"
    ]


def test_a_filled_readme_is_not_changed_again(published):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    made = filled(text, published)
    assert filled(made, published) == made


@pytest.mark.published
def test_the_readmes_results_are_those_of_the_published_figures():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    told = place_of("results").search(text)[0]
    made = place_of("results").search(with_results(text, PUBLISHED))[0]
    assert told == made, "run `make publish`"


@pytest.mark.published
def test_the_readmes_speeds_are_those_of_the_last_benchmark():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    told = place_of("speeds").search(text)[0]
    assert told == place_of("speeds").search(speeds.with_speeds(text, PUBLISHED))[0], (
        "run `make publish`"
    )
    figures = json.loads((PUBLISHED / "benchmarks.json").read_text())
    ratio = figures["language_models"]["gpt2_small"]["fine_tuning"]["times_the_reference"]
    row = next(line for line in told.splitlines() if line.startswith("| fine-tuning, GPT-2 small"))
    assert row.endswith(f"| {ratio:.0f}× |")
    assert len(told.splitlines()) == 10


def test_speeds_are_told_in_two_digits():
    assert speeds.rate({"tokens_per_second": 55873.9}, "tokens_per_second") == "56,000 tokens/s"
    assert speeds.rate({"tokens_per_second": 8.4}, "tokens_per_second") == "8.4 tokens/s"
    assert speeds.times(4.849) == "4.8×"
    assert speeds.times(2673.6) == "2,674×"


def test_speeds_that_were_not_measured_are_refused(published):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    with pytest.raises(PublishingError, match="no place for the speeds"):
        speeds.with_speeds("# nothing", published)
    (published / "benchmarks.json").write_text('{"language_models": {}}')
    with pytest.raises(PublishingError, match="make bench"):
        speeds.with_speeds(text, published)


def test_missing_numbers_and_a_readme_without_a_place_are_refused(published):
    with pytest.raises(PublishingError, match="has no place for the results"):
        with_results("# A readme\n", published)
    (published / "results.json").unlink()
    with pytest.raises(PublishingError, match=r"results.json: it is missing"):
        filled((PROJECT / "README.md").read_text(encoding="utf-8"), published)
