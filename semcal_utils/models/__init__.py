"""The language models of semantic calibration: one of the stream, one of each world.

A tokenizer and a small GPT-2 from nothing but the captions, or any causal language model by id
or folder; fine-tuning, saving, loading, sampling; the log-probability of every token; and all
models of a profile at once (`python -m semcal_utils.models`).
"""

from semcal_utils.models.devices import choose_device, choose_dtype
from semcal_utils.models.fine_tuning import FineTuned, FineTuning, fine_tune, hold_out
from semcal_utils.models.grid import (
    ModelSettings,
    draw_worlds,
    processes,
    train_model,
    untrained_model,
)
from semcal_utils.models.language_models import (
    END_TOKEN,
    perplexity,
    sample_texts,
    small_language_model,
    train_tokenizer,
)
from semcal_utils.models.model_folders import load_language_model, save_language_model
from semcal_utils.models.scoring import (
    LARGE_MODEL,
    TOKEN_BUDGET_LARGE,
    TOKEN_BUDGET_SMALL,
    Mode,
    TokenLogProbs,
    check_models,
    check_same_vocabulary,
    score_models,
    score_pair,
    score_texts,
    vocabulary_size,
)
from semcal_utils.models.token_batches import start_token_id
from semcal_utils.models.training import TrainingDiverged

__all__ = [
    "END_TOKEN",
    "LARGE_MODEL",
    "TOKEN_BUDGET_LARGE",
    "TOKEN_BUDGET_SMALL",
    "FineTuned",
    "FineTuning",
    "Mode",
    "ModelSettings",
    "TokenLogProbs",
    "TrainingDiverged",
    "check_models",
    "check_same_vocabulary",
    "choose_device",
    "choose_dtype",
    "draw_worlds",
    "fine_tune",
    "hold_out",
    "load_language_model",
    "perplexity",
    "processes",
    "sample_texts",
    "save_language_model",
    "score_models",
    "score_pair",
    "score_texts",
    "small_language_model",
    "start_token_id",
    "train_model",
    "train_tokenizer",
    "untrained_model",
    "vocabulary_size",
]
