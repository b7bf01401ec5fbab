"""From texts to batches of token ids: start and end tokens, windows and filling.

Training and scoring lay tokens out by the same functions, so that a text means the same token
sequence in both: `[start] + tokens + [end]`, where the start token is context only and the end
token is learnt and scored. The masks are made from lengths, never from the value of a token id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

IGNORED = -100


@dataclass(frozen=True)
class TokenWindow:
    """A stretch of a text that fits the model's context.

    Attributes:
        ids: Token ids, at most one more than the model's context: the last is predicted, not read.
        first_target: Position in `ids` of the first token to predict; those before are context.
        text_index: Which text the window belongs to.
        text_offset: Position in the whole sequence of the text of `ids[0]`.
    """

    ids: list[int]
    first_target: int
    text_index: int
    text_offset: int

    @property
    def targets(self) -> int:
        """How many tokens of this window are predicted."""
        return len(self.ids) - self.first_target

    @property
    def length(self) -> int:
        """How many tokens of this window the model reads: all but the last."""
        return len(self.ids) - 1


@dataclass(frozen=True)
class TokenBatch:
    """Windows laid out as one rectangle of token ids, a row each.

    Attributes:
        input_ids: (rows, length) token ids the model reads; rows end in filling.
        targets: (rows, length) the token that each position predicts, -100 where it predicts none.
    """

    input_ids: torch.Tensor
    targets: torch.Tensor


def start_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id that stands before the first token: `bos`, or the end token without one."""
    start = tokenizer.bos_token_id
    return end_token_id(tokenizer) if start is None else int(start)


def end_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id that ends a text.

    Raises:
        ValueError: The tokenizer has none.
    """
    if tokenizer.eos_token_id is None:
        raise ValueError(
            "The tokenizer has no end token, so the end of a text cannot be learnt or scored; "
            "set tokenizer.eos_token to a token of its vocabulary."
        )
    return int(tokenizer.eos_token_id)


def pad_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id that fills rows: the pad token, or the end token where there is none.

    Either will do: masks come from lengths, so no filling is ever read or predicted.
    """
    pad = tokenizer.pad_token_id
    return end_token_id(tokenizer) if pad is None else int(pad)


def encode_texts(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    start: bool = True,
    end: bool = True,
) -> list[list[int]]:
    """Encode every text as `[start] + tokens + [end]`.

    A literal `<|endoftext|>` inside a text is spelt out like any other characters: only the
    sequence's own start and end carry the special meaning.

    Args:
        tokenizer: A fast tokenizer.
        texts: Texts; an empty one is only start and end.
        start: Put the start token before.
        end: Put the end token behind.

    Returns:
        Token ids per text.

    Raises:
        TypeError: `texts` is one string, or an item is not a string; the message names it.
        ValueError: The tokenizer has no end token.
    """
    check_texts(texts)
    before = [start_token_id(tokenizer)] if start else []
    after = [end_token_id(tokenizer)] if end else []
    if not texts:
        return []
    encoded = tokenizer(
        list(texts),
        add_special_tokens=False,
        split_special_tokens=True,
        return_attention_mask=False,
        # Long texts are cut into windows later, so the tokenizer's warning would mislead.
        verbose=False,
    )["input_ids"]
    return [before + list(ids) + after for ids in encoded]


def check_texts(texts: Sequence[str]) -> None:
    """Raise a sentence that names the first item that is not a string."""
    if isinstance(texts, str):
        raise TypeError("texts is a single string; pass a list of strings.")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"texts[{index}] is {type(text).__name__}, not a string; "
                "give items without a caption an empty string or leave them out."
            )


def context_length(model: Any) -> int:
    """Return how many tokens the model reads at once, or raise when its config does not say."""
    config = getattr(model, "config", None)
    if config is None:
        raise ValueError(
            f"{type(model).__name__} has no config, so its context and vocabulary are unknown; "
            "pass a transformers model."
        )
    text_config = config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "max_seq_len"):
        if (length := getattr(text_config, name, None)) is not None:
            return int(length)
    raise ValueError(
        f"The config of {type(model).__name__} names no context length; "
        "set config.max_position_embeddings."
    )


def cut_windows(sequences: Iterable[Sequence[int]], context: int) -> list[TokenWindow]:
    """Cut token sequences into windows that fit the context; each token is predicted once.

    A sequence within the context is one window. A longer one slides: each further window repeats
    the last half context and predicts only what is new.

    Args:
        sequences: Token ids per text, the first of each being context only.
        context: Most tokens the model reads at once.

    Returns:
        Windows in the order of the texts; a sequence of fewer than two tokens gives none.
    """
    overlap = max(1, context // 2)
    windows = []
    for index, ids in enumerate(sequences):
        scored = 1
        while scored < len(ids):
            begin = 0 if scored == 1 else scored - overlap
            stop = min(begin + context + 1, len(ids))
            windows.append(TokenWindow(list(ids[begin:stop]), scored - begin, index, begin))
            scored = stop
    return windows


def lay_out(windows: Sequence[TokenWindow], *, pad_id: int) -> TokenBatch:
    """Lay windows out as a rectangle, one per row.

    Args:
        windows: At least one window.
        pad_id: Token id that fills the rows' ends, where no token is predicted.

    Returns:
        The batch.
    """
    width = max(window.length for window in windows)
    ids, targets = [], []
    for window in windows:
        filling = width - window.length
        ids.append(window.ids[:-1] + [pad_id] * filling)
        context = [IGNORED] * (window.first_target - 1)
        targets.append(context + window.ids[window.first_target :] + [IGNORED] * filling)
    return TokenBatch(torch.tensor(ids), torch.tensor(targets))
