"""Captioners from the hub: Florence-2 and BLIP for pictures, Qwen2-Audio for sounds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from safetensors import SafetensorError
from transformers import (
    AutoProcessor,
    BlipForConditionalGeneration,
    BlipProcessor,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    Qwen2AudioForConditionalGeneration,
)

from semcal_utils.captioning.captioners import in_batches
from semcal_utils.media import Modality
from semcal_utils.media.readers import UnusableItem, read_picture, read_sound
from semcal_utils.models.devices import choose_device, choose_dtype

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SHORTEST_SECONDS = 0.1
"""What a captioner of sounds hears at least."""


class HubCaptioner:
    """A captioner with a model of the transformers library, from a model id or a folder.

    Its code is the library's own and its weights are safetensors. It writes greedily or by beam
    search, never by sampling, so that the same item gets the same words. A kind of model says what
    it is in the class attributes, how it reads items in `read` and `inputs`, and how tokens become
    captions in `texts`.

    Args:
        ref: Model id on the hub or folder.
        device: By default the best there is.
        dtype: By default float32 on a CPU, 16 bits elsewhere.
        local_files_only: Whether to stay off the network.

    Attributes:
        modality: What it captions.
        name: What it was loaded from.
        prompt: What the model is asked; ``""`` where it takes no question.
        max_new_tokens: Most tokens a caption may have; may be set.
        beams: Beams of the search; one is greedy; may be set.

    Raises:
        FileNotFoundError: The folder or the hub's repository lacks a file of the model.
    """

    modality: Modality = "image"
    model_class: ClassVar[Any]
    processor_class: ClassVar[Any]
    processor_options: ClassVar[dict[str, Any]] = {"backend": "pil"}
    prompt: str = ""
    max_new_tokens: int
    beams: int = 1

    def __init__(
        self,
        ref: str,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        local_files_only: bool = False,
    ) -> None:
        self.name = ref
        self.device, self.dtype = choose_device(device), choose_dtype(dtype, device)
        self.processor = _load_part(
            self.processor_class, ref, local_files_only=local_files_only, **self.processor_options
        )
        model, found = _load_part(
            self.model_class,
            ref,
            dtype=self.dtype,
            use_safetensors=True,
            local_files_only=local_files_only,
            output_loading_info=True,
        )
        if found["missing_keys"]:
            # The library would draw them at random and go on.
            first = min(found["missing_keys"])
            raise FileNotFoundError(
                f"Cannot load the captioner {ref}: its file of weights lacks {first} "
                f"({len(found['missing_keys'])} in all); download it again."
            )
        for setting in ("temperature", "top_p", "top_k"):
            # They belong to sampling; left in place, every batch warns that they are ignored.
            setattr(model.generation_config, setting, None)
        self.model = model.to(self.device).eval()
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        if positions is not None:
            # A smaller model than the published one may have fewer places for words.
            self.max_new_tokens = min(self.max_new_tokens, positions - 1)

    def caption(
        self, items: Sequence[Any], *, batch_size: int = 8, progress: bool = True
    ) -> list[str]:
        """Caption items of the captioner's modality.

        Args:
            items: Pictures in any form that `read_picture` takes, or sounds that `read_sound` does.
            batch_size: Items described at once.
            progress: Whether to show a bar.

        Returns:
            One caption per item.

        Raises:
            UnusableItem: An item cannot be read, or is not what the model can take.
            ValueError: The batch size is below 1.
        """
        return in_batches(self._describe, items, batch_size=batch_size, progress=progress)

    @torch.inference_mode()
    def _describe(self, items: Sequence[Any], _start: int) -> list[str]:
        media = [self.read(item) for item in items]
        inputs, given = self.inputs(media)
        tokens = self.model.generate(
            **inputs.to(self.device, self.dtype),
            max_new_tokens=self.max_new_tokens,
            num_beams=self.beams,
            do_sample=False,
        )
        written = tokens[:, given:]
        self._warn_of_cut_captions(written)
        return [text.strip() for text in self.texts(written, media)]

    def read(self, item: Any) -> Any:
        """Decode one item: a picture, unless a kind of captioner reads something else.

        Args:
            item: A picture or a sound in any form.

        Returns:
            What `inputs` takes.

        Raises:
            UnusableItem: It cannot be read, or the model cannot take it.
        """
        return read_picture(item)

    def inputs(self, media: Sequence[Any]) -> tuple[Any, int]:
        """Put a batch of decoded items into the model's form.

        Args:
            media: What `read` returned.

        Returns:
            The processor's batch, and how many tokens at the start of what the model returns were
            given to it rather than written by it.
        """
        raise NotImplementedError

    def texts(self, written: torch.Tensor, media: Sequence[Any]) -> list[str]:
        """Turn tokens into captions.

        Args:
            written: (n, length) token ids, padded after the end.
            media: (n,) what was described.

        Returns:
            (n,) captions.
        """
        return list(self.processor.batch_decode(written, skip_special_tokens=True))

    def _warn_of_cut_captions(self, written: torch.Tensor) -> None:
        most, padding = self.max_new_tokens, self.processor.tokenizer.pad_token_id
        if written.shape[1] < most:
            return
        # The end token is no sign: some models are made to say it in the last place.
        cut = int((written[:, most - 1] != padding).sum())
        if cut:
            warnings.warn(
                f"{cut} of {len(written)} captions of {self.name} fill all {most} tokens a caption "
                "may have and stop short; raise max_new_tokens.",
                stacklevel=2,
            )


class Florence2Captioner(HubCaptioner):
    """Describes pictures with Florence-2 (Xiao et al., 2024, arXiv:2311.06242).

    Its prompt is one of Florence-2's task tokens and must be the whole text.
    """

    model_class = Florence2ForConditionalGeneration
    processor_class = Florence2Processor
    prompt = "<MORE_DETAILED_CAPTION>"
    max_new_tokens = 512
    beams = 3

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

    model_class = BlipForConditionalGeneration
    processor_class = BlipProcessor
    max_new_tokens = 60

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
    processor_options: ClassVar[dict[str, Any]] = {}
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
        if not SHORTEST_SECONDS <= seconds <= self.longest_seconds:
            raise UnusableItem(
                f"The sound lasts {seconds:.2f} s; the captioner hears clips of "
                f"{SHORTEST_SECONDS} to {self.longest_seconds:.0f} s."
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


def _load_part(kind: Any, ref: str, **options: Any) -> Any:
    """Load a processor or a model, and say in one sentence why it cannot be loaded.

    Args:
        kind: Class with ``from_pretrained``.
        ref: Model id on the hub or folder.
        options: Passed on to ``from_pretrained``.

    Returns:
        What ``from_pretrained`` returns.

    Raises:
        FileNotFoundError: A file is missing, damaged, or in a format that is not loaded.
    """
    try:
        return kind.from_pretrained(ref, **options)
    except (OSError, ValueError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".: ")
        raise FileNotFoundError(
            f"Cannot load the captioner {ref}: {reason}. Only complete models in safetensors, "
            "in the library's own format, are loaded."
        ) from error
