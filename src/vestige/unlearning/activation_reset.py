"""Activation reset: draw anew the convolution kernels that answer more to the forget samples.

Krähenmann, Neubecker, Strozzi, Martinelli: Forget with Precision, ETH Zurich 2023.

    per kernel, the mean output map (before batch norm) over D_f and over a random 2 % of D_r; where the map is higher
    on D_f at more than 80 % of its positions, the kernel is drawn anew (Kaiming normal); so is the weight of the last
    linear layer; then retain finetuning: 5 epochs, lr 0.001

Differs from the authors: their newest code divides the retain sum by the size of the whole retain set, which makes the
retain map nearly 0, runs batch norm in training mode, and misses the shortcut convolutions, found by name. Here both
maps are means, in evaluation mode, over every convolution. Both presets are the same. Networks without convolutions:
units of linear layers but the last take the place of kernels. The retained samples are shuffled, which the authors do
in their finetuning alone. A budget that ends while the maps are taken leaves the model as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from vestige.data.split import Split
from vestige.errors import InputError
from vestige.unlearning.random_labels import ETH
from vestige.unlearning.registry import register
from vestige.unlearning.selective_pruning import CITES, kaiming, retain_sample
from vestige.unlearning.work import Work, last_linear, layers_met

if TYPE_CHECKING:
    from torch import Tensor

    from vestige.data.dataset import Dataset


@register("activation_reset", needs=("forget", "retain"), cites=CITES, steps=ETH)
def activation_reset(model: nn.Module, split: Split, work: Work, *, share: float = 0.8) -> nn.Module:
    """Draw anew the kernels that are more active on the forget samples, and the last layer; then finetune.

    share  of a kernel's output positions that must be higher on the forget samples
    """
    if not 0 <= share < 1:
        raise InputError(f"{work.method}: share is {share}; from 0 to below 1 is wanted.")
    last = last_linear(model, split.data, work.method)
    met = layers_met(model, split.data)
    kernels = [m for m in met if isinstance(m, nn.Conv2d)]
    layers: list[nn.Module] = [*kernels] or [m for m in met if isinstance(m, nn.Linear) and m is not last]
    maps = [
        _mean_maps(model, layers, rows, work)
        for rows in (split.rows("forget"), retain_sample(split.rows("retain"), work))
    ]
    if work.stopped:
        return model
    generator = work.generator()
    with torch.no_grad():
        for layer, on_forget, on_retain in zip(layers, *maps, strict=True):
            higher = (on_forget > on_retain).float().flatten(1).mean(dim=1) > share
            weight = layer.weight
            assert isinstance(weight, nn.Parameter)
            if weight.requires_grad:
                weight[higher] = kaiming(weight, generator)[higher]
        if last.weight.requires_grad:
            last.weight.copy_(kaiming(last.weight, generator))
    work.descend(model, split.rows("retain"))
    return model


def _mean_maps(model: nn.Module, layers: Sequence[nn.Module], rows: Dataset, work: Work) -> list[Tensor]:
    """Return each layer's mean output over `rows`: [kernels, ...]."""
    totals: dict[int, Tensor] = {}

    def add(layer: nn.Module, inputs: object, output: Tensor) -> None:
        summed = output.detach().float().sum(dim=0)
        totals[id(layer)] = totals.get(id(layer), torch.zeros_like(summed)) + summed

    handles = [layer.register_forward_hook(add) for layer in layers]
    try:
        with torch.no_grad():
            for x, _ in work.once(rows):
                model.eval()(x)
    finally:
        for handle in handles:
            handle.remove()
    return [(totals[id(layer)] / len(rows)).reshape(totals[id(layer)].shape[0], -1) for layer in layers]
