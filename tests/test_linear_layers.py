from __future__ import annotations

from contextlib import suppress

import pytest
import torch
from tiny_language_models import (
    CAPTIONS,
    ODD_TEXTS,
    assert_scored_by_definition,
    sharpened,
    tiny_llama,
    tiny_model,
    tiny_tokenizer,
)
from torch import nn
from transformers.activations import ACT2FN

from semcal_utils.models import linear_layers

TOKENIZER = tiny_tokenizer()
TEXTS = CAPTIONS + ODD_TEXTS


@pytest.fixture(autouse=True)
def every_width(monkeypatch):
    monkeypatch.setattr(linear_layers, "LEAST_WIDTH", 1)


def gpt2(activation: str):
    model = sharpened(tiny_model(TOKENIZER, context=128)).eval()
    for block in model.transformer.h:
        block.mlp.act = ACT2FN[activation]
    return model


@pytest.mark.parametrize("activation", ["gelu_pytorch_tanh", "gelu_new", "gelu", "relu"])
def test_scores_are_those_of_the_model_whatever_its_activation(activation):
    model = gpt2(activation)
    assert_scored_by_definition(model, TOKENIZER, TEXTS)


def test_scores_are_those_of_a_model_without_biases():
    model = tiny_llama(TOKENIZER).eval()
    assert_scored_by_definition(model, TOKENIZER, TEXTS)


def test_every_layer_of_gpt2_is_taken_over_and_given_back_even_after_an_error():
    model = gpt2("gelu_new")
    mlp = model.transformer.h[0].mlp
    layers = [mlp, mlp.c_proj, model.transformer.h[0].attn.c_attn]
    with suppress(KeyError), linear_layers.fast_linear_layers(model):
        assert all("forward" in vars(layer) for layer in layers)
        states = torch.randn(3, 5, mlp.c_fc.nx)
        fused = mlp(states)
        raise KeyError
    assert not any("forward" in vars(layer) for layer in model.modules())
    assert torch.allclose(fused, mlp(states), atol=1e-5)


def test_a_layer_that_somebody_replaced_keeps_the_replacement():
    layer = nn.Linear(4, 4)
    layer.forward = lambda states: states + 1
    with linear_layers.fast_linear_layers(nn.Sequential(layer)):
        assert torch.equal(layer(torch.zeros(4)), torch.ones(4))
    assert "forward" in vars(layer)


def test_what_somebody_watches_is_left_alone():
    model, seen = gpt2("gelu_new"), []
    mlp = model.transformer.h[0].mlp
    mlp.c_fc.register_forward_hook(lambda *_: seen.append("c_fc"))
    mlp.act.register_forward_hook(lambda *_: seen.append("act"))
    with linear_layers.fast_linear_layers(model):
        assert "forward" not in vars(mlp)
        mlp(torch.randn(1, 2, mlp.c_fc.nx))
    assert seen == ["c_fc", "act"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_left_alone(dtype):
    layer = nn.Linear(4, 4, dtype=dtype)
    with linear_layers.fast_linear_layers(layer):
        assert "forward" not in vars(layer)


def test_narrow_layers_and_a_library_that_is_not_there_are_left_alone(monkeypatch):
    layer = nn.Linear(4, 4)
    assert linear_layers.speeds_up(layer)
    monkeypatch.setattr(linear_layers, "LEAST_WIDTH", 5)
    assert not linear_layers.speeds_up(layer)
    monkeypatch.setattr(linear_layers, "LEAST_WIDTH", 1)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not linear_layers.speeds_up(layer)
