"""How token windows run through a model: batches of similar length, evaluation mode, the head.

The vocabulary head is the largest matrix of a small model, so it runs only at positions that
predict a token; logarithms are taken in float32 or better, a chunk of positions at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from semcal_utils.models.heads import Precision, VocabularyHead, vocabulary_head
from semcal_utils.models.library_notices import quiet_transformers
from semcal_utils.models.linear_layers import fast_linear_layers
from semcal_utils.models.prefixes import PrefixTree, reads_trees, tree_log_probs
from semcal_utils.models.token_batches import IGNORED, TokenBatch, TokenWindow, lay_out

HEAD_CHUNK = 128  # positions whose logits are normalised at once, so that they stay in cache


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode and restore every module's own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def batches_by_length(windows: Sequence[TokenWindow], token_budget: int) -> list[list[TokenWindow]]:
    """Group windows of similar length into batches of at most `token_budget` tokens.

    Args:
        windows: Windows in any order.
        token_budget: Most tokens per batch, counting filling; a longer window is a batch alone.

    Returns:
        Batches from the longest windows to the shortest, so that too large a budget shows at once.
    """
    batches: list[list[TokenWindow]] = []
    for window in sorted(windows, key=lambda window: -window.length):
        # The first window of a batch is its longest, and so the length of its rows.
        if not batches or (len(batches[-1]) + 1) * batches[-1][0].length > token_budget:
            batches.append([])
        batches[-1].append(window)
    return batches


def target_log_probs(
    model: Any,
    batch: TokenBatch,
    head: VocabularyHead | None,
    *,
    precision: Precision = "float32",
) -> torch.Tensor:
    """Return the log-probability of every predicted token of a batch, read row by row, in nats.

    Args:
        model: A causal language model in evaluation mode.
        batch: Rows of token ids.
        head: `vocabulary_head(model, precision)`.
        precision: Precision of the network; logarithms are float32 or better.

    Returns:
        (tokens,) log-probabilities on the CPU.
    """
    targets = batch.targets.to(model.device)
    predicting = targets != IGNORED
    predicted = targets[predicting]
    ids = batch.input_ids.to(model.device)
    with network_precision(model.device, precision):
        if head is not None:
            output = model.base_model(input_ids=ids, use_cache=False)
        else:
            output = model(input_ids=ids, use_cache=False, logits_to_keep=predicting)
    if head is not None:
        with network_precision(model.device, "float32"):
            return head.log_probs(output.last_hidden_state[predicting], predicted).cpu()
    chunks = [
        -nn.functional.cross_entropy(
            piece.to(torch.promote_types(piece.dtype, torch.float32)), target, reduction="none"
        )
        for piece, target in zip(
            output.logits.split(HEAD_CHUNK), predicted.split(HEAD_CHUNK), strict=True
        )
    ]
    return torch.cat(chunks).cpu()


def network_precision(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the context in which the network runs in the given precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@torch.inference_mode()
def window_log_probs(
    model: Any,
    windows: Sequence[TokenWindow],
    lengths: Sequence[int],
    *,
    token_budget: int,
    pad_id: int,
    precision: Precision = "float32",
    tree: PrefixTree | None = None,
    bar: tqdm | None = None,
) -> list[np.ndarray]:
    """Run windows through a model and put every text's log-probabilities together again.

    Args:
        model: A causal language model; its training mode is restored afterwards.
        windows: Windows of all texts, in any order.
        lengths: (n,) tokens of each text, its context token among them.
        token_budget: Most tokens per batch.
        pad_id: Token id of the filling.
        precision: As in `target_log_probs`.
        tree: The same texts as a tree, for models that can read it.
        bar: Advances by the tokens scored.

    Returns:
        (n,) arrays of `length - 1` log-probabilities, in nats; entry j belongs to token j + 1.
    """
    found = [np.full(max(length - 1, 0), np.nan) for length in lengths]
    # The library warns of filling without a mask; to the right of a text it needs none. Around all
    # batches, autocast rounds the weights once instead of once per batch.
    fast = fast_linear_layers(model) if precision == "float32" else nullcontext()
    with evaluating(model), quiet_transformers(), network_precision(model.device, precision), fast:
        head = vocabulary_head(model, precision)
        fits = tree is not None and tree.width <= token_budget
        if tree is not None and fits and head is not None and reads_trees(model):
            found = tree_log_probs(
                model, tree, head, token_budget=token_budget, precision=precision
            )
            if bar is not None:
                bar.update(sum(len(log_probs) for log_probs in found))
            return found
        for members in batches_by_length(windows, token_budget):
            batch = lay_out(members, pad_id=pad_id)
            log_probs = target_log_probs(model, batch, head, precision=precision).double().numpy()
            begin = 0
            for window in members:
                first = window.text_offset + window.first_target - 1
                stop = begin + window.targets
                found[window.text_index][first : first + window.targets] = log_probs[begin:stop]
                begin = stop
            if bar is not None:
                bar.update(len(log_probs))
    return found
