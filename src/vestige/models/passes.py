"""A pass forward that is watched: in evaluation mode, by hooks on some layers; afterwards the network is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every submodule into evaluation mode, and each back into its own mode afterwards."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def hooked(layers: Iterable[nn.Module], hook: Callable[..., Any], *, before: bool = False) -> Iterator[None]:
    """Call `hook(layer, inputs, output)` after every pass through one of the layers.

    Parameters
    ----------
    before : bool
        Call `hook(layer, inputs)` before the pass instead.
    """
    handles = [
        layer.register_forward_pre_hook(hook) if before else layer.register_forward_hook(hook)
        for layer in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
