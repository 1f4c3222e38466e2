"""Where a network is, and where it may be."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from vestige.arguments import checked
from vestige.errors import InputError


@checked
def pick_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device of that name; "auto" is the GPU where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"There is no device {name!r}; use 'auto', 'cpu' or 'cuda'.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"The device {str(name)!r} is asked for, but this torch sees no GPU; use 'auto' or 'cpu'."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"The device {str(name)!r} is asked for; this machine has {torch.cuda.device_count()} GPUs, from 'cuda:0'."
        )
    return device


def device_of(model: nn.Module) -> torch.device:
    """Return where the model's parameters are; the CPU for a model without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def has_fast_bf16(device: torch.device | str = "cpu") -> bool:
    """Does the processor multiply bfloat16 matrices itself, rather than by way of float32?"""
    device = torch.device(device)
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:  # not Linux
        return any(
            getattr(torch.cpu, question, bool)()
            for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
    return bool(words & {"avx512_bf16", "amx_bf16"})
