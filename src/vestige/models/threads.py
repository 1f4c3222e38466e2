"""How many threads a network computes with: few for a small one, and the caller's setting comes back."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vestige.models.passes import evaluating, hooked


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute with so many threads in this block; the caller's setting comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


THREAD_WORK = 50e6
"""Multiplications of a batch's forward pass that are worth a thread of their own."""


def threads_for(model: nn.Module, sample: Tensor, batch_size: int) -> int:
    """Return how many threads a network computes with: one for each `THREAD_WORK` of a batch, at least one.

    Never more than torch would take by itself. Threads wait for each other after every layer: on a small network
    that costs more than they save, and where the processor is busy, many times as much.

    Parameters
    ----------
    sample : Tensor
        A small batch as the network takes it, on its device.
    """
    most = torch.get_num_threads()
    if most == 1 or sample.device.type != "cpu" or not len(sample):
        return most
    worth = multiplications(model, sample) / len(sample) * batch_size / THREAD_WORK
    return most if worth >= most else max(1, int(worth))


def multiplications(model: nn.Module, sample: Tensor) -> float:
    """Return about how many multiplications the layers with weight matrices take for a batch; the model stays as it is.

    Infinite for a network that cannot be counted, such as a scripted one.
    """
    total = 0.0

    def count(layer: nn.Module, given: object, output: object) -> None:
        nonlocal total
        weight = getattr(layer, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim > 1 and isinstance(output, Tensor):
            total += weight.numel() * output.numel() / weight.shape[0]

    layers = [m for m in model.modules() if not isinstance(m, (nn.Embedding, torch.jit.ScriptModule))]
    try:
        with evaluating(model), hooked(layers, count), torch.no_grad(), torch.random.fork_rng(devices=[]):
            model(sample)
    except Exception:  # whoever runs it in earnest says what is wrong
        return math.inf
    return total or math.inf


@contextlib.contextmanager
def few_threads(model: nn.Module, sample: Tensor, batch_size: int) -> Iterator[None]:
    """Compute with as many threads as `threads_for` says in this block; the caller's setting comes back."""
    with threads(threads_for(model, sample, batch_size)):
        yield
