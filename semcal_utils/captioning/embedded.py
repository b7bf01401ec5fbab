"""The embedded captioner: pictures or sounds in, captions out, trained here in minutes on a CPU.

`training.train_captioner` makes one; it is saved and loaded like any model of the transformers
library.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from semcal_utils.captioning.captioners import in_batches
from semcal_utils.captioning.network import CaptionerConfig, CaptionerNetwork
from semcal_utils.media import Modality
from semcal_utils.media.readers import UnusableItem, read_picture, read_sound
from semcal_utils.media.spectra import FLOOR, HOP, log_mel
from semcal_utils.models.devices import choose_device, choose_dtype
from semcal_utils.models.library_notices import quiet_transformers

MODEL_TYPE = CaptionerConfig.model_type
PAD, START, END, UNKNOWN = "<pad>", "<start>", "<end>", "<unknown>"  # ids 0 to 3, in this order
LARGEST_VOCABULARY = 4000  # words
LONGEST_CAPTION = 128  # words
TOGETHER = 256  # items encoded at once when captioning: flat memory, full speed


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
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
    ) -> EmbeddedCaptioner:
        """Load a captioner from a folder.

        Args:
            folder: one that `save_pretrained` wrote.
            device: where the captioner runs; by default the best there is.
            dtype: float32, the only precision it runs in.

        Returns:
            The captioner, ready to use.

        Raises:
            FileNotFoundError: if a file of the captioner is missing.
            ValueError: if the device or the dtype is none it can run on.
        """
        if choose_dtype(dtype, "cpu") != torch.float32:
            raise ValueError(f"The embedded captioner runs in float32, not in {dtype}.")
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
        return cls(network.to(choose_device(device)), tokenizer)


def word_tokenizer(captions: Sequence[str]) -> PreTrainedTokenizerFast:
    """Build a tokenizer whose tokens are the captions' words and punctuation marks, in lower case.

    Args:
        captions: the texts that decide the vocabulary, at most its 4,000 most frequent words.

    Returns:
        A tokenizer with padding 0, start 1, end 2 and unknown word 3.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(
        vocab_size=LARGEST_VOCABULARY,
        special_tokens=[PAD, START, END, UNKNOWN],
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        unk_token=UNKNOWN,
        # A caption that holds the text "<end>" says so in words; it does not end there.
        split_special_tokens=True,
    )


def caption_tokens(tokenizer: PreTrainedTokenizerFast, captions: Sequence[str]) -> Tensor:
    """Encode captions between start and end tokens.

    Args:
        tokenizer: the words.
        captions: the texts.

    Returns:
        (captions, longest + 2) token ids, padded on the right with 0.

    Raises:
        ValueError: if a caption has more than 128 words.
    """
    words = tokenizer(list(captions), add_special_tokens=False)["input_ids"]
    for place, ids in enumerate(words):
        if len(ids) > LONGEST_CAPTION:
            raise ValueError(
                f"The caption of lesson {place} has {len(ids)} words; the embedded captioner "
                f"learns at most {LONGEST_CAPTION}: shorten it or leave it out."
            )
    tokens = torch.zeros(len(words), max(map(len, words)) + 2, dtype=torch.long)
    for row, ids in zip(tokens, words, strict=True):
        row[: len(ids) + 2] = torch.tensor([1, *ids, 2])
    return tokens


def input_arrays(
    items: Iterable[Any], config: CaptionerConfig, *, first_place: int = 0
) -> NDArray[np.uint8]:
    """Turn pictures or sounds into the arrays that a captioner was built for.

    Args:
        items: pictures (PIL, bytes, paths, ``{"bytes", "path"}``) of any mode and size, or sounds
            (the same forms, ``{"array", "sampling_rate"}``, or bare samples at the captioner's
            rate).
        config: the captioner's modality and input shape.
        first_place: the place of the first item, for messages.

    Returns:
        (items, channels, height, width).

    Raises:
        UnusableItem: if an item cannot be read; the message names its place.
    """
    read = picture_array if config.modality == "image" else sound_array
    arrays = []
    for place, item in enumerate(items, first_place):
        try:
            arrays.append(read(item, config))
        except UnusableItem as error:
            raise UnusableItem(f"Item {place}: {error}") from error
    return np.stack(arrays)


def picture_array(picture: Any, config: CaptionerConfig) -> NDArray[np.uint8]:
    """Read a picture, stretched to the captioner's size.

    Args:
        picture: any form that `read_picture` takes.
        config: the captioner's input shape.

    Returns:
        (3, height, width) red, green and blue.
    """
    drawn = read_picture(picture)
    if drawn.size != (config.width, config.height):
        drawn = drawn.resize((config.width, config.height), Image.Resampling.BILINEAR)
    return np.asarray(drawn).transpose(2, 0, 1)


def sound_array(sound: Any, config: CaptionerConfig) -> NDArray[np.uint8]:
    """Hear a sound's first seconds as a log-mel picture; silence follows a shorter sound.

    A longer sound is cut with a warning.

    Args:
        sound: any form that `read_sound` takes, or (n,) samples at the captioner's rate.
        config: the captioner's input shape and rate.

    Returns:
        (1, mel bands, frames), 0 at -80 dB and 255 at 0 dB, high frequencies on top.
    """
    if isinstance(sound, np.ndarray):
        sound = {"array": sound, "sampling_rate": config.sampling_rate}
    samples = read_sound(sound, sampling_rate=config.sampling_rate)
    heard = np.zeros(config.width * HOP, np.float32)
    if len(samples) > len(heard):
        seconds = len(heard) / config.sampling_rate
        warnings.warn(
            f"A sound lasts longer than {seconds} s; this captioner hears its first {seconds} s.",
            stacklevel=2,
        )
        samples = samples[: len(heard)]
    heard[: len(samples)] = samples
    level = log_mel(heard, sampling_rate=config.sampling_rate, bands=config.height)
    scaled = np.clip((level - FLOOR) / -FLOOR * 255, 0, 255)
    return scaled[::-1].astype(np.uint8)[None]
