"""Speed and memory of scoring and fine-tuning, at the shape of GPT-2 small and of our own model.

Random weights and captions of 8 to 30 random words: speed does not depend on what they say. Both
recipes see the same captions in one process; every figure is a median over runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
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
from semcal_utils.language_models import END_TOKEN, small_language_model
from semcal_utils.language_models.training import CaptionTrainer, WindowCollator
from semcal_utils.library_notices import quiet_transformers
from semcal_utils.scoring import score_texts
from semcal_utils.scoring.token_batches import cut_windows, encode_texts

SHAPES = {
    "gpt2_small": {"width": 768, "layers": 12, "heads": 12, "vocabulary": 50257},
    "workbook": {"width": 128, "layers": 2, "heads": 4, "vocabulary": 2048},
}
CONTEXT = 512
CAPTIONS = 256
BATCH_SIZE = 32


def main() -> dict[str, Any]:
    """Measure everything and return the numbers."""
    peak = matrix_multiplication_peak()
    found: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "matrix_multiplication_gflops": peak / 1e9,
    }
    for shape in SHAPES:
        found[shape] = {
            "scoring": scoring_speed(shape, peak),
            "fine_tuning": fine_tuning_speed(shape),
        }
    found["gpt2_small"]["scoring"]["memory"] = {
        recipe: scoring_memory(recipe) for recipe in ("ours", "ours_8_times_the_texts", "reference")
    }
    return found


def scoring_speed(shape: str, peak: float, *, runs: int = 5) -> dict[str, float]:
    """Time scoring by both recipes, interleaved, and return speeds and ratios.

    Args:
        shape: One of `SHAPES`.
        peak: Operations per second of a large matrix multiplication.
        runs: Timed runs of ours; the reference runs as often, but thrice at most.
    """
    model, tokenizer, texts = subject(shape)
    ours, bfloat16, reference = [], [], []
    exact = score_texts(model, tokenizer, texts, progress=False)
    rough = score_texts(model, tokenizer, texts, precision="bfloat16", progress=False)
    plain = score_one_by_one(model, tokenizer, texts[:16])
    for run in range(runs):
        ours.append(seconds(lambda: score_texts(model, tokenizer, texts, progress=False)))
        bfloat16.append(
            seconds(
                lambda: score_texts(model, tokenizer, texts, precision="bfloat16", progress=False)
            )
        )
        if run < 3:
            reference.append(seconds(lambda: score_one_by_one(model, tokenizer, texts)))
    tokens = sum(len(text.tokens) for text in exact)
    operations = scoring_operations(model, [len(text.tokens) for text in exact])
    totals = np.array([sum(text.log_probs) for text in exact])
    shifts = np.array([sum(text.log_probs) for text in rough]) - totals
    return {
        "tokens": tokens,
        "tokens_per_second": tokens / median(ours),
        "tokens_per_second_bfloat16": tokens / median(bfloat16),
        "tokens_per_second_reference": tokens / median(reference),
        "times_the_reference": median(reference) / median(ours),
        "times_the_reference_bfloat16": median(reference) / median(bfloat16),
        "share_of_matrix_multiplication_peak": operations / median(ours) / peak,
        "share_of_peak_reference": operations / median(reference) / peak,
        "largest_difference_from_reference_nats_per_token": max(
            abs(one - other)
            for text, words in zip(exact, plain, strict=False)
            for one, (_, other) in zip(text.log_probs, words, strict=True)
        ),
        "bfloat16_shift_of_a_caption_nats_mean": float(shifts.mean()),
        "bfloat16_shift_of_a_caption_nats_standard_deviation": float(shifts.std()),
    }


def fine_tuning_speed(shape: str, *, steps: int = 7) -> dict[str, float]:
    """Time optimiser steps of both recipes and return captions and tokens per second.

    Args:
        shape: One of `SHAPES`.
        steps: Timed steps of ours, after one to warm up.
    """
    model, tokenizer, texts = subject(shape)
    windows = cut_windows(encode_texts(tokenizer, texts), CONTEXT)
    clock = StepClock()
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        trainer = CaptionTrainer(
            model=model,
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

    model, tokenizer, texts = subject(shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batch = padded_batch(tokenizer, texts[:REFERENCE_BATCH])
    padded_training_step(model, optimizer, batch)
    reference = (
        median(seconds(lambda: padded_training_step(model, optimizer, batch)) for _ in range(3))
        / REFERENCE_BATCH
    )
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
    model, tokenizer, texts = subject("gpt2_small")
    weights = sum(parameter.numel() * 4 for parameter in model.parameters()) / 1e6
    if recipe == "reference":
        score_one_by_one(model, tokenizer, texts)
    else:
        copies = 8 if recipe == "ours_8_times_the_texts" else 1
        _, _, texts = subject("gpt2_small", captions=copies * CAPTIONS, with_model=False)
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


def subject(
    shape: str, *, captions: int = CAPTIONS, with_model: bool = True
) -> tuple[Any, PreTrainedTokenizerFast, list[str]]:
    """Return a model with random weights, a tokenizer of one token per word, and captions."""
    size = SHAPES[shape]["vocabulary"]
    vocabulary = {END_TOKEN: 0, **{f"w{i}": i for i in range(1, size)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=END_TOKEN))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=END_TOKEN, eos_token=END_TOKEN, pad_token=END_TOKEN
    )
    rng = np.random.default_rng(0)
    texts = [
        " ".join(f"w{i}" for i in rng.integers(1, size, rng.integers(8, 31)))
        for _ in range(captions)
    ]
    model = None
    if with_model:
        sizes = {name: value for name, value in SHAPES[shape].items() if name != "vocabulary"}
        model = small_language_model(tokenizer, context=CONTEXT, **sizes, seed=0).eval()
    return model, tokenizer, texts


def scoring_operations(model: Any, lengths: Sequence[int]) -> float:
    """Count the multiplications and additions that scoring cannot do without.

    Args:
        model: A GPT-2.
        lengths: Tokens predicted per text; as many positions are read.
    """
    config = model.config
    per_position = 2 * sum(p.numel() for p in model.transformer.h.parameters() if p.ndim == 2)
    attention = sum(2 * 2 * config.n_layer * config.n_embd * n * (n + 1) / 2 for n in lengths)
    head = 2 * config.n_embd * config.vocab_size
    return float(sum(lengths) * (per_position + head) + attention)


def matrix_multiplication_peak(*, runs: int = 7) -> float:
    """Return the operations per second of the fastest square float32 matrix multiplication."""
    speeds = []
    for size in (1024, 2048, 4096):
        one, other = torch.randn(size, size), torch.randn(size, size)
        one @ other
        speeds.append(2 * size**3 / median(seconds(lambda: one @ other) for _ in range(runs)))  # noqa: B023
    return max(speeds)


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def table(found: dict[str, Any]) -> str:
    """Return the ratios as lines of text."""
    lines = [
        f"{found['threads']} threads, float32 matrix multiplication "
        f"{found['matrix_multiplication_gflops']:.0f} GFLOP/s",
        f"{'':26}{'GPT-2 small':>14}{'workbook':>14}",
    ]
    rows = {
        "scoring, times reference": ("scoring", "times_the_reference"),
        "  in bfloat16": ("scoring", "times_the_reference_bfloat16"),
        "  share of peak": ("scoring", "share_of_matrix_multiplication_peak"),
        "  share of peak, reference": ("scoring", "share_of_peak_reference"),
        "  tokens/s": ("scoring", "tokens_per_second"),
        "fine-tuning, times ref.": ("fine_tuning", "times_the_reference"),
        "  tokens/s ": ("fine_tuning", "tokens_per_second"),
    }
    for name, (step, key) in rows.items():
        values = [found[shape][step][key] for shape in SHAPES]
        lines.append(f"{name:26}" + "".join(f"{value:14.2f}" for value in values))
    for recipe, memory in found["gpt2_small"]["scoring"]["memory"].items():
        lines.append(
            f"scoring memory, {recipe}: {memory['peak_mb']:.0f} MB "
            f"(weights {memory['weights_mb']:.0f} MB)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(main()))
