"""Token log-probabilities of texts under one or several language models, in nats.

Every text is scored as `[start] + tokens + [end]` with the start token as context only, so the sum
over a text's tokens is the logarithm of a probability over token sequences. Texts are encoded
once for all models; duplicates, and where it saves a quarter of the tokens shared beginnings, are
scored once; texts of similar length share a batch, and the vocabulary head runs only where a token
is predicted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

import pandas as pd
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from semcal_utils.models.batches import window_log_probs
from semcal_utils.models.heads import Precision
from semcal_utils.models.prefixes import prefix_tree
from semcal_utils.models.token_batches import (
    context_length,
    cut_windows,
    encode_texts,
    end_token_id,
    pad_token_id,
)

Mode = Literal["exact", "paper"]

TOKEN_BUDGET_SMALL = 2048
TOKEN_BUDGET_LARGE = 1024
LARGE_MODEL = 20_000_000  # parameters


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


class ScoringOptions(TypedDict, total=False):
    """Options of `score_texts` that `score_pair` and `score_models` share; meaning as there."""

    mode: Mode
    token_budget: int | None
    precision: Precision
    progress: bool


def score_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    mode: Mode = "exact",
    token_budget: int | None = None,
    precision: Precision = "float32",
    progress: bool = True,
) -> list[TokenLogProbs]:
    """Score every token of every text under one model.

    Args:
        model: A causal language model; its training mode is restored afterwards.
        tokenizer: The tokenizer the model was trained with.
        texts: (n,) texts. An empty one scores its end token alone.
        mode: `exact`: start token as context, end token scored. `paper`: the published script's
            rule, neither start nor end token, so that the first token is not scored.
        token_budget: Most tokens per batch, filling included; by default 1024 for models past
            20 million parameters and 2048 for smaller ones.
        precision: `bfloat16` runs the network under autocast and shifts log-probabilities;
            logarithms are taken in float32 either way.
        progress: Show a progress bar.

    Returns:
        (n,) scored texts, in the order given.

    Raises:
        ValueError: The tokenizer's vocabulary exceeds the model's, a tokenizer without an end
            token, a model without a config, or an unknown mode.
        TypeError: A text is not a string; the message names it.
    """
    scored = score_models(
        {"model": model},
        tokenizer,
        texts,
        mode=mode,
        token_budget=token_budget,
        precision=precision,
        progress=progress,
    )
    return [
        TokenLogProbs(tokens, log_probs)
        for tokens, log_probs in zip(scored["tokens"], scored["log_prob_model"], strict=True)
    ]


def score_pair(
    general_model: PreTrainedModel,
    real_model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    real_tokenizer: PreTrainedTokenizerBase | None = None,
    **options: Unpack[ScoringOptions],
) -> pd.DataFrame:
    """Score texts under the general and the real model over one encoding.

    Args:
        general_model: Model of the stream.
        real_model: Model of the world.
        tokenizer: The tokenizer of both.
        texts: (n,) texts.
        real_tokenizer: The real model's own tokenizer, to check that it is the same vocabulary.
        **options: As in `score_texts`.

    Returns:
        One row per text: `tokens`, `log_prob_general`, `log_prob_real` (lists, nats).

    Raises:
        ValueError: The two vocabularies differ, or as in `score_texts`.
        TypeError: As in `score_texts`.
    """
    if real_tokenizer is not None:
        check_same_vocabulary(tokenizer, real_tokenizer)
    models = {"general": general_model, "real": real_model}
    return score_models(models, tokenizer, texts, **options)


def score_models(
    models: Mapping[str, PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    **options: Unpack[ScoringOptions],
) -> pd.DataFrame:
    """Score texts under several models over one encoding, such as general and four real ones.

    Args:
        models: Models by name.
        tokenizer: The tokenizer of all.
        texts: (n,) texts.
        **options: As in `score_texts`.

    Returns:
        One row per text: `tokens` and one column `log_prob_<name>` per model (lists, nats).

    Raises:
        ValueError: Vocabularies of different size, no model, or as in `score_texts`.
        TypeError: As in `score_texts`.
    """
    mode = options.get("mode", "exact")
    if mode not in ("exact", "paper"):
        raise ValueError(f"mode must be 'exact' or 'paper', got {mode!r}.")
    check_models(models, tokenizer)
    sequences = encode_texts(tokenizer, texts, start=mode == "exact", end=mode == "exact")
    distinct: dict[tuple[int, ...], int] = {}
    place = [distinct.setdefault(tuple(ids), len(distinct)) for ids in sequences]
    context = min(context_length(model) for model in models.values())
    windows = cut_windows(distinct, context)
    whole = all(len(ids) <= context + 1 for ids in distinct)
    tree = prefix_tree(list(distinct), pad_id=pad_token_id(tokenizer)) if whole else None
    used = sorted({token for ids in distinct for token in ids})
    spelling = dict(zip(used, tokenizer.convert_ids_to_tokens(used), strict=True))
    columns: dict[str, list[Any]] = {
        "tokens": [[spelling[token] for token in ids[1:]] for ids in sequences]
    }
    with tqdm(
        total=len(models) * sum(window.targets for window in windows),
        desc="scoring",
        unit="token",
        disable=not options.get("progress", True),
    ) as bar:
        for name, model in models.items():
            log_probs = window_log_probs(
                model,
                windows,
                [len(ids) for ids in distinct],
                token_budget=options.get("token_budget") or _token_budget(model),
                pad_id=pad_token_id(tokenizer),
                precision=options.get("precision", "float32"),
                tree=tree,
                bar=bar,
            )
            columns[f"log_prob_{name}"] = [log_probs[i].tolist() for i in place]
    return pd.DataFrame(columns)


def check_same_vocabulary(
    tokenizer: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase
) -> None:
    """Raise when two tokenizers do not give every token the same id."""
    one, two = tokenizer.get_vocab(), other.get_vocab()
    if one == two:
        return
    differing = sorted(
        token for token in one.keys() | two.keys() if one.get(token) != two.get(token)
    )
    raise ValueError(
        f"The two models' tokenizers differ in {len(differing)} tokens, such as {differing[0]!r}: "
        "their log-probabilities speak of different tokens; train both models with one tokenizer."
    )


def check_models(models: Mapping[str, PreTrainedModel], tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise when models cannot be compared over one encoding by this tokenizer."""
    if not models:
        raise ValueError("There is no model to score with; name at least one.")
    end_token_id(tokenizer)
    sizes = {name: vocabulary_size(model) for name, model in models.items()}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(
            f"The models' vocabularies differ in size ({found}): their log-probabilities speak of "
            "different tokens; train both models with one tokenizer."
        )
    needed = max(tokenizer.get_vocab().values()) + 1
    for name, size in sizes.items():
        if needed > size:
            raise ValueError(
                f"The tokenizer has {needed} tokens but the {name} knows {size}: they do "
                "not belong together; load both from one folder."
            )


def vocabulary_size(model: PreTrainedModel) -> int:
    """Return how many token ids the model knows."""
    context_length(model)  # names a model without a config
    return int(model.get_input_embeddings().num_embeddings)


def _token_budget(model: PreTrainedModel) -> int:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return TOKEN_BUDGET_LARGE if parameters > LARGE_MODEL else TOKEN_BUDGET_SMALL
