"""The plain way to fine-tune and to score, as the published scripts do it, to measure against.

Scoring: one text at a time, not padded, the full log-softmax at every position, each token's value
and spelling fetched one by one (with start and end token, so that both score the same tokens).
Fine-tuning: every caption padded to 512 tokens, eight to a batch, the vocabulary head at every
position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

REFERENCE_LENGTH = 512  # tokens every caption is padded to
REFERENCE_BATCH = 8


@torch.no_grad()
def score_one_by_one(
    model: Any, tokenizer: Any, texts: Sequence[str]
) -> list[list[tuple[str, float]]]:
    """Return (spelling, log-probability in nats) of every token behind the start token."""
    scored = []
    for text in texts:
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([[tokenizer.bos_token_id, *tokens, tokenizer.eos_token_id]])
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, :-1]
        log_softmax = torch.log_softmax(logits, dim=-1)
        found = log_softmax.gather(2, ids[:, 1:, None]).squeeze(-1)
        scored.append(
            [
                (tokenizer.decode([token]), found[0, i].item())
                for i, token in enumerate(ids[0, 1:].tolist())
            ]
        )
    return scored


def padded_batch(tokenizer: Any, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    """Return one training batch padded to 512 tokens, the filling masked by the pad token's id."""
    batch = tokenizer(
        list(texts),
        truncation=True,
        padding="max_length",
        max_length=REFERENCE_LENGTH,
        return_tensors="pt",
    )
    labels = batch["input_ids"].clone()
    labels[labels == tokenizer.pad_token_id] = -100
    return {
        "input_ids": batch["input_ids"],
        "attention_mask": batch["attention_mask"],
        "labels": labels,
    }


def padded_training_step(
    model: Any, optimizer: torch.optim.Optimizer, batch: dict[str, torch.Tensor]
) -> float:
    """Take one optimiser step on a padded batch and return its loss in nats per token."""
    model.train()
    loss = model(**batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())
