"""Per-sample gradients layer by layer: one batched pass back to the layers' outputs, and then plain products.

The gradient of a sample's loss by a layer's weights follows from what entered the layer and from the gradient by what
left it: an outer product for a linear layer, a sum of them over positions for a convolution. Nothing else of the pass
back is needed, and for sums of squares not even the gradients themselves: (g a')^2 = g^2 (a^2)'.

For linear layers on vectors, two-dimensional convolutions and batch normalisation in evaluation mode, each called once
on the whole batch, with weights that no other layer shares. Subclasses may compute something else and are not taken.
`traced` returns None for any other model, and the caller takes the general way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Call(NamedTuple):
    """One call of one layer: [n, ...] in and out."""

    name: str
    layer: Any
    given: Tensor
    output: Tensor


class Trace(NamedTuple):
    """A forward pass: logits [n, C], and the call of every layer whose parameters are not frozen."""

    logits: Tensor
    calls: list[Call]

    def pulled(self, loss: Tensor, *, again: bool = False) -> list[Tensor]:
        """Return the gradient of `loss` by the output of every call, 0 where it has no part.

        Parameters
        ----------
        again : bool
            Keeps the pass for another loss.
        """
        outputs = [call.output for call in self.calls]
        return list(
            torch.autograd.grad(loss, outputs, retain_graph=again, allow_unused=True, materialize_grads=True)
        )


def traced(model: nn.Module, x: Tensor) -> Trace | None:
    """Run the model, in evaluation mode, on a batch; None where a layer's gradients are not known here."""
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if any(p.requires_grad for p in layer.parameters(recurse=False))
    }
    if not layers or not all(_known(layer) for layer in layers.values()) or _shared(layers):
        return None
    calls: list[Call] = []
    with _watched(layers, calls):
        logits = model(x).float()
    once = sorted(call.name for call in calls) == sorted(layers)
    plain = once and logits.requires_grad and all(_plain(call, len(x)) for call in calls)
    return Trace(logits, calls) if plain and not _read_twice(logits) else None


def _known(layer: nn.Module) -> bool:
    if not {name for name, _ in layer.named_parameters(recurse=False)} <= {"weight", "bias"}:
        return False  # a weight that is computed from other parameters
    if type(layer) is nn.Conv2d:
        return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    if type(layer) in NORMS:
        return layer.running_mean is not None
    return type(layer) is nn.Linear


def _shared(layers: dict[str, nn.Module]) -> bool:
    parameters = [id(p) for layer in layers.values() for p in layer.parameters(recurse=False)]
    return len(set(parameters)) < len(parameters)


def _plain(call: Call, samples: int) -> bool:
    """Whether a call has one entry a sample, of the shape that its layer expects, and a gradient can reach it."""
    given = call.given
    shaped = {nn.Linear: given.ndim == 2, nn.Conv2d: given.ndim == 4}.get(type(call.layer), given.ndim >= 2)
    return shaped and len(given) == samples and call.output.requires_grad


def _read_twice(logits: Tensor) -> bool:
    """Whether a parameter has two ways to the logits, as a weight has that is also read outside of its layer."""
    assert logits.grad_fn is not None
    read, met, left = set(), {logits.grad_fn}, [logits.grad_fn]
    while left:
        for node, _ in left.pop().next_functions:
            if type(node).__name__ == "AccumulateGrad":
                if node in read:
                    return True
                read.add(node)
            elif node is not None and node not in met:
                met.add(node)
                left.append(node)
    return False


@contextmanager
def _watched(layers: dict[str, nn.Module], calls: list[Call]) -> Iterator[None]:
    def keep(name: str) -> Any:
        def hook(
            layer: nn.Module, given: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor
        ) -> Tensor:
            entered = given[0] if given else named["input"]
            calls.append(Call(name, layer, entered.detach(), output))
            return output.clone()  # what follows may work in place

        return hook

    handles = [  # before the user's own hooks, which may change the output
        layer.register_forward_hook(keep(name), prepend=True, with_kwargs=True)
        for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def gradients_of(call: Call, g: Tensor, rows: Tensor | None = None) -> dict[str, Tensor]:
    """Return the per-sample gradients [n, *shape] of a call's parameters, by name; of some output channels only."""
    layer, a = call.layer, call.given
    if rows is not None:
        g = g[:, rows]
    values: dict[str, Tensor] = {}
    if isinstance(layer, _BatchNorm):
        shape = (1, -1, *[1] * (a.ndim - 2))
        assert layer.running_mean is not None and layer.running_var is not None
        scaled = (a - layer.running_mean.view(shape)) / (layer.running_var.view(shape) + layer.eps).sqrt()
        if rows is not None:
            scaled = scaled[:, rows]
        values["weight"], values["bias"] = _over_positions(g * scaled), _over_positions(g)
    elif isinstance(layer, nn.Conv2d):
        patches = F.unfold(a, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # type: ignore[arg-type]
        values["weight"] = (g.flatten(2) @ patches.transpose(1, 2)).reshape(
            *g.shape[:2], *layer.weight.shape[1:]
        )
        values["bias"] = _over_positions(g)
    else:
        values["weight"], values["bias"] = g[:, :, None] * a[:, None, :], g.clone()
    return {f"{call.name}.{name}".lstrip("."): values[name] for name in _open(layer)}


def squares_of(call: Call, g: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Return the sum over samples of `weight` [n] times the squared per-sample gradients, by parameter name."""
    if type(call.layer) is nn.Linear:
        weighted = g.square() * weight[:, None]
        values = {"weight": weighted.T @ call.given.square(), "bias": weighted.sum(dim=0)}
        return {f"{call.name}.{name}".lstrip("."): values[name] for name in _open(call.layer)}
    each = gradients_of(call, g)
    return {name: (weight @ part.square_().flatten(1)).reshape(part.shape[1:]) for name, part in each.items()}


def _open(layer: nn.Module) -> list[str]:
    return [name for name, p in layer.named_parameters(recurse=False) if p.requires_grad]


def _over_positions(values: Tensor) -> Tensor:
    return values.flatten(2).sum(dim=2) if values.ndim > 2 else values
