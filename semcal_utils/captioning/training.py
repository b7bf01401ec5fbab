"""How the embedded captioner learns: its vocabulary, its augmentation and its optimisation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast

from semcal_utils.captioning.network import CaptionerNetwork

PAD, START, END, UNKNOWN = "<pad>", "<start>", "<end>", "<unknown>"  # ids 0 to 3, in this order
LARGEST_VOCABULARY = 4000  # words
LONGEST_CAPTION = 128  # words
ROWS, EXAMS = (
    40,
    8,
)  # a run's history: rows with the training loss, and those with held-out measures
NUDGES = {"image": (4, 4), "audio": (0, 8)}  # largest shift in rows and columns: time but not pitch


def word_tokenizer(captions: Sequence[str]) -> PreTrainedTokenizerFast:
    """Build a tokenizer whose tokens are the captions' words and punctuation marks, in lower case.

    Args:
        captions: the texts that decide the vocabulary, at most its 4,000 most frequent words.

    Returns:
        A tokenizer with padding 0, start 1, end 2 and unknown word 3.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(
        vocab_size=LARGEST_VOCABULARY,
        special_tokens=[PAD, START, END, UNKNOWN],
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        unk_token=UNKNOWN,
        # A caption that holds the text "<end>" says so in words; it does not end there.
        split_special_tokens=True,
    )


def caption_tokens(tokenizer: PreTrainedTokenizerFast, captions: Sequence[str]) -> Tensor:
    """Encode captions between start and end tokens.

    Args:
        tokenizer: the words.
        captions: the texts.

    Returns:
        (captions, longest + 2) token ids, padded on the right with 0.

    Raises:
        ValueError: if a caption has more than 128 words.
    """
    words = tokenizer(list(captions), add_special_tokens=False)["input_ids"]
    for place, ids in enumerate(words):
        if len(ids) > LONGEST_CAPTION:
            raise ValueError(
                f"The caption of lesson {place} has {len(ids)} words; the embedded captioner "
                f"learns at most {LONGEST_CAPTION}: shorten it or leave it out."
            )
    tokens = torch.zeros(len(words), max(map(len, words)) + 2, dtype=torch.long)
    for row, ids in zip(tokens, words, strict=True):
        row[: len(ids) + 2] = torch.tensor([1, *ids, 2])
    return tokens


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


def fit(
    network: CaptionerNetwork,
    arrays: Tensor,
    tokens: Tensor,
    *,
    examine: Callable[[], Mapping[str, float]],
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    progress: bool = True,
) -> pd.DataFrame:
    """Teach a network captions: AdamW, a short warm-up, a cosine decay to 3 %, light augmentation.

    Args:
        network: learns in place; in evaluation mode afterwards.
        arrays: (lessons, channels, height, width) bytes.
        tokens: (lessons, length) token ids.
        examine: measures the network in evaluation mode, eight times in a run.
        steps: batches to learn from.
        batch_size: lessons a step.
        learning_rate: its peak.
        seed: decides order and augmentation.
        progress: whether to show a progress bar.

    Returns:
        Rows of step, minutes (wall time), train_loss (nats per token, mean since the row before)
        and what `examine` measured.

    Raises:
        RuntimeError: if the loss stops being a finite number; the message names the step.
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
