"""Sparse models: which weights are pruned, and that they stay so.

One-shot magnitude pruning as Jia et al. 2023 (Unlearn-Sparse) use it: over all convolution weights together, the
smallest in size are set to zero. A network without convolutions is pruned over its linear layers but the one that gives
the logits: the last that a sample meets, or without a sample the last in the order of `model.modules()`.
Which weights live is a buffer beside the weight, `weight_mask`, so that copies and files keep it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy

from vestige.arguments import checked
from vestige.errors import InputError
from vestige.models.passes import evaluating, hooked

Masks: TypeAlias = list[tuple[nn.Parameter, Tensor]]
MASK = "weight_mask"


@checked
def prune(
    model: nn.Module, sparsity: Annotated[float, Field(ge=0, lt=1)], *, sample: Tensor | None = None
) -> nn.Module:
    """Zero the smallest share `sparsity` of the prunable weights, in place; return the model.

    Parameters
    ----------
    sparsity : float
        From 0 to below 1; 0.95 keeps every twentieth weight.
    sample : Tensor or None
        A batch [n, ...] as the model takes it, for a network without convolutions: it tells the last layer.

    Raises
    ------
    InputError
        Where the share is outside, where the model has nothing to prune or weights that are computed from
        others, and where a network without convolutions needs a sample.
    """
    layers = prunable(model, sample)
    _check_weights(model, layers)
    sizes = torch.cat([layer.weight.detach().abs().flatten() for layer in layers])
    count = round(sparsity * len(sizes))
    keep = torch.ones(len(sizes), dtype=torch.bool, device=sizes.device)
    keep[sizes.argsort(stable=True)[:count]] = False
    parts = torch.split(keep, [layer.weight.numel() for layer in layers])
    for layer, part in zip(layers, parts, strict=True):
        layer.register_buffer(MASK, part.reshape(layer.weight.shape).clone())
    apply_masks(masks_of(model))
    return model


def prunable(model: nn.Module, sample: Tensor | None = None) -> list[_ConvNd | nn.Linear]:
    """Return the layers that pruning looks at, see `prune`. Raises `InputError` where there are none."""
    convolutions = [m for m in model.modules() if isinstance(m, _ConvNd)]
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    if not convolutions and len(linear) < 2:
        raise InputError(
            "There is nothing to prune: the model has no convolution and one linear layer at most."
        )
    if convolutions:
        return [*convolutions]
    last = _last_in_order(linear) if sample is None else _last_met(model, linear, sample)
    return [layer for layer in linear if layer is not last]


def _last_in_order(linear: list[nn.Linear]) -> nn.Linear:
    """Return the last layer. Raises `InputError` where another is as wide as its output, but nothing as another's."""
    fed = [any(a.out_features == b.in_features for b in linear if b is not a) for a in linear]
    if fed[-1] and not all(fed):
        raise InputError(
            "Which linear layer gives the logits cannot be told from their order; pass prune(..., sample=x), x a batch "
            "as the model takes it."
        )
    return linear[-1]


def _last_met(model: nn.Module, linear: list[nn.Linear], sample: Tensor) -> nn.Linear:
    """Return the layer that a sample meets last."""
    met: list[nn.Linear] = []
    model = getattr(model, "_orig_mod", model)  # of a compiled model: hooks do not fire in one
    with evaluating(model), hooked(linear, lambda layer, *_: met.append(layer)), torch.no_grad():
        model(sample)
    return met[-1] if met else _last_in_order(linear)


def _check_weights(model: nn.Module, layers: list[_ConvNd | nn.Linear]) -> None:
    names = {module: name or "the model" for name, module in model.named_modules()}
    for layer in layers:
        if is_lazy(layer.weight):
            raise InputError(
                f"{names[layer]} is lazy and has no weights yet; call the model on a sample first."
            )
        if not isinstance(layer.weight, nn.Parameter):
            raise InputError(
                f"The weight of {names[layer]} is computed from other parameters, so what is pruned would not stay 0; "
                "remove that first: torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight'), or "
                "remove_weight_norm, remove_spectral_norm or prune.remove of torch.nn.utils."
            )


def masks_of(model: nn.Module) -> Masks:
    """Return every masked weight with its mask, True = alive; empty for a dense model."""
    found = (
        (m.weight, getattr(m, MASK)) for m in model.modules() if isinstance(getattr(m, MASK, None), Tensor)
    )
    return [(weight, mask) for weight, mask in found if isinstance(weight, nn.Parameter)]


@torch.no_grad()
def apply_masks(masks: Masks) -> None:
    """Zero what is masked."""
    for weight, mask in masks:
        weight.mul_(mask)


def drop_masks(model: nn.Module) -> nn.Module:
    """Forget which weights were pruned, in place; the weights stay as they are."""
    for module in model.modules():
        if MASK in module._buffers:
            del module._buffers[MASK]
    return model


def sparsity_of(model: nn.Module) -> float:
    """Return the share of weights that is masked, of the layers with a mask; 0 for a dense model."""
    masks = masks_of(model)
    if not masks:
        return 0.0
    return 1 - sum(int(mask.sum()) for _, mask in masks) / sum(mask.numel() for _, mask in masks)


def expect_masks(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give `model` the mask buffers that a state dict has, so that it can be loaded."""
    modules = dict(model.named_modules())
    for name, value in state.items():
        owner, _, leaf = name.rpartition(".")
        if leaf == MASK and owner in modules and MASK not in modules[owner]._buffers:
            modules[owner].register_buffer(MASK, torch.ones_like(value))
