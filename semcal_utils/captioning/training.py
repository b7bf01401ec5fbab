"""How the embedded captioner learns: its lessons, its augmentation and its optimisation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

from semcal_utils.captioning.embedded import (
    TOGETHER,
    EmbeddedCaptioner,
    caption_tokens,
    input_arrays,
    word_tokenizer,
)
from semcal_utils.captioning.network import CaptionerConfig, CaptionerNetwork
from semcal_utils.media import modality

if TYPE_CHECKING:
    from datasets import Dataset

HELD_OUT_SHARE = 0.1  # of the lessons: they measure and do not teach
ROWS = 40  # of a run's history, each with the training loss
EXAMS = 8  # how many of them have held-out measures
NUDGES = {"image": (4, 4), "audio": (0, 8)}  # largest shift in rows and columns: time but not pitch
SHAPES: dict[str, dict[str, int]] = {
    "image": {"channels": 3, "height": 64, "width": 64},
    "audio": {"channels": 1, "height": 48, "width": 96},
}
"""Rows and columns: 64 pixels a side; 48 mel bands by 1.5 s of frames."""

Grade = Callable[[list[str], pd.DataFrame], Mapping[str, float]]


def train_captioner(
    lessons: Dataset,
    *,
    steps: int | None = None,
    epochs: float | None = None,
    batch_size: int = 32,
    learning_rate: float = 1.5e-3,
    seed: int,
    grade: Grade | None = None,
    progress: bool = True,
) -> tuple[EmbeddedCaptioner, pd.DataFrame]:
    """Train a captioner from scratch; on one machine the same seed gives the same captioner.

    Args:
        lessons: rows with item_id, reference_caption and an image or audio column.
        steps: batches to learn from; give either this or `epochs`.
        epochs: passes over the lessons that are not held out.
        batch_size: lessons a step.
        learning_rate: its peak.
        seed: decides the held-out lessons, the first weights, the order and the augmentation.
        grade: judges captions of the held-out lessons, given with the lessons' table (every column
            but the media), eight times in a run; what it returns becomes columns of the history.
        progress: whether to show progress bars.

    Returns:
        The captioner and its history: step, minutes (wall time), train_loss (nats per token, mean
        since the row before), held_out_loss (nats per token) and the grades; the last two are
        missing in rows where they were not measured.

    Raises:
        UnusableItem: if a lesson cannot be read.
        ValueError: if the lessons lack a column or a caption, or an argument is out of range.
        RuntimeError: if the loss stops being a finite number.
    """
    kind = modality(lessons)
    if kind not in SHAPES:
        raise ValueError(
            "A text is its own caption: the embedded captioner learns from pictures or sounds."
        )
    captions = _captions_of(lessons)
    held_out, learnt = _divided(len(captions), seed)
    batch_size = min(batch_size, len(learnt))
    steps = _steps(steps, epochs, len(learnt) / max(1, batch_size))

    tokenizer = word_tokenizer([captions[place] for place in learnt])
    tokens = caption_tokens(tokenizer, captions)
    config = CaptionerConfig(
        modality=kind,
        vocab_size=len(tokenizer),
        caption_tokens=tokens.shape[1],
        **SHAPES[kind],
    )
    arrays = _arrays(lessons, kind, config, progress)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        captioner = EmbeddedCaptioner(CaptionerNetwork(config), tokenizer)
    table = lessons.remove_columns(kind).to_pandas().iloc[held_out].reset_index(drop=True)

    def examine() -> dict[str, float]:
        return _examined(captioner, arrays[held_out], tokens[held_out], table, grade)

    history = _fit(
        captioner.network,
        arrays[learnt],
        tokens[learnt],
        examine=examine,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        progress=progress,
    )
    return captioner, history


def _captions_of(lessons: Dataset) -> list[str]:
    if "reference_caption" not in lessons.column_names:
        raise ValueError(
            "The lessons have no column reference_caption to learn from; they have "
            f"{', '.join(lessons.column_names)}."
        )
    captions = list(lessons["reference_caption"])
    for place, caption in enumerate(captions):
        if not isinstance(caption, str) or not caption.strip():
            raise ValueError(f"Lesson {place} has no reference_caption; leave it out or write one.")
    return captions


def _divided(lessons: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.random.default_rng(seed).permutation(lessons)
    held_out, learnt = np.split(order, [round(HELD_OUT_SHARE * lessons)])
    if len(learnt) < 2:
        raise ValueError(f"Of {lessons} lessons {len(learnt)} are left to learn from; give more.")
    return held_out, learnt


def _steps(steps: int | None, epochs: float | None, steps_per_epoch: float) -> int:
    if (steps is None) == (epochs is None):
        raise ValueError("Give either steps or epochs, and not both.")
    count = steps if steps is not None else round(cast("float", epochs) * steps_per_epoch)
    if count < 1:
        raise ValueError(f"{count} steps teach nothing; give at least 1.")
    return count


def _arrays(lessons: Dataset, kind: str, config: CaptionerConfig, progress: bool) -> Tensor:
    media = lessons[kind]
    arrays = [
        input_arrays(media[start : start + TOGETHER], config, first_place=start)
        for start in tqdm(
            range(0, len(lessons), TOGETHER), desc="Reading lessons", disable=not progress
        )
    ]
    return torch.from_numpy(np.concatenate(arrays))


def _examined(
    captioner: EmbeddedCaptioner,
    arrays: Tensor,
    tokens: Tensor,
    table: pd.DataFrame,
    grade: Grade | None,
) -> dict[str, float]:
    if len(table) == 0:
        return {"held_out_loss": np.nan}
    loss, captions = 0.0, []
    with torch.inference_mode():
        for some, words in zip(arrays.split(TOGETHER), tokens.split(TOGETHER), strict=True):
            scaled = captioner.network.scaled(some)
            loss += float(caption_loss(captioner.network, scaled, words, reduction="sum"))
            captions += captioner.caption_arrays(some) if grade is not None else []
    measured = {"held_out_loss": loss / int((tokens[:, 1:] != 0).sum())}
    return measured | dict(grade(captions, table)) if grade is not None else measured


def caption_loss(
    network: CaptionerNetwork, arrays: Tensor, tokens: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """Return the cross-entropy of captions given their pictures or sounds.

    Args:
        network: the captioner's network.
        arrays: (batch, channels, height, width) scaled inputs.
        tokens: (batch, length) token ids.
        reduction: ``mean`` or ``sum`` over tokens, ends included, starts and padding left out.

    Returns:
        The loss in nats.
    """
    longest = int((tokens != 0).sum(1).max())
    logits = network(arrays, tokens[:, : longest - 1])
    targets = tokens[:, 1:longest]
    return functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=0, reduction=reduction
    )


def _fit(
    network: CaptionerNetwork,
    arrays: Tensor,
    tokens: Tensor,
    *,
    examine: Callable[[], Mapping[str, float]],
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    progress: bool,
) -> pd.DataFrame:
    """Teach a network captions: AdamW, a short warm-up, a cosine decay to 3 %, light augmentation.

    `examine` measures the network in evaluation mode, `EXAMS` times in a run.
    """
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(), learning_rate, weight_decay=0.05, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    generator = torch.Generator().manual_seed(seed)
    batches = _endless_batches(len(arrays), batch_size, generator)
    rows: list[dict[str, float]] = []
    losses: list[float] = []
    examined = _evenly(steps, EXAMS)
    recorded = _evenly(steps, ROWS)
    started = time.monotonic()
    for step in tqdm(range(1, steps + 1), desc="Training", unit="step", disable=not progress):
        chosen = next(batches)
        network.train()
        varied = _augmented(network.scaled(arrays[chosen]), network.config.modality, generator)
        loss = caption_loss(network, varied, tokens[chosen])
        if not torch.isfinite(loss):
            raise RuntimeError(
                f"The captioner's loss is {loss.item()} at step {step}; lower the learning rate."
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
        network.eval()
        if step in recorded:
            measures = examine() if step in examined else {}
            minutes = (time.monotonic() - started) / 60
            rows.append(
                {"step": step, "minutes": minutes, "train_loss": float(np.mean(losses)), **measures}
            )
            losses.clear()
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return pd.DataFrame(rows)


def _evenly(steps: int, times: int) -> set[int]:
    return {math.ceil(steps * turn / times) for turn in range(1, times + 1)}


def _rate(step: int, steps: int) -> float:
    warm_up = min(50, max(1, steps // 10))
    decay = 0.03 + 0.97 * (1 + math.cos(math.pi * step / steps)) / 2
    return min(1.0, (step + 1) / warm_up) * decay


def _endless_batches(lessons: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    while True:
        order = torch.randperm(lessons, generator=generator)
        # The last, smaller batch is left to the next pass: batch statistics need company.
        yield from order[: lessons // batch_size * batch_size].split(batch_size)


def _augmented(arrays: Tensor, modality: str, generator: torch.Generator) -> Tensor:
    nudge = [
        int(torch.randint(-most, most + 1, (), generator=generator)) for most in NUDGES[modality]
    ]
    gain = 1 + 0.1 * torch.randn(len(arrays), 1, 1, 1, generator=generator)
    noise = 0.1 * torch.randn(arrays.shape, generator=generator)
    moved = torch.roll(arrays, nudge, (2, 3)).contiguous(memory_format=torch.channels_last)
    return moved * gain + noise
