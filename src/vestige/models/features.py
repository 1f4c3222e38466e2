"""Features of a network: what its last linear layer reads, taken by a hook while the network answers as ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from vestige.models.passes import hooked


class LastInput:
    """What the linear layer that ran last has read; `value` is None before the network has answered."""

    value: Tensor | None = None

    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            self.value = inputs[0].detach()


@contextmanager
def last_input(network: nn.Module) -> Iterator[LastInput]:
    """Give the input of the linear layer that runs last; the network is as it was afterwards, and meanwhile."""
    reader = LastInput()
    with hooked((m for m in network.modules() if isinstance(m, nn.Linear)), reader, before=True):
        yield reader
