"""Linear layers on oneDNN, for float32 on a CPU.

PyTorch multiplies float32 matrices by the processor vendor's library. oneDNN, which it carries
too, is about a tenth faster at the shapes of a wide language model and adds the bias and GPT-2's
activation on the way. The layers keep their weights; only how they are multiplied is changed, and
only while a model is scoring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers.activations import GELUTanh, NewGELUActivation
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.pytorch_utils import Conv1D

LEAST_WIDTH = 256  # inputs of a layer; below it both libraries are equally fast


@contextmanager
def fast_linear_layers(model: nn.Module) -> Iterator[None]:
    """Multiply by oneDNN in every linear layer that it speeds up, and restore them afterwards.

    Layers of other types, precisions and devices, and those whose `forward` was replaced already,
    stay as they are.
    """
    replaced: list[nn.Module] = []
    try:
        for module in model.modules():
            if (forward := _faster(module)) is not None:
                module.forward = forward  # type: ignore[assignment]
                replaced.append(module)
        yield
    finally:
        for module in replaced:
            del module.forward


def speeds_up(module: nn.Module) -> bool:
    """Tell whether a module is a wide float32 linear layer that oneDNN can take over."""
    if type(module) not in (nn.Linear, Conv1D) or not _is_untouched(module):
        return False
    return has_fast_product(_rows(module))


def has_fast_product(rows: torch.Tensor) -> bool:
    """Tell whether (outputs, width) weights are wide, float32 and on the CPU, and oneDNN is there.

    A processor without oneDNN, or a later PyTorch without this entry to it, multiplies as usual.
    """
    return (
        rows.shape[1] >= LEAST_WIDTH
        and rows.device.type == "cpu"
        and rows.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def fast_product(
    states: torch.Tensor,
    rows: torch.Tensor,
    bias: torch.Tensor | None = None,
    activation: str = "none",
) -> torch.Tensor:
    """Return `activation(states @ rows.T + bias)` by oneDNN.

    Args:
        states: (..., width) float32 on the CPU.
        rows: (outputs, width) weights; a transposed view will do.
        bias: (outputs,), or None.
        activation: `none`, or `gelu` for GPT-2's approximation by a hyperbolic tangent.

    Returns:
        (..., outputs) float32.
    """
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
        states, rows, bias, activation, [], "tanh" if activation == "gelu" else ""
    )
    return product


def _faster(module: nn.Module) -> Callable[[torch.Tensor], torch.Tensor] | None:
    if isinstance(module, GPT2MLP) and isinstance(module.act, GELUTanh | NewGELUActivation):
        if speeds_up(module.c_fc) and _is_untouched(module.act) and _is_untouched(module):
            first = _product(module.c_fc, "gelu")
            return lambda states: module.dropout(module.c_proj(first(states)))
    elif speeds_up(module):
        return _product(module, "none")
    return None


def _product(layer: Any, activation: str) -> Callable[[torch.Tensor], torch.Tensor]:
    rows = _rows(layer)
    return lambda states: fast_product(states, rows, layer.bias, activation)


def _rows(layer: Any) -> torch.Tensor:
    """Return a layer's weights as (outputs, inputs); GPT-2's own layer holds them transposed."""
    rows: torch.Tensor = layer.weight if isinstance(layer, nn.Linear) else layer.weight.t()
    return rows


def _is_untouched(module: nn.Module) -> bool:
    """Tell whether nobody replaced or watches what the module does."""
    watched = module._forward_hooks or module._forward_pre_hooks
    return "forward" not in vars(module) and not watched
