"""Where a model runs, and in which precision."""

from __future__ import annotations

import torch


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device asked for, or the best there is: CUDA, else MPS, else the CPU.

    Args:
        device: A device, its name, or ``None`` to choose.

    Returns:
        The device.

    Raises:
        ValueError: The name is none of a device, or there is no such device here.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"Unknown device {device!r}; choose cpu, cuda or mps.") from error
    absent = (chosen.type == "cuda" and not torch.cuda.is_available()) or (
        chosen.type == "mps" and not torch.backends.mps.is_available()
    )
    if absent:
        raise ValueError(f"There is no {chosen.type} device here; choose cpu.")
    return chosen


def choose_dtype(
    dtype: str | torch.dtype | None = None, device: str | torch.device | None = None
) -> torch.dtype:
    """Return the precision asked for, or the one that suits the device.

    Args:
        dtype: A dtype, its name, or ``None`` to choose.
        device: As for `choose_device`.

    Returns:
        float32 on a CPU; on CUDA bfloat16, or float16 where the card lacks it; float16 on MPS.

    Raises:
        ValueError: The name is none of the three.
    """
    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype is not None:
        if dtype not in names:
            raise ValueError(f"Unknown dtype {dtype!r}; choose one of {', '.join(names)}.")
        return names[dtype]
    kind = choose_device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float16 if kind == "mps" else torch.float32
