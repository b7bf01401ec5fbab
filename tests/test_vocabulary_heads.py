from __future__ import annotations

import pytest
import torch
from tiny_language_models import (
    CAPTIONS,
    ODD_TEXTS,
    assert_scored_by_definition,
    sharpened,
    tiny_model,
    tiny_tokenizer,
)
from transformers import Gemma2Config, Gemma2ForCausalLM, PhiConfig, PhiForCausalLM

from semcal_utils.models import heads

TOKENIZER = tiny_tokenizer()
TEXTS = CAPTIONS + ODD_TEXTS
SHAPE = {
    "vocab_size": len(TOKENIZER),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


def with_capped_logits() -> Gemma2ForCausalLM:
    torch.manual_seed(0)
    shape = {**SHAPE, "num_key_value_heads": 1, "head_dim": 8}
    return sharpened(Gemma2ForCausalLM(Gemma2Config(**shape, final_logit_softcapping=2.0))).eval()


def with_a_bias() -> PhiForCausalLM:
    torch.manual_seed(0)
    model = sharpened(PhiForCausalLM(PhiConfig(**SHAPE))).eval()
    torch.nn.init.normal_(model.lm_head.bias)
    return model


@pytest.mark.parametrize(("block", "positions"), [(64, 1024), (2048, 7), (299, 3)])
def test_blocks_of_vocabulary_and_positions_do_not_matter(monkeypatch, block, positions):
    monkeypatch.setattr(heads, "BLOCK", block)
    monkeypatch.setattr(heads, "POSITIONS", positions)
    model = tiny_model(TOKENIZER, context=128).eval()
    assert_scored_by_definition(model, TOKENIZER, TEXTS)


def test_a_bias_of_the_head_counts():
    model = with_a_bias()
    assert heads.vocabulary_head(model, "float32").bias is not None
    assert_scored_by_definition(model, TOKENIZER, TEXTS)


def test_logits_that_are_capped_behind_the_head_are_taken_from_the_model():
    model = with_capped_logits()
    assert heads.vocabulary_head(model, "float32") is None
    assert_scored_by_definition(model, TOKENIZER, TEXTS)


def test_large_logits_survive_bfloat16():
    """A vector common to all rows makes every logit large and changes no probability."""
    model = tiny_model(TOKENIZER, context=128).eval()
    states = torch.randn(50, 16)
    targets = torch.randint(len(TOKENIZER), (50,))
    exact = heads.vocabulary_head(model, "float32").log_probs(states, targets)
    with torch.no_grad():
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight + 40 * torch.ones(16))
    shifted = heads.vocabulary_head(model, "bfloat16").log_probs(states, targets)
    assert (shifted - exact).abs().max() < 0.05 * exact.abs().max()
    assert (states @ model.lm_head.weight.T).abs().median() > 50
