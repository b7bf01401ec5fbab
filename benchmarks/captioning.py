"""How many pictures and sounds a second the embedded captioner describes: `run()` returns it."""

from __future__ import annotations

import json
import time
import warnings
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets, disable_progress_bars

from semcal_utils.captioning import Captioner, caption_table, load_captioner
from semcal_utils.captioning.training import train_captioner
from semcal_utils.media import load_lessons, load_stream, modality
from semcal_utils.runs import open_run

DRAWN = 1000  # different items; more are the same files again, decoded anew each time
WARM_UP = 1000  # items captioned before the clock is read


def run(*, items: int = 10_000, profile: str = "workbook") -> dict[str, Any]:
    """Caption a stream of each medium, files in, table out.

    Args:
        items: items of each stream; one file in the middle is damaged.
        profile: run whose captioners are used; where it has none, one is trained briefly.

    Returns:
        By dataset: seconds, items per second, items without caption and threads.
    """
    disable_progress_bars()
    return {name: captioned(name, items, profile) for name in ("city_pictures", "city_sounds")}


def captioned(dataset: str, items: int, profile: str) -> dict[str, Any]:
    """Measure one stream; its items are files in memory, as a run's are files on disk."""
    captioner = _captioner(dataset, profile)
    stream = _repeated(load_stream(dataset, items=min(items, DRAWN), seed=1, progress=False), items)
    caption_table(stream.select(range(min(WARM_UP, items))), captioner, progress=False)
    damaged = _with_damaged(stream, items // 2)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the damaged item, counted below
        table = caption_table(damaged, captioner, progress=False)
    seconds = time.perf_counter() - began
    return {
        "items": items,
        "seconds": seconds,
        "items_per_s": items / seconds,
        "without_caption": int((table["reason"] != "").sum()),
        "threads": torch.get_num_threads(),
    }


def _captioner(dataset: str, profile: str) -> Captioner:
    folder = open_run(profile, dataset).path("models/captioner")
    if folder.is_dir():
        return load_captioner(folder, device="cpu")
    lessons = load_lessons(dataset, items=800, seed=0, progress=False)
    return train_captioner(lessons, epochs=4, seed=0, progress=False)[0]


def _repeated(drawn: Dataset, items: int) -> Dataset:
    rows = drawn.select([place % len(drawn) for place in range(items)])
    names = [f"item-{place:06d}" for place in range(items)]
    return rows.remove_columns("item_id").add_column("item_id", names)


def _with_damaged(stream: Dataset, place: int) -> Dataset:
    kind = modality(stream)
    features = stream.features
    damaged = Dataset.from_dict(
        {**{name: [name] for name in features if name != kind}, kind: [{"bytes": b"x" * 99}]},
        features=features,
    )
    after = range(place + 1, len(stream))
    return concatenate_datasets([stream.select(range(place)), damaged, stream.select(after)])


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
