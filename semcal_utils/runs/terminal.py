"""What a command says at a terminal, whatever the terminal can show, and whose fault it was."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool

KEPT = "What was finished is kept: the same command goes on from there."


def run_command(name: str, main: Callable[[], int | None]) -> int:
    """Run a command's `main` and return its exit status, with one sentence for what stopped it.

    Only a fault of the workbook is called one: a full disk, too little memory or a package that is
    not installed are the machine's, and are named as such.
    """
    for stream in (sys.stdout, sys.stderr):
        # A code page without Greek letters must not stop a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return main() or 0
    except BrokenPipeError:
        # Whoever read our lines, such as `head`, has gone: no reason to say anything.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if sentence := fault_of_the_machine(error):
            print(f"{name}: {sentence} {KEPT}", file=sys.stderr)
            return 1
        reason = (str(error).splitlines() or [""])[0]
        print(
            f"{name}: this is a mistake of the workbook, not yours ({type(error).__name__}: "
            f"{reason}). What was finished is kept. Please report what follows.",
            file=sys.stderr,
        )
        traceback.print_exc()
        return 1


def fault_of_the_machine(error: BaseException | None) -> str:
    """Say what the machine or a file did, in one sentence; nothing where the workbook is at fault.

    Exceptions that this one was raised from are looked at, too: libraries wrap what they meet. One
    that merely came up while another was handled is a fault of its own.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        absent = str(error.name) if isinstance(error, ModuleNotFoundError) else ""
        if absent and not absent.startswith("semcal_utils"):
            return f"the package {absent!r} is not installed; run `make install`."
        if isinstance(error, ImportError) and not (error.name or "semcal_utils").startswith(
            "semcal_utils"
        ):
            return f"the package {error.name!r} cannot be used ({error}); run `make install`."
        if isinstance(error, BrokenProcessPool):
            return (
                "a process of the run was stopped from outside, most often for want of memory; "
                "close other programs or run with --jobs 1."
            )
        if isinstance(error, MemoryError):
            return "there is not enough memory; close other programs or lower ITEMS in the profile."
        if isinstance(error, OSError):
            place = f" ({error.filename})" if error.filename else ""
            return f"the system refused: {error.strerror or error}{place}; mend that and run again."
        error = error.__cause__
    return ""
