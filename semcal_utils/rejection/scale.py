"""Captioning and scoring as batch callables, under `datasets.map` here or Ray Data on a cluster.

A callable carries references, not models: each worker loads what it needs once, from folders that
every worker can read. Both engines return the same table, keyed by `item_id` in the given order.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from semcal_utils.captioning.tables import DESCRIPTION, caption_table
from semcal_utils.media import modality, undecoded

if TYPE_CHECKING:
    from datasets import Dataset

Engine = Literal["datasets", "ray"]
Batch = dict[str, list[Any]]


@dataclass(frozen=True)
class CaptionBatches:
    """Caption items.

    Attributes:
        captioner: What `captioning.load_captioner` loads: a folder, an id, or `text`.
    """

    captioner: str

    def columns(self, items: Dataset) -> list[str]:
        """Name the columns that are read: the item and what describes it."""
        return [*DESCRIPTION, modality(items)]

    def __call__(self, batch: Batch) -> Batch:
        """Return `caption` and `reason` (why an item has none)."""
        from datasets import Dataset

        captioner = _captioner(self.captioner)
        table = caption_table(Dataset.from_dict(batch), captioner, progress=False)
        return {name: table[name].tolist() for name in ("caption", "reason")}


@dataclass(frozen=True)
class ScoreBatches:
    """Score texts under language models over one encoding.

    Attributes:
        models: Folder or id by name, such as `general` and `real`; one tokenizer for all.
        text_column: Which column holds the text.
        mode: As in `scoring.score_texts`.
    """

    models: Mapping[str, str]
    text_column: str = "caption"
    mode: Literal["exact", "paper"] = "exact"

    def columns(self, items: Dataset) -> list[str]:
        """Name the columns that are read: the text, and whose it is."""
        return ["item_id", self.text_column]

    def __call__(self, batch: Batch) -> Batch:
        """Return `tokens` and one `log_prob_<name>` per model (lists, nats)."""
        from semcal_utils.models.scoring import score_models

        models, tokenizer = _language_models(tuple(self.models.items()))
        table = score_models(
            models, tokenizer, batch[self.text_column], mode=self.mode, progress=False
        )
        return {name: table[name].tolist() for name in table}


BatchWork = CaptionBatches | ScoreBatches


def run_batches(
    items: Dataset,
    work: BatchWork,
    *,
    engine: Engine = "datasets",
    workers: int = 1,
    batch_size: int = 256,
    address: str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Run a batch callable over every item.

    Args:
        items: Rows with a unique `item_id` and the columns the work reads.
        work: What is done to each batch.
        engine: `datasets` runs in this process, or in `workers` processes of this machine; `ray`
            runs on a Ray cluster (`pip install "semcal-utils[ray]"`).
        workers: Processes; under Ray, actors that each hold the models.
        batch_size: Items per batch.
        address: Ray cluster to join; None starts one on this machine and stops it afterwards.
        progress: Show the engine's progress bar.

    Returns:
        `item_id` and the new columns, one row per item in the given order.

    Raises:
        ValueError: Unknown engine, missing column, repeated `item_id`, or no worker.
        ModuleNotFoundError: The engine is `ray` and Ray is not installed.
    """
    if engine not in ("datasets", "ray"):
        raise ValueError(f"Unknown engine {engine!r}; choose datasets or ray.")
    if workers < 1 or batch_size < 1:
        raise ValueError(f"workers and batch_size are at least 1, got {workers}, {batch_size}.")
    columns = work.columns(items)
    for name in columns:
        if name not in items.column_names:
            raise ValueError(
                f"The items lack the column {name!r}; they have {', '.join(items.column_names)}."
            )
    item_ids = list(items["item_id"])
    if len(set(item_ids)) < len(item_ids):
        raise ValueError("An item_id occurs twice; it names one item.")
    needed = items.select_columns(columns)
    for kind in ("image", "audio"):
        if kind in columns:
            needed = undecoded(needed, kind)
    if engine == "datasets":
        table = _under_datasets(needed, work, workers, batch_size, progress)
    else:
        table = _under_ray(needed, work, workers, batch_size, address, progress)
    return table.set_index("item_id").loc[item_ids].reset_index()


def _under_datasets(
    items: Dataset, work: BatchWork, workers: int, batch_size: int, progress: bool
) -> pd.DataFrame:
    import datasets

    shown = datasets.is_progress_bar_enabled()
    if not progress:
        datasets.disable_progress_bars()
    try:
        with _fresh_workers(workers):
            done = items.map(
                partial(_with_ids, work),
                batched=True,
                batch_size=batch_size,
                remove_columns=items.column_names,
                num_proc=workers if workers > 1 else None,
                keep_in_memory=True,
                load_from_cache_file=False,
                desc="batches",
            )
    finally:
        if shown:
            datasets.enable_progress_bars()
    return pd.DataFrame(done.to_dict())


@contextmanager
def _fresh_workers(workers: int) -> Iterator[None]:
    """Let `datasets` start its workers as fresh processes that share out the cores.

    It would fork them. A process forked after torch has used several threads inherits their locks
    without the threads, and may wait for ever.
    """
    if workers == 1:
        yield
        return
    import multiprocess  # type: ignore[import-untyped]  # what datasets starts its workers with

    method = multiprocess.get_start_method(allow_none=True)
    threads = os.environ.get("OMP_NUM_THREADS")
    multiprocess.set_start_method("spawn", force=True)
    os.environ["OMP_NUM_THREADS"] = threads or str(max(1, (os.cpu_count() or 1) // workers))
    try:
        yield
    finally:
        multiprocess.set_start_method(method, force=True)
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]


def _under_ray(
    items: Dataset,
    work: BatchWork,
    workers: int,
    batch_size: int,
    address: str | None,
    progress: bool,
) -> pd.DataFrame:
    # Read when ray is imported; a workbook reports nothing to anybody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'engine="ray" needs Ray: pip install "semcal-utils[ray]".'
        ) from error
    ours = not ray.is_initialized()
    if ours:
        local: dict[str, Any] = {}
        if address is None:
            # One processor more than the actors hold, or nothing else could run beside them.
            local = {"num_cpus": workers + 1, "include_dashboard": False}
            # A token of its own keeps Ray from writing one into the home folder.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        ray.init(address=address, log_to_driver=False, logging_level="warning", **local)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = progress
        # As many blocks as batches: a block is what travels to an actor.
        blocks = max(workers, -(-len(items) // batch_size))
        source = ray.data.from_arrow(items.with_format("arrow")[:]).repartition(blocks)
        done = source.map_batches(
            _ArrowBatches,
            fn_constructor_args=(work,),
            batch_size=batch_size,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=workers),
        )
        # Through Python lists, so that the table does not depend on Ray's array types.
        return pd.DataFrame(done.take_all())
    finally:
        if ours:
            ray.shutdown()


def _with_ids(work: BatchWork, batch: Batch) -> Batch:
    """Put the ids beside what the work returns."""
    batch = {name: list(values) for name, values in batch.items()}
    return {"item_id": batch["item_id"], **work(batch)}


class _ArrowBatches:
    """The same on Arrow tables, as a Ray actor."""

    def __init__(self, work: BatchWork) -> None:
        self.work = work

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        return pa.table(_with_ids(self.work, batch.to_pydict()))


@lru_cache(maxsize=1)
def _captioner(ref: str) -> Any:
    """Load a captioner once per process."""
    from semcal_utils.captioning import load_captioner

    return load_captioner(ref)


@lru_cache(maxsize=1)
def _language_models(refs: tuple[tuple[str, str], ...]) -> tuple[dict[str, Any], Any]:
    """Load language models once per process, checking that their tokenizers agree."""
    from semcal_utils.models.model_folders import load_language_model
    from semcal_utils.models.scoring import check_same_vocabulary

    loaded = {name: load_language_model(ref) for name, ref in refs}
    tokenizers = [tokenizer for _, tokenizer in loaded.values()]
    for other in tokenizers[1:]:
        check_same_vocabulary(tokenizers[0], other)
    return {name: model for name, (model, _) in loaded.items()}, tokenizers[0]
