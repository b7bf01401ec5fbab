"""Fine-tune a causal language model on texts; keep the checkpoint that generalises best."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from semcal_utils.models.devices import choose_device
from semcal_utils.models.library_notices import quiet_transformers
from semcal_utils.models.model_folders import (
    TrainingFolder,
    describe_run,
    load_language_model,
    saving_failures_as_sentences,
)
from semcal_utils.models.scoring import check_models
from semcal_utils.models.token_batches import (
    check_texts,
    context_length,
    cut_windows,
    encode_texts,
    pad_token_id,
)
from semcal_utils.models.training import (
    CaptionTrainer,
    EndOfRun,
    TrainingBar,
    WindowCollator,
    loss_history,
    own_random_state,
)

FEWEST_TEXTS = 8
WARMUP_SHARE = 0.05


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model at its best held-out checkpoint.

    Attributes:
        model: The model, in evaluation mode.
        tokenizer: Its tokenizer.
        history: Columns `step`, `split` (`train` or `held_out`), `loss` (nats per token).
        best_step: Step whose held-out loss was lowest; its weights are the ones kept.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    history: pd.DataFrame
    best_step: int


def hold_out(item_ids: Sequence[str], *, share: float = 0.1, seed: int = 0) -> NDArray[np.bool_]:
    """Choose held-out items by their ids, so that an item is held out of every model or of none.

    The real items are part of the general ones. Chosen by position, most texts held out of a real
    model would have been seen by the general model it starts from, and the held-out loss would
    flatter it.

    Args:
        item_ids: (n,) unique ids.
        share: Share of the items to hold out, on average.
        seed: Decides which.

    Returns:
        (n,) True where held out.
    """
    draws = (hashlib.sha256(f"{seed}/{item}".encode()).digest()[:8] for item in item_ids)
    limit = share * 2**64
    return np.array([int.from_bytes(draw, "big") < limit for draw in draws], dtype=bool)


@dataclass(frozen=True)
class FineTuning:
    """How a model is fine-tuned; what the run depends on beside base and texts.

    Attributes:
        learning_rate: Peak of the schedule.
        epochs: Passes over the training texts; give this or `max_steps`.
        max_steps: Optimiser steps; give this or `epochs`.
        batch_size: Texts per step and process.
        seed: Decides the held-out part, the order of the texts and dropout.
        held_out_share: Share of the texts that is held out, where none are named.
        warmup_steps: Steps in which the learning rate rises, capped to the run's length; None: a
            twentieth of the run.
        weight_decay: AdamW's.
        evaluations: How often the held-out loss is taken and a checkpoint is written.
        precision: `bfloat16` runs the network under autocast; `auto` does so on CUDA only.

    Raises:
        ValueError: Contradictory settings.
    """

    learning_rate: float = 1e-3
    epochs: float | None = None
    max_steps: int | None = None
    batch_size: int = 32
    seed: int = 0
    held_out_share: float = 0.1
    warmup_steps: int | None = None
    weight_decay: float = 0.01
    evaluations: int = 8
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.max_steps is None):
            raise ValueError("Give either epochs or max_steps, and not both.")
        budget = self.epochs if self.max_steps is None else self.max_steps
        if budget is not None and budget <= 0:
            raise ValueError(f"The training budget must be positive, got {budget}.")
        if not 0.0 < self.held_out_share < 1.0:
            raise ValueError(f"held_out_share must lie between 0 and 1, got {self.held_out_share}.")
        if self.evaluations < 1:
            raise ValueError(f"evaluations must be at least 1, got {self.evaluations}.")

    def steps_for(self, texts: int) -> int:
        """Return the optimiser steps that so many training texts make."""
        # Under torchrun every process takes a batch of its own in each step.
        texts_per_step = self.batch_size * int(os.environ.get("WORLD_SIZE", "1"))
        return self.max_steps or max(1, round((self.epochs or 0) * -(-texts // texts_per_step)))

    def warmup_of(self, steps: int) -> int:
        """Return the steps in which the learning rate rises."""
        rising = round(WARMUP_SHARE * steps) if self.warmup_steps is None else self.warmup_steps
        return min(rising, steps)


def fine_tune(
    base: PreTrainedModel | str | Path,
    texts: Sequence[str],
    settings: FineTuning,
    *,
    output_dir: str | Path,
    tokenizer: PreTrainedTokenizerBase | None = None,
    held_out: Sequence[bool] | NDArray[np.bool_] | None = None,
    device: str | None = None,
    progress: bool = True,
    description: str = "fine-tuning",
) -> FineTuned:
    """Fine-tune a causal language model on texts and keep its best held-out checkpoint.

    Each text is `[start] + tokens + [end]`; the end is learnt. The learning rate warms up, then
    follows a cosine to zero. The held-out loss is taken evenly spaced, and a checkpoint is written
    each time: a killed run resumes from the last one when it is called again with the same
    arguments. The given model and the global random state are left untouched.

    Args:
        base: A model (then `tokenizer` is required), a folder, or an id on the hub.
        texts: (n,) texts, at least 8.
        settings: How.
        output_dir: Folder of the finished model; checkpoints live inside until it is finished.
        tokenizer: The base's tokenizer, when it does not come with the base.
        held_out: (n,) True where a text is held out, instead of a random draw; see `hold_out`.
        device: Where to train; by default the best there is.
        progress: Show a progress bar.
        description: The bar's name.

    Returns:
        The model at its best held-out checkpoint, and how it got there.

    Raises:
        ValueError: Too few texts, identical texts, a base without a tokenizer or with another
            vocabulary; nothing has been trained then.
        TypeError: A text is not a string.
        TrainingDiverged: The loss is no longer finite; names the step and the texts.
        OSError: A checkpoint could not be written; the one before it is intact.
    """
    _check_corpus(texts)
    outside = _held_out_part(len(texts), held_out, settings.held_out_share, settings.seed)
    model, tokenizer = _base_and_tokenizer(base, tokenizer)
    target = choose_device(device)
    precision = settings.precision
    if precision == "auto":
        helps = target.type == "cuda" and torch.cuda.is_bf16_supported()
        precision = "bfloat16" if helps else "float32"
    windows = cut_windows(encode_texts(tokenizer, texts), context_length(model))
    training = [window for window in windows if not outside[window.text_index]]
    steps = settings.steps_for(len(training))
    # What the outcome depends on, as numbers that do not depend on how they were asked for.
    resolved = {
        "learning_rate": settings.learning_rate,
        "max_steps": steps,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "warmup_steps": settings.warmup_of(steps),
        "weight_decay": settings.weight_decay,
        "evaluations": settings.evaluations,
        "precision": precision,
        "held_out": np.flatnonzero(outside).tolist(),
    }
    folder = TrainingFolder(
        Path(output_dir).resolve(), describe_run(model, tokenizer, texts, **resolved)
    )
    checkpoint = folder.last_checkpoint()
    bar = TrainingBar(description, shown=progress)
    with own_random_state(), quiet_transformers():
        trainer = CaptionTrainer(
            model=model,
            args=_training_arguments(folder.checkpoints, target, resolved),
            windows=training,
            held_out_windows=[window for window in windows if outside[window.text_index]],
            collator=WindowCollator(pad_token_id(tokenizer)),
            callbacks=[bar, EndOfRun()],
        )
        trainer.remove_callback(PrinterCallback)
        try:
            with saving_failures_as_sentences(folder.checkpoints):
                trainer.train(resume_from_checkpoint=checkpoint)
        finally:
            bar.close()
    history = loss_history(trainer.state.log_history)
    best_step = int(trainer.state.best_global_step)
    # Without the wrapper that would go on running the model under autocast.
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
    if trainer.is_world_process_zero():
        folder.finish(model, tokenizer, history, best_step)
    trainer.accelerator.wait_for_everyone()
    return FineTuned(model, tokenizer, history, best_step)


def _training_arguments(
    folder: Path, device: torch.device, settings: dict[str, Any]
) -> TrainingArguments:
    every = -(-settings["max_steps"] // settings["evaluations"])
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=settings["max_steps"],
        per_device_train_batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        lr_scheduler_type="cosine",
        warmup_steps=settings["warmup_steps"],
        weight_decay=settings["weight_decay"],
        optim="adamw_torch_fused",
        seed=settings["seed"],
        bf16=settings["precision"] == "bfloat16",
        use_cpu=device.type == "cpu",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, every // 4),
        # A loss that is not finite stops the run instead of being averaged away.
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        ddp_find_unused_parameters=False,
    )


def _check_corpus(texts: Sequence[str]) -> None:
    check_texts(texts)
    if len(texts) < FEWEST_TEXTS:
        raise ValueError(
            f"fine_tune needs at least {FEWEST_TEXTS} texts, some of them to hold out, got "
            f"{len(texts)}; draw a larger split."
        )
    if len(set(texts)) == 1:
        raise ValueError(
            f"All {len(texts)} texts are the same ({texts[0][:60]!r}): there is no distribution "
            "to learn; check the captions."
        )


def _held_out_part(
    count: int, held_out: Sequence[bool] | NDArray[np.bool_] | None, share: float, seed: int
) -> NDArray[np.bool_]:
    """Return the texts to hold out: those named, or a random share."""
    if held_out is None:
        outside = np.zeros(count, dtype=bool)
        size = min(max(1, round(share * count)), count - 1)
        outside[np.random.default_rng(seed).choice(count, size, replace=False)] = True
        return outside
    outside = np.asarray(held_out, dtype=bool)
    if outside.shape != (count,):
        raise ValueError(f"held_out must name all {count} texts, got shape {outside.shape}.")
    if outside.all() or not outside.any():
        raise ValueError(
            f"held_out holds out {int(outside.sum())} of {count} texts; training needs texts "
            "on both sides."
        )
    return outside


def _base_and_tokenizer(
    base: PreTrainedModel | str | Path, tokenizer: PreTrainedTokenizerBase | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return a model that may be changed, and a tokenizer that fits it."""
    model, own_tokenizer = (
        load_language_model(base) if isinstance(base, str | Path) else (base, None)
    )
    tokenizer = tokenizer or own_tokenizer
    if tokenizer is None:
        raise ValueError("fine_tune got a model without a tokenizer; pass tokenizer=.")
    check_models({"base": model}, tokenizer)
    return (copy.deepcopy(model) if model is base else model), tokenizer
