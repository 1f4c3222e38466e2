"""Copies of a network that share nothing with it."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from vestige.errors import InputError, told

Network = TypeVar("Network", bound=nn.Module)


def copied(model: Network) -> Network:
    """Return a deep copy. What a forward pass has left in an attribute, such as features, is copied without its graph.

    Raises `InputError` where an attribute cannot be copied, such as an open file, and for a scripted network
    (`torch.jit`), whose copies torch cannot train.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise InputError(
            f"{type(model).__name__} is scripted or traced (torch.jit), and torch cannot train a copy of it; give the "
            "network that it was made from."
        )
    left = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    try:
        return copy.deepcopy(model, dict(left))
    except Exception as error:  # whatever an attribute raises
        raise InputError(
            f"{type(model).__name__} cannot be copied ({told(error)}); keep what cannot be, such as an open file, out "
            "of its attributes."
        ) from error


def not_finite(result: nn.Module, original: nn.Module) -> str | None:
    """Return the name of a weight or buffer that became NaN or infinite; None where none did.

    What was infinite before, such as the mask of an attention, may stay so.
    """
    before = original.state_dict()
    for name, value in result.state_dict().items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        was, finite = before.get(name), torch.isfinite(value)
        if isinstance(was, Tensor) and was.shape == value.shape:
            finite |= ~torch.isfinite(was)
        if not finite.all():
            return name
    return None


def restore_types(result: nn.Module, original: nn.Module) -> None:
    """Give weights and buffers the original's types, by name; a new name gets that of all its weights, if it is one."""
    types = {name: value.dtype for name, value in (*original.named_parameters(), *original.named_buffers())}
    of_weights = {p.dtype for p in original.parameters()}
    usual = of_weights.pop() if len(of_weights) == 1 else None
    for name, value in (*result.named_parameters(), *result.named_buffers()):
        wanted = types.get(name, usual)
        if wanted is not None and value.is_floating_point() and value.dtype != wanted:
            value.data, value.grad = value.data.to(wanted), None
