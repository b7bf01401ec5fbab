from __future__ import annotations

import numpy as np
import pytest
from tiny_language_models import (
    CAPTIONS,
    ODD_TEXTS,
    by_definition,
    letters_model,
    letters_tokenizer,
    quiet_scores,
    sequence,
    tiny_llama,
    tiny_model,
    tiny_tokenizer,
)
from tokenizers import decoders
from torch import nn
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from semcal_utils.models import END_TOKEN, score_pair, score_texts


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    return tiny_model(tokenizer, context=128).eval()


# --- texts of every kind ----------------------------------------------------------------------


def test_a_literal_end_token_in_a_caption_is_spelt_out(model, tokenizer):
    (scored,) = score_texts(model, tokenizer, [f"a {END_TOKEN} dog"], progress=False)
    assert scored.tokens.count(END_TOKEN) == 1
    assert scored.tokens[-1] == END_TOKEN


def test_texts_that_differ_in_spaces_or_composition_are_different_texts(model, tokenizer):
    pairs = [("dogs", " dogs"), ("é", "e\u0301"), ("👩‍🚒", "👩🚒"), ("a b", "a  b")]
    for pair in pairs:
        one, other = score_texts(model, tokenizer, pair, progress=False)
        assert one.tokens != other.tokens


@pytest.mark.parametrize("text", ODD_TEXTS[1:])
def test_pieces_spell_the_text_byte_by_byte(model, tokenizer, text):
    (scored,) = score_texts(model, tokenizer, [text], progress=False)
    assert decoders.ByteLevel().decode(scored.tokens[:-1]) == text


def test_a_text_past_the_context_is_scored_to_its_end(tokenizer):
    model = tiny_model(tokenizer, context=64).eval()
    text = "x" * 5000
    (scored,) = score_texts(model, tokenizer, [text], progress=False)
    ids = sequence(tokenizer, text)
    assert len(ids) > 1000
    assert len(scored.log_probs) == len(ids) - 1
    assert np.isfinite(scored.log_probs).all()
    first = by_definition(model, ids[:65])
    assert scored.log_probs[:64] == pytest.approx(first, abs=3e-5)
    # Further windows see half the context before the first token they predict.
    second = by_definition(model, ids[33:98])[31:]
    assert scored.log_probs[64:97] == pytest.approx(second, abs=3e-5)


# --- models of every kind ---------------------------------------------------------------------


def test_the_training_mode_of_every_module_is_restored(tokenizer):
    model = tiny_model(tokenizer, dropout=0.5).eval()
    resting = quiet_scores(model, tokenizer, CAPTIONS)
    model.train()
    model.transformer.drop.eval()
    before = [module.training for module in model.modules()]
    assert quiet_scores(model, tokenizer, CAPTIONS) == resting
    assert [module.training for module in model.modules()] == before


def test_a_llama_is_scored_like_any_other(tokenizer):
    model = tiny_llama(tokenizer, context=128)
    texts = CAPTIONS + ODD_TEXTS
    for text, log_probs in zip(texts, quiet_scores(model, tokenizer, texts), strict=True):
        assert log_probs == pytest.approx(by_definition(model, sequence(tokenizer, text)), abs=3e-5)


def test_a_tokenizer_with_its_own_start_token_starts_with_it():
    tokenizer = letters_tokenizer("ab")
    model = letters_model(tokenizer)
    known = quiet_scores(model, tokenizer, ["ab"])[0]
    tokenizer.bos_token = "b"
    found = quiet_scores(model, tokenizer, ["ab"])[0]
    assert found != pytest.approx(known, abs=1e-3)
    assert found == pytest.approx(by_definition(model, [2, 1, 2, 0]), abs=3e-5)


def test_bfloat16_stays_near_float32(model, tokenizer):
    exact = quiet_scores(model, tokenizer, CAPTIONS)
    rough = quiet_scores(model, tokenizer, CAPTIONS, precision="bfloat16")
    for one, found in zip(exact, rough, strict=True):
        assert found == pytest.approx(one, rel=0.05, abs=0.3)
    assert exact != rough


# --- bad input --------------------------------------------------------------------------------


def test_models_of_different_vocabularies_are_refused(model, tokenizer):
    other = tiny_model(tiny_tokenizer(290))
    with pytest.raises(ValueError, match="vocabularies differ in size"):
        score_pair(model, other, tokenizer, CAPTIONS, progress=False)


def test_tokenizers_of_one_size_but_different_tokens_are_refused(model, tokenizer):
    other = letters_tokenizer("ab")
    with pytest.raises(ValueError, match="tokenizers differ in"):
        score_pair(model, model, tokenizer, CAPTIONS, real_tokenizer=other, progress=False)
    score_pair(model, model, tokenizer, ["a"], real_tokenizer=tiny_tokenizer(), progress=False)


def test_a_tokenizer_larger_than_the_model_is_refused(tokenizer):
    with pytest.raises(ValueError, match="do not belong together"):
        score_texts(letters_model(letters_tokenizer("ab")), tokenizer, ["a"], progress=False)


def test_a_tokenizer_without_an_end_token_is_refused(model):
    other = tiny_tokenizer()
    other.eos_token = None
    with pytest.raises(ValueError, match=r"set tokenizer\.eos_token"):
        score_texts(model, other, ["a"], progress=False)


def test_a_model_without_a_config_is_refused(tokenizer):
    with pytest.raises(ValueError, match="Linear has no config"):
        score_texts(nn.Linear(2, 2), tokenizer, ["a"], progress=False)


def test_a_text_that_is_none_is_named(model, tokenizer):
    with pytest.raises(TypeError, match=r"texts\[1\] is NoneType"):
        score_texts(model, tokenizer, ["a", None], progress=False)
    with pytest.raises(TypeError, match="single string"):
        score_texts(model, tokenizer, "a dog", progress=False)


def test_an_unknown_mode_is_refused(model, tokenizer):
    with pytest.raises(ValueError, match="'exact' or 'paper'"):
        score_texts(model, tokenizer, ["a"], mode="published", progress=False)
