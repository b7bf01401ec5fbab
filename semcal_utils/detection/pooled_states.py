"""Hidden states of a language model, averaged over a caption's tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from semcal_utils.models.batches import evaluating
from semcal_utils.models.token_batches import context_length, encode_texts, pad_token_id


@torch.inference_mode()
def pooled_states(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    item_ids: Sequence[str],
    texts: Sequence[str],
    *,
    token_budget: int = 8192,
) -> pd.DataFrame:
    """Average the last layer's states over each text's tokens, end token included.

    Args:
        model: a causal language model; its training mode is restored afterwards.
        tokenizer: its tokenizer.
        item_ids: (n,) names of the texts.
        texts: (n,) texts. Of one that is longer than the model's context, its beginning is read.
        token_budget: most tokens per batch, filling included.

    Returns:
        (n, D) states; the index is item_id.
    """
    longest = context_length(model)
    sequences = [ids[:longest] for ids in encode_texts(tokenizer, texts, start=True, end=True)]
    order = np.argsort([len(ids) for ids in sequences], kind="stable")[::-1]
    states: dict[int, np.ndarray] = {}
    with evaluating(model):
        while len(states) < len(order):
            width = len(sequences[order[len(states)]])
            rows = order[len(states) : len(states) + max(1, token_budget // width)]
            states |= _batch_states(
                model, [sequences[row] for row in rows], rows, pad_token_id(tokenizer)
            )
    table = np.stack([states[row] for row in range(len(sequences))])
    return pd.DataFrame(table, index=pd.Index(list(item_ids), name="item_id"))


def _batch_states(
    model: PreTrainedModel, sequences: list[list[int]], rows: np.ndarray, pad_id: int
) -> dict[int, np.ndarray]:
    lengths = torch.tensor([len(ids) for ids in sequences])
    width = int(lengths.max())
    ids = torch.full((len(sequences), width), pad_id)
    for place, sequence in enumerate(sequences):
        ids[place, : len(sequence)] = torch.tensor(sequence)
    present = torch.arange(width) < lengths[:, None]
    output = model.base_model(
        input_ids=ids.to(model.device), attention_mask=present.long().to(model.device)
    )
    hidden = output.last_hidden_state.float().cpu()
    # The first token is context only: the same for every text.
    counted = present.clone()
    counted[:, 0] = False
    sums = (hidden * counted[..., None]).sum(dim=1) / counted.sum(dim=1, keepdim=True).clamp(min=1)
    return {int(row): state.double().numpy() for row, state in zip(rows, sums, strict=True)}
