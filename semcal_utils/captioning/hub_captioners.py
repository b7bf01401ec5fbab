"""Captioners from the hub: Florence-2 and BLIP for pictures, Qwen2-Audio for sounds.

Each loads from a model id or from a folder in the same layout, with the library's own classes, no
remote code and safetensors only, and describes its items greedily or by beam search, never by
sampling, so that the same item gets the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import (
    BlipForConditionalGeneration,
    BlipProcessor,
    Florence2ForConditionalGeneration,
    Florence2Processor,
)

from semcal_utils.captioning.hub_models import (
    in_batches,
    load_model,
    load_part,
    warn_of_cut_captions,
)
from semcal_utils.captioning.hub_sound_captioner import Qwen2AudioCaptioner
from semcal_utils.devices import choose_device, choose_dtype
from semcal_utils.media import Modality
from semcal_utils.media.readers import read_picture

__all__ = ["CAPTIONERS", "BlipCaptioner", "Florence2Captioner", "Qwen2AudioCaptioner"]


class Florence2Captioner:
    """Describes pictures with Florence-2 (Xiao et al., 2024, arXiv:2311.06242).

    Args:
        ref: Model id on the hub or folder.
        device: By default the best there is.
        dtype: By default float32 on a CPU, 16 bits elsewhere.
        local_files_only: Whether to stay off the network.
        task: Florence-2's task token; it is the whole prompt.
        max_new_tokens: Most tokens a caption may have.
        beams: Beams of the search; one is greedy.

    Attributes:
        modality: ``"image"``.
        name: What it was loaded from.

    Raises:
        FileNotFoundError: The folder or the hub's repository lacks a file of the model.
    """

    modality: Modality = "image"

    def __init__(
        self,
        ref: str,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        local_files_only: bool = False,
        task: str = "<MORE_DETAILED_CAPTION>",
        max_new_tokens: int = 512,
        beams: int = 3,
    ) -> None:
        self.name = ref
        self.task, self.max_new_tokens, self.beams = task, max_new_tokens, beams
        self.device, self.dtype = choose_device(device), choose_dtype(dtype, device)
        self.processor = load_part(
            Florence2Processor, ref, local_files_only=local_files_only, backend="pil"
        )
        self.model = load_model(
            Florence2ForConditionalGeneration,
            ref,
            device=self.device,
            dtype=self.dtype,
            local_files_only=local_files_only,
        )

    def caption(
        self, items: Sequence[Any], *, batch_size: int = 8, progress: bool = True
    ) -> list[str]:
        """Caption pictures.

        Args:
            items: Pictures: PIL images, or anything `read_picture` decodes.
            batch_size: Pictures described at once.
            progress: Whether to show a bar.

        Returns:
            One caption per picture.

        Raises:
            UnusableItem: A picture cannot be decoded.
        """
        return in_batches(self._describe, items, batch_size, progress)

    def _describe(self, items: Sequence[Any]) -> list[str]:
        pictures = [read_picture(item) for item in items]
        inputs = self.processor(
            text=[self.task] * len(pictures), images=pictures, return_tensors="pt"
        ).to(self.device, self.dtype)
        tokens = self.model.generate(
            **inputs, max_new_tokens=self.max_new_tokens, num_beams=self.beams, do_sample=False
        )
        warn_of_cut_captions(
            tokens[:, 1:],
            max_new_tokens=self.max_new_tokens,
            padding=self.processor.tokenizer.pad_token_id,
            name=self.name,
        )
        padding = self.processor.tokenizer.pad_token
        # The task's own parser needs the special tokens, except padding, which it would keep.
        texts = self.processor.batch_decode(tokens, skip_special_tokens=False)
        return [
            self.processor.post_process_generation(
                text.replace(padding, ""), task=self.task, image_size=picture.size
            )[self.task].strip()
            for text, picture in zip(texts, pictures, strict=True)
        ]


class BlipCaptioner:
    """Describes pictures with BLIP (Li et al., 2022, arXiv:2201.12086), light enough for a CPU.

    Args:
        ref: Model id on the hub or folder.
        device: By default the best there is.
        dtype: By default float32 on a CPU, 16 bits elsewhere.
        local_files_only: Whether to stay off the network.
        max_new_tokens: Most tokens a caption may have.
        beams: Beams of the search; one is greedy.

    Attributes:
        modality: ``"image"``.
        name: What it was loaded from.

    Raises:
        FileNotFoundError: The folder or the hub's repository lacks a file of the model.
    """

    modality: Modality = "image"

    def __init__(
        self,
        ref: str,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        local_files_only: bool = False,
        max_new_tokens: int = 60,
        beams: int = 1,
    ) -> None:
        self.name = ref
        self.max_new_tokens, self.beams = max_new_tokens, beams
        self.device, self.dtype = choose_device(device), choose_dtype(dtype, device)
        self.processor = load_part(
            BlipProcessor, ref, local_files_only=local_files_only, backend="pil"
        )
        self.model = load_model(
            BlipForConditionalGeneration,
            ref,
            device=self.device,
            dtype=self.dtype,
            local_files_only=local_files_only,
        )

    def caption(
        self, items: Sequence[Any], *, batch_size: int = 16, progress: bool = True
    ) -> list[str]:
        """Caption pictures.

        Args:
            items: Pictures: PIL images, or anything `read_picture` decodes.
            batch_size: Pictures described at once.
            progress: Whether to show a bar.

        Returns:
            One caption per picture.

        Raises:
            UnusableItem: A picture cannot be decoded.
        """
        return in_batches(self._describe, items, batch_size, progress)

    def _describe(self, items: Sequence[Any]) -> list[str]:
        pictures = [read_picture(item) for item in items]
        inputs = self.processor(images=pictures, return_tensors="pt").to(self.device, self.dtype)
        tokens = self.model.generate(
            **inputs, max_new_tokens=self.max_new_tokens, num_beams=self.beams, do_sample=False
        )
        warn_of_cut_captions(
            tokens[:, 1:],
            max_new_tokens=self.max_new_tokens,
            padding=self.processor.tokenizer.pad_token_id,
            name=self.name,
        )
        texts = self.processor.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in texts]


CAPTIONERS: dict[str, Callable[..., Florence2Captioner | Qwen2AudioCaptioner | BlipCaptioner]] = {
    "florence2": Florence2Captioner,
    "qwen2_audio": Qwen2AudioCaptioner,
    "blip": BlipCaptioner,
}
"""The class for each ``model_type`` of a configuration."""
