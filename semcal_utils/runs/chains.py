"""Run the notebooks of several datasets side by side, each dataset's own in order."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from dataclasses import dataclass
from typing import Any

import psutil

from semcal_utils import runs
from semcal_utils.runs.marks import made_from, mark, reason_to_run, record_finished
from semcal_utils.runs.plan import Step
from semcal_utils.runs.runner import run_step


@dataclass
class Outcome:
    """What happened to one notebook: how long it took and why it ran, or that it was still true."""

    step: Step
    seconds: float
    reason: str

    @property
    def reused(self) -> bool:
        """Whether the notebook was not run."""
        return not self.reason


def run_all(
    steps: Sequence[Step], *, jobs: int, force: bool, report: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run every step: those of one dataset in order, those of several side by side.

    Steps about no single dataset come alone, before or after all others.

    Args:
        steps: In running order.
        jobs: How many datasets at once.
        force: Whether to run what is up to date, too.
        report: Called with each outcome as it comes.

    Returns:
        The outcomes, in order of completion.

    Raises:
        NotebookFailed: A notebook failed; the other datasets stop before their next notebook.
    """
    # More threads than cores make small models many times slower, and one is as fast as two.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    outcomes: list[Outcome] = []

    def keep(outcome: Outcome) -> None:
        outcomes.append(outcome)
        report(outcome)

    for about_all, chain in _stretches(steps):
        datasets = list(dict.fromkeys(step.dataset for step in chain))
        chains = [[step for step in chain if step.dataset == dataset] for dataset in datasets]
        if about_all or jobs == 1 or len(chains) == 1:
            for step in chain:
                keep(run_or_reuse(step, force=force))
        else:
            _side_by_side(chains, min(jobs, len(chains)), force, keep)
    return outcomes


def run_or_reuse(step: Step, *, force: bool, place: int = 0) -> Outcome:
    """Run one notebook unless its last finished run is still true.

    Two commands at once on the same run folder take turns, notebook by notebook: the one that had
    to wait finds the other's work done.
    """
    reason = "forced" if force else reason_to_run(step)
    if not reason:
        return Outcome(step, 0.0, "")
    with runs.held(step.output.parent.parent, f"notebooks-{step.notebook}") as waited:
        if waited and not force and not (reason := reason_to_run(step)):
            return Outcome(step, 0.0, "")
        began = time.perf_counter()
        with runs.storing(mark(step)):
            mark(step).unlink(missing_ok=True)
        state = made_from(step)
        run_step(step, place=place)
        seconds = time.perf_counter() - began
        record_finished(step, state, seconds)
    return Outcome(step, seconds, reason)


class MemoryWatch:
    """Samples the memory of this process and all it started, and remembers the most (bytes)."""

    def __init__(self, every: float = 1.0) -> None:
        self.most = 0
        self._every = every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._done.wait(self._every):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:  # it ended between the list and the look
                    continue
            self.most = max(self.most, total)


def _stretches(steps: Sequence[Step]) -> list[tuple[bool, list[Step]]]:
    found: list[tuple[bool, list[Step]]] = []
    for step in steps:
        about_all = step.dataset is None
        if not found or found[-1][0] != about_all:
            found.append((about_all, []))
        found[-1][1].append(step)
    return found


def _side_by_side(
    chains: list[list[Step]], jobs: int, force: bool, keep: Callable[[Outcome], None]
) -> None:
    # Fresh processes: a kernel manager must not inherit threads and sockets of another one's.
    context: Any = multiprocessing.get_context("spawn")
    left = [list(chain) for chain in chains]
    running: dict[Future[Outcome], tuple[int, int]] = {}
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        try:
            while running or any(left):
                busy = {chain for chain, _ in running.values()}
                while len(running) < jobs and (chain := next_chain(left, busy)) is not None:
                    place = min(set(range(jobs)) - {place for _, place in running.values()})
                    step = left[chain].pop(0)
                    future = pool.submit(run_or_reuse, step, force=force, place=place)
                    running[future] = chain, place
                    busy.add(chain)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    keep(future.result())
        except BaseException:
            # The other datasets finish the notebook that they are at.
            for future in as_completed(running):
                if future.exception() is None:
                    keep(future.result())
            raise


def next_chain(left: Sequence[Sequence[Step]], busy: Set[int]) -> int | None:
    """Choose whose turn it is: the dataset with the most notebooks left, lest it end alone.

    Args:
        left: By dataset, the notebooks that have not begun.
        busy: The datasets that a notebook of is running.

    Returns:
        The place of a dataset in `left`, or None where there is none to go on with.
    """
    idle = [chain for chain, steps in enumerate(left) if steps and chain not in busy]
    return max(idle, key=lambda chain: len(left[chain]), default=None)
