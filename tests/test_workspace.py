"""Artefacts are whole or absent, and reused only while they are true."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from semcal_utils import runs
from semcal_utils.runs import DamagedArtefact, MissingArtefact, open_run


@pytest.fixture
def run(tmp_path):
    return open_run("trial", "city_pictures", root=tmp_path)


def captions(ids=("a", "b")):
    return pd.DataFrame({"item_id": list(ids), "caption": ["one", "two"][: len(ids)]})


def test_a_table_is_made_once_and_reused_while_its_parameters_match(run):
    made = []

    def make():
        made.append(1)
        return captions()

    first = run.table("captions.parquet", make, seed=0)
    second = run.table("captions.parquet", make, seed=0)
    assert len(made) == 1
    pd.testing.assert_frame_equal(first, second)
    run.table("captions.parquet", make, seed=1)
    assert len(made) == 2


@pytest.mark.parametrize("clock", [1, 2_000_000_000])
def test_a_forced_run_makes_older_tables_again_but_its_own_only_once(run, monkeypatch, clock):
    made = []

    def make():
        made.append(1)
        return captions()

    run.table("captions.parquet", make)
    monkeypatch.setenv(runs.FORCE_VARIABLE, runs.new_force_token())
    for _ in range(2):  # whatever the clock says
        os.utime(run.path("captions.parquet"), (clock, clock))
        run.table("captions.parquet", make)
    assert len(made) == 2


def test_another_library_version_makes_a_table_untrue(run, monkeypatch):
    run.table("captions.parquet", captions)
    monkeypatch.setattr(runs.stamps, "library_versions", lambda: {"torch": "0.0"})
    again = run.table("captions.parquet", lambda: captions(["c", "d"]))
    assert again["item_id"].tolist() == ["c", "d"]


def test_a_missing_table_names_the_notebook_that_makes_it(run):
    with pytest.raises(MissingArtefact, match="01_captioning"):
        run.load_table("captions.parquet")
    with pytest.raises(MissingArtefact, match="03_acceptance_probabilities"):
        run.load_table("acceptance.parquet")
    with pytest.raises(MissingArtefact, match="02_fine_tuning"):
        run.load_folder("models/general")


def test_a_damaged_table_is_named_and_not_used(run):
    run.path("captions.parquet").write_bytes(b"half a table")
    with pytest.raises(DamagedArtefact, match=r"captions\.parquet"):
        run.load_table("captions.parquet")


def test_a_repeated_item_id_is_refused_before_anything_is_written(run):
    with pytest.raises(DamagedArtefact, match="'a' twice"):
        run.table("captions.parquet", lambda: captions(["a", "a"]))
    assert not run.path("captions.parquet").exists()


def test_membership_may_name_an_item_once_per_world(run):
    table = pd.DataFrame({"item_id": ["a", "a"], "world": ["mild", "severe"]})
    assert len(run.table("splits.parquet", lambda: table)) == 2


def test_an_interrupted_table_leaves_nothing(run):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.table("captions.parquet", interrupted)
    assert [path.name for path in run.folder.iterdir()] == [".locks"]


def test_an_interrupted_folder_is_found_again_and_renamed_when_it_is_done(run):
    def interrupted(place):
        (place / "checkpoint").write_text("half way")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.make_folder("models/general", interrupted, epochs=2)
    assert not run.path("models/general").exists()

    def resumed(place):
        assert (place / "checkpoint").read_text() == "half way"
        (place / "weights").write_text("done")

    folder, made = run.make_folder("models/general", resumed, epochs=2)
    assert made
    assert (folder / "weights").read_text() == "done"
    assert run.make_folder("models/general", interrupted, epochs=2) == (folder, False)


def test_other_parameters_do_not_resume_a_stale_partial_folder(run):
    def interrupted(place):
        (place / "checkpoint").write_text("two epochs")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.make_folder("models/general", interrupted, epochs=2)
    folder, _ = run.make_folder("models/general", lambda place: None, epochs=3)
    assert not (folder / "checkpoint").exists()
    assert [path.name for path in run.path("models").iterdir()] == ["general"]


def test_a_failed_write_keeps_the_file_that_was_there(tmp_path):
    path = tmp_path / "numbers.json"
    runs.write_json(path, {"kept": 1})

    def fail(partial):
        partial.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        runs.write_atomically(path, fail)
    assert '"kept": 1' in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["numbers.json"]


def test_json_numbers_are_plain_rounded_and_never_nan():
    value = {"a": np.float64(1 / 3), "b": np.nan, "c": np.array(2.0), "d": [np.int64(4)], 5: True}
    assert runs.plain(value) == {"a": 0.333333, "b": None, "c": 2.0, "d": [4], "5": True}


def test_sections_of_the_metrics_do_not_overwrite_each_other(run):
    run.save_metrics("divergence", {"severe": 0.9})
    run.save_metrics("detection", {"auc": 0.8})
    assert run.load_metrics() == {"divergence": {"severe": 0.9}, "detection": {"auc": 0.8}}


def test_a_fingerprint_follows_the_content(run):
    run.table("captions.parquet", captions)
    before = run.fingerprint("captions.parquet")
    assert run.fingerprint("captions.parquet") == before
    run.table("captions.parquet", lambda: captions(["c", "d"]), seed=1)
    assert run.fingerprint("captions.parquet") != before


def test_only_the_published_profile_writes_into_the_figures_folder(tmp_path):
    published = open_run("workbook", "city_pictures", root=tmp_path)
    assert published.figures == tmp_path / "figures" / "city_pictures"
    assert open_run("trial", "city_pictures", root=tmp_path).figures.is_relative_to(
        tmp_path / "data"
    )


def test_a_dataset_never_takes_the_place_of_what_is_published(tmp_path):
    with pytest.raises(ValueError, match="Choose another name"):
        open_run("workbook", "published", root=tmp_path)


@pytest.mark.parametrize("name", ["../outside", "", ".hidden", "a/b"])
def test_a_run_never_leaves_its_folder(tmp_path, name):
    with pytest.raises(ValueError, match="plain folder name"):
        open_run("trial", name, root=tmp_path)


def test_a_figure_is_saved_with_its_numbers_and_is_the_same_twice(run):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    ax.plot([0, 1])
    path = run.save_figure(figure, "05_line", numbers={"slope": 1.0})
    first = path.read_bytes()
    run.save_figure(figure, "05_line", numbers={"slope": 1.0})
    assert path.read_bytes() == first
    assert '"slope": 1.0' in path.with_suffix(".json").read_text()
