"""A run's numbers beside the published ones: a reproduction is a result, not a diff."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from semcal_utils import regenerate, runs
from semcal_utils.runs.report_page import readings_of, write_page
from semcal_utils.runs.reproduction import (
    Estimate,
    as_text,
    compare,
    published_results,
    results_of,
    same_within_noise,
    verdict,
)

PROJECT = Path(__file__).parents[1]


def row(recipe="paper", world="mild", reduction=0.9, low=0.86, high=0.94, kl=0.01):
    return {
        "recipe": recipe,
        "world": world,
        "reduction": reduction,
        "low": low,
        "high": high,
        "kl": kl,
        "kl low": 0.0,
        "kl high": kl * 2,
    }


def results(*rows):
    return {"home": {"worlds": {}, "rows": list(rows)}}


def test_intervals_that_overlap_may_still_differ():
    assert not same_within_noise(Estimate(0.9, 0.87, 0.93), Estimate(0.95, 0.92, 0.98), 0.05)
    assert same_within_noise(Estimate(0.9, 0.86, 0.94), Estimate(0.95, 0.91, 0.99), 0.05)


def test_the_half_that_faces_the_other_number_counts_and_a_cut_half_does_not():
    tight_below = Estimate(0.95, 0.949, 1.0)
    assert not same_within_noise(Estimate(0.90, 0.80, 0.901), tight_below, 0.05)
    assert same_within_noise(Estimate(0.90, 0.80, 0.96), tight_below, 0.05)
    # Cut at 1: the half above is nothing, although the number is not exact.
    assert same_within_noise(Estimate(0.999, 0.98, 1.0), Estimate(1.0, 0.995, 1.0), 0.05)
    assert same_within_noise(Estimate(0.001, 0.0, 0.003), Estimate(0.003, 0.0, 0.004), 0.05)


def test_equal_numbers_agree_and_a_number_that_became_undefined_does_not():
    exact = Estimate(1.0, 1.0, 1.0)
    assert same_within_noise(exact, exact, 0.05)
    assert not same_within_noise(exact, Estimate(0.9, 0.9, 0.9), 0.05)
    assert not same_within_noise(exact, Estimate(None, 0, 0), 0.05)
    assert same_within_noise(Estimate(None, 0, 0), Estimate(None, 0, 0), 0.05)


def test_two_samples_of_the_same_are_told_to_differ_as_seldom_as_promised():
    rng = np.random.default_rng(0)
    told = 0
    for _ in range(2000):
        one, other = (
            Estimate(value, value - 0.0196, value + 0.0196) for value in rng.normal(0.5, 0.01, 2)
        )
        told += not same_within_noise(one, other, 0.05)
    assert told / 2000 == pytest.approx(0.05, abs=0.015)


def test_every_reported_number_is_compared_and_a_changed_one_is_named():
    published = results(row(), row("label_matched"), row("item_calibrated"), row(world="severe"))
    assert all(one.agrees for one in compare(published, published))
    assert len(compare(published, published)) == 3  # `item_calibrated` is none
    yours = copy.deepcopy(published)
    yours["home"]["rows"][1].update(reduction=0.5, low=0.46, high=0.54)
    rows = compare(yours, published)
    assert [one.recipe for one in rows if not one.agrees] == ["label_matched"]
    assert "1 of 3 headline numbers differ" in verdict(rows)
    assert "home, mild, label_matched" in verdict(rows)
    line = next(line for line in as_text(rows).splitlines() if line.endswith("differs"))
    assert "0.5000 (0.4600 to 0.5400)" in line
    assert "0.9000 (0.8600 to 0.9400)" in line


def test_where_nothing_was_to_reduce_what_is_left_is_compared():
    bare = row(world="baseline", reduction=None, low=None, high=None)
    (one,) = compare(results(bare), results(bare))
    assert one.what == "KL left, nats"
    assert one.agrees


def test_a_dataset_that_was_not_published_is_not_compared():
    assert compare({"other": results(row())["home"]}, results(row())) == []
    assert "nothing is compared" in verdict([])


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCAL_ROOT", str(tmp_path))
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    (tmp_path / "notebooks" / "profiles" / "workbook.yaml").write_text("datasets: {home: {}}")
    figures = tmp_path / "figures" / "home"
    figures.mkdir(parents=True)
    (figures / "02_worlds.json").write_text('{"profile": "workbook", "mild": {"kl": 0.1}}')
    (figures / "05_recipes.json").write_text(json.dumps({"rows": [row()]}))
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Tiny"}
    source = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for name in ("00_start", "01_only", "07_end"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(json.dumps(source))
    return tmp_path


def publish(project, results):
    (project / "figures" / "published").mkdir()
    (project / "figures" / "published" / "results.json").write_text(json.dumps(results))


def test_the_check_exits_with_1_where_numbers_differ_or_are_missing(project, capsys):
    assert regenerate.main(["--check-published"]) == 1
    assert "no published numbers" in capsys.readouterr().out
    publish(project, results_of(project / "figures", ["home"]))
    assert regenerate.main(["--check-published"]) == 0
    assert "All 1 headline numbers agree" in capsys.readouterr().out
    path = project / "figures" / "home" / "05_recipes.json"
    path.write_text(json.dumps({"rows": [row(reduction=0.2, low=0.1, high=0.3)]}))
    assert regenerate.main(["--check-published"]) == 1
    assert "home, mild, paper" in capsys.readouterr().out


def test_a_page_shows_each_figure_with_its_sentence_its_numbers_and_the_comparison(project):
    run = runs.open_run("workbook", "home", root=project)
    (run.figures / "02_worlds.png").write_bytes(b"picture")
    (run.figures / "02_worlds.json").write_text('{"share": "<b>"}')
    notebook = run.folder / "notebooks" / "02_worlds.ipynb"
    notebook.parent.mkdir(parents=True)
    said = {"data": {"text/markdown": "**Read the figure:** `fire` is <i>rare</i>."}}
    cell = {"cell_type": "code", "source": 'run.save_figure(fig, "02_worlds")', "outputs": [said]}
    notebook.write_text(json.dumps({"cells": [cell]}))
    published = results(row())
    page = write_page(
        run.folder.parent,
        {"home": run.figures, "all": project / "nothing"},
        [notebook, project / "missing" / "notebooks" / "03.ipynb"],
        compare(published, published),
    )
    text = page.read_text(encoding="utf-8")
    assert page.name == "index.html"
    assert "<code>fire</code> is &lt;i&gt;rare&lt;/i&gt;." in text
    assert "&quot;share&quot;: &quot;&lt;b&gt;&quot;" in text
    source = text.split('src="')[1].split('"')[0]
    assert (page.parent / source).resolve() == run.figures / "02_worlds.png"
    assert "agrees" in text
    assert readings_of([notebook]) == {("home", "02_worlds"): "`fire` is <i>rare</i>."}


def test_what_is_published_is_whole_and_small():
    folder = PROJECT / "figures" / "published"
    found = published_results(PROJECT)
    assert {"city_pictures", "city_sounds", "library_docs"} <= set(found)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 3_000_000
    assert all(one.agrees for one in compare(found, found))


def test_every_image_of_readme_and_book_is_committed():
    import re

    for page in ("README.md", "book/index.md", "book/instructors.md", "data/README.md"):
        text = (PROJECT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((figures/[^)]+)\)", text):
            assert target.startswith("figures/published/") or target == "figures/README.md", page
            assert (PROJECT / target).is_file(), target
