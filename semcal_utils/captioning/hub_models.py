"""What captioners from the hub share: how their model is loaded, and how it writes captions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError

from semcal_utils.captioning.batches import in_batches
from semcal_utils.media import Modality
from semcal_utils.models.devices import choose_device, choose_dtype


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

    modality: Modality
    model_class: ClassVar[Any]
    processor_class: ClassVar[Any]
    processor_options: ClassVar[dict[str, Any]] = {}
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
        self.processor = load_part(
            self.processor_class, ref, local_files_only=local_files_only, **self.processor_options
        )
        model, found = load_part(
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
        """Decode one item.

        Args:
            item: A picture or a sound in any form.

        Returns:
            What `inputs` takes.

        Raises:
            UnusableItem: It cannot be read, or the model cannot take it.
        """
        raise NotImplementedError

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


def load_part(kind: Any, ref: str, **options: Any) -> Any:
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
