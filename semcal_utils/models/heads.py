"""The vocabulary head: from hidden states to log-probabilities without the whole table of logits.

For GPT-2 the logits of a batch of 1,024 tokens fill 200 MB. Writing and reading them costs about as
much as computing them, so the head runs over blocks of the vocabulary, in one buffer that stays in
the cache, and only the logarithm of the sum of exponentials is carried from block to block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import nn

from semcal_utils.models.linear_layers import fast_product, has_fast_product

Precision = Literal["float32", "bfloat16"]

POSITIONS = 1024  # hidden states that meet the head at once
BLOCK = 2048  # rows of the head that meet them at once

_separable: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


@dataclass(frozen=True)
class VocabularyHead:
    """A vocabulary head, cut into blocks.

    A target's own logit is taken in the precision of the weights. In bfloat16 only the normalising
    sum is built from rounded logits, whose errors average out. That sum does not change when one
    vector is taken off every row and its product added again, so the rows are centred first: small
    logits lose less to rounding.

    Attributes:
        weight: (vocabulary, width) the model's own rows.
        bias: (vocabulary,), or None.
        blocks: The rows in the precision they are multiplied in, a block at a time.
        centre: (width,) what was taken off every row of the blocks, or None.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    blocks: tuple[torch.Tensor, ...]
    centre: torch.Tensor | None

    def log_probs(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the log-probability of one target token per position, in nats.

        Args:
            hidden: (positions, width) last hidden states.
            targets: (positions,) token ids.

        Returns:
            (positions,) log-probabilities, float32 or better.
        """
        largest = min(POSITIONS, len(hidden)) * len(self.blocks[0])
        buffer = torch.empty(largest, dtype=self.blocks[0].dtype, device=hidden.device)
        pieces = zip(hidden.split(POSITIONS), targets.split(POSITIONS), strict=True)
        return torch.cat([self._piece(states, wanted, buffer) for states, wanted in pieces])

    def _piece(
        self, states: torch.Tensor, wanted: torch.Tensor, buffer: torch.Tensor
    ) -> torch.Tensor:
        exact = torch.promote_types(self.weight.dtype, torch.float32)
        chosen = (states.to(exact) * self.weight[wanted].to(exact)).sum(-1)
        total = torch.full_like(chosen, -torch.inf)
        factor, begin = states.to(self.blocks[0].dtype), 0
        for rows in self.blocks:
            logits = _logits(factor, rows, buffer)
            if self.bias is not None:
                logits += self.bias[begin : begin + len(rows)]
            total = torch.logaddexp(total, _log_sum_exp(logits).to(exact))
            begin += len(rows)
        if self.bias is not None:
            chosen += self.bias[wanted]
        if self.centre is not None:
            total += states.to(exact) @ self.centre.to(exact)
        return chosen - total


def vocabulary_head(model: Any, precision: Precision) -> VocabularyHead | None:
    """Return the head of a model whose logits are nothing but its product, else None.

    Some models scale or cap their logits behind the head. Three tokens tell: where the head's
    product with the last hidden states is not what the model returns, there is no such head.

    Args:
        model: A causal language model in evaluation mode.
        precision: In which precision the rows are multiplied.
    """
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear) or model.base_model is model:
        return None
    if model not in _separable:
        _separable[model] = _explains_the_logits(head, model)
    if not _separable[model]:
        return None
    weight, centre = head.weight.detach(), None
    blocks = weight.split(BLOCK)
    if precision == "bfloat16":
        centre = weight.mean(dim=0)
        blocks = tuple((rows - centre).to(torch.bfloat16) for rows in blocks)
    bias = None if head.bias is None else head.bias.detach()
    return VocabularyHead(weight, bias, blocks, centre)


@torch.inference_mode()
def _explains_the_logits(head: nn.Linear, model: Any) -> bool:
    with torch.autocast(model.device.type, enabled=False):
        ids = torch.arange(3, device=model.device)[None] % head.out_features
        states = getattr(model.base_model(ids, use_cache=False), "last_hidden_state", None)
        if not isinstance(states, torch.Tensor) or states.shape[-1] != head.in_features:
            return False
        logits = model(ids, use_cache=False).logits.float()
        return torch.allclose(head(states).float(), logits, rtol=1e-4, atol=1e-4)


def _logits(states: torch.Tensor, rows: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
    if has_fast_product(rows):
        return fast_product(states, rows)
    logits = buffer[: len(states) * len(rows)].view(len(states), len(rows))
    torch.mm(states, rows.t(), out=logits)
    return logits


def _log_sum_exp(logits: torch.Tensor) -> torch.Tensor:
    """Return the logarithm of the rows' sums of exponentials.

    On a CPU this is several times faster than `logsumexp`, which passes over the rows more often.
    """
    first = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    values = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return nn.functional.cross_entropy(values, first, reduction="none") + values[:, 0]
