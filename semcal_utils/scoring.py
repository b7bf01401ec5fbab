"""Token log-probabilities of texts under one or several language models, in nats.

Every text is scored as `[start] + tokens + [end]` with the start token as context only, so the sum
over a text's tokens is the logarithm of a probability over token sequences. Texts are encoded
once for all models, duplicates are scored once, texts of similar length share a batch, and the
vocabulary head runs only where a token is predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from semcal_utils.token_batches import (
    IGNORED,
    TokenBatch,
    TokenWindow,
    context_length,
    cut_windows,
    encode_texts,
    end_token_id,
    lay_out,
)

Mode = Literal["exact", "paper"]
Precision = Literal["float32", "bfloat16"]

TOKEN_BUDGET_SMALL = 2048
TOKEN_BUDGET_LARGE = 512
LARGE_MODEL = 20_000_000  # parameters
HEAD_CHUNK = 128  # positions whose float32 logits exist at once


@dataclass(frozen=True)
class TokenLogProbs:
    """The tokens of one text and how likely each was, given those before it.

    Attributes:
        tokens: The vocabulary's own spelling of each scored token (byte-level pieces); in `exact`
            mode the last is the end token.
        log_probs: Natural logarithm of each token's conditional probability, in nats.
    """

    tokens: list[str]
    log_probs: list[float]


def score_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    mode: Mode = "exact",
    token_budget: int | None = None,
    row_length: int | None = None,
    overlap: int | None = None,
    precision: Precision = "float32",
    progress: bool = True,
) -> list[TokenLogProbs]:
    """Score every token of every text under one model.

    Args:
        model: A causal language model; its training mode is restored afterwards.
        tokenizer: The tokenizer the model was trained with.
        texts: (n,) texts. An empty one scores its end token alone.
        mode: `exact`: start token as context, end token scored. `paper`: the published script's
            rule, neither start nor end token, so the first token is not scored.
        token_budget: Most tokens per batch, filling included; by default 512 for models past
            20 million parameters and 2048 for smaller ones.
        row_length: Pack several texts into rows of this many tokens instead of one text per row.
            For attention models only: recurrent ones would carry state from text to text.
        overlap: Tokens of context that each further window of a text past the model's context
            repeats; half the context by default.
        precision: `bfloat16` runs the network under autocast and shifts log-probabilities;
            logarithms are taken and summed in float32 either way.
        progress: Show a progress bar.

    Returns:
        (n,) scored texts, in the order given.

    Raises:
        ValueError: The tokenizer's vocabulary exceeds the model's, a tokenizer without an end
            token, a model without a config, or an unknown mode.
        TypeError: A text is not a string; the message names it.
    """
    scored = _score(
        {"log_probs": model},
        tokenizer,
        texts,
        mode=mode,
        token_budget=token_budget,
        row_length=row_length,
        overlap=overlap,
        precision=precision,
        progress=progress,
    )
    return [
        TokenLogProbs(tokens, log_probs)
        for tokens, log_probs in zip(scored["tokens"], scored["log_probs"], strict=True)
    ]


def score_pair(
    general_model: PreTrainedModel,
    real_model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    real_tokenizer: PreTrainedTokenizerBase | None = None,
    mode: Mode = "exact",
    token_budget: int | None = None,
    row_length: int | None = None,
    overlap: int | None = None,
    precision: Precision = "float32",
    progress: bool = True,
) -> pd.DataFrame:
    """Score texts under the general and the real model over one encoding.

    Args:
        general_model: Model of the stream.
        real_model: Model of the world.
        tokenizer: The tokenizer of both.
        texts: (n,) texts.
        real_tokenizer: The real model's own tokenizer, to check that it is the same vocabulary.
        mode: As in `score_texts`.
        token_budget: As in `score_texts`.
        row_length: As in `score_texts`.
        overlap: As in `score_texts`.
        precision: As in `score_texts`.
        progress: Show a progress bar.

    Returns:
        One row per text: `tokens`, `log_prob_general`, `log_prob_real` (lists, nats).

    Raises:
        ValueError: The two vocabularies differ, or as in `score_texts`.
        TypeError: As in `score_texts`.
    """
    if real_tokenizer is not None:
        check_same_vocabulary(tokenizer, real_tokenizer)
    return score_models(
        {"general": general_model, "real": real_model},
        tokenizer,
        texts,
        mode=mode,
        token_budget=token_budget,
        row_length=row_length,
        overlap=overlap,
        precision=precision,
        progress=progress,
    )


def score_models(
    models: Mapping[str, PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    mode: Mode = "exact",
    token_budget: int | None = None,
    row_length: int | None = None,
    overlap: int | None = None,
    precision: Precision = "float32",
    progress: bool = True,
) -> pd.DataFrame:
    """Score texts under several models over one encoding, such as general and four real ones.

    Args:
        models: Models by name.
        tokenizer: The tokenizer of all.
        texts: (n,) texts.
        mode: As in `score_texts`.
        token_budget: As in `score_texts`.
        row_length: As in `score_texts`.
        overlap: As in `score_texts`.
        precision: As in `score_texts`.
        progress: Show a progress bar.

    Returns:
        One row per text: `tokens` and one column `log_prob_<name>` per model (lists, nats).

    Raises:
        ValueError: Vocabularies of different size, no model, or as in `score_texts`.
        TypeError: As in `score_texts`.
    """
    sizes = {name: _vocabulary_size(model) for name, model in models.items()}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(
            f"The models' vocabularies differ in size ({found}): their log-probabilities speak of "
            "different tokens; train both with one tokenizer."
        )
    columns = {f"log_prob_{name}": model for name, model in models.items()}
    scored = _score(
        columns,
        tokenizer,
        texts,
        mode=mode,
        token_budget=token_budget,
        row_length=row_length,
        overlap=overlap,
        precision=precision,
        progress=progress,
    )
    return pd.DataFrame(scored, columns=["tokens", *columns])


def check_same_vocabulary(
    tokenizer: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase
) -> None:
    """Raise when two tokenizers do not give every token the same id."""
    one, two = tokenizer.get_vocab(), other.get_vocab()
    if one == two:
        return
    differing = sorted(
        (token for token in one.keys() | two.keys() if one.get(token) != two.get(token)),
        key=lambda token: one.get(token, two.get(token)),
    )
    raise ValueError(
        f"The two models' tokenizers differ in {len(differing)} of {len(one)} tokens (first: "
        f"{differing[0]!r}): score both models with the tokenizer both were trained with."
    )


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


def target_log_probs(
    model: Any, batch: TokenBatch, *, precision: Precision = "float32"
) -> torch.Tensor:
    """Return the log-probability of every target of a batch, read row by row, in nats.

    Args:
        model: A causal language model in evaluation mode.
        batch: Rows of token ids.
        precision: Precision of the network; logarithms are float32 or better.

    Returns:
        (targets,) log-probabilities on the CPU.
    """
    device = model.device
    labels = batch.labels[:, 1:].to(device)
    predicted = labels != IGNORED
    # The last position predicts nothing in this row.
    keep = nn.functional.pad(predicted, (0, 1))
    positions = None if batch.position_ids is None else batch.position_ids.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits = model(
            input_ids=batch.input_ids.to(device),
            position_ids=positions,
            use_cache=False,
            logits_to_keep=keep,
        ).logits
    targets = labels[predicted]
    chunks = [
        # On the CPU, cross_entropy beats gathering from a log-softmax; chunks stay in cache.
        -nn.functional.cross_entropy(
            piece.to(torch.promote_types(piece.dtype, torch.float32)), target, reduction="none"
        )
        for piece, target in zip(logits.split(HEAD_CHUNK), targets.split(HEAD_CHUNK), strict=True)
    ]
    return torch.cat(chunks).cpu()


def batches_by_length(
    windows: Sequence[TokenWindow], token_budget: int, *, row_length: int | None = None
) -> list[list[TokenWindow]]:
    """Group windows of similar length into batches of at most `token_budget` tokens.

    Args:
        windows: Windows in any order.
        token_budget: Most tokens per batch, counting filling; a longer window is a batch alone.
        row_length: Rows will be packed to this length, so filling is not counted.

    Returns:
        Batches from the longest windows to the shortest, so that too large a budget shows at once.
    """
    batches: list[list[TokenWindow]] = []
    used = 0
    for window in sorted(windows, key=lambda window: -len(window.ids)):
        cost = len(window.ids) if row_length or not batches else len(batches[-1][0].ids)
        if not batches or used + cost > token_budget:
            batches.append([])
            used = 0
            cost = len(window.ids)
        batches[-1].append(window)
        used += cost
    return batches


def _score(
    models: Mapping[str, PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    mode: Mode,
    token_budget: int | None,
    row_length: int | None,
    overlap: int | None,
    precision: Precision,
    progress: bool,
) -> dict[str, list[Any]]:
    """Return the column `tokens` and one column of log-probabilities per model."""
    if mode not in ("exact", "paper"):
        raise ValueError(f"mode must be 'exact' or 'paper', got {mode!r}.")
    if not models:
        raise ValueError("No model to score with; name at least one.")
    for model in models.values():
        _check_vocabulary(model, tokenizer)
    exact = mode == "exact"
    sequences = encode_texts(tokenizer, texts, start=exact, end=exact)
    distinct: dict[tuple[int, ...], int] = {}
    place = [distinct.setdefault(tuple(ids), len(distinct)) for ids in sequences]

    context = min(context_length(model) for model in models.values())
    windows = cut_windows(distinct, context, overlap=overlap)
    largest = max(sum(p.numel() for p in model.parameters()) for model in models.values())
    budget = token_budget or (TOKEN_BUDGET_LARGE if largest > LARGE_MODEL else TOKEN_BUDGET_SMALL)
    found = {
        name: [np.empty(max(len(ids) - 1, 0), dtype=np.float64) for ids in distinct]
        for name in models
    }
    for name, model in models.items():
        _fill(
            found[name],
            model,
            batches_by_length(windows, budget, row_length=row_length),
            pad_id=0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
            row_length=row_length,
            precision=precision,
            progress=tqdm(
                total=sum(window.targets for window in windows),
                desc=f"scoring {name.removeprefix('log_prob_')}" if len(models) > 1 else "scoring",
                unit="token",
                disable=not progress,
            ),
        )
    pieces = [tokenizer.convert_ids_to_tokens(ids[1:]) for ids in distinct]
    return {
        "tokens": [list(pieces[i]) for i in place],
        **{name: [column[i].tolist() for i in place] for name, column in found.items()},
    }


def _fill(
    found: list[np.ndarray],
    model: PreTrainedModel,
    batches: Sequence[Sequence[TokenWindow]],
    *,
    pad_id: int,
    row_length: int | None,
    precision: Precision,
    progress: tqdm,
) -> None:
    """Write every target's log-probability to its text's row of `found`."""
    with evaluating(model), torch.inference_mode(), progress:
        for windows in batches:
            batch = lay_out(windows, pad_id=pad_id, row_length=row_length)
            log_probs = target_log_probs(model, batch, precision=precision).double().numpy()
            begin = 0
            for i in dict.fromkeys(batch.order):
                window = windows[i]
                # found[text][j] belongs to token j + 1 of the sequence.
                first = window.text_offset + window.first_target - 1
                stop = begin + window.targets
                found[window.text_index][first : first + window.targets] = log_probs[begin:stop]
                begin = stop
            progress.update(len(log_probs))


def _vocabulary_size(model: Any) -> int:
    context_length(model)
    return int(model.get_input_embeddings().num_embeddings)


def _check_vocabulary(model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    end_token_id(tokenizer)
    known, needed = _vocabulary_size(model), max(tokenizer.get_vocab().values()) + 1
    if needed > known:
        raise ValueError(
            f"The tokenizer has {needed} tokens but the model knows {known}: they do not belong "
            "together; load both from one folder."
        )
