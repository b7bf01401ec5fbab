"""The parts of a training run: batches of similar length, the loss, the held-out loss, the bar.

`fine_tuning.fine_tune` puts them together. They are the Hugging Face `Trainer` with three
things replaced: the order of the batches depends on seed and epoch alone, so that a resumed run
sees what an uninterrupted one sees; the vocabulary head runs only where a token is predicted; the
held-out loss is a mean over tokens, not over batches.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm
from transformers import Trainer, TrainerCallback, TrainerControl

from semcal_utils.models.batches import batches_by_length, evaluating, target_log_probs
from semcal_utils.models.heads import Precision, vocabulary_head
from semcal_utils.models.token_batches import IGNORED, TokenWindow, lay_out

POOL_OF_BATCHES = 16  # batches whose texts are sorted by length together
HELD_OUT_TOKEN_BUDGET = 2048


class TrainingDiverged(ArithmeticError):
    """The loss is no longer a finite number."""


class LengthGroupedBatches:
    """Batches of windows of similar length, in an order that seed and epoch alone decide.

    Args:
        lengths: (n,) tokens per window.
        batch_size: Windows per batch.
        seed: Decides the order of every epoch.
    """

    drop_last = False

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order is given next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        shuffled = rng.permutation(len(self.lengths))
        pool = POOL_OF_BATCHES * self.batch_size
        batches = []
        for begin in range(0, len(shuffled), pool):
            members = shuffled[begin : begin + pool]
            members = members[np.argsort(self.lengths[members], kind="stable")]
            batches += [
                members[i : i + self.batch_size] for i in range(0, len(members), self.batch_size)
            ]
        for i in rng.permutation(len(batches)):
            yield batches[i].tolist()


class WindowDataset(Dataset[TokenWindow]):
    """Token windows as the map-style dataset a DataLoader reads."""

    def __init__(self, windows: Sequence[TokenWindow]) -> None:
        self.windows = windows

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> TokenWindow:
        return self.windows[index]


class WindowCollator:
    """Lay a batch of windows out as tensors, filled to the batch's longest row.

    Filling is hidden from the loss by its place in the row, never by its value, so the end token,
    which often doubles as the pad token, is still learnt.

    Args:
        pad_id: Token id of the filling.
    """

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, windows: Sequence[TokenWindow]) -> dict[str, torch.Tensor]:
        """Return `input_ids`, `targets` and `text_indices`."""
        batch = lay_out(windows, pad_id=self.pad_id)
        return {
            "input_ids": batch.input_ids,
            "targets": batch.targets,
            "text_indices": torch.tensor([window.text_index for window in windows]),
        }


class CaptionTrainer(Trainer):
    """The Hugging Face `Trainer` over token windows.

    Args:
        windows: Training windows.
        held_out_windows: Windows of the held-out texts.
        collator: Lays out a batch.
        **options: Passed on to `Trainer`.
    """

    control: TrainerControl

    def __init__(
        self,
        *,
        windows: Sequence[TokenWindow],
        held_out_windows: Sequence[TokenWindow],
        collator: WindowCollator,
        **options: Any,
    ) -> None:
        self.windows = windows
        self.held_out_batches = [
            lay_out(batch, pad_id=collator.pad_id)
            for batch in batches_by_length(held_out_windows, HELD_OUT_TOKEN_BUDGET)
        ]
        super().__init__(
            train_dataset=WindowDataset(windows),
            eval_dataset=WindowDataset(held_out_windows),
            data_collator=collator,
            **options,
        )

    def get_train_dataloader(self) -> DataLoader:
        """Return the training batches, shared out among processes when there are several."""
        batches = LengthGroupedBatches(
            [window.length for window in self.windows],
            self.args.per_device_train_batch_size,
            self.args.seed,
        )
        loader = DataLoader(
            self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator
        )
        return self.accelerator.prepare(loader)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the mean negative log-likelihood per predicted token, in nats.

        Raises:
            TrainingDiverged: The loss is not finite; the message names the step and the texts.
        """
        predicting = inputs["targets"] != IGNORED
        outputs = model(input_ids=inputs["input_ids"], use_cache=False, logits_to_keep=predicting)
        loss = nn.functional.cross_entropy(outputs.logits.float(), inputs["targets"][predicting])
        if not torch.isfinite(loss):
            texts = ", ".join(str(int(i)) for i in inputs["text_indices"][:8])
            raise TrainingDiverged(
                f"The loss became {loss.item()} at step {self.state.global_step + 1} (texts "
                f"{texts}, …); lower the learning rate (now {self.args.learning_rate:g}) or look "
                "at these texts."
            )
        return (loss, outputs) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return and log the held-out loss, a mean over tokens in nats."""
        precision: Precision = "bfloat16" if self.args.bf16 else "float32"
        total, count = 0.0, 0
        with evaluating(self.model), torch.inference_mode():
            head = vocabulary_head(self.model, precision)
            for batch in self.held_out_batches:
                log_probs = target_log_probs(self.model, batch, head, precision=precision)
                total -= float(log_probs.double().sum())
                count += len(log_probs)
        metrics = {"eval_loss": total / count}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


class TrainingBar(TrainerCallback):
    """One progress bar for a whole run, with the latest losses beside it."""

    def __init__(self, description: str, *, shown: bool = True) -> None:
        self.description = description
        self.shown = shown
        self.bar: tqdm | None = None
        self.losses: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the bar where the run starts or resumes."""
        if self.shown and state.is_world_process_zero:
            self.bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc=self.description,
                unit="step",
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Advance by one step."""
        if self.bar is not None:
            self.bar.update(1)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the latest losses."""
        names = {"loss": "train", "eval_loss": "held_out"}
        self.losses |= {names[key]: f"{logs[key]:.3f}" for key in names if key in (logs or {})}
        if self.bar is not None:
            self.bar.set_postfix(self.losses, refresh=False)

    def close(self) -> None:
        """Leave the bar as it is, finished or not."""
        if self.bar is not None:
            self.bar.close()


class EndOfRun(TrainerCallback):
    """Take the held-out loss and a checkpoint at the last step, whatever the spacing was."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for both at the end."""
        if state.global_step >= state.max_steps:
            control.should_log = control.should_evaluate = control.should_save = True


@contextmanager
def own_random_state() -> Iterator[None]:
    """Give the global random states back as they were: the Trainer seeds them for itself."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


def loss_history(log_history: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return losses over steps from a Trainer's log.

    Args:
        log_history: `trainer.state.log_history`.

    Returns:
        Columns `step`, `split` (`train` or `held_out`) and `loss` (nats per token; training losses
        are means over the steps since the entry before).
    """
    names = {"loss": "train", "eval_loss": "held_out"}
    rows = [
        {"step": int(entry["step"]), "split": names[key], "loss": float(entry[key])}
        for entry in log_history
        for key in names
        if key in entry
    ]
    history = pd.DataFrame(rows, columns=["step", "split", "loss"])
    return history.sort_values(["step", "split"], kind="stable", ignore_index=True)
