"""The captioner of sounds from the hub: Qwen2-Audio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoProcessor, Qwen2AudioForConditionalGeneration

from semcal_utils.captioning.hub_models import (
    in_batches,
    load_model,
    load_part,
    warn_of_cut_captions,
)
from semcal_utils.devices import choose_device, choose_dtype
from semcal_utils.media import Modality
from semcal_utils.media.readers import UnusableItem, read_sound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHORTEST_SECONDS = 0.1


class Qwen2AudioCaptioner:
    """Describes sounds with Qwen2-Audio (Chu et al., 2024, arXiv:2407.10759).

    Args:
        ref: Model id on the hub or folder.
        device: By default the best there is.
        dtype: By default float32 on a CPU, 16 bits elsewhere.
        local_files_only: Whether to stay off the network.
        prompt: The question asked about every clip.
        max_new_tokens: Most tokens a caption may have.
        beams: Beams of the search; one is greedy.

    Attributes:
        modality: ``"audio"``.
        name: What it was loaded from.
        sampling_rate: Hz; sounds of other rates are resampled.
        longest_seconds: What the encoder hears; a longer clip is refused, not cut.

    Raises:
        FileNotFoundError: The folder or the hub's repository lacks a file of the model.
    """

    modality: Modality = "audio"

    def __init__(
        self,
        ref: str,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        local_files_only: bool = False,
        prompt: str = "Describe the sounds in this audio clip.",
        max_new_tokens: int = 256,
        beams: int = 1,
    ) -> None:
        self.name = ref
        self.prompt, self.max_new_tokens, self.beams = prompt, max_new_tokens, beams
        self.device, self.dtype = choose_device(device), choose_dtype(dtype, device)
        self.processor = load_part(AutoProcessor, ref, local_files_only=local_files_only)
        # A decoder goes on from the last position, so the padding must come first.
        self.processor.tokenizer.padding_side = "left"
        self.sampling_rate = int(self.processor.feature_extractor.sampling_rate)
        self.longest_seconds = float(self.processor.feature_extractor.chunk_length)
        self.model = load_model(
            Qwen2AudioForConditionalGeneration,
            ref,
            device=self.device,
            dtype=self.dtype,
            local_files_only=local_files_only,
        )

    def caption(
        self, items: Sequence[Any], *, batch_size: int = 4, progress: bool = True
    ) -> list[str]:
        """Caption sounds.

        Args:
            items: Sounds: ``{"array": (n,), "sampling_rate": Hz}``, or anything else that
                `read_sound` decodes.
            batch_size: Sounds described at once.
            progress: Whether to show a bar.

        Returns:
            One caption per sound.

        Raises:
            UnusableItem: A sound cannot be decoded, is silent, or is longer than the encoder hears.
        """
        return in_batches(self._describe, items, batch_size, progress)

    def _describe(self, items: Sequence[Any]) -> list[str]:
        sounds = [self._hear(item) for item in items]
        turns = [
            {"role": "system", "content": "You are a helpful assistant."},
            {
                "role": "user",
                "content": [
                    {"type": "audio", "audio_url": "clip.wav"},
                    {"type": "text", "text": self.prompt},
                ],
            },
        ]
        question = self.processor.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=False
        )
        inputs = self.processor(
            text=[question] * len(sounds),
            audio=sounds,
            sampling_rate=self.sampling_rate,
            padding=True,
            return_tensors="pt",
        ).to(self.device, self.dtype)
        tokens = self.model.generate(
            **inputs, max_new_tokens=self.max_new_tokens, num_beams=self.beams, do_sample=False
        )
        answers = tokens[:, inputs["input_ids"].shape[1] :]
        warn_of_cut_captions(
            answers,
            max_new_tokens=self.max_new_tokens,
            padding=self.processor.tokenizer.pad_token_id,
            name=self.name,
        )
        texts = self.processor.batch_decode(answers, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _hear(self, item: Any) -> NDArray[np.float32]:
        sound = read_sound(item, sampling_rate=self.sampling_rate)
        seconds = len(sound) / self.sampling_rate
        if not _SHORTEST_SECONDS <= seconds <= self.longest_seconds:
            raise UnusableItem(
                f"The sound lasts {seconds:.2f} s; the captioner hears clips of "
                f"{_SHORTEST_SECONDS} to {self.longest_seconds:.0f} s."
            )
        return sound
