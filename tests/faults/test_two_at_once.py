"""Two runs on one folder take turns; a dead process keeps nothing locked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest
from fault_projects import Project, assert_same_outcome, wait_for

from semcal_utils.runs import held, open_run

HOLDER = """
import sys, time
from pathlib import Path
from semcal_utils.runs import held
with held(Path(sys.argv[1]), "captions.parquet"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(folder, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_waits_and_says_who_holds_the_folder(tmp_path):
    process = hold(tmp_path, 1.0)
    said = []
    began = time.monotonic()
    with held(tmp_path, "captions.parquet", say=said.append) as waited:
        assert waited
        assert process.wait(5) == 0
    assert time.monotonic() - began > 0.3
    assert len(said) == 1
    assert f"is in use by process {process.pid} on" in said[0]
    assert "waiting" in said[0]


def test_the_lock_of_a_killed_process_is_no_lock(tmp_path):
    process = hold(tmp_path, 60)
    process.send_signal(signal.SIGKILL)
    process.wait(5)
    assert (tmp_path / ".locks" / "captions.parquet.holder.json").exists()
    said = []
    with held(tmp_path, "captions.parquet", say=said.append) as waited:
        assert not waited
    assert said == []


def test_a_note_of_rubbish_beside_a_lock_hinders_nobody(tmp_path):
    process = hold(tmp_path, 0.6)
    (tmp_path / ".locks" / "captions.parquet.holder.json").write_text("{half")
    said = []
    with held(tmp_path, "captions.parquet", say=said.append):
        pass
    assert "another process" in said[0]
    process.wait(5)


def test_what_the_other_made_meanwhile_is_not_made_again(tmp_path):
    made = []

    def make():
        made.append(threading.get_ident())
        time.sleep(0.3)
        return pd.DataFrame({"item_id": ["a"]})

    def use():
        run = open_run("trial", "city_pictures", root=tmp_path)
        run.table("captions.parquet", make, seed=0)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_what_killed_writers_left_beside_a_file_is_cleared_away(tmp_path):
    run = open_run("trial", "city_pictures", root=tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    from semcal_utils.runs.files import host_name

    dead = run.path(f".captions.parquet.{host_name()}-{gone.pid}.partial")
    alive = run.path(f".captions.parquet.{host_name()}-{os.getppid()}.partial")
    elsewhere = run.path(f".captions.parquet.elsewhere-{gone.pid}.partial")
    for path in (dead, alive, elsewhere):
        path.write_bytes(b"half")
    run.table("captions.parquet", lambda: pd.DataFrame({"item_id": ["a"]}))
    assert not dead.exists()
    assert alive.exists()
    assert elsewhere.exists()


@pytest.mark.long
def test_two_workbooks_at_once_in_one_folder_end_as_one(undisturbed, tmp_path):
    project = Project(tmp_path / "project")
    first = project.start()
    wait_for(project.run / ".locks" / "notebooks-01_captioning.holder.json", first)
    second = project.start()
    said = [process.communicate(timeout=600) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert f"is in use by process {first.pid} on" in said[1][0]
    assert_same_outcome(project.outcome(), undisturbed.outcome())
    ran = sum(out.count(" s\n") + out.count(" s  (") for out, _ in said)
    assert ran <= 8, said  # 00 has no run folder of its own kind to wait for
