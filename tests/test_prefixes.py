from __future__ import annotations

import pytest
import torch
from tiny_language_models import (
    CAPTIONS,
    ODD_TEXTS,
    assert_scored_by_definition,
    by_definition,
    quiet_scores,
    sequence,
    sharpened,
    tiny_llama,
    tiny_model,
    tiny_tokenizer,
)
from transformers import BloomConfig, BloomForCausalLM

from semcal_utils.models import prefixes
from semcal_utils.models.heads import vocabulary_head
from semcal_utils.models.token_batches import encode_texts

TOKENIZER = tiny_tokenizer()
TEXTS = [*CAPTIONS, *ODD_TEXTS, "a", "a duck", "a duck beside", "a duck by the sea at night"]


def gpt2():
    return tiny_model(TOKENIZER, context=128).eval()


def with_positions_from_the_mask() -> BloomForCausalLM:
    torch.manual_seed(0)
    config = BloomConfig(
        vocab_size=len(TOKENIZER),
        hidden_size=16,
        n_layer=2,
        n_head=2,
        max_position_embeddings=128,
    )
    return sharpened(BloomForCausalLM(config)).eval()


@pytest.fixture
def always_trees(monkeypatch) -> None:
    monkeypatch.setattr(prefixes, "LEAST_SAVING", -10.0)


@pytest.mark.parametrize("make", [gpt2, lambda: tiny_llama(TOKENIZER, context=128)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_texts_of_a_tree_are_scored_as_if_they_stood_alone(always_trees, make, dtype):
    model = make().to(dtype)
    assert prefixes.reads_trees(model)
    tolerance = 3e-5 if dtype == torch.float32 else 1e-9
    assert_scored_by_definition(model, TOKENIZER, TEXTS, within=tolerance)


@pytest.mark.parametrize("rows", [1, 30, 1000])
def test_the_length_of_a_row_does_not_matter(always_trees, monkeypatch, rows):
    model = gpt2()
    ids = [tuple(ids) for ids in dict.fromkeys(map(tuple, encode_texts(TOKENIZER, TEXTS)))]
    tree = prefixes.prefix_tree(ids, pad_id=0, row_length=rows)
    head = vocabulary_head(model, "float32")
    with torch.inference_mode():
        found = prefixes.tree_log_probs(model, tree, head, token_budget=64, precision="float32")
    for one, log_probs in zip(ids, found, strict=True):
        assert log_probs == pytest.approx(by_definition(model, list(one)), abs=3e-5)


def test_a_shared_beginning_is_scored_once():
    texts = [f"a duck beside a house by the sea {word}" for word in ("at night", "at noon", "now")]
    ids = [tuple(one) for one in encode_texts(TOKENIZER, texts)]
    tree = prefixes.prefix_tree(ids, pad_id=0)
    beginnings = {tuple(one[: stop + 1]) for one in ids for stop in range(1, len(one))}
    assert len(tree.targets) == len(beginnings)
    assert sum(len(path) for path in tree.paths) == sum(len(one) - 1 for one in ids)


def test_texts_that_share_little_stay_plain_rows():
    for ids in ([(0, 5, 6, 0), (0, 7, 8, 0)], [], [(0,), ()]):
        assert prefixes.prefix_tree(ids, pad_id=0) is None


def test_a_model_that_takes_its_positions_from_the_mask_reads_plain_rows(always_trees):
    model = with_positions_from_the_mask()
    assert not prefixes.reads_trees(model)
    assert_scored_by_definition(model, TOKENIZER, TEXTS, within=1e-4)


def test_paper_mode_reads_trees_alike(always_trees):
    model = gpt2()
    for text, found in zip(TEXTS, quiet_scores(model, TOKENIZER, TEXTS, mode="paper"), strict=True):
        ids = sequence(TOKENIZER, text)[1:-1]
        assert found == pytest.approx(by_definition(model, ids), abs=3e-5)
