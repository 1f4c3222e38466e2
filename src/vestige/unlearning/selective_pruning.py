"""Selective pruning, of all layers, of the last, and complex: draw anew the weights that overfitting leaves alone.

Krähenmann, Neubecker, Strozzi, Martinelli: Forget with Precision, ETH Zurich 2023.

    F = a copy overfitted on D_f;  d = |theta - theta_F| per tensor; weights with d below its 0.30 quantile are drawn
    anew (Kaiming normal); then retain finetuning: 5 epochs, lr 0.001
    last layer  the same for the last linear layer's weight only; F: 20 epochs, lr 0.01
    complex     R = a copy overfitted on a random 2 % of D_r; drawn anew where both |theta - theta_F| and
                |theta - theta_R| are below their quantiles; F: lr 0.01, R: lr 0.01 / 3

Weights that move least are taken as those that hold the forget set. SGD with Nesterov momentum 0.9, weight decay 5e-4,
batch 128, no augmentation. Differs from the authors: their newest code for "complex" divides whole numbers, so that R's
learning rate is 0 and no weight is ever chosen; the intended rate is used in both presets. Only tensors of two
dimensions and more take part. Of a sparse model the weights that are alive are compared, and the others stay masked.
The quantile is the value that the floor of 0.30 n weights lie below; theirs is interpolated, and one weight of a tensor
more lies below it. The retained samples are shuffled, which the authors do in their finetuning alone. A budget that
ends while a copy is overfitted leaves the model as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from vestige.arguments import Between, Count
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.models import copied
from vestige.unlearning.random_labels import ETH
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Work, alive_of, last_linear, own_weight, trainable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vestige.data.dataset import Dataset

CITES = "Krähenmann et al. 2023 (Forget with Precision)"
RETAIN_SHARE = 0.02


@register(
    "selective_pruning",
    needs=("forget", "retain"),
    cites=CITES,
    steps=ETH,
    trial=Trial(
        repair={"lr": 0.05, "epochs": 20, "batch_size": 32},
        alike={"swapped": "which weights overfitting moves least hardly depends on the samples there"},
    ),
)
def selective_pruning(
    model: nn.Module, split: Split, work: Work, *, quantile: Between = 0.3, overfit_epochs: Count = 20
) -> nn.Module:
    """Draw anew, in every layer, the weights that overfitting on the forget samples moves least; then finetune.

    quantile        share of a layer's weights that is drawn anew
    overfit_epochs  of the copy on the forget samples
    """
    near = _similar(model, split.rows("forget"), work, quantile, overfit_epochs, lr=0.01)
    return _redrawn(model, near, split, work)


@register(
    "selective_pruning_last_layer",
    needs=("forget", "retain"),
    cites=CITES,
    steps=ETH,
    last_layer=True,
    trial=Trial(
        repair={"lr": 0.05, "epochs": 20, "batch_size": 32},
        alike={
            "swapped": "which weights overfitting moves least hardly depends on the samples there",
            "flipped": "so it is with the sign",
        },
    ),
)
def selective_pruning_last_layer(
    model: nn.Module, split: Split, work: Work, *, quantile: Between = 0.3, overfit_epochs: Count = 20
) -> nn.Module:
    """The same in the last linear layer only.

    quantile        share of its weights that is drawn anew
    overfit_epochs  of the copy on the forget samples
    """
    last = own_weight(model, last_linear(model, split.data, work.method), work.method)
    if last is None:
        raise InputError(
            f"{work.method} draws weights of the last linear layer anew, which is frozen (requires_grad=False); "
            "unfreeze it, or take selective_pruning."
        )
    near = _similar(model, split.rows("forget"), work, quantile, overfit_epochs, lr=0.01)
    names = [name for name, p in model.named_parameters() if p is last]
    return _redrawn(model, {name: near[name] for name in names if name in near}, split, work)


@register(
    "selective_pruning_complex",
    needs=("forget", "retain"),
    cites=CITES,
    steps=ETH,
    trial=Trial(repair={"lr": 0.05, "epochs": 20, "batch_size": 32}),
)
def selective_pruning_complex(
    model: nn.Module, split: Split, work: Work, *, quantile: Between = 0.3, overfit_epochs: Count = 20
) -> nn.Module:
    """Draw anew what both forget and retained samples leave alone; then finetune.

    quantile        share of a layer's weights that each of the two copies proposes
    overfit_epochs  of the copies, on the forget samples and on some of the retained
    """
    retain = split.rows("retain")
    few = retain_sample(retain, work)
    own = _similar(model, split.rows("forget"), work, quantile, overfit_epochs, lr=0.01)
    other = _similar(model, few, work, quantile, overfit_epochs, lr=0.01 / 3)
    return _redrawn(model, {name: own[name] & other[name] for name in own}, split, work)


def retain_sample(retain: Dataset, work: Work) -> Dataset:
    """Return a random 2 % of the retained samples, at least one batch or all."""
    count = min(len(retain), max(round(RETAIN_SHARE * len(retain)), work.steps.batch_size))
    return retain.take(np.random.default_rng((work.seed, 13)).permutation(len(retain))[:count])


def _similar(
    model: nn.Module, rows: Dataset, work: Work, quantile: float, epochs: int, lr: float
) -> dict[str, Tensor]:
    """Return, for every weight tensor, which entries an overfitted copy moves least."""
    if all(weight.ndim < 2 for weight in trainable(model).values()):
        raise InputError(
            f"{work.method} draws weights anew, and every parameter that is not frozen is a vector (a bias, a scale); "
            "unfreeze a weight."
        )
    overfitted = copied(model)
    work.descend(overfitted, rows, epochs=epochs, lr=lr, seed=1, watched=model)
    moved, alive = trainable(overfitted), alive_of(model)
    near = {}
    for name, weight in trainable(model).items():
        if weight.ndim >= 2:
            there = alive.get(name, torch.ones_like(weight, dtype=torch.bool))
            distance = (weight - moved[name]).detach().abs()
            ranked = distance[there].sort().values
            limit = ranked[min(int(quantile * len(ranked)), len(ranked) - 1)]
            near[name] = (distance < limit) & there
    return near


@torch.no_grad()
def _redrawn(model: nn.Module, chosen: dict[str, Tensor], split: Split, work: Work) -> nn.Module:
    if work.stopped:
        return model
    if not any(bool(mask.any()) for mask in chosen.values()):
        raise InputError(f"{work.method}: no weight was chosen; raise quantile or overfit_epochs.")
    generator = work.generator()
    for name, weight in trainable(model).items():
        if name in chosen:
            weight.copy_(torch.where(chosen[name], kaiming(weight, generator), weight))
    with torch.enable_grad():
        work.descend(model, split.rows("retain"), seed=2)
    return model


def kaiming(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Return a tensor like `weight`, normal with variance 2 / fan-in; drawn on the CPU."""
    inputs = weight[0].numel()
    drawn: Tensor = torch.randn(weight.shape, generator=generator) * float((2 / inputs) ** 0.5)
    return drawn.to(weight)
