"""Folders of language models: written whole, loaded with one sentence when they cannot be.

A finished folder holds `config.json`; it is written last and taken away first, so that a folder
with it is complete. While training goes on, the checkpoints live in the sub-folder `checkpoints`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.activations import NewGELUActivation
from transformers.trainer_utils import get_last_checkpoint

from semcal_utils.models.library_notices import quiet_transformers

LAST_WRITTEN = "config.json"
TRAINING_RECORD = "training.json"


def save_language_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path
) -> Path:
    """Save model and tokenizer as a `from_pretrained` folder, in safetensors.

    Files are written under temporary names first: a full disk leaves an older model in the folder
    as it was.

    Args:
        model: A language model.
        tokenizer: Its tokenizer.
        folder: Where to; made when missing.

    Returns:
        The folder.

    Raises:
        OSError: The files could not be written.
    """
    folder = Path(folder)
    partial = folder / f".saving-{os.getpid()}"
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with saving_failures_as_sentences(folder), quiet_transformers():
            model.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
        (folder / LAST_WRITTEN).unlink(missing_ok=True)
        for file in sorted(partial.iterdir(), key=lambda file: file.name == LAST_WRITTEN):
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def load_language_model(
    ref: str | Path,
    *,
    device: str | torch.device | None = "cpu",
    dtype: torch.dtype = torch.float32,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model and its tokenizer from a folder or by id.

    Args:
        ref: A folder that `save_language_model` or `fine_tune` finished, or an id on the hub.
        device: Where the model goes.
        dtype: Precision of the weights; float32, because a caption's log ratio is a small
            difference of large numbers.

    Returns:
        The model, in evaluation mode, and its tokenizer.

    Raises:
        FileNotFoundError: No such folder or id, or an unfinished or damaged folder.
        ValueError: The folder holds something other than a causal language model, or it has no
            safetensors weights.
    """
    folder = Path(ref)
    if folder.is_dir() and not (folder / LAST_WRITTEN).is_file():
        unfinished = (folder / "checkpoints").is_dir()
        raise FileNotFoundError(
            f"{folder} holds no {LAST_WRITTEN}: "
            + (
                "its training has not finished; call fine_tune again and it resumes."
                if unfinished
                else "it is not the folder of a language model."
            )
        )
    if isinstance(ref, Path) and not folder.is_dir():
        raise FileNotFoundError(f"There is no model folder {folder}; train the model first.")
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(str(ref))
            model = AutoModelForCausalLM.from_pretrained(
                str(ref), dtype=dtype, use_safetensors=True
            )
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise FileNotFoundError(
            f"Cannot load the language model {ref}: {reason}. Name a folder with config, "
            "tokenizer and safetensors weights, or an id on the hub while online."
        ) from error
    except (KeyError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(
            f"{ref} is not a causal language model this library can read: {reason}."
        ) from error
    return fuse_activations(model).to(device).eval(), tokenizer


def fuse_activations(model: PreTrainedModel) -> PreTrainedModel:
    """Let GPT-2's activation, eight operations as published, run as one, and return the model.

    It is the same function, and the config keeps its name, so that a saved folder is unchanged.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))
    return model


@contextmanager
def saving_failures_as_sentences(folder: Path) -> Iterator[None]:
    """Turn a failed write of weights into one sentence that says what is still intact."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        # torch reports a failed write as a RuntimeError of its archive writer.
        if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise OSError(
            f"Could not write to {folder}: {reason}. What was finished before is intact; make "
            "room and run the same call again."
        ) from error


class TrainingFolder:
    """The folder of one training run: checkpoints while it lasts, the model when it is finished.

    Args:
        folder: Where the finished model goes.
        description: What the run depends on; checkpoints of another run are not resumed.
    """

    def __init__(self, folder: Path, description: dict[str, Any]) -> None:
        self.folder = folder
        self.checkpoints = folder / "checkpoints"
        self.description = description
        self.record = self.checkpoints / "run.json"

    def last_checkpoint(self) -> str | None:
        """Return the last complete checkpoint of this very run, discarding any other."""
        if self.checkpoints.is_dir() and not self._is_of_this_run():
            warnings.warn(
                f"{self.checkpoints} holds checkpoints of another run (other texts, base or "
                "settings); they are discarded and training starts anew.",
                stacklevel=3,
            )
            shutil.rmtree(self.checkpoints)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.record.write_text(json.dumps(self.description), encoding="utf-8")
        while found := get_last_checkpoint(str(self.checkpoints)):
            # The state is written last: without it the process died while saving.
            if _is_json(Path(found) / "trainer_state.json"):
                return str(found)
            shutil.rmtree(found)
        return None

    def finish(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        history: pd.DataFrame,
        best_step: int,
    ) -> None:
        """Save the model with the record of its training, then let the checkpoints go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        record = {
            **self.description,
            "best_step": best_step,
            "history": history.to_dict(orient="list"),
        }
        (self.folder / TRAINING_RECORD).write_text(
            json.dumps(record, indent=1) + "\n", encoding="utf-8"
        )
        save_language_model(model, tokenizer, self.folder)
        shutil.rmtree(self.checkpoints)

    def _is_of_this_run(self) -> bool:
        if not _is_json(self.record):
            return not any(self.checkpoints.iterdir())
        return bool(json.loads(self.record.read_text(encoding="utf-8")) == self.description)


def describe_run(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    **settings: Any,
) -> dict[str, Any]:
    """Return what a training run depends on: settings and digests of base, vocabulary and texts."""
    weights = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        weights.update(name.encode())
        weights.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return {
        "settings": settings,
        "texts": len(texts),
        "digests": {
            "base": weights.hexdigest()[:16],
            "vocabulary": _digest(sorted(tokenizer.get_vocab().items())),
            "texts": _digest(list(texts)),
        },
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return True
