from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language_models import (
    CAPTIONS,
    TOKENIZER,
    letters_model,
    letters_tokenizer,
    tiny_model,
)

from semcal_utils.models import (
    END_TOKEN,
    perplexity,
    sample_texts,
    score_texts,
    small_language_model,
    train_tokenizer,
)
from semcal_utils.models.token_batches import cut_windows, encode_texts
from semcal_utils.models.training import LengthGroupedBatches, WindowCollator

# --- tokenizer --------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_survives_the_tokenizer(text):
    ids = TOKENIZER(text, split_special_tokens=True)["input_ids"]
    assert TOKENIZER.decode(ids) == text


def test_one_token_is_start_end_and_pad():
    assert TOKENIZER.bos_token == TOKENIZER.eos_token == TOKENIZER.pad_token == END_TOKEN
    assert len(TOKENIZER) <= 300


def test_frequent_words_become_one_token():
    assert TOKENIZER.tokenize("a picture by the sea")[-2:] == ["Ġthe", "Ġsea"]


def test_a_vocabulary_below_the_bytes_is_refused():
    with pytest.raises(ValueError, match="at least 257"):
        train_tokenizer(CAPTIONS, vocabulary_size=100)
    with pytest.raises(ValueError, match="at least one text"):
        train_tokenizer([])


# --- batches ----------------------------------------------------------------------------------


def test_the_collator_teaches_the_end_and_hides_the_filling():
    windows = cut_windows(encode_texts(TOKENIZER, ["dogs", "three dogs in the snow"]), 32)
    batch = WindowCollator(pad_id=TOKENIZER.pad_token_id)(windows)
    for row, window in enumerate(windows):
        assert batch["targets"][row, : window.length].tolist() == window.ids[1:]
        assert window.ids[-1] == TOKENIZER.eos_token_id
        assert (batch["targets"][row, window.length :] == -100).all()
    assert batch["input_ids"].shape[1] == max(window.length for window in windows)


def test_an_epoch_visits_every_text_once_in_an_order_of_seed_and_epoch():
    lengths = np.random.default_rng(0).integers(3, 30, 1000)
    batches = LengthGroupedBatches(lengths, 32, seed=1)
    first = list(batches)
    assert sorted(i for batch in first for i in batch) == list(range(1000))
    assert len(first) == len(batches)
    assert list(LengthGroupedBatches(lengths, 32, seed=1)) == first
    batches.set_epoch(1)
    assert list(batches) != first
    filled = sum(len(batch) * lengths[batch].max() for batch in first)
    assert filled < 1.15 * lengths.sum()


# --- samples and perplexity -------------------------------------------------------------------


def test_samples_follow_the_models_own_probabilities():
    tokenizer = letters_tokenizer("ab")
    model = letters_model(tokenizer)
    count = 4000
    drawn = Counter(sample_texts(model, tokenizer, count, seed=0, max_tokens=12, batch_size=1000))
    texts = ["", "a", "b", "ab", "ba", "aa"]
    for text, scored in zip(
        texts, score_texts(model, tokenizer, texts, progress=False), strict=True
    ):
        chance = math.exp(sum(scored.log_probs))
        tolerance = 4 * math.sqrt(chance * (1 - chance) / count) + 1 / count
        assert drawn[text] / count == pytest.approx(chance, abs=tolerance)


def test_samples_depend_on_the_seed_alone():
    model = tiny_model(TOKENIZER).train()
    torch.manual_seed(0)
    first = sample_texts(model, TOKENIZER, 5, seed=1, max_tokens=20)
    torch.manual_seed(9)
    assert sample_texts(model, TOKENIZER, 5, seed=1, max_tokens=20) == first
    assert sample_texts(model, TOKENIZER, 5, seed=2, max_tokens=20) != first
    assert model.training


def test_perplexity_is_the_exponential_of_the_mean_surprise():
    assert perplexity([[math.log(0.5)], [math.log(0.5), math.log(0.5)]]) == pytest.approx(2)
    assert perplexity([[math.log(0.25), 0.0]]) == pytest.approx(2)
    with pytest.raises(ValueError, match="at least one"):
        perplexity([])


def test_a_fresh_model_depends_on_its_seed_and_leaves_the_global_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    models = [
        small_language_model(TOKENIZER, width=16, layers=1, heads=2, context=8, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert torch.rand(1) == expected
    weights = [model.transformer.wte.weight for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    with pytest.raises(ValueError, match="multiple of heads"):
        small_language_model(TOKENIZER, width=10, layers=1, heads=4, context=8, seed=0)
