"""A city's worth of captions: `python -m benchmarks.load` measures time and memory under load.

Each part runs in a process of its own, so that its peak memory is its own. The captions are those
of the finished run of `city_pictures` (`make figures` makes it), drawn again and again; the numbers
go to `figures/load.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import psutil

from semcal_utils import acceptance, divergence, runs
from semcal_utils.divergence.intervals import measure_filter
from semcal_utils.rejection import SemanticFilter, filter_table
from semcal_utils.rejection.stream_monitor import StreamMonitor

CAPTIONS, CHUNK, SCORED = 1_000_000, 100_000, 100_000
PARTS = ("scoring_free", "scoring", "stream")
MEMORY_LIMIT = 4e9
"""Bytes that no part may pass."""


def main(arguments: list[str] | None = None) -> int:
    """Run the parts, print and keep their numbers; 1 if one took more than 4 GB."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the stream")
    parser.add_argument("--alone", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        print(json.dumps(runs.plain(measured(options.alone, options.minutes))))
        return 0
    path = runs.project_root() / "figures" / "load.json"
    for part in options.parts:
        command = [sys.executable, "-m", "benchmarks.load", "--alone", part]
        command += ["--minutes", str(options.minutes)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(ran.stdout.splitlines()[-1])
        print(f"{part}: {json.dumps(found)}", flush=True)
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        kept[part] = found
        ordered = {name: kept[name] for name in PARTS if name in kept}
        runs.write_json(path, {"cores": os.cpu_count(), **ordered})
    return int(any(of["peak_memory_gb"] > MEMORY_LIMIT / 1e9 for of in ordered.values()))


def measured(part: str, minutes: float) -> dict[str, Any]:
    """Run one part in this process and add its duration and its peak memory."""
    began = time.perf_counter()
    if part == "scoring_free":
        found = scoring_free(CAPTIONS)
    elif part == "scoring":
        found = scoring(SCORED)
    else:
        found = endless_stream(minutes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts kilobytes
    seconds = time.perf_counter() - began
    return {**found, "seconds": round(seconds, 1), "peak_memory_gb": round(peak / 1e9, 2)}


def scoring_free(captions: int) -> dict[str, Any]:
    """Take scored captions through acceptance, filter and metrics.

    Args:
        captions: How many; their token lists go through in chunks of 100,000, as they would arrive.
    """
    scored, real, log_bound = scored_captions()
    rng = np.random.default_rng(0)
    seconds = dict.fromkeys(("acceptance", "filter", "metrics"), 0.0)
    labels, ratios = [], []
    for _ in range(captions // CHUNK):
        chunk = scored.iloc[rng.integers(len(scored), size=CHUNK)]
        began = time.perf_counter()
        ratios.append(
            acceptance.log_ratios(
                chunk["log_prob_real"].tolist(), chunk["log_prob_general"].tolist()
            )
        )
        seconds["acceptance"] += time.perf_counter() - began
        labels += chunk["label"].tolist()
    table = pd.DataFrame(
        {
            "item_id": [f"item-{number:07d}" for number in range(captions)],
            "label": labels,
            "log_ratio": np.concatenate(ratios),
        }
    )
    began = time.perf_counter()
    decided = filter_table(table, log_bound=log_bound, seed=0)
    seconds["filter"] = time.perf_counter() - began
    began = time.perf_counter()
    measures = measure_filter(
        labels, decided["accept_probability"].to_numpy(), real, list(real.index), resamples=200
    )
    seconds["metrics"] = time.perf_counter() - began
    return {
        "captions": captions,
        "seconds_by_step": {step: round(value, 1) for step, value in seconds.items()},
        "accepted": int(decided["accepted"].sum()),
        "deception_reduction": measures.deception_reduction.value,
    }


def scoring(captions: int) -> dict[str, Any]:
    """Score distinct captions under the general and one real model, in chunks of 10,000."""
    from semcal_utils import models
    from semcal_utils.models import score_pair

    run = runs.open_run("workbook", "city_pictures")
    general, tokenizer = models.load_language_model(run.load_folder("models/general"))
    real, _ = models.load_language_model(run.load_folder("models/real_moderate"))
    known = run.load_table("captions.parquet")["caption"].unique()
    rng = np.random.default_rng(0)
    # Two captions in one are new to the models and distinct, so that nothing is scored twice.
    pairs = rng.permutation(len(known) ** 2)[:captions]
    texts = [f"{known[pair // len(known)]}; {known[pair % len(known)]}" for pair in pairs]
    tokens = 0
    began = time.perf_counter()
    for start in range(0, captions, 10_000):
        part = texts[start : start + 10_000]
        found = score_pair(general, real, tokenizer, part, progress=False)
        tokens += int(found["tokens"].map(len).sum())
    seconds = time.perf_counter() - began
    return {
        "captions": captions,
        "distinct": len(set(texts)),
        "tokens": tokens,
        "captions_per_second": round(captions / seconds, 1),
    }


def endless_stream(minutes: float) -> dict[str, Any]:
    """Decide on items one after the other, and watch memory while doing so.

    Args:
        minutes: How long.

    Returns:
        Items, items a second, and resident memory (MB) after a tenth of the time, when every buffer
        is full, and at the end, with the slope between them by least squares (MB a minute).
    """
    scored, real, log_bound = scored_captions()
    ratios = acceptance.log_ratios(
        scored["log_prob_real"].tolist(), scored["log_prob_general"].tolist()
    )
    labels = scored["label"].tolist()

    def items() -> Iterator[dict[str, Any]]:
        rng = np.random.default_rng(0)
        for block in itertools.count():
            for place, row in enumerate(rng.integers(len(labels), size=4096)):
                name = f"item-{block * 4096 + place:012d}"
                yield {"item_id": name, "label": labels[row], "log_ratio": ratios[row]}

    sieve, monitor = SemanticFilter(log_bound=log_bound, seed=0), StreamMonitor(real)
    me, began, samples = psutil.Process(), time.perf_counter(), []
    every, due, count = minutes * 60 / 100, 0.0, 0
    for item in items():
        monitor.observe(sieve.decide(item))
        count += 1
        if count % 1000 == 0 and (passed := time.perf_counter() - began) >= due:
            samples.append((passed / 60, me.memory_info().rss / 1e6))
            due = passed + every
            if passed >= minutes * 60:
                break
    settled = np.array(samples[len(samples) // 10 :])
    slope = float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0])
    return {
        "minutes": round(samples[-1][0], 2),
        "items": count,
        "items_per_second": round(count / samples[-1][0] / 60, 1),
        "memory_mb_after_a_tenth": round(float(settled[0, 1]), 1),
        "memory_mb_at_the_end": round(float(settled[-1, 1]), 1),
        "memory_mb_per_minute": round(slope, 3),
        "alarm_after_items": monitor.alarm_at,
    }


def scored_captions() -> tuple[pd.DataFrame, pd.Series, float]:
    """Return scored captions of the stream with labels, R by label, and log M (nats)."""
    run = runs.open_run("workbook", "city_pictures")
    labels = run.load_table("captions.parquet").set_index("item_id")["label"]
    scored = run.load_table("token_log_probs/moderate.parquet")
    scored["label"] = scored["item_id"].map(labels)
    belongs = run.load_table("splits.parquet")
    sizes = belongs.groupby("world").size()
    world = belongs.query("world == 'moderate'")["item_id"].map(labels)
    categories = sorted(labels.unique())
    real = pd.Series(divergence.label_frequencies(world.tolist(), categories), index=categories)
    bound = acceptance.exact_log_bound(int(sizes["general"]), int(sizes["moderate"]))
    return scored, real, bound


if __name__ == "__main__":
    sys.exit(main())
