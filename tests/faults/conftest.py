"""What the fault tests share: one run that nothing disturbed, and small disks to fill."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_projects import Project
from filelock import FileLock


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, worker_id) -> Project:
    """Return a project whose run was finished in one go; all test processes share it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with FileLock(shared / "undisturbed.lock"):
        if (shared / "undisturbed.ready").exists():
            return Project(shared / "undisturbed")
        project = Project(shared / "undisturbed")
        ran = project.finish()
        assert ran.returncode == 0, ran.stdout + ran.stderr
        (shared / "undisturbed.ready").touch()
        return project


@pytest.fixture
def copied(undisturbed, tmp_path) -> Project:
    """Return a copy of the finished project, to be damaged."""
    shutil.copytree(undisturbed.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


class Disk:
    """A file system in memory, of a size that can be changed."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def mount(self, kilobytes: int) -> None:
        """Make the disk appear."""
        _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(self.place))

    def change(self, *options: str) -> None:
        """Change its size (`size=100m`) or whether it can be written to (`ro`, `rw`)."""
        _mount("-o", ",".join(["remount", *options]), str(self.place))

    def fill(self) -> Path:
        """Fill it to the last byte with one file."""
        file = self.place / "filling"
        with file.open("wb", buffering=0) as stream:
            block = b"x" * 4096
            try:
                while True:
                    stream.write(block)
            except OSError:
                return file


@pytest.fixture
def disk(tmp_path) -> Iterator[Callable[[int], Disk]]:
    """Return a function that mounts a small disk; skip where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    found = Disk(place)

    def mounted(kilobytes: int) -> Disk:
        try:
            found.mount(kilobytes)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a small disk cannot be mounted here: it takes root and Linux")
        return found

    yield mounted
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def _mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True, capture_output=True)
