"""Load the parts of a hub's model, and run its captioner batch by batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from safetensors import SafetensorError
from tqdm.auto import tqdm


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


def load_model(
    kind: Any, ref: str, *, device: torch.device, dtype: torch.dtype, local_files_only: bool
) -> Any:
    """Load a generating model for inference, from safetensors only.

    Args:
        kind: Model class.
        ref: Model id on the hub or folder.
        device: Where it runs.
        dtype: Precision of its weights.
        local_files_only: Whether to stay off the network.

    Returns:
        The model in evaluation mode.

    Raises:
        FileNotFoundError: As for `load_part`.
    """
    model = load_part(
        kind, ref, dtype=dtype, use_safetensors=True, local_files_only=local_files_only
    )
    for setting in ("temperature", "top_p", "top_k"):
        # They belong to sampling; left in place, every batch warns that they are ignored.
        setattr(model.generation_config, setting, None)
    return model.to(device).eval()


@torch.inference_mode()
def in_batches(
    describe: Callable[[Sequence[Any]], list[str]],
    items: Sequence[Any],
    batch_size: int,
    progress: bool,
) -> list[str]:
    """Describe items batch by batch, under a progress bar and without gradients.

    Args:
        describe: Describes one batch.
        items: What to describe.
        batch_size: Items in a batch.
        progress: Whether to show the bar.

    Returns:
        One text per item, in order.
    """
    captions: list[str] = []
    with tqdm(total=len(items), desc="Captioning", unit="item", disable=not progress) as bar:
        for start in range(0, len(items), batch_size):
            batch = items[start : start + batch_size]
            captions += describe(batch)
            bar.update(len(batch))
    return captions


def warn_of_cut_captions(
    tokens: torch.Tensor, *, max_new_tokens: int, padding: int, name: str
) -> None:
    """Warn if captions filled all the tokens they may have instead of coming to an end.

    Args:
        tokens: (n, length) generated token ids, without start token or prompt.
        max_new_tokens: Most tokens a caption may have.
        padding: Id of the token that fills up shorter captions.
        name: The captioner's name.
    """
    if tokens.shape[1] < max_new_tokens:
        return
    # The end token is no sign: some models are made to say it in the last place.
    cut = int((tokens[:, max_new_tokens - 1] != padding).sum())
    if cut:
        warnings.warn(
            f"{cut} of {len(tokens)} captions of {name} fill all {max_new_tokens} tokens a "
            "caption may have and stop short; raise max_new_tokens.",
            stacklevel=2,
        )
