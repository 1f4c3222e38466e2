"""Train a sparse model: train, prune by size once, rewind, train again.

One-shot magnitude pruning with rewinding of weights and learning rate, as Jia et al. 2023 (Unlearn-Sparse) train the
models they unlearn from: 182 epochs, 95 % of all convolution weights pruned, rewound to epoch 8.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from vestige.models.scale import fit_input_scale
from vestige.models.sparsity import apply_masks, masks_of, prune
from vestige.training.batches import Rows, input_chunks
from vestige.training.loop import Trained, descend
from vestige.training.recipe import Recipe

PUBLISHED = 8 / 182


def train_sparse(
    model: nn.Module,
    rows: Rows,
    recipe: Recipe,
    sparsity: float,
    *,
    rewind: int | None = None,
    **options: Any,
) -> Trained:
    """Train a copy of `model` on `rows`, prune it, rewind and train it again; masked weights are 0 and stay so.

    sparsity  share of the prunable weights to remove, see `vestige.models.sparsity.prune`
    rewind    epoch whose weights the second training starts from, with the schedule entered there; default: the
              published 8 of 182, in proportion
    options   of `descend`: device, progress

    The seconds and losses are those of both trainings.
    """
    model = copy.deepcopy(model)
    fit_input_scale(model, input_chunks(rows))
    back = max(1, round(PUBLISHED * recipe.epochs)) if rewind is None else rewind
    kept: dict[str, torch.Tensor] = {}

    def keep(epoch: int, loss: float) -> bool:
        if epoch == back:
            kept.update({name: value.detach().cpu().clone() for name, value in model.state_dict().items()})
        return False

    dense = descend(model, rows, recipe, on_epoch=keep, **options)
    prune(model, sparsity)
    for name, value in model.state_dict().items():
        if name in kept:
            value.copy_(kept[name])
    apply_masks(masks_of(model))
    sparse = descend(model, rows, recipe, first_epoch=min(back, recipe.epochs - 1), **options)
    return Trained(model, dense.loss + sparse.loss, dense.seconds + sparse.seconds)
