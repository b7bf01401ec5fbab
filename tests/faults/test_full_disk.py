"""A full disk or a read-only folder gives one sentence, and leaves nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from fault_projects import Project, assert_same_outcome

from semcal_utils.runs import StorageFailed, open_run

ROWS = 30_000


def big_table() -> pd.DataFrame:
    return pd.DataFrame({"item_id": [f"item {i:08d} {hash(i * 7919)}" for i in range(ROWS)]})


def fill_folder(place):
    for part in range(40):
        (place / f"part-{part}").write_bytes(os.urandom(50_000))


def draw():
    figure, ax = plt.subplots()
    ax.imshow([[hash((i, j)) % 251 for i in range(300)] for j in range(300)])
    return figure


WRITERS = {
    "a table": lambda run: run.table("captions.parquet", big_table),
    "a folder": lambda run: run.make_folder("models/general", fill_folder),
    "numbers": lambda run: run.save_metrics("divergence", {str(i): i for i in range(60_000)}),
    "a figure": lambda run: run.save_figure(draw(), "01_noise", numbers={}),
}


def artefacts(run):
    """Every file but locks and what a killed or failed folder keeps to go on from."""
    return [
        str(path.relative_to(run.folder))
        for path in run.folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.parts[-3:])
    ]


@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(disk, what):
    small = disk(180)
    run = open_run("trial", "city_pictures", root=small.place)
    with pytest.raises(StorageFailed, match=r"because the disk is full; free some space and") as e:
        WRITERS[what](run)
    assert str(e.value).count(". ") == 0
    assert artefacts(run) == []
    small.change("size=100m")
    WRITERS[what](run)
    assert artefacts(run)


@pytest.mark.parametrize("what", WRITERS)
def test_a_read_only_folder_is_one_sentence_and_can_still_be_read(disk, what):
    small = disk(20_000)
    run = open_run("trial", "city_pictures", root=small.place)
    WRITERS[what](run)
    before = artefacts(run)
    run.table("splits.parquet", lambda: pd.DataFrame({"item_id": ["a"]}))
    small.change("ro")
    assert run.load_table("splits.parquet")["item_id"].tolist() == ["a"]
    if what in ("a table", "a folder"):
        WRITERS[what](run)  # it is there, and reused
    with pytest.raises(StorageFailed, match=r"because the folder is read-only; make the folder"):
        run.table("filtered/mild.parquet", lambda: pd.DataFrame({"item_id": ["a"]}))
    with pytest.raises(StorageFailed, match="read-only"):
        run.save_metrics("detection", {})
    small.change("rw")
    assert set(artefacts(run)) == {*before, "splits.parquet"}


def test_a_file_past_the_size_limit_is_one_sentence(tmp_path):
    code = (
        "import resource, signal, pandas as pd\n"
        "from semcal_utils.runs import open_run\n"
        f"run = open_run('trial', 'a', root=__import__('pathlib').Path({str(tmp_path)!r}))\n"
        "table = pd.DataFrame({'item_id': [f'{i * 7919:032d}' for i in range(30_000)]})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n"
        "    run.table('captions.parquet', lambda: table)\n"
        "except OSError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "because the file is larger than the system allows" in ran.stdout, ran.stderr
    assert [path.name for path in (tmp_path / "data/runs/trial/a").iterdir()] == [".locks"]


@pytest.mark.long
def test_a_workbook_that_fills_its_disk_says_so_and_goes_on_when_there_is_room(disk, undisturbed):
    small = disk(100_000)
    project = Project(small.place)
    used = sum(path.stat().st_size for path in small.place.rglob("*")) // 1000
    stopped = []
    for room in (600, 2_000):
        small.change(f"size={used + room}k")
        ran = project.finish()
        if ran.returncode:
            assert_one_sentence(ran, "because the disk is full")
            stopped.append(ran.stderr)
    assert len(stopped) >= 2
    small.change("size=500m")
    ran = project.finish()
    assert ran.returncode == 0, ran.stderr
    assert_same_outcome(project.outcome(), undisturbed.outcome())
    assert project.hidden_leftovers() == []


@pytest.mark.long
def test_a_workbook_on_a_read_only_disk_says_so(disk):
    small = disk(10_000)
    project = Project(small.place)
    small.change("ro")
    ran = project.finish()
    assert ran.returncode == 1
    assert_one_sentence(ran, "because the folder is read-only")
    assert not project.runs.exists()


def assert_one_sentence(ran: subprocess.CompletedProcess[str], reason: str) -> None:
    said = ran.stderr.strip().splitlines()
    assert len(said) == 1, ran.stderr
    assert reason in said[0]
