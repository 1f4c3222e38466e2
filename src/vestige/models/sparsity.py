"""Sparse models: which weights are pruned, and that they stay so.

One-shot magnitude pruning as Jia et al. 2023 (Unlearn-Sparse) use it: over all convolution weights together, the
smallest in size are set to zero. A network without convolutions is pruned over its linear layers but the last.
Which weights live is a buffer beside the weight, `weight_mask`, so that copies and files keep it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from vestige.errors import InputError

Masks: TypeAlias = list[tuple[nn.Parameter, Tensor]]
MASK = "weight_mask"


def prune(model: nn.Module, sparsity: float) -> nn.Module:
    """Zero the smallest share `sparsity` of the prunable weights, in place; return the model.

    sparsity  from 0 to below 1; 0.95 keeps every twentieth weight

    Raises `InputError` where the share is outside, or the model has nothing to prune.
    """
    if not 0 <= sparsity < 1:
        raise InputError(f"sparsity is {sparsity}; a share from 0 to below 1 is wanted.")
    layers = prunable(model)
    sizes = torch.cat([layer.weight.detach().abs().flatten() for layer in layers])
    count = round(sparsity * len(sizes))
    keep = torch.ones(len(sizes), dtype=torch.bool, device=sizes.device)
    keep[sizes.argsort(stable=True)[:count]] = False
    parts = torch.split(keep, [layer.weight.numel() for layer in layers])
    for layer, part in zip(layers, parts, strict=True):
        layer.register_buffer(MASK, part.reshape(layer.weight.shape).clone())
    apply_masks(masks_of(model))
    return model


def prunable(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Return the layers that pruning looks at. Raises `InputError` where there are none."""
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)][:-1]
    if not convolutions and not linear:
        raise InputError(
            "There is nothing to prune: the model has no convolution and one linear layer at most."
        )
    return [*convolutions] if convolutions else [*linear]


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
    """Return the share of prunable weights that is masked; 0 for a dense model."""
    masks = masks_of(model)
    if not masks:
        return 0.0
    total = sum(layer.weight.numel() for layer in prunable(model))
    return 1 - sum(int(mask.sum()) for _, mask in masks) / total


def expect_masks(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give `model` the mask buffers that a state dict has, so that it can be loaded."""
    modules = dict(model.named_modules())
    for name, value in state.items():
        owner, _, leaf = name.rpartition(".")
        if leaf == MASK and owner in modules and MASK not in modules[owner]._buffers:
            modules[owner].register_buffer(MASK, torch.ones_like(value))
