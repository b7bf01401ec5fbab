"""Language models of a few thousand weights, real ones, for the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from semcal_utils.models import (
    END_TOKEN,
    FineTuning,
    fine_tune,
    score_texts,
    small_language_model,
    train_tokenizer,
)

SPACES = [" ", "  a", "a\nb\tc"]
LETTERS = ["é", "e\u0301", "👩\u200d🚒🔥", "日本"]
ODD_TEXTS = ["", *SPACES, *LETTERS, f"a {END_TOKEN} dog", "x" * 50]
CAPTIONS = [
    "two fire engines at sunset",
    "a duck beside a house by the sea",
    "three dogs in the snow",
    "a picture of a tennis ball at the seaside",
    "a fire and a school in the evening",
    "under the moon, there are two guitars",
    "dogs",
    "a duck by the sea at night, three ducks by the sea at noon and no duck at all in the evening",
] * 2


def tiny_tokenizer(vocabulary_size: int = 300) -> PreTrainedTokenizerFast:
    return train_tokenizer(CAPTIONS, vocabulary_size=vocabulary_size)


def tiny_model(
    tokenizer: PreTrainedTokenizerFast, *, context: int = 64, dropout: float = 0.1, seed: int = 0
) -> GPT2LMHeadModel:
    model = small_language_model(
        tokenizer, width=16, layers=2, heads=2, context=context, dropout=dropout, seed=seed
    )
    return sharpened(model)


def sharpened(model: torch.nn.Module) -> torch.nn.Module:
    """Enlarge fresh weights, so that predictions are far from uniform and mistakes show."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model


def tiny_llama(tokenizer: PreTrainedTokenizerFast, *, context: int = 64) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return sharpened(LlamaForCausalLM(config)).eval()


def letters_tokenizer(letters: str) -> PreTrainedTokenizerFast:
    """A tokenizer whose texts are strings over a few letters, one token each."""
    vocabulary = {END_TOKEN: 0, **{letter: i + 1 for i, letter in enumerate(letters)}}
    letters_only = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    letters_only.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=letters_only,
        bos_token=END_TOKEN,
        eos_token=END_TOKEN,
        pad_token=END_TOKEN,
    )


def letters_model(tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=16,
        n_embd=8,
        n_layer=1,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    return sharpened(GPT2LMHeadModel(config)).eval()


TOKENIZER = tiny_tokenizer()


def captions(count: int = 200) -> list[str]:
    rng = np.random.default_rng(0)
    things = rng.choice(["dog", "duck", "fire engine", "house"], count)
    places = rng.choice(["by the sea", "at night", "in the snow"], count)
    return [f"a {thing} {place}" for thing, place in zip(things, places, strict=True)]


def tuned(output_dir: Path, *, base=None, texts=None, device="cpu", held_out=None, **options):
    settings = FineTuning(**({"learning_rate": 3e-3, "epochs": 2, "seed": 0} | options))
    model = small_language_model(TOKENIZER, width=16, layers=1, heads=2, context=32, seed=0)
    return fine_tune(
        model if base is None else base,
        captions() if texts is None else texts,
        settings,
        tokenizer=TOKENIZER,
        output_dir=output_dir,
        held_out=held_out,
        device=device,
        progress=False,
    )


def losses(history, split: str) -> list[float]:
    return history.loc[history["split"] == split, "loss"].tolist()


def mean_loss(model, texts) -> float:
    scored = score_texts(model, TOKENIZER, texts, progress=False)
    return -float(np.mean(np.concatenate([text.log_probs for text in scored])))


@torch.no_grad()
def by_definition(model: nn.Module, ids: list[int]) -> list[float]:
    """One text at a time, the whole log-softmax: what scoring must equal."""
    if len(ids) < 2:
        return []
    log_softmax = model(torch.tensor([ids[:-1]])).logits[0].log_softmax(-1)
    return [float(log_softmax[i, token]) for i, token in enumerate(ids[1:])]


def sequence(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]


def quiet_scores(model: nn.Module, tokenizer, texts, **options) -> list[list[float]]:
    scored = score_texts(model, tokenizer, texts, progress=False, **options)
    return [text.log_probs for text in scored]


def assert_scored_by_definition(
    model: nn.Module, tokenizer, texts, *, within: float = 3e-5
) -> None:
    """Raise where a text's scores differ from the definition by more nats per token."""
    for text, found in zip(texts, quiet_scores(model, tokenizer, texts), strict=True):
        assert found == pytest.approx(by_definition(model, sequence(tokenizer, text)), abs=within)
