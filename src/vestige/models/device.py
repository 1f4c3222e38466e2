"""Where and how fast: the device, the number format, the memory layout."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from vestige.arguments import checked
from vestige.errors import InputError

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


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


def forward_context(
    model: nn.Module, device: torch.device, precision: str = "auto"
) -> contextlib.AbstractContextManager[object]:
    """Return the context that a forward pass runs in: autocast to bfloat16, or nothing. May be entered again.

    "auto" chooses bfloat16 where the model has convolutions and the processor is fast in it: there it saves
    minutes. Networks without any train in seconds, and keep float32.
    """
    convolves = any(isinstance(module, _CONVOLUTIONS) for module in model.modules())
    use = precision == "bf16" or (precision == "auto" and convolves and has_fast_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=use)


def compiled(model: nn.Module, mode: str = "no") -> Callable[[Tensor], Tensor]:
    """Return what runs `model`: itself, or `torch.compile`d in that mode at the first call; the model stays as it is.

    Raises `InputError`, at the first call, where it cannot be compiled.
    """
    if mode == "no":
        return model
    from torch._dynamo.exc import TorchDynamoException

    fast: Callable[[Tensor], Tensor] = torch.compile(model, mode=mode)

    def run(x: Tensor) -> Tensor:
        try:
            return fast(x)
        except TorchDynamoException as error:
            why = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(f"torch.compile failed ({why[0]}); train with compile='no'.") from error

    return run


@contextlib.contextmanager
def settled(model: nn.Module, device: torch.device, sample: Tensor) -> Iterator[nn.Module]:
    """Move `model` to `device`, in the memory layout that is fast there; afterwards all is as it was.

    Parameters
    ----------
    sample : Tensor
        A small batch, to try whether the model takes the layout: one that calls `view` on what a convolution
        returns does not, and keeps the usual layout.
    """
    home = device_of(model)
    try:
        model.to(device)
        if any(isinstance(module, nn.Conv2d) for module in model.modules()):
            _layout(model, torch.channels_last)
            if not _runs(model, sample):
                _layout(model, torch.contiguous_format)
        yield model
    finally:
        _layout(model, torch.contiguous_format)
        model.to(home)


def _layout(model: nn.Module, layout: torch.memory_format) -> None:
    model.to(memory_format=layout)  # type: ignore[call-overload]


@torch.no_grad()
def _runs(model: nn.Module, sample: Tensor) -> bool:
    model.eval()
    try:
        model(sample)
    except RuntimeError:
        return False
    return True
