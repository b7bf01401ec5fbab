"""The two language models of semantic calibration: one of the stream, one of the world.

A tokenizer and a small GPT-2 from nothing but the captions, or any causal language model by id or
folder; fine-tuning with a held-out part; saving, loading and sampling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm.auto import tqdm
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from semcal_utils.models.batches import evaluating
from semcal_utils.models.scoring import TokenLogProbs
from semcal_utils.models.token_batches import (
    check_texts,
    context_length,
    end_token_id,
    pad_token_id,
    start_token_id,
)

END_TOKEN = "<|endoftext|>"
SMALLEST_VOCABULARY = 257  # every byte and the end token


def train_tokenizer(
    texts: Iterable[str], *, vocabulary_size: int = 2048
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer, so that any string at all can be encoded and decoded.

    Args:
        texts: Texts to learn merges from (general_train: both models share the vocabulary).
        vocabulary_size: Most tokens, the 256 bytes and the end token among them.

    Returns:
        A tokenizer whose `<|endoftext|>` is start, end and pad token.

    Raises:
        ValueError: A vocabulary too small for the bytes, or no texts.
    """
    if vocabulary_size < SMALLEST_VOCABULARY:
        raise ValueError(
            f"vocabulary_size must be at least {SMALLEST_VOCABULARY} (256 bytes and the end "
            f"token), got {vocabulary_size}."
        )
    texts = list(texts)
    check_texts(texts)
    if not texts:
        raise ValueError("train_tokenizer needs at least one text, got none.")
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            special_tokens=[END_TOKEN],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_TOKEN,
        eos_token=END_TOKEN,
        pad_token=END_TOKEN,
        clean_up_tokenization_spaces=False,
    )


def small_language_model(
    tokenizer: PreTrainedTokenizerBase,
    *,
    width: int = 128,
    layers: int = 4,
    heads: int = 4,
    context: int = 128,
    dropout: float = 0.1,
    seed: int = 0,
) -> GPT2LMHeadModel:
    """Return a GPT-2 with fresh random weights, small enough to train on a laptop.

    Args:
        tokenizer: Decides the vocabulary and the end token.
        width: Size of the hidden states, a multiple of `heads`.
        layers: Transformer blocks.
        heads: Attention heads per block.
        context: Most tokens read at once.
        dropout: Share of activations dropped in training.
        seed: Decides the weights; the global random state is left as it was.

    Returns:
        The model, in float32.

    Raises:
        ValueError: `width` is not a multiple of `heads`.
    """
    if width % heads:
        raise ValueError(f"width must be a multiple of heads, got {width} and {heads}.")
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=context,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        # The same function as GPT-2's own choice, in one kernel instead of eight.
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=start_token_id(tokenizer),
        eos_token_id=end_token_id(tokenizer),
        pad_token_id=pad_token_id(tokenizer),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT2LMHeadModel(config)


@torch.inference_mode()
def sample_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    count: int,
    *,
    seed: int,
    max_tokens: int = 64,
    batch_size: int = 64,
    progress: bool = False,
) -> list[str]:
    """Draw texts from the model's own distribution, token by token from the start token.

    Args:
        model: A causal language model; its training mode is restored afterwards.
        tokenizer: Its tokenizer.
        count: How many texts.
        seed: Decides the draws; the global random state is left as it was.
        max_tokens: Where a text without an end is broken off.
        batch_size: Texts drawn side by side.
        progress: Show a progress bar.

    Returns:
        (count,) texts.
    """
    start, end = start_token_id(tokenizer), end_token_id(tokenizer)
    longest = min(max_tokens, context_length(model))
    generator = torch.Generator().manual_seed(seed)
    texts: list[str] = []
    bar = tqdm(total=count, desc="sampling", unit="text", disable=not progress)
    with evaluating(model), bar:
        while len(texts) < count:
            rows = min(batch_size, count - len(texts))
            latest = torch.full((rows, 1), start, device=model.device)
            running = torch.ones(rows, dtype=torch.bool)
            drawn, cache = [], None
            for _ in range(longest):
                output = model(input_ids=latest, past_key_values=cache, use_cache=True)
                cache = output.past_key_values
                # Drawn on the CPU, so that one seed gives one text on every device.
                chances = output.logits[:, -1].float().softmax(-1).cpu()
                chosen = torch.multinomial(chances, 1, generator=generator)
                chosen[~running] = end
                running &= chosen[:, 0] != end
                drawn.append(chosen)
                if not running.any():
                    break
                latest = chosen.to(model.device)
            for ids in torch.cat(drawn, dim=1).tolist():
                texts.append(tokenizer.decode(ids[: ids.index(end)] if end in ids else ids))
            bar.update(rows)
    return texts


def perplexity(token_log_probs: Iterable[TokenLogProbs | Sequence[float]]) -> float:
    """Return the exponential of the mean negative log-probability per token.

    Args:
        token_log_probs: Scored texts, or their log-probabilities (nats).

    Returns:
        The perplexity over all tokens of all texts, at least 1.

    Raises:
        ValueError: There is no token.
    """
    values = [
        np.asarray(text.log_probs if isinstance(text, TokenLogProbs) else text, dtype=np.float64)
        for text in token_log_probs
    ]
    tokens = sum(len(text) for text in values)
    if not tokens:
        raise ValueError("perplexity needs at least one scored token, got none.")
    return float(np.exp(-sum(text.sum() for text in values) / tokens))
