"""Captioners from the hub: Florence-2 and BLIP for pictures, Qwen2-Audio for sounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from transformers import (
    AutoProcessor,
    BlipForConditionalGeneration,
    BlipProcessor,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    Qwen2AudioForConditionalGeneration,
)

from semcal_utils.captioning.hub_models import HubCaptioner
from semcal_utils.media import Modality
from semcal_utils.media.readers import UnusableItem, read_picture, read_sound

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["CAPTIONERS", "BlipCaptioner", "Florence2Captioner", "Qwen2AudioCaptioner"]

_SHORTEST_SECONDS = 0.1


class Florence2Captioner(HubCaptioner):
    """Describes pictures with Florence-2 (Xiao et al., 2024, arXiv:2311.06242).

    Its prompt is one of Florence-2's task tokens and must be the whole text.
    """

    modality: Modality = "image"
    model_class = Florence2ForConditionalGeneration
    processor_class = Florence2Processor
    processor_options: ClassVar[dict[str, Any]] = {"backend": "pil"}
    prompt = "<MORE_DETAILED_CAPTION>"
    max_new_tokens = 512
    beams = 3

    def read(self, item: Any) -> Image.Image:
        """Decode a picture."""
        return read_picture(item)

    def inputs(self, media: Sequence[Image.Image]) -> tuple[Any, int]:
        """Put the task before every picture; the model's start token is given."""
        prompts = [self.prompt] * len(media)
        return self.processor(text=prompts, images=list(media), return_tensors="pt"), 1

    def texts(self, written: torch.Tensor, media: Sequence[Image.Image]) -> list[str]:
        """Read the captions with the task's own parser."""
        # It needs the special tokens, except padding, which it would keep.
        raw = self.processor.batch_decode(written, skip_special_tokens=False)
        padding = self.processor.tokenizer.pad_token
        return [
            self.processor.post_process_generation(
                text.replace(padding, ""), task=self.prompt, image_size=picture.size
            )[self.prompt]
            for text, picture in zip(raw, media, strict=True)
        ]


class BlipCaptioner(HubCaptioner):
    """Describes pictures with BLIP (Li et al., 2022, arXiv:2201.12086), light enough for a CPU."""

    modality: Modality = "image"
    model_class = BlipForConditionalGeneration
    processor_class = BlipProcessor
    processor_options: ClassVar[dict[str, Any]] = {"backend": "pil"}
    max_new_tokens = 60

    def read(self, item: Any) -> Image.Image:
        """Decode a picture."""
        return read_picture(item)

    def inputs(self, media: Sequence[Image.Image]) -> tuple[Any, int]:
        """Take the pictures alone; the model's start token is given."""
        return self.processor(images=list(media), return_tensors="pt"), 1


class Qwen2AudioCaptioner(HubCaptioner):
    """Describes sounds with Qwen2-Audio (Chu et al., 2024, arXiv:2407.10759).

    Attributes:
        sampling_rate: Hz; sounds of other rates are resampled.
        longest_seconds: What the encoder hears; a longer clip is refused, not cut.
    """

    modality: Modality = "audio"
    model_class = Qwen2AudioForConditionalGeneration
    processor_class = AutoProcessor
    prompt = "Describe the sounds in this audio clip."
    max_new_tokens = 256

    def __init__(self, ref: str, **options: Any) -> None:
        super().__init__(ref, **options)
        # A decoder goes on from the last position, so the padding must come first.
        self.processor.tokenizer.padding_side = "left"
        self.sampling_rate = int(self.processor.feature_extractor.sampling_rate)
        self.longest_seconds = float(self.processor.feature_extractor.chunk_length)

    def read(self, item: Any) -> NDArray[np.float32]:
        """Decode a sound; one that is too short or too long for the model is refused."""
        sound = read_sound(item, sampling_rate=self.sampling_rate)
        seconds = len(sound) / self.sampling_rate
        if not _SHORTEST_SECONDS <= seconds <= self.longest_seconds:
            raise UnusableItem(
                f"The sound lasts {seconds:.2f} s; the captioner hears clips of "
                f"{_SHORTEST_SECONDS} to {self.longest_seconds:.0f} s."
            )
        return sound

    def inputs(self, media: Sequence[NDArray[np.float32]]) -> tuple[Any, int]:
        """Ask the same question about every sound; the whole question is given."""
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
            text=[question] * len(media),
            audio=list(media),
            sampling_rate=self.sampling_rate,
            padding=True,
            return_tensors="pt",
        )
        return inputs, inputs["input_ids"].shape[1]


CAPTIONERS: dict[str, type[HubCaptioner]] = {
    "florence2": Florence2Captioner,
    "qwen2_audio": Qwen2AudioCaptioner,
    "blip": BlipCaptioner,
}
"""The class for each ``model_type`` of a configuration."""
