"""CF-k and EU-k: forget in the last k layers only.

Goel, Prabhu, Sanyal, Lim, Torr, Kumaraguru: Towards Adversarial Evaluations for Inexact Machine Unlearning. 2022,
arXiv 2201.06640.

    CF-k   freeze all layers but the last k, finetune those on D_r         (catastrophic forgetting)
    EU-k   draw the last k layers anew and train them on D_r               (exact for those layers alone)

A layer is a module with weights of its own: convolution, linear or normalisation. k = 1, 10 epochs, learning rate 0.01.
Both presets are the same. Frozen layers keep their batch-norm statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vestige.arguments import Count
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.models.initial import is_frozen, redraw
from vestige.models.sparsity import apply_masks, masks_of
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work, layers_met, weights_of

if TYPE_CHECKING:
    from torch import nn

    from vestige.data.dataset import Dataset

STEPS = Steps()
CITES = "Goel et al. 2022"


@register(
    "cf_k",
    needs=("retain",),
    cites=CITES,
    steps=STEPS,
    last_layer=True,
    trial=Trial(strong={"lr": 0.05, "batch_size": 16, "epochs": 60, "k": 2}),
)
def cf_k(model: nn.Module, split: Split, work: Work, *, k: Count = 1) -> nn.Module:
    """Finetune the last k layers on the retained samples, the others frozen.

    k  layers with weights of their own, counted from the logits back
    """
    with only(model, split.data, k, work):
        work.descend(model, split.rows("retain"))
    return model


@register(
    "eu_k",
    needs=("retain",),
    cites=CITES,
    steps=STEPS,
    last_layer=True,
    trial=Trial(repair={"lr": 0.05, "epochs": 20, "batch_size": 32}),
)
def eu_k(model: nn.Module, split: Split, work: Work, *, k: Count = 1) -> nn.Module:
    """Draw the last k layers anew and train them on the retained samples, the others frozen.

    k  layers with weights of their own, counted from the logits back
    """
    with only(model, split.data, k, work) as last:
        for layer in last:
            if not is_frozen(layer):
                redraw(layer)
        apply_masks(masks_of(model))
        work.descend(model, split.rows("retain"))
    return model


@contextmanager
def only(model: nn.Module, data: Dataset, k: int, work: Work) -> Iterator[list[nn.Module]]:
    """Freeze all but the last k layers, which are given; afterwards everything is as free as it was."""
    layers = layers_met(model, data)
    if k > len(layers):
        raise InputError(f"{work.method}: k is {k}; the model has {len(layers)} layers with weights.")
    last = layers[-k:]
    chosen = {id(p) for layer in last for p in weights_of(layer)}
    free = [p for p in model.parameters() if p.requires_grad]
    if not any(id(p) in chosen for p in free):
        raise InputError(f"{work.method}: the last {k} layers are frozen (requires_grad=False).")
    for parameter in free:
        parameter.requires_grad_(id(parameter) in chosen)
    try:
        yield last
    finally:
        for parameter in free:
            parameter.requires_grad_(True)
