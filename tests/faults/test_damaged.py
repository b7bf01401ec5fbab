"""A damaged artefact is found, named and never used; on request it is made again."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fault_projects import assert_same_outcome
from safetensors.numpy import save_file

from semcal_utils import runs
from semcal_utils.runs import DamagedArtefact, open_run


@pytest.fixture
def run(tmp_path):
    return open_run("trial", "city_pictures", root=tmp_path)


def captions():
    names = [f"item-{i}" for i in range(40)]
    return pd.DataFrame({"item_id": names, "caption": [f"a boat {name}" for name in names]})


def make_model(place):
    save_file({"weight": np.arange(50, dtype=np.float32)}, place / "model.safetensors")
    (place / "config.json").write_text('{"width": 50}')


def flip(path, position, bit):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("share", [0.1, pytest.param(1.0, marks=pytest.mark.long)])
def test_every_byte_of_a_table_is_covered_by_its_seal(run, share):
    run.table("captions.parquet", captions)
    path = run.path("captions.parquet")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.choice(len(whole), int(share * len(whole)), replace=False):
        flip(path, position, int(rng.integers(8)))
        with pytest.raises(DamagedArtefact, match=r"captions\.parquet"):
            run.load_table("captions.parquet")
        path.write_bytes(whole)
    assert len(run.load_table("captions.parquet")) == 40


def test_every_byte_of_a_model_and_of_its_record_is_covered_by_its_seal(run):
    folder, _ = run.make_folder("models/general", make_model)
    rng = np.random.default_rng(0)
    tried = 0
    for file in sorted(folder.iterdir()):
        whole = file.read_bytes()
        for position in range(len(whole)):
            flip(file, position, int(rng.integers(8)))
            with pytest.raises(DamagedArtefact, match="general"):
                run.load_folder("models/general")
            file.write_bytes(whole)
            tried += 1
    assert tried > 700
    assert run.load_folder("models/general") == folder


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 100, -1])
def test_a_table_that_is_cut_off_is_named(run, cut):
    run.table("captions.parquet", captions)
    path = run.path("captions.parquet")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DamagedArtefact, match=r"captions\.parquet.*--repair"):
        run.table("captions.parquet", captions)


def test_a_lost_file_of_a_model_is_named_and_a_cache_beside_it_is_no_damage(run):
    folder, _ = run.make_folder("models/general", make_model)
    before = run.fingerprint("models/general")
    (folder / "cache-1.arrow").write_bytes(b"made later")
    assert run.fingerprint("models/general") == before
    (folder / "config.json").unlink()
    with pytest.raises(DamagedArtefact, match=r"config\.json is missing"):
        run.fingerprint("models/general")


def test_damaged_numbers_are_named_and_not_built_upon(run):
    run.save_metrics("divergence", {"severe": 0.25})
    path = run.path("metrics.json")
    path.write_text(path.read_text().replace("0.25", "0.75"))
    with pytest.raises(DamagedArtefact, match=r"metrics\.json"):
        run.load_metrics()
    with pytest.raises(DamagedArtefact, match=r"metrics\.json"):
        run.save_metrics("detection", {})


def test_what_carries_no_seal_is_not_used_but_made_again(run):
    table = pa.Table.from_pandas(captions(), preserve_index=False)
    stamp = json.dumps(runs.stamps.stamp_of({}, dict)).encode()
    as_before = table.replace_schema_metadata({b"provenance": stamp})
    pq.write_table(as_before, run.path("captions.parquet"))
    with pytest.raises(DamagedArtefact, match="no seal"):
        run.load_table("captions.parquet")
    assert len(run.table("captions.parquet", captions)) == 40
    run.path("models/general").mkdir(parents=True)
    with pytest.raises(DamagedArtefact, match="no seal"):
        run.load_folder("models/general")
    assert run.make_folder("models/general", make_model)[1]


def test_a_forced_run_makes_a_damaged_table_again(run, monkeypatch):
    run.table("captions.parquet", captions)
    flip(run.path("captions.parquet"), 30, 0)
    monkeypatch.setenv(runs.FORCE_VARIABLE, runs.new_force_token())
    assert len(run.table("captions.parquet", captions)) == 40


def test_an_audit_names_what_is_damaged_and_nothing_else(run):
    run.table("captions.parquet", captions)
    run.table("filtered/mild.parquet", captions)
    run.make_folder("models/general", make_model)
    run.save_metrics("divergence", {})
    names = ["captions.parquet", "filtered/mild.parquet", "metrics.json", "models/general"]
    assert runs.artefacts_of(run) == names
    assert runs.damaged_artefacts(run) == {}
    flip(run.path("models/general/model.safetensors"), -1, 3)
    flip(run.path("captions.parquet"), 10, 3)
    found = runs.damaged_artefacts(run)
    assert sorted(found) == ["captions.parquet", "models/general"]
    for name in found:
        runs.discard(run, name)
    assert runs.artefacts_of(run) == ["filtered/mild.parquet", "metrics.json"]


@pytest.mark.long
def test_a_damaged_workbook_is_named_not_used_and_repaired_to_the_same_outcome(copied, undisturbed):
    victims = [
        "captions.parquet",
        "splits.parquet",
        "models/real_moderate/model.safetensors",
        "filtered/moderate.parquet",
        "metrics.json",
    ]
    rng = np.random.default_rng(1)
    for name in victims:
        path = copied.run / name
        flip(path, int(rng.integers(path.stat().st_size * 3 // 4)), int(rng.integers(8)))
    checked = copied.finish("--check")
    assert checked.returncode == 1
    for name in victims:
        assert name.removesuffix("/model.safetensors") in checked.stdout
    used = copied.finish()
    assert used.returncode == 1
    assert used.stderr.strip().count("\n") == 0, used.stderr
    assert "captions.parquet" in used.stderr
    assert "is not used" in used.stderr
    repaired = copied.finish("--repair")
    assert repaired.returncode == 0, repaired.stderr
    assert repaired.stdout.count("was damaged and is discarded") == len(victims)
    assert_same_outcome(copied.outcome(), undisturbed.outcome())
    assert copied.finish("--check").stdout == "No artefact is damaged.\n"


@pytest.mark.long
def test_an_artefact_that_was_deleted_is_made_again(copied, undisturbed):
    (copied.run / "captions.parquet").unlink()
    shutil.rmtree(copied.run / "models" / "general")
    assert "captions.parquet is gone" in copied.finish("--list").stdout
    ran = copied.finish()
    assert ran.returncode == 0, ran.stderr
    assert_same_outcome(copied.outcome(), undisturbed.outcome())
