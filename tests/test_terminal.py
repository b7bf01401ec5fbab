"""Only a fault of the workbook is called one."""

from __future__ import annotations

import errno
import io
import sys

import pytest

from semcal_utils.runs.terminal import fault_of_the_machine, run_command


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "out.png"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "data"), "(data)"),
        (MemoryError(), "not enough memory"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "`make install`"),
    ],
)
def test_what_the_machine_did_is_one_sentence(error, said, capsys):
    assert run_command("command", raising(error)) == 1
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
    assert "mistake of the workbook" not in told


def test_a_fault_that_a_library_wrapped_is_found():
    wrapped = ValueError("could not save")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "No space left" in fault_of_the_machine(wrapped)
    assert not fault_of_the_machine(ValueError("of our own"))


@pytest.mark.parametrize(
    "error", [KeyError("x"), ModuleNotFoundError("no", name="semcal_utils.lost")]
)
def test_a_fault_of_the_workbook_is_called_one_with_its_traceback(error, capsys):
    assert run_command("command", raising(error)) == 1
    told = capsys.readouterr().err
    assert "this is a mistake of the workbook" in told
    assert "Traceback" in told


def test_a_terminal_without_greek_letters_stops_nothing(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert run_command("command", lambda: print("KL(G‖R) ≤ 0.4") or 0) == 0
    narrow.flush()
    assert b"KL(G\\u2016R)" in narrow.buffer.getvalue()


def test_a_process_killed_from_outside_is_the_machines():
    from concurrent.futures.process import BrokenProcessPool

    from semcal_utils.runs.terminal import fault_of_the_machine

    assert "--jobs 1" in fault_of_the_machine(BrokenProcessPool("terminated abruptly"))
    broken = ImportError("DLL load failed", name="torch._C")
    assert "`make install`" in fault_of_the_machine(broken)
    assert fault_of_the_machine(ImportError("no name x", name="semcal_utils.runs")) == ""
