"""First weights from a seed, without touching the global random state."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from vestige.arguments import checked
from vestige.errors import InputError, shown
from vestige.models.copies import copied


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Everything drawn inside comes from `seed`; outside, the global generators are as if nothing was.

    Needed for what only knows the global generator: initialisers and dropout.

    Raises `InputError` for a seed that is no whole number from 0 to 2**63 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed < 2**64:
        raise InputError(f"seed is {shown(seed)}; a whole number from 0 to 2**63 - 1 is wanted.")
    cuda = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        # not torch.manual_seed: it also seeds devices that are not restored here
        torch.default_generator.manual_seed(int(seed))
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(int(seed))
        yield


@checked
def reinitialise(model: nn.Module, seed: int) -> nn.Module:
    """Return a copy of `model` with every parameter drawn anew, as for training from scratch.

    Frozen parameters (requires_grad=False) stay as they are, with the statistics of batch normalisation that is frozen:
    training did not change them, so they hold nothing of its samples. Other statistics and the input scale are reset.
    The draw happens on the CPU, so that the same seed gives the same weights on every device.

    Buffers of your own, such as a mean fitted on the samples, stay unless a `reset_parameters` of yours resets them.

    Raises `InputError` where a parameter is not drawn anew, because no `reset_parameters` reaches it.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    fresh = copied(model).cpu()
    with seeded(seed):
        redraw(fresh)
    return fresh.to(device)


@torch.no_grad()
def redraw(module: nn.Module) -> None:
    """Draw every parameter of `module` that is not frozen anew, in place, from the global generator.

    Raises `InputError` for a parameter that keeps its value: spectral norms, adapters and torch's pruning add some that
    the `reset_parameters` of the layer does not know.
    """
    kept: list[torch.Tensor] = [p for p in module.parameters() if not p.requires_grad]
    kept += [b for m in module.modules() if is_frozen(m) for b in m.buffers(recurse=False)]
    values = [tensor.detach().clone() for tensor in kept]
    drawn = {name: p for name, p in module.named_parameters() if p.requires_grad}
    for parameter in drawn.values():
        parameter.fill_(float("nan"))
    _reset(module)
    for tensor, value in zip(kept, values, strict=True):
        tensor.copy_(value)
    missed = next((name for name, p in drawn.items() if not torch.isfinite(p).all()), None)
    if missed is not None:
        raise InputError(
            f"The parameter {missed!r} cannot be drawn anew, so there is no fresh model: no reset_parameters() reaches "
            "it. Give its module, or one around it, such a method that draws it; weights that are computed from others "
            "(a spectral norm, for example) are made plain by "
            "torch.nn.utils.parametrize.remove_parametrizations."
        )


def is_frozen(module: nn.Module) -> bool:
    """Has the module parameters of its own, and none that may change?"""
    own = [p.requires_grad for p in module.parameters(recurse=False)]
    return bool(own) and not any(own)


def _reset(module: nn.Module) -> None:
    for child in module.children():
        _reset(child)
    reset = reset_of(module)
    if reset is not None and is_parametrized(module):
        _reset_computed(module)
    elif reset is not None:  # after its children: what a module decides for its parts has the last word
        reset()


def _reset_computed(module: nn.Module) -> None:
    """Draw a layer with computed weights (weight normalisation): draw it plain, and let its parameters give that.

    Where they cannot, as with a spectral norm of 1, they are left undrawn.
    """
    computed: Any = module.parametrizations
    plain = copied(module)
    # torch adds a class of its own on top, which all copies share
    plain.__class__ = type(module).__bases__[0]
    del plain.parametrizations
    for name in computed:
        plain.register_parameter(name, nn.Parameter(torch.empty_like(getattr(module, name))))
    reset = reset_of(plain)
    if reset is not None:
        reset()
    for name, parameter in module.named_parameters(recurse=False):
        parameter.copy_(getattr(plain, name))
    for name in computed:
        value = getattr(plain, name).detach()
        with contextlib.suppress(RuntimeError):
            setattr(module, name, value)
        if not torch.allclose(getattr(module, name), value, rtol=1e-4, atol=1e-6):
            for parameter in computed[name].parameters():
                parameter.fill_(float("nan"))


def _reset_adapters(layer: Any) -> None:
    for name in layer.r:
        layer.reset_lora_parameters(name, True)


def reset_of(module: nn.Module) -> Callable[[], None] | None:
    """Return what draws the module's parameters anew, if it has such a method."""
    if hasattr(
        module, "reset_lora_parameters"
    ):  # low-rank adapters of peft, which begin as a change of nothing
        return functools.partial(_reset_adapters, module)
    # nn.MultiheadAttention and nn.Transformer spell it with an underscore
    public: Callable[[], None] | None = getattr(module, "reset_parameters", None)
    return public or getattr(module, "_reset_parameters", None)
