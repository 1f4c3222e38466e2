"""Copies of a network that share nothing with it."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn

from vestige.errors import InputError

Network = TypeVar("Network", bound=nn.Module)


def copied(model: Network) -> Network:
    """Return a deep copy. What a forward pass has left in an attribute, such as features, is copied without its graph.

    Raises `InputError` where an attribute cannot be copied, such as an open file.
    """
    left = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    try:
        return copy.deepcopy(model, dict(left))
    except (TypeError, RuntimeError) as error:
        raise InputError(
            f"{type(model).__name__} cannot be copied ({error}); keep what cannot be, such as an open file, out of "
            "its attributes."
        ) from error
