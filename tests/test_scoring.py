from __future__ import annotations

import itertools
import math
import random
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language_models import (
    CAPTIONS,
    ODD_TEXTS,
    assert_scored_by_definition,
    by_definition,
    letters_model,
    letters_tokenizer,
    quiet_scores,
    sequence,
    tiny_model,
    tiny_tokenizer,
)
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from semcal_utils.models import END_TOKEN, score_models, score_pair, score_texts


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    return tiny_model(tokenizer, context=128).eval()


# --- they are probabilities -------------------------------------------------------------------


def test_probabilities_of_all_short_strings_and_the_survivors_sum_to_one():
    tokenizer = letters_tokenizer("ab")
    model = letters_model(tokenizer)
    longest = 6
    ended, surviving = 0.0, 0.0
    for length in range(longest + 1):
        texts = ["".join(letters) for letters in itertools.product("ab", repeat=length)]
        for log_probs in quiet_scores(model, tokenizer, texts):
            ended += math.exp(sum(log_probs))
            if length == longest:
                surviving += math.exp(sum(log_probs[:-1])) * -math.expm1(log_probs[-1])
    assert 0.01 < surviving < 0.99
    assert ended + surviving == pytest.approx(1, abs=1e-6)


def test_scores_equal_the_definition_one_text_at_a_time(model, tokenizer):
    texts = CAPTIONS + ODD_TEXTS
    assert_scored_by_definition(model, tokenizer, texts)


def test_the_end_token_is_counted_and_comes_last(model, tokenizer):
    (scored,) = score_texts(model, tokenizer, ["two dogs"], progress=False)
    ids = sequence(tokenizer, "two dogs")
    assert scored.tokens[-1] == END_TOKEN
    assert len(scored.tokens) == len(scored.log_probs) == len(ids) - 1
    assert sum(scored.log_probs) == pytest.approx(sum(by_definition(model, ids)), abs=1e-4)
    assert scored.log_probs[-1] < 0


def test_an_empty_text_is_scored_by_its_end_alone(model, tokenizer):
    (scored,) = score_texts(model, tokenizer, [""], progress=False)
    assert scored.tokens == [END_TOKEN]
    end = tokenizer.eos_token_id
    assert scored.log_probs == pytest.approx(by_definition(model, [end, end]), abs=3e-5)


def test_no_texts_give_no_scores(model, tokenizer):
    assert score_texts(model, tokenizer, [], progress=False) == []
    assert len(score_pair(model, model, tokenizer, [], progress=False)) == 0


# --- batches change nothing -------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 3e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize("options", [{}, {"token_budget": 1}])
def test_batched_equals_single(tokenizer, dtype, tolerance, options):
    model = tiny_model(tokenizer, context=128).eval().to(dtype)
    texts = CAPTIONS + ODD_TEXTS
    single = [by_definition(model, sequence(tokenizer, text)) for text in texts]
    for one, found in zip(single, quiet_scores(model, tokenizer, texts, **options), strict=True):
        assert found == pytest.approx(one, abs=tolerance)


def test_shuffled_texts_get_the_same_scores(model, tokenizer):
    texts = CAPTIONS + ODD_TEXTS
    known = dict(zip(texts, quiet_scores(model, tokenizer, texts), strict=True))
    shuffled = random.Random(3).sample(texts, len(texts))
    for text, found in zip(shuffled, quiet_scores(model, tokenizer, shuffled), strict=True):
        assert found == pytest.approx(known[text], abs=3e-5)


@cache
def tokenizer_and_double_model() -> tuple[PreTrainedTokenizerFast, GPT2LMHeadModel]:
    tokenizer = tiny_tokenizer()
    return tokenizer, tiny_model(tokenizer, context=256).eval().double()


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.text(max_size=30), max_size=6),
    budget=st.integers(1, 300),
)
def test_layout_never_matters(texts, budget):
    tokenizer, model = tokenizer_and_double_model()
    found = quiet_scores(model, tokenizer, texts, token_budget=budget)
    for text, log_probs in zip(texts, found, strict=True):
        ids = sequence(tokenizer, text)
        assert log_probs == pytest.approx(by_definition(model, ids), abs=1e-9)


def test_the_pad_value_is_irrelevant(model, tokenizer):
    known = quiet_scores(model, tokenizer, CAPTIONS)
    other = tiny_tokenizer()
    other.pad_token = "a"
    assert other.pad_token_id != tokenizer.pad_token_id
    for one, found in zip(known, quiet_scores(model, other, CAPTIONS), strict=True):
        assert found == pytest.approx(one, abs=3e-5)


def test_a_missing_pad_token_does_not_matter(model, tokenizer):
    other = tiny_tokenizer()
    other.pad_token = None
    assert quiet_scores(model, other, CAPTIONS) == quiet_scores(model, tokenizer, CAPTIONS)


def test_duplicates_run_once(model, tokenizer):
    quiet_scores(model, tokenizer, ["dogs"])
    seen = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, args, output: seen.append(len(args[0]))
    )
    try:
        found = quiet_scores(model, tokenizer, ["two dogs"] * 50 + ["a fire"])
    finally:
        hook.remove()
    assert sum(seen) == 2
    assert len(found) == 51
    assert all(log_probs == found[0] for log_probs in found[:50])


# --- pairs ------------------------------------------------------------------------------------


def test_a_pair_shares_one_encoding(model, tokenizer):
    real = tiny_model(tokenizer, context=128, seed=5).eval()
    table = score_pair(model, real, tokenizer, CAPTIONS, progress=False)
    assert list(table) == ["tokens", "log_prob_general", "log_prob_real"]
    assert table["log_prob_general"].tolist() == quiet_scores(model, tokenizer, CAPTIONS)
    assert table["log_prob_real"].tolist() == quiet_scores(real, tokenizer, CAPTIONS)
    assert all(len(row.tokens) == len(row.log_prob_real) for row in table.itertuples())


def test_several_models_get_a_column_each(model, tokenizer):
    models = dict.fromkeys(("general", "mild", "severe"), model)
    table = score_models(models, tokenizer, CAPTIONS, progress=False)
    assert list(table) == ["tokens", "log_prob_general", "log_prob_mild", "log_prob_severe"]
    assert len(table) == len(CAPTIONS)


# --- the published rule -----------------------------------------------------------------------


def test_paper_mode_scores_neither_start_nor_first_nor_end(model, tokenizer):
    texts = [*CAPTIONS, "d"]
    for text, scored in zip(
        texts, score_texts(model, tokenizer, texts, mode="paper", progress=False), strict=True
    ):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert scored.tokens == tokenizer.convert_ids_to_tokens(ids[1:])
        assert scored.log_probs == pytest.approx(by_definition(model, ids), abs=3e-5)


def test_paper_mode_has_nothing_to_say_about_an_empty_text(model, tokenizer):
    scored = score_texts(model, tokenizer, ["", "dogs dogs"], mode="paper", progress=False)
    assert scored[0].tokens == scored[0].log_probs == []
    assert len(scored[1].log_probs) > 0
