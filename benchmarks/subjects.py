"""What is measured, and with what: models with random weights, captions, clocks and the peak."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.activations import NewGELUActivation

from semcal_utils.models import END_TOKEN, small_language_model

SHAPES = {
    "gpt2_small": {"width": 768, "layers": 12, "heads": 12, "vocabulary": 50257},
    "workbook": {"width": 128, "layers": 2, "heads": 4, "vocabulary": 2048},
}
CONTEXT = 512
CAPTIONS = 256


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


def published(model: Any) -> Any:
    """Return the model with GPT-2's activation as its checkpoint has it: eight operations."""
    model = copy.deepcopy(model)
    for block in model.transformer.h:
        block.mlp.act = NewGELUActivation()
    return model


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


def matrix_multiplication_peak(*, runs: int = 3) -> float:
    """Return the operations per second of the fastest square float32 matrix multiplication."""
    speeds = []
    for size in (1024, 2048):
        one, other = torch.randn(size, size), torch.randn(size, size)
        one @ other
        speeds += [2 * size**3 / seconds(lambda a=one, b=other: a @ b) for _ in range(runs)]
    return max(speeds)


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
