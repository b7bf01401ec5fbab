"""The embedded captioner: pictures or sounds in, captions out, trained here in minutes on a CPU.

`train_captioner` learns from lessons (items with reference captions); the `EmbeddedCaptioner` that
it returns captions new items and is saved and loaded like any model of the transformers library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast

from semcal_utils.captioning.batches import in_batches
from semcal_utils.captioning.inputs import input_arrays
from semcal_utils.captioning.network import CaptionerConfig, CaptionerNetwork
from semcal_utils.captioning.training import caption_loss, caption_tokens, fit, word_tokenizer
from semcal_utils.media import Modality, modality
from semcal_utils.models.library_notices import quiet_transformers

if TYPE_CHECKING:
    from datasets import Dataset

MODEL_TYPE = CaptionerConfig.model_type
SHAPES: dict[str, tuple[int, int, int]] = {"image": (3, 64, 64), "audio": (1, 48, 96)}
"""Channels, rows and columns: 64 pixels a side; 48 mel bands by 1.5 s of frames."""
TOGETHER = 256  # items encoded at once when captioning: flat memory, full speed

Grade = Callable[[list[str], pd.DataFrame], Mapping[str, float]]


class EmbeddedCaptioner:
    """A trained network with its vocabulary.

    Attributes:
        network: the encoder and the decoder.
        tokenizer: the words.
        modality: what it captions, ``image`` or ``audio``.
    """

    def __init__(self, network: CaptionerNetwork, tokenizer: PreTrainedTokenizerFast) -> None:
        self.network = network.eval()
        self.tokenizer = tokenizer
        self.modality: Modality = network.config.modality

    def caption(
        self, items: Sequence[Any], *, batch_size: int = TOGETHER, progress: bool = True
    ) -> list[str]:
        """Caption pictures or sounds greedily, so that the same item always gets the same caption.

        Args:
            items: pictures of any mode and size, or sounds as ``{"array", "sampling_rate"}``,
                ``{"bytes"}`` or bare samples at the captioner's rate. A picture is stretched to the
                captioner's size; of a sound the first 1.5 s are heard.
            batch_size: items captioned at once; it changes the speed, not the captions.
            progress: whether to show a progress bar.

        Returns:
            One caption per item, in order, never empty.

        Raises:
            UnusableItem: if an item cannot be read; the message names its place.
            ValueError: if the batch size is below 1.
        """
        return in_batches(self._describe, items, batch_size=batch_size, progress=progress)

    def _describe(self, items: Sequence[Any], start: int) -> list[str]:
        arrays = input_arrays(items, self.network.config, first_place=start)
        return self.caption_arrays(torch.from_numpy(arrays))

    def caption_arrays(self, arrays: Tensor) -> list[str]:
        """Caption inputs that are arrays already.

        Args:
            arrays: (items, channels, height, width) bytes, as `input_arrays` makes them.

        Returns:
            One caption per item.
        """
        scaled = self.network.scaled(arrays.to(self.network.device))
        tokens = self.network.greedy_captions(scaled)
        texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [re.sub(r"\s+([,.;:!?])", r"\1", text) for text in texts]

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the weights (safetensors), the configuration and the vocabulary.

        Args:
            folder: made if it does not exist.
        """
        self.network.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path, *, device: str = "cpu") -> EmbeddedCaptioner:
        """Load a captioner from a folder.

        Args:
            folder: one that `save_pretrained` wrote.
            device: where the captioner runs.

        Returns:
            The captioner, ready to use.

        Raises:
            FileNotFoundError: if a file of the captioner is missing.
        """
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            if not (Path(folder) / name).is_file():
                raise FileNotFoundError(
                    f"The folder {folder} holds no embedded captioner: {name} is missing; "
                    "train one and save it there."
                )
        with quiet_transformers():
            network = CaptionerNetwork.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True
            )
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        return cls(network.to(device), tokenizer)


def train_captioner(
    lessons: Dataset,
    *,
    steps: int | None = None,
    epochs: float | None = None,
    batch_size: int = 32,
    learning_rate: float = 1.5e-3,
    seed: int,
    held_out_share: float = 0.1,
    grade: Grade | None = None,
    progress: bool = True,
) -> tuple[EmbeddedCaptioner, pd.DataFrame]:
    """Train a captioner from scratch; on one machine the same seed gives the same captioner.

    Args:
        lessons: rows with item_id, reference_caption and an image or audio column.
        steps: batches to learn from; give either this or `epochs`.
        epochs: passes over the lessons that are not held out.
        batch_size: lessons a step.
        learning_rate: its peak.
        seed: decides the held-out lessons, the first weights, the order and the augmentation.
        held_out_share: share of the lessons, in [0, 1), that measures and does not teach.
        grade: judges captions of the held-out lessons, given with the lessons' table (every column
            but the media), eight times in a run; what it returns becomes columns of the history.
        progress: whether to show progress bars.

    Returns:
        The captioner and its history: step, minutes (wall time), train_loss (nats per token, mean
        since the row before), held_out_loss (nats per token) and the grades; the last two are
        missing in rows where they were not measured.

    Raises:
        UnusableItem: if a lesson cannot be read.
        ValueError: if the lessons lack a column or a caption, or an argument is out of range.
        RuntimeError: if the loss stops being a finite number.
    """
    kind = modality(lessons)
    captions = _captions_of(lessons)
    held_out, learnt = _divided(len(captions), held_out_share, seed)
    batch_size = min(batch_size, len(learnt))
    steps = _steps(steps, epochs, len(learnt) / max(1, batch_size))

    tokenizer = word_tokenizer([captions[place] for place in learnt])
    tokens = caption_tokens(tokenizer, captions)
    config = _config(kind, len(tokenizer), tokens.shape[1])
    arrays = _arrays(lessons, kind, config, progress)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        captioner = EmbeddedCaptioner(CaptionerNetwork(config), tokenizer)
    table = lessons.remove_columns(kind).to_pandas().iloc[held_out].reset_index(drop=True)

    def examine() -> dict[str, float]:
        return _examined(captioner, arrays[held_out], tokens[held_out], table, grade)

    history = fit(
        captioner.network,
        arrays[learnt],
        tokens[learnt],
        examine=examine,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        progress=progress,
    )
    return captioner, history


def _captions_of(lessons: Dataset) -> list[str]:
    if "reference_caption" not in lessons.column_names:
        raise ValueError(
            "The lessons have no column reference_caption to learn from; they have "
            f"{', '.join(lessons.column_names)}."
        )
    captions = list(lessons["reference_caption"])
    for place, caption in enumerate(captions):
        if not isinstance(caption, str) or not caption.strip():
            raise ValueError(f"Lesson {place} has no reference_caption; leave it out or write one.")
    return captions


def _divided(lessons: int, held_out_share: float, seed: int) -> tuple[Any, Any]:
    if not 0 <= held_out_share < 1:
        raise ValueError(f"held_out_share is {held_out_share}; it must be at least 0 and below 1.")
    order = np.random.default_rng(seed).permutation(lessons)
    held_out, learnt = np.split(order, [round(held_out_share * lessons)])
    if len(learnt) < 2:
        raise ValueError(f"Of {lessons} lessons {len(learnt)} are left to learn from; give more.")
    return held_out, learnt


def _steps(steps: int | None, epochs: float | None, steps_per_epoch: float) -> int:
    if (steps is None) == (epochs is None):
        raise ValueError("Give either steps or epochs, and not both.")
    count = steps if steps is not None else round(cast("float", epochs) * steps_per_epoch)
    if count < 1:
        raise ValueError(f"{count} steps teach nothing; give at least 1.")
    return count


def _config(kind: Modality, words: int, longest: int) -> CaptionerConfig:
    if kind not in SHAPES:
        raise ValueError(
            "A text is its own caption: the embedded captioner learns from pictures or sounds."
        )
    channels, height, width = SHAPES[kind]
    return CaptionerConfig(
        modality=kind,
        channels=channels,
        height=height,
        width=width,
        vocab_size=words,
        caption_tokens=longest,
    )


def _arrays(lessons: Dataset, kind: str, config: CaptionerConfig, progress: bool) -> Tensor:
    media = lessons[kind]
    arrays = torch.empty(
        (len(lessons), config.channels, config.height, config.width), dtype=torch.uint8
    )
    with tqdm(total=len(lessons), desc="Reading lessons", disable=not progress) as bar:
        for start in range(0, len(lessons), TOGETHER):
            batch = media[start : start + TOGETHER]
            arrays[start : start + TOGETHER] = torch.from_numpy(
                input_arrays(batch, config, first_place=start)
            )
            bar.update(len(batch))
    return arrays


def _examined(
    captioner: EmbeddedCaptioner,
    arrays: Tensor,
    tokens: Tensor,
    table: pd.DataFrame,
    grade: Grade | None,
) -> dict[str, float]:
    if len(table) == 0:
        return {"held_out_loss": np.nan}
    loss, captions = 0.0, []
    with torch.inference_mode():
        for some, words in zip(arrays.split(TOGETHER), tokens.split(TOGETHER), strict=True):
            scaled = captioner.network.scaled(some)
            loss += float(caption_loss(captioner.network, scaled, words, reduction="sum"))
            captions += captioner.caption_arrays(some) if grade is not None else []
    measured = {"held_out_loss": loss / int((tokens[:, 1:] != 0).sum())}
    return measured | dict(grade(captions, table)) if grade is not None else measured
