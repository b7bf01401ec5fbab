"""Speed and memory of scoring and fine-tuning, at the shape of GPT-2 small and of our own model.

Random weights and captions of 8 to 30 random words: speed does not depend on what they say. Both
recipes see the same captions in one process; every figure is a median over runs.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import (
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback

from benchmarks.reference_recipes import (
    REFERENCE_BATCH,
    padded_batch,
    padded_training_step,
    score_one_by_one,
)
from benchmarks.subjects import (
    CAPTIONS,
    CONTEXT,
    matrix_multiplication_peak,
    published,
    scoring_operations,
    seconds,
    subject,
)
from semcal_utils.city import PICTURES
from semcal_utils.models import score_models, score_texts, small_language_model, train_tokenizer
from semcal_utils.models.library_notices import quiet_transformers
from semcal_utils.models.token_batches import cut_windows, encode_texts
from semcal_utils.models.training import CaptionTrainer, WindowCollator

REFERENCE_CAPTIONS = 64  # what the slow recipe is timed on
CITY_CAPTIONS = 2000
BATCH_SIZE = 32
RUNS = 5


def main() -> dict[str, Any]:
    """Measure everything and return the numbers."""
    found: dict[str, Any] = {"threads": torch.get_num_threads()}
    memory = {}
    for recipe in ("ours", "ours_4_times_the_texts", "reference"):
        memory[recipe] = told(f"memory, {recipe}", scoring_memory(recipe))
    found["workbook"] = {"city_captions": told("captions of the city", city_captions_speed())}
    for shape in ("workbook", "gpt2_small"):
        found.setdefault(shape, {})
        found[shape]["scoring"] = told(f"scoring, {shape}", scoring_speed(shape))
        found[shape]["fine_tuning"] = told(f"fine-tuning, {shape}", fine_tuning_speed(shape))
    found["gpt2_small"]["scoring"]["memory"] = memory
    return found


def told(what: str, numbers: dict[str, float]) -> dict[str, float]:
    """Print numbers as soon as they are known, for the whole takes minutes; return them."""
    shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    print(f"{what}: {shown}", file=sys.stderr, flush=True)
    return numbers


def scoring_speed(shape: str) -> dict[str, float]:
    """Time scoring by both recipes, turn by turn, and return speeds and ratios.

    Captions are distinct and share no beginnings; the reference takes every fourth of them. The
    peak of matrix multiplication is measured before every run of ours, so that both see the same
    machine.

    Args:
        shape: One of `SHAPES`.
    """
    model, tokenizer, texts = subject(shape)
    as_published, few = published(model), texts[:: CAPTIONS // REFERENCE_CAPTIONS]
    exact = score_texts(model, tokenizer, texts, progress=False)
    plain = score_one_by_one(as_published, tokenizer, few[:4])
    score_texts(model, tokenizer, texts[:32], precision="bfloat16", progress=False)
    lengths = [len(text.tokens) for text in exact]
    operations = scoring_operations(model, lengths)
    few_tokens = sum(lengths[:: CAPTIONS // REFERENCE_CAPTIONS])
    peaks, ours, bfloat16, reference = [], [], [], []
    for _ in range(RUNS if shape == "workbook" else 3):
        peaks.append(matrix_multiplication_peak())
        ours.append(seconds(lambda: score_texts(model, tokenizer, texts, progress=False)))
        reference.append(seconds(lambda: score_one_by_one(as_published, tokenizer, few)))
        bfloat16.append(
            seconds(
                lambda: score_texts(model, tokenizer, texts, precision="bfloat16", progress=False)
            )
        )
    tokens = sum(lengths)
    per_token = median(reference) / few_tokens
    return {
        "tokens": tokens,
        "matrix_multiplication_gflops": median(peaks) / 1e9,
        "tokens_per_second": tokens / median(ours),
        "tokens_per_second_bfloat16": tokens / median(bfloat16),
        "tokens_per_second_reference": 1 / per_token,
        "times_the_reference": per_token * tokens / median(ours),
        "times_the_reference_bfloat16": per_token * tokens / median(bfloat16),
        # What the machine allows in float32: every operation at the peak, and nothing else to do.
        "times_the_reference_at_peak": per_token * tokens * median(peaks) / operations,
        "share_of_matrix_multiplication_peak": median(
            operations / duration / peak for duration, peak in zip(ours, peaks, strict=True)
        ),
        "share_of_peak_reference": operations / (per_token * tokens) / median(peaks),
        "largest_difference_from_reference_nats_per_token": max(
            abs(one - other)
            for text, words in zip(exact[:: CAPTIONS // REFERENCE_CAPTIONS], plain, strict=False)
            for one, (_, other) in zip(text.log_probs, words, strict=True)
        ),
        **bfloat16_shift(model, tokenizer, few),
    }


def bfloat16_shift(model: Any, tokenizer: Any, texts: Sequence[str]) -> dict[str, float]:
    """Return how far bfloat16 moves the log ratio of a caption (nats), and how large that ratio is.

    The other half of the ratio is the same model with every weight moved by a twentieth of its
    layer's spread, as fine-tuning moves them.
    """
    other = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in other.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight += 0.05 * weight.std(unbiased=False) * noise
    ratios = []
    for precision in ("float32", "bfloat16"):
        one, two = (
            score_texts(which, tokenizer, texts, precision=precision, progress=False)  # type: ignore[arg-type]
            for which in (model, other)
        )
        totals = [sum(b.log_probs) - sum(a.log_probs) for a, b in zip(one, two, strict=True)]
        ratios.append(np.array(totals))
    shift = ratios[1] - ratios[0]
    return {
        "log_ratio_standard_deviation_nats": float(ratios[0].std()),
        "bfloat16_shift_of_log_ratio_nats_mean": float(shift.mean()),
        "bfloat16_shift_of_log_ratio_nats_standard_deviation": float(shift.std()),
        "bfloat16_shift_of_log_ratio_nats_largest": float(np.abs(shift).max()),
    }


def city_captions_speed() -> dict[str, float]:
    """Time scoring what the default run scores: captions of the city, under five models at once."""
    texts = [PICTURES.at(place, 0).caption for place in range(CITY_CAPTIONS)]
    tokenizer = train_tokenizer(texts, vocabulary_size=2048)
    five = {
        f"model_{seed}": small_language_model(tokenizer, width=128, layers=2, seed=seed).eval()
        for seed in range(5)
    }
    few = texts[::10]
    score_models(five, tokenizer, texts, progress=False)
    ours, reference = [], []
    for _ in range(RUNS):
        ours.append(seconds(lambda: score_models(five, tokenizer, texts, progress=False)))
        reference.append(
            seconds(lambda: [score_one_by_one(model, tokenizer, few) for model in five.values()])
        )
    return {
        "captions_per_second": len(five) * len(texts) / median(ours),
        "captions_per_second_reference": len(five) * len(few) / median(reference),
        "times_the_reference": median(reference) / len(few) / (median(ours) / len(texts)),
    }


def fine_tuning_speed(shape: str) -> dict[str, float]:
    """Time optimiser steps of both recipes and return captions and tokens per second.

    Args:
        shape: One of `SHAPES`.
    """
    steps = 20 if shape == "workbook" else 5
    model, tokenizer, texts = subject(shape)
    windows = cut_windows(encode_texts(tokenizer, texts), CONTEXT)
    clock = StepClock()
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        trainer = CaptionTrainer(
            model=copy.deepcopy(model),
            args=TrainingArguments(
                output_dir=folder,
                max_steps=steps + 1,
                per_device_train_batch_size=BATCH_SIZE,
                optim="adamw_torch_fused",
                learning_rate=1e-4,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                remove_unused_columns=False,
                use_cpu=True,
            ),
            windows=windows,
            held_out_windows=windows[:1],
            collator=WindowCollator(tokenizer.pad_token_id),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    del trainer
    ours = median(clock.durations[1:]) / BATCH_SIZE

    model = published(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batch = padded_batch(tokenizer, texts[:REFERENCE_BATCH])
    if shape == "workbook":
        padded_training_step(model, optimizer, batch)
    steps_taken = [seconds(lambda: padded_training_step(model, optimizer, batch)) for _ in range(2)]
    reference = median(steps_taken) / REFERENCE_BATCH
    tokens = sum(window.targets for window in windows) / len(windows)
    return {
        "captions_per_second": 1 / ours,
        "captions_per_second_reference": 1 / reference,
        "tokens_per_second": tokens / ours,
        "tokens_per_second_reference": tokens / reference,
        "times_the_reference": reference / ours,
    }


def scoring_memory(recipe: str) -> dict[str, float]:
    """Return the memory, in MB, that building and scoring GPT-2 small adds to a fresh process."""
    code = f"from benchmarks.language_models import print_memory; print_memory({recipe!r})"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return dict(json.loads(answer.stdout))


def print_memory(recipe: str) -> None:
    """Score in this process and print how much memory that took."""
    import resource

    # ru_maxrss is in kilobytes on Linux and in bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    model, tokenizer, texts = subject("gpt2_small", captions=REFERENCE_CAPTIONS)
    weights = sum(parameter.numel() * 4 for parameter in model.parameters()) / 1e6
    if recipe == "reference":
        score_one_by_one(model, tokenizer, texts)
    else:
        copies = 4 if recipe == "ours_4_times_the_texts" else 1
        captions = copies * REFERENCE_CAPTIONS
        _, _, texts = subject("gpt2_small", captions=captions, with_model=False)
        score_texts(model, tokenizer, texts, progress=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(json.dumps({"peak_mb": peak - before, "weights_mb": weights}))


class StepClock(TrainerCallback):
    """How long each optimiser step took, in seconds."""

    def __init__(self) -> None:
        self.durations: list[float] = []
        self.begun = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.begun = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clock."""
        self.durations.append(time.perf_counter() - self.begun)


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
