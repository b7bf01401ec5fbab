"""How many decisions a second the filter takes, and how its alarm behaves: `run()` returns both."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from semcal_utils.divergence import kl_divergence
from semcal_utils.rejection import SemanticFilter, accept_items, filter_table
from semcal_utils.rejection.stream_alarms import alarm_paths, alarm_times
from semcal_utils.rejection.stream_monitor import StreamMonitor
from semcal_utils.worlds.label_counts import tilted_to
from semcal_utils.worlds.made_worlds import WORLDS

LABELS = [f"topic {number}" for number in range(10)]
REAL = np.full(10, 0.1)
ALPHA = 0.05


def run(*, items: int = 1_000_000, single_items: int = 50_000, streams: int = 2000) -> dict:
    """Measure the filter's throughput and the alarm's false-alarm rate and delays.

    Args:
        items: rows decided on at once.
        single_items: items decided on one by one.
        streams: simulated streams, of 2,000 items each.

    Returns:
        Decisions per second (best of three for tables) and alarm rates by world.
    """
    return throughput(items, single_items) | {"alarm": alarm_behaviour(streams)}


def throughput(items: int, single_items: int) -> dict[str, float]:
    """Return decisions per second on precomputed ratios, ids hashed within the measured time."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "item_id": [f"city_pictures-{number:07d}" for number in range(items)],
            "label": rng.choice(LABELS, items),
            "log_ratio": rng.normal(-0.5, 1.0, items),
        }
    )
    probability = np.exp(np.minimum(0.0, table["log_ratio"].to_numpy() - 1.0))
    ids = table["item_id"]

    def with_monitor() -> None:
        sieve, monitor = _filter(), StreamMonitor(dict(zip(LABELS, REAL, strict=True)))
        for start in range(0, items, 10_000):
            monitor.observe_table(sieve.decide(table[start : start + 10_000]))

    arriving = table[:single_items].to_dict("records")

    def singly() -> None:
        sieve, monitor = _filter(), StreamMonitor(dict(zip(LABELS, REAL, strict=True)))
        for item in arriving:
            monitor.observe(sieve.decide(item))

    return {
        "accept_items_per_s": _rate(items, lambda: accept_items(probability, seed=0, item_ids=ids)),
        "filter_table_per_s": _rate(items, lambda: filter_table(table, log_bound=1.0, seed=0)),
        "decide_table_per_s": _rate(items, lambda: _filter().decide(table)),
        "decide_batches_with_monitor_per_s": _rate(items, with_monitor),
        "one_at_a_time_with_monitor_per_s": _rate(len(arriving), singly),
    }


def alarm_behaviour(streams: int) -> dict[str, dict[str, float | None]]:
    """Return, by world, the share of streams that raised the alarm and its median delay.

    The delay is None where most streams stayed silent.
    """
    rng = np.random.default_rng(1)
    behaviour: dict[str, dict[str, float | None]] = {}
    for name, target in WORLDS.items():
        # The world is the tilt of a uniform stream, as worlds are drawn.
        world = tilted_to(REAL, np.linspace(-1, 1, 10), target) if target else REAL
        labels = rng.choice(10, (streams, 2000), p=REAL)
        times = alarm_times(alarm_paths(labels, world), alpha=ALPHA)
        median = float(np.median(times))
        behaviour[name] = {
            "kl": float(kl_divergence(REAL, world)),
            "share_alarmed": float(np.isfinite(times).mean()),
            "median_delay_items": median if np.isfinite(median) else None,
        }
    return behaviour


def _filter() -> SemanticFilter:
    return SemanticFilter(log_bound=1.0, seed=0)


def _rate(items: int, work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return items / best


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
