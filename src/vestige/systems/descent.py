"""Training on data that do not fit in memory, of any form: the recipe's schedule on batches as a loader brings them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vestige.errors import InputError
from vestige.models.device import forward_context, pick_device, settled
from vestige.models.outputs import take_gradient
from vestige.models.scale import fit_input_scale
from vestige.models.threads import few_threads
from vestige.systems.answers import OneInput, numbers_of
from vestige.systems.items import Batch, Items
from vestige.systems.seeding import all_seeded
from vestige.training.batches import augmented, batch_count, parts_of
from vestige.training.loop import epoch_seeds, make_optimizer, set_learning_rate, training_mode
from vestige.training.recipe import Recipe, learning_rate


def loss_of(task: str, outputs: Tensor, truth: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the mean loss of a batch: cross-entropy, that of one or several yes-or-no labels, or squared error."""
    if task == "regression":
        return F.mse_loss(outputs, truth.reshape(outputs.shape).to(outputs.dtype))
    if task == "multilabel" or outputs.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(outputs, truth.reshape(outputs.shape).to(outputs.dtype))
    return F.cross_entropy(outputs, truth.long().reshape(-1), label_smoothing=smoothing)


def train_streaming(
    model: nn.Module, items: Items, rows: np.ndarray, recipe: Recipe, task: str, device: str
) -> nn.Module:
    """Train a network in place on the items at `rows` by a recipe, and return it in evaluation mode.

    One batch is in memory at a time. An answer with several parts, as networks with auxiliary heads give in training,
    is trained by its first, the logits. Raises `InputError` where the loss is not finite.
    """
    where, first = pick_device(device), items.first(rows)
    fit_input_scale(model, (batch.main for batch in items.batches(rows)))
    sample = first.to(where)
    asked = OneInput(model, sample)
    with all_seeded(recipe.seed), settled(asked, where, sample.main):
        with few_threads(asked, sample.main, min(len(rows), recipe.batch_size)):
            optimizer = make_optimizer(recipe, model.parameters())
            for epoch in range(recipe.epochs):
                training_mode(model, freeze_batchnorm=len(rows) == 1)
                mean = _epoch(model, items, rows, recipe, epoch, optimizer, task, where)
                if not np.isfinite(mean):
                    raise InputError(
                        f"The loss became {mean} in epoch {epoch + 1}; lower lr (now {recipe.lr:g})."
                    )
    return model.eval()


def _epoch(
    model: nn.Module,
    items: Items,
    rows: np.ndarray,
    recipe: Recipe,
    epoch: int,
    optimizer: torch.optim.Optimizer,
    task: str,
    where: torch.device,
) -> float:
    order_seed, layer_seed = epoch_seeds(recipe.seed, epoch)
    generator = torch.Generator().manual_seed(order_seed)
    order = torch.as_tensor(rows)[torch.randperm(len(rows), generator=generator)]
    steps = batch_count(len(rows), recipe.batch_size)
    total, count = torch.zeros((), device=where), 0
    with all_seeded(layer_seed % 2**63):
        parts = [part.tolist() for part in parts_of(order, recipe.batch_size)]
        for step, content in enumerate(items.batches(parts)):
            batch = _augmented(content, recipe, generator).to(where)
            set_learning_rate(optimizer, learning_rate(recipe, epoch, step, steps))
            optimizer.zero_grad(set_to_none=True)
            with forward_context(model, where, recipe.precision):
                outputs = numbers_of(model, batch)
            value = loss_of(task, outputs.float(), batch.truth, recipe.label_smoothing)
            take_gradient(value)
            optimizer.step()
            total += value.detach() * len(batch)
            count += len(batch)
    return float(total) / count


def _augmented(batch: Batch, recipe: Recipe, generator: torch.Generator) -> Batch:
    if recipe.augment == "none":
        return batch
    return batch.with_main(augmented(batch.main, recipe.augment, generator))
