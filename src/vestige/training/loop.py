"""The training loop: copy, fit the input scale, descend.

Every epoch draws its order, augmentation and dropout from the seed and its own number, and the learning
rate is a formula of the step. So a run that was stopped continues from weights, optimiser state and the
number of epochs alone, on the CPU bit for bit as if it had not been stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.lazy import LazyModuleMixin

from vestige.arguments import Whole, checked
from vestige.config import validated
from vestige.data.dataset import Dataset
from vestige.errors import InputError, shown
from vestige.models.copies import copied
from vestige.models.device import compiled, device_of, forward_context, pick_device, settled
from vestige.models.initial import is_frozen, seeded
from vestige.models.outputs import answer, expect_logits, first_logits, take_gradient
from vestige.models.passes import hooked
from vestige.models.scale import fit_input_scale
from vestige.models.sparsity import apply_masks, masks_of
from vestige.models.threads import few_threads
from vestige.training.batches import Rows, batch_count, batches, input_chunks, resident, row_count
from vestige.training.recipe import Recipe, learning_rate, preset
from vestige.training.resume import Checkpoint, facts_of

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (logits [n, C], labels [n]) -> scalar
Objective: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (x [n, ...], labels [n]) -> scalar
OnStep: TypeAlias = Callable[[int], bool | None]
OnEpoch: TypeAlias = Callable[[int, float], bool | None]
TRIED = 4
"""Samples that a model is tried on first: enough to tell probabilities from logits."""


@dataclass(frozen=True, eq=False)
class Trained:
    """What training returns.

    Attributes
    ----------
    model : nn.Module
        Trained, in evaluation mode, on the device it came from.
    loss : list[float]
        Mean training loss of each epoch, nats.
    seconds : float
        Wall-clock time of all epochs, those before a resumption included.
    resumed : int
        Epochs that were read from a checkpoint rather than trained now.
    """

    model: nn.Module
    loss: list[float]
    seconds: float
    resumed: int = 0

    @property
    def epochs(self) -> int:
        return len(self.loss)


@checked
def train(
    model: nn.Module,
    rows: Rows,
    recipe: Recipe | str | Mapping[str, Any],
    *,
    device: str | torch.device = "auto",
    checkpoint: Path | None = None,
    progress: bool = False,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train a copy of `model` on `rows`; the model that is given, and the global random state, stay as they are.

    The copy starts from the weights of `model`; its input scale is fitted on `rows`. The other arguments and
    the errors are those of `descend`.
    """
    model, recipe = copied(model), recipe_of(recipe)
    with seeded(recipe.seed):  # a torch Dataset may draw from the global generator
        fit_input_scale(model, input_chunks(rows))
    return descend(
        model, rows, recipe, device=device, checkpoint=checkpoint, progress=progress, on_epoch=on_epoch
    )


@checked
def descend(
    model: nn.Module,
    rows: Rows,
    recipe: Recipe | str | Mapping[str, Any],
    *,
    loss: Loss | None = None,
    objective: Objective | None = None,
    freeze_batchnorm: bool = False,
    first_epoch: Whole = 0,
    optimizer: torch.optim.Optimizer | None = None,
    device: str | torch.device = "auto",
    checkpoint: Path | None = None,
    progress: bool = False,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Minimise `loss` over `rows` by the recipe, changing `model` in place; leave it in evaluation mode.

    Weights that a sparse model has masked stay zero.

    Parameters
    ----------
    rows : Dataset, Resident or torch data set
        A `Dataset`, or any map-style torch `Dataset` of (x, y) for what does not fit in memory.
    recipe : Recipe or str or Mapping[str, Any]
        A `Recipe`, the name of a preset, or a mapping of fields.
    loss : Loss or None
        Of float32 logits [n, C] and labels [n]; default: cross-entropy with the recipe's smoothing.
    objective : Objective or None
        Of inputs [n, ...] and labels [n], for losses that run the model themselves; in place of `loss`; it
        runs under the recipe's precision.
    freeze_batchnorm : bool
        Keep the running statistics of batch normalisation, and normalise by them; always so where its own
        weights are frozen, and for a single row, which has no statistics.
    first_epoch : int
        Where to enter the schedule, for weights that were trained or rewound to there.
    optimizer : torch.optim.Optimizer or None
        One of this model's, to go on with: its momentum and moments are kept; default: a new one.
    checkpoint : Path or None
        A file to continue from and to keep, at most 5 seconds and one epoch behind; it is also written where
        training is interrupted (Ctrl-C included) before the exception goes on. `loss` and `on_epoch` are not
        part of what it is checked against.
    progress : bool
        Show one progress bar.
    on_step : OnStep or None
        Called with the number of samples of every step, after it; True stops.
    on_epoch : OnEpoch or None
        Called with the number of finished epochs and the last one's mean loss; True stops.

    Raises
    ------
    InputError
        Where the model does not take the samples or gives no logits, where no gradient reaches it, where the
        loss is not finite, where the labels exceed the model's outputs, and where the checkpoint belongs to
        another recipe, model or data.
    """
    recipe, where, n = recipe_of(recipe), pick_device(device), row_count(rows)
    sample = first_samples(rows, recipe.seed, where)
    loss = loss or partial(F.cross_entropy, label_smoothing=recipe.label_smoothing)
    with ExitStack() as stack:
        with seeded(recipe.seed, where):
            if is_lazy(model):
                with torch.no_grad():
                    answer(model.eval(), sample.to(device_of(model)))
            stack.enter_context(settled(model, where, sample))
            stack.enter_context(few_threads(model, sample, min(n, recipe.batch_size)))
            width = check_outputs(model, sample, rows)
        bar = stack.enter_context(_bar(progress))
        data = resident(rows, where)
        optimizer = optimizer or make_optimizer(recipe, model.parameters())
        masks = masks_of(model)
        saved = Checkpoint(checkpoint, facts_of(recipe, model, rows)) if checkpoint else None
        losses, before = saved.restore(model, optimizer) if saved else ([], 0.0)
        resumed, start = len(losses), time.perf_counter()
        steps = batch_count(n, recipe.batch_size)
        task = bar.add_task("training", total=recipe.epochs * steps, completed=resumed * steps, loss="")
        try:
            stopped = False
            context = forward_context(model, where, recipe.precision)
            answers = compiled(model, recipe.compile)

            def value_of(x: Tensor, y: Tensor) -> Tensor:
                with context:
                    if objective is not None:
                        return objective(x, y).float()
                    logits = expect_logits(answer(answers, x), len(x), width, training=True)
                _check_labels(y, logits.shape[1])
                return loss(logits.float(), y)

            def stepped(samples: int) -> bool:
                nonlocal stopped
                apply_masks(masks)
                bar.advance(task)
                stopped = bool(on_step and on_step(samples))
                return stopped

            for epoch in range(max(resumed, first_epoch), recipe.epochs):
                training_mode(model, freeze_batchnorm=freeze_batchnorm or n == 1)
                mean = _epoch(data, recipe, epoch, optimizer, value_of, where, stepped)
                losses.append(mean)
                bar.update(task, loss=f"loss {mean:.4f}")
                if saved:
                    saved.keep(model, optimizer, losses, before + time.perf_counter() - start)
                if (on_epoch and on_epoch(epoch + 1, mean)) or stopped:
                    break
        finally:
            model.eval()
            if saved:
                saved.flush()
    return Trained(model, losses, before + time.perf_counter() - start, resumed)


def _epoch(
    data: Rows,
    recipe: Recipe,
    epoch: int,
    optimizer: torch.optim.Optimizer,
    value_of: Objective,
    device: torch.device,
    stepped: Callable[[int], bool],
) -> float:
    """Take one pass over the data, or as far as `stepped` lets it; return the mean loss."""
    order_seed, layer_seed = epoch_seeds(recipe.seed, epoch)
    generator = torch.Generator().manual_seed(order_seed)
    steps, seen = batch_count(row_count(data), recipe.batch_size), 0
    total = torch.zeros((), device=device)  # added up there: reading it each step would wait for the GPU
    with seeded(layer_seed, device):
        epoch_batches = batches(
            data, recipe.batch_size, generator=generator, augment=recipe.augment, device=device
        )
        for step, (x, y) in enumerate(epoch_batches):
            set_learning_rate(optimizer, learning_rate(recipe, epoch, step, steps))
            optimizer.zero_grad(set_to_none=True)
            value = value_of(x, y)
            if value.requires_grad:
                take_gradient(value)
            if step == 0 or not value.requires_grad:
                _check_gradients(optimizer)
            optimizer.step()
            total += value.detach() * len(y)
            seen += len(y)
            if stepped(len(y)):
                break
    mean = float(total) / seen
    if not np.isfinite(mean):
        raise InputError(f"The loss became {mean} in epoch {epoch + 1}; lower lr (now {recipe.lr:g}).")
    return mean


def make_optimizer(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the recipe's optimiser over those parameters that require gradients, fused where torch can."""
    chosen = [p for p in parameters if p.requires_grad]
    if not chosen:
        raise InputError("No parameter of the model requires a gradient; there is nothing to train.")
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in chosen)
    lr, decay = recipe.lr, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            chosen, lr, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay, fused=fused
        )
    adam = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return adam(chosen, lr, weight_decay=decay, fused=fused)


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def epoch_seeds(seed: int, epoch: int) -> tuple[int, int]:
    """Return two independent seeds for an epoch: for order and augmentation, and for the layers (dropout)."""
    order, layers = np.random.SeedSequence((seed, epoch)).generate_state(2, np.uint64)
    return int(order), int(layers)


def training_mode(model: nn.Module, *, freeze_batchnorm: bool = False) -> None:
    """Put `model` into training mode, but for batch normalisation that is frozen, or all of it."""
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm) and (freeze_batchnorm or is_frozen(module)):
            module.eval()


def is_lazy(model: nn.Module) -> bool:
    """Has the model layers that draw their weights when they meet the first sample?"""
    return any(isinstance(module, LazyModuleMixin) for module in model.modules())


@contextmanager
def one_row_normalised(model: nn.Module) -> Iterator[None]:
    """In this block, normalise a batch of one value per channel, which has no deviation, by the running statistics."""

    def choose(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        layer.train(modes[layer] and given[0].numel() > given[0].shape[1])

    modes: dict[nn.Module, bool] = {
        layer: layer.training for layer in model.modules() if isinstance(layer, _BatchNorm)
    }
    try:
        with hooked(modes, choose, before=True):
            yield
    finally:
        for layer, mode in modes.items():
            layer.train(mode)


def recipe_of(given: Recipe | str | Mapping[str, Any]) -> Recipe:
    """Return a recipe that may be given by the name of a preset, or as a mapping of its fields."""
    if isinstance(given, str):
        return preset(given)
    if isinstance(given, Mapping):
        return validated(Recipe, given, "recipe")
    if not isinstance(given, Recipe):
        raise InputError(
            f"recipe is {shown(given)}; a Recipe is wanted, such as vestige.training.preset('speed')."
        )
    return given


def first_samples(rows: Rows, seed: int, device: torch.device) -> Tensor:
    """Return the first samples as a batch, to try the model on."""
    head: Rows
    if isinstance(rows, Dataset):
        head = rows.take(np.arange(min(TRIED, len(rows))))
    else:
        head = torch.utils.data.Subset(rows, range(min(TRIED, row_count(rows))))  # type: ignore[arg-type]
    with seeded(seed):  # a torch Dataset may draw from the global generator
        return next(batches(head, TRIED, shuffle=False, device=device))[0]


def _check_gradients(optimizer: torch.optim.Optimizer) -> None:
    if all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
        raise InputError(
            "Training cannot change the model: its loss gives a gradient to none of its parameters. Usually an "
            "attribute, such as a lambda, holds another copy of the layers; call the layers by way of self."
        )


def check_outputs(model: nn.Module, sample: Tensor, rows: Rows) -> int:
    """Return how many outputs the model has. Raises `InputError` for fewer than there are classes."""
    width = first_logits(model, sample).shape[1]
    if isinstance(rows, Dataset) and width < len(rows.classes):
        raise InputError(f"The model has {width} outputs; {rows.name} has {len(rows.classes)} classes.")
    return width


def _check_labels(y: Tensor, outputs: int) -> None:
    """Refuse labels beyond the outputs; on a GPU, where a look would wait for it, those of a `Dataset` are known."""
    if y.device.type == "cpu" and len(y) and int(y.max()) >= outputs:
        raise InputError(f"The model has {outputs} outputs; a sample has the label {int(y.max())}.")


def _bar(show: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"),
        TimeRemainingColumn(), TextColumn("{task.fields[loss]}"), disable=not show, transient=True,
    )  # fmt: skip
