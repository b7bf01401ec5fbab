"""The two language models of semantic calibration: one of the stream, one of the world.

A tokenizer and a small GPT-2 from nothing but the captions, or any causal language model by id or
folder; fine-tuning with a held-out part; saving, loading and sampling.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm.auto import tqdm
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback

from semcal_utils.devices import choose_device
from semcal_utils.model_folders import (
    TrainingFolder,
    describe_run,
    load_language_model,
    quiet_transformers,
    save_language_model,
    saving_failures_as_sentences,
)
from semcal_utils.scoring import TokenLogProbs, evaluating
from semcal_utils.token_batches import (
    check_texts,
    context_length,
    cut_windows,
    encode_texts,
    end_token_id,
    start_token_id,
)
from semcal_utils.training import (
    CaptionTrainer,
    EndOfRun,
    TrainingBar,
    WindowCollator,
    loss_history,
    own_random_state,
)

END_TOKEN = "<|endoftext|>"
SMALLEST_VOCABULARY = 257  # every byte and the end token
FEWEST_TEXTS = 8

__all__ = [
    "END_TOKEN",
    "FineTuned",
    "fine_tune",
    "load_language_model",
    "perplexity",
    "sample_texts",
    "save_language_model",
    "small_language_model",
    "train_tokenizer",
]


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model at its best held-out checkpoint.

    Attributes:
        model: The model, in evaluation mode.
        tokenizer: Its tokenizer.
        history: Columns `step`, `split` (`train` or `held_out`), `loss` (nats per token).
        best_step: Step whose held-out loss was lowest; its weights are the ones kept.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    history: pd.DataFrame
    best_step: int


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
    end = end_token_id(tokenizer)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=context,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=start_token_id(tokenizer),
        eos_token_id=end,
        pad_token_id=end if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT2LMHeadModel(config)


def fine_tune(
    base: PreTrainedModel | str | Path,
    texts: Sequence[str],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    output_dir: str | Path,
    learning_rate: float = 1e-3,
    epochs: float | None = None,
    max_steps: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    held_out_share: float = 0.1,
    warmup_share: float = 0.05,
    warmup_steps: int | None = None,
    weight_decay: float = 0.01,
    evaluations: int = 8,
    row_length: int | None = None,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    device: str | None = None,
    progress: bool = True,
    description: str = "fine-tuning",
) -> FineTuned:
    """Fine-tune a causal language model on texts and keep the checkpoint that generalises best.

    Each text is `[start] + tokens + [end]`; the end is learnt. The learning rate warms up, then
    follows a cosine to zero. The held-out loss is taken `evaluations` times, evenly spaced, and
    a checkpoint is written each time, so that a killed run resumes from the last one when called
    again with the same arguments. The given model and the global random state are left untouched.

    Args:
        base: A model (then `tokenizer` is required), a folder, or an id on the hub.
        texts: (n,) texts, at least 8.
        tokenizer: The base's tokenizer, when it does not come with the base.
        output_dir: Folder of the finished model; checkpoints live inside until it is finished.
        learning_rate: Peak of the schedule.
        epochs: Passes over the training texts; give this or `max_steps`.
        max_steps: Optimiser steps; give this or `epochs`.
        batch_size: Texts per step and process.
        seed: Decides the held-out part, the order of the texts and dropout.
        held_out_share: Share of the texts that is held out.
        warmup_share: Share of the steps in which the learning rate rises.
        warmup_steps: Rising steps as a number instead, capped to the run's length.
        weight_decay: AdamW's.
        evaluations: How often the held-out loss is taken and a checkpoint is written.
        row_length: Pack the texts of a step into rows of this many tokens; None: one text per row.
            The loss is the same; packing saves time where lengths vary widely.
        precision: `bfloat16` runs the network under autocast; `auto` does so on CUDA only.
        device: Where to train; by default the best there is.
        progress: Show a progress bar.
        description: The bar's name.

    Returns:
        The model at its best held-out checkpoint, and how it got there.

    Raises:
        ValueError: Too few texts, identical texts, a base without a tokenizer or with another
            vocabulary, or contradictory settings; nothing has been trained then.
        TypeError: A text is not a string.
        TrainingDiverged: The loss is no longer finite; names the step and the texts.
        OSError: A checkpoint could not be written; the one before it is intact.
    """
    _check_corpus(texts)
    if (epochs is None) == (max_steps is None):
        raise ValueError("Give either epochs or max_steps, and not both.")
    if not 0.0 < held_out_share < 1.0:
        raise ValueError(f"held_out_share must lie between 0 and 1, got {held_out_share}.")
    model, tokenizer = _base_and_tokenizer(base, tokenizer)
    context = context_length(model)
    pad_id = end_token_id(tokenizer) if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    train_texts, held_out_texts = _hold_out(texts, held_out_share, seed)
    # Consecutive windows share one token, the context of the first prediction of the next.
    windows = cut_windows(encode_texts(tokenizer, train_texts), context, overlap=1)
    held_out_windows = cut_windows(encode_texts(tokenizer, held_out_texts), context)
    target = choose_device(device)
    bfloat16 = precision == "bfloat16" or (
        precision == "auto" and target.type == "cuda" and torch.cuda.is_bf16_supported()
    )
    folder = TrainingFolder(
        Path(output_dir).resolve(),
        describe_run(
            model,
            tokenizer,
            texts,
            learning_rate=learning_rate,
            epochs=epochs,
            max_steps=max_steps,
            batch_size=batch_size,
            seed=seed,
            held_out_share=held_out_share,
            warmup_share=warmup_share,
            warmup_steps=warmup_steps,
            weight_decay=weight_decay,
            evaluations=evaluations,
            row_length=row_length,
            precision="bfloat16" if bfloat16 else "float32",
        ),
    )
    steps = max_steps or max(1, round(float(epochs or 0) * -(-len(windows) // batch_size)))
    every = -(-steps // evaluations)
    arguments = TrainingArguments(
        output_dir=str(folder.checkpoints),
        max_steps=steps,
        per_device_train_batch_size=batch_size,
        learning_rate=learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=(
            round(warmup_share * steps) if warmup_steps is None else min(warmup_steps, steps)
        ),
        weight_decay=weight_decay,
        optim="adamw_torch_fused",
        seed=seed,
        bf16=bfloat16,
        use_cpu=target.type == "cpu",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, every // 4),
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=target.type == "cuda",
    )
    bar = TrainingBar(description, shown=progress)
    checkpoint = folder.last_checkpoint()
    with own_random_state(), quiet_transformers():
        trainer = CaptionTrainer(
            model=model,
            args=arguments,
            windows=windows,
            held_out_windows=held_out_windows,
            collator=WindowCollator(pad_id, row_length),
            callbacks=[bar, EndOfRun()],
        )
        trainer.remove_callback(PrinterCallback)
        try:
            with saving_failures_as_sentences(folder.checkpoints):
                trainer.train(resume_from_checkpoint=checkpoint)
        finally:
            bar.close()
    history = loss_history(trainer.state.log_history)
    best_step = int(trainer.state.best_global_step)
    model = trainer.model.eval()
    if trainer.is_world_process_zero():
        folder.finish(model, tokenizer, history, best_step)
    trainer.accelerator.wait_for_everyone()
    return FineTuned(model, tokenizer, history, best_step)


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


def _check_corpus(texts: Sequence[str]) -> None:
    check_texts(texts)
    if len(texts) < FEWEST_TEXTS:
        raise ValueError(
            f"fine_tune needs at least {FEWEST_TEXTS} texts, some of them to hold out, got "
            f"{len(texts)}; draw a larger split."
        )
    if len(set(texts)) == 1:
        raise ValueError(
            f"All {len(texts)} texts are the same ({texts[0][:60]!r}): there is no distribution "
            "to learn; check the captions."
        )


def _base_and_tokenizer(
    base: PreTrainedModel | str | Path, tokenizer: PreTrainedTokenizerBase | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return a model that may be changed, and a tokenizer that fits it."""
    if isinstance(base, str | Path):
        model, own_tokenizer = load_language_model(base)
        tokenizer = tokenizer or own_tokenizer
    else:
        model = copy.deepcopy(base)
    if tokenizer is None:
        raise ValueError("fine_tune got a model without a tokenizer; pass tokenizer=.")
    known, needed = model.get_input_embeddings().num_embeddings, len(tokenizer)
    if needed > known:
        raise ValueError(
            f"The tokenizer has {needed} tokens but the base model knows {known}: they do not "
            "belong together; load both from one folder."
        )
    return model, tokenizer


def _hold_out(texts: Sequence[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """Return training and held-out texts, both in their original order."""
    count = min(max(1, round(share * len(texts))), len(texts) - 1)
    chosen = np.random.default_rng(seed).choice(len(texts), size=count, replace=False)
    held_out = np.zeros(len(texts), dtype=bool)
    held_out[chosen] = True
    return (
        [text for text, out in zip(texts, held_out, strict=True) if not out],
        [text for text, out in zip(texts, held_out, strict=True) if out],
    )
