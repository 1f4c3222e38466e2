"""Train a sparse model: train, prune by size once, rewind, train again.

One-shot magnitude pruning with rewinding of weights and learning rate, as Jia et al. 2023 (Unlearn-Sparse) train the
models they unlearn from: 182 epochs, 95 % of all convolution weights pruned, rewound to epoch 8.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from vestige.arguments import checked
from vestige.errors import InputError
from vestige.models.copies import copied
from vestige.models.device import device_of
from vestige.models.initial import seeded
from vestige.models.scale import fit_input_scale
from vestige.models.sparsity import MASK, apply_masks, masks_of, prune
from vestige.training.batches import Rows, input_chunks
from vestige.training.loop import Trained, descend, first_samples, is_lazy, recipe_of
from vestige.training.recipe import Recipe

PUBLISHED = 8 / 182


@checked
def train_sparse(
    model: nn.Module,
    rows: Rows,
    recipe: Recipe | str | Mapping[str, Any],
    sparsity: Annotated[float, Field(ge=0, lt=1)],
    *,
    rewind: int | None = None,
    **options: Any,
) -> Trained:
    """Train a copy of `model` on `rows`, prune it, rewind and train it again; masked weights are 0 and stay so.

    The seconds and losses are those of both trainings.

    Parameters
    ----------
    sparsity : float
        Share of the prunable weights to remove, see `vestige.models.sparsity.prune`.
    rewind : int or None
        Epoch whose weights the second training starts from, with the schedule entered there; 0: the first
        weights; default: the published 8 of 182, in proportion.
    options : Any
        Of `descend`: device, progress.

    Raises
    ------
    InputError
        Where `rewind` is no epoch of the recipe, and where `descend` or `prune` do.
    """
    model, recipe = copied(model), recipe_of(recipe)
    back = max(1, round(PUBLISHED * recipe.epochs)) if rewind is None else rewind
    if back not in range(recipe.epochs + 1):
        raise InputError(f"rewind is {back}; an epoch from 0 to {recipe.epochs} is wanted.")
    if back == 0 and is_lazy(model):
        raise InputError("Lazy layers have no first weights to rewind to; call the model on a sample first.")
    with seeded(recipe.seed):  # a torch Dataset may draw from the global generator
        fit_input_scale(model, input_chunks(rows))
    kept: list[dict[str, Any]] = []

    def keep(epoch: int, loss: float) -> bool:
        if epoch == back:
            state = copy.deepcopy(model.state_dict())
            for name in [name for name in state if name.endswith(MASK)]:
                del state[name]  # those of a model that was sparse before do not come back
            kept.append(state)
        return False

    keep(0, 0.0)  # the first weights
    dense = descend(model, rows, recipe, on_epoch=keep, **options)
    prune(model, sparsity, sample=first_samples(rows, recipe.seed, device_of(model)))
    model.load_state_dict(kept[0], strict=False)
    apply_masks(masks_of(model))
    sparse = descend(model, rows, recipe, first_epoch=min(back, recipe.epochs - 1), **options)
    return Trained(model, dense.loss + sparse.loss, dense.seconds + sparse.seconds)
