"""First weights from a seed, without touching the global random state."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator

import torch
from torch import nn

from vestige.errors import InputError


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Everything drawn inside comes from `seed`; outside, the global generators are as if nothing was.

    Needed for what only knows the global generator: initialisers and dropout.
    """
    cuda = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        # not torch.manual_seed: it also seeds devices that are not restored here
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def reinitialise(model: nn.Module, seed: int) -> nn.Module:
    """Return a copy of `model` with every parameter drawn anew, as for training from scratch.

    Frozen parameters (requires_grad=False) stay as they are, with the statistics of batch normalisation that is frozen:
    training did not change them, so they hold nothing of its samples. Other statistics and the input scale are reset.
    The draw happens on the CPU, so that the same seed gives the same weights on every device.

    Raises `InputError` where a parameter belongs to a module that cannot draw it: one without
    `reset_parameters`, of its own or of a module around it.
    """
    orphan = _without_reset(model)
    if orphan:
        raise InputError(
            f"The parameter {orphan!r} belongs to a module without reset_parameters(), so a fresh model "
            "cannot be drawn from this one; pass `fresh=`, a function that returns an untrained model."
        )
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    fresh = copy.deepcopy(model).cpu()
    kept: list[torch.Tensor] = [p for p in fresh.parameters() if not p.requires_grad]
    kept += [b for m in fresh.modules() if is_frozen(m) for b in m.buffers(recurse=False)]
    values = [tensor.detach().clone() for tensor in kept]
    with seeded(seed), torch.no_grad():
        _reset(fresh)
        for tensor, value in zip(kept, values, strict=True):
            tensor.copy_(value)
    return fresh.to(device)


def is_frozen(module: nn.Module) -> bool:
    """Has the module parameters of its own, and none that may change?"""
    own = [p.requires_grad for p in module.parameters(recurse=False)]
    return bool(own) and not any(own)


def _reset(module: nn.Module) -> None:
    for child in module.children():
        _reset(child)
    reset = reset_of(module)
    if reset is not None:  # after its children: what a module decides for its parts has the last word
        reset()


def reset_of(module: nn.Module) -> Callable[[], None] | None:
    """Return what draws the module's parameters anew, if it has such a method."""
    # nn.MultiheadAttention and nn.Transformer spell it with an underscore
    public: Callable[[], None] | None = getattr(module, "reset_parameters", None)
    return public or getattr(module, "_reset_parameters", None)


def _without_reset(module: nn.Module, prefix: str = "") -> str | None:
    """Return the name of the first parameter to be drawn that no `reset_parameters` reaches, or None."""
    if reset_of(module) is not None:
        return None
    for name, parameter in module.named_parameters(recurse=False):
        if parameter.requires_grad:
            return prefix + name
    inner = (_without_reset(child, f"{prefix}{name}.") for name, child in module.named_children())
    return next(filter(None, inner), None)
