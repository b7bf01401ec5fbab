"""Captioners turn media into text: their interface, and how to load one.

Every captioner answers to ``caption(items)``; `load_captioner` finds the right class from a
model's own configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tqdm.auto import tqdm

from semcal_utils.media import Modality
from semcal_utils.media.hub_access import HubUnreachable, require_hub
from semcal_utils.media.readers import read_text

if TYPE_CHECKING:
    import torch

TEXT = "text"
"""The reference that stands for the captioner of texts."""

_LEGACY_MODELS = {
    f"microsoft/Florence-2-{size}": f"florence-community/Florence-2-{size}"
    for size in ("base", "large", "base-ft", "large-ft")
}


@runtime_checkable
class Captioner(Protocol):
    """What puts items of one modality into words.

    Attributes:
        modality: ``"image"``, ``"audio"`` or ``"text"``.
    """

    modality: Modality

    def caption(
        self, items: Sequence[Any], *, batch_size: int = 64, progress: bool = True
    ) -> list[str]:
        """Caption items.

        Args:
            items: Pictures (PIL, RGB), sounds (``{"array": (n,) float32, "sampling_rate": Hz}``)
                or texts.
            batch_size: Items captioned at once; it changes the speed, not the captions.
            progress: Whether to show a bar.

        Returns:
            One caption per item, in order.
        """
        ...


class TextPassThrough:
    """The captioner of texts: a text is its own caption."""

    modality: Modality = "text"
    name = TEXT

    def caption(
        self, items: Sequence[Any], *, batch_size: int = 64, progress: bool = True
    ) -> list[str]:
        """Return the texts as they are, without white space around them.

        Args:
            items: Texts.
            batch_size: Unused; a text costs nothing.
            progress: Unused.

        Returns:
            The texts.

        Raises:
            UnusableItem: A text is empty or no Unicode.
        """
        return [read_text(text) for text in items]


def load_captioner(
    ref: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    root: Path = Path(),
) -> Captioner:
    """Load a captioner by name or from a folder; its configuration decides the class.

    Args:
        ref: ``"text"``, a model id on the hub (``"florence-community/Florence-2-base"``,
            ``"Qwen/Qwen2-Audio-7B-Instruct"``, ``"Salesforce/blip-image-captioning-base"``), or a
            folder written by ``save_pretrained``.
        device: Where the model runs; by default CUDA, else Apple's MPS, else the CPU.
        dtype: Precision; by default float32 on the CPU, bfloat16 (or float16 where the device
            lacks it) elsewhere.
        root: Where a relative path of a folder starts.

    Returns:
        The captioner, ready to use.

    Raises:
        FileNotFoundError: The folder does not exist or holds no model.
        HubUnreachable: The model is not on this machine and the hub does not answer.
        ValueError: No captioner here runs this kind of model, or the device or dtype is unknown.
    """
    if str(ref) == TEXT:
        return TextPassThrough()
    location, local_only = resolve_model(ref, root=root)
    kind = _model_type(location, local_only)
    # Each brings libraries of its own, which a captioner of another kind does not need.
    from semcal_utils.captioning.embedded import MODEL_TYPE, EmbeddedCaptioner

    if kind == MODEL_TYPE:
        return EmbeddedCaptioner.from_pretrained(location, device=device, dtype=dtype)
    from semcal_utils.captioning.hub_captioners import CAPTIONERS

    if kind in CAPTIONERS:
        return CAPTIONERS[kind](location, device=device, dtype=dtype, local_files_only=local_only)
    raise ValueError(
        f"{ref} is a model of type {kind!r}, which no captioner here can run; "
        f"choose one of type {', '.join(CAPTIONERS)} or {MODEL_TYPE}."
    )


def resolve_model(ref: str | Path, *, root: Path = Path()) -> tuple[str, bool]:
    """Find where a model is loaded from, before anything slow is tried.

    Args:
        ref: A folder or a model id on the hub.
        root: Where a relative path of a folder starts.

    Returns:
        The folder or id to load, and whether only files of this machine may be used. Ids of
        Florence-2 whose files the library cannot read become the ids of their converted copies.

    Raises:
        FileNotFoundError: ``ref`` looks like a path but no folder is there, or it has no config.
        HubUnreachable: The model is not on this machine and the hub does not answer.
    """
    from huggingface_hub import try_to_load_from_cache

    folder = root / Path(ref).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(
                f"The folder {folder} holds no model: config.json is missing; give a folder "
                "written by save_pretrained."
            )
        return str(folder), True
    name = str(ref)
    if name.startswith((".", "/", "~")) or name.count("/") != 1 or "\\" in name:
        raise FileNotFoundError(
            f"There is no captioner {name!r}: it is neither a folder nor a model id such as "
            "'florence-community/Florence-2-base'."
        )
    name = _LEGACY_MODELS.get(name, name)
    cached = isinstance(try_to_load_from_cache(name, "config.json"), str)
    try:
        require_hub(f"the model {name}")
    except HubUnreachable:
        if not cached:
            raise
        return name, True
    return name, False


def _model_type(location: str, local_only: bool) -> str:
    from transformers import PreTrainedConfig

    try:
        config, _ = PreTrainedConfig.get_config_dict(location, local_files_only=local_only)
    except OSError as error:
        raise FileNotFoundError(
            f"Cannot read the configuration of the model {location}: {str(error).splitlines()[0]}"
        ) from error
    return str(config.get("model_type", "unknown"))


def in_batches(
    describe: Callable[[list[Any], int], list[str]],
    items: Sequence[Any],
    *,
    batch_size: int,
    progress: bool,
) -> list[str]:
    """Describe items batch by batch; no more than a batch of them is held.

    Args:
        describe: Describes one batch, given with the place of its first item.
        items: What to describe.
        batch_size: Items in a batch.
        progress: Whether to show the bar.

    Returns:
        One text per item, in order.

    Raises:
        ValueError: The batch size is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1.")
    captions: list[str] = []
    with tqdm(total=len(items), desc="Captioning", unit="item", disable=not progress) as bar:
        for start in range(0, len(items), batch_size):
            places = range(start, min(start + batch_size, len(items)))
            captions += describe([items[place] for place in places], start)
            bar.update(len(places))
    return captions
