"""What every method is given: settings, device, seed, and a budget that counts itself.

A method says what is minimised over which samples; the steps are taken here, so that the budget, the progress bar,
the seed and the masks of sparse models hold for all of them alike, and so that a method of several passes has one
optimiser and one schedule over all of them. Cost is counted in sample passes, a forward and a
backward one together; a forward pass alone is a third. One retrain-epoch equivalent is one pass over the retained
samples.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from vestige.arguments import Below1, Count, NotNegative, Positive
from vestige.data.dataset import Dataset
from vestige.data.split import Split
from vestige.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from vestige.training import Recipe, Rows
    from vestige.training.loop import Loss, Objective

FORWARD = 1 / 3


@dataclass(frozen=True)
class Steps:
    """How a method descends: its optimiser's settings. Every field is an option of every method that has steps.

    Attributes
    ----------
    epochs : int
        Passes over the samples that the method descends on.
    lr : float
        Learning rate, the highest of the schedule.
    optimizer : {"sgd", "adam", "adamw"}
        "sgd", "adam" or "adamw".
    momentum : float
        Of SGD; Adam does not read it.
    nesterov : bool
        Whether SGD's momentum is in Nesterov's form.
    weight_decay : float
        On every parameter that is not frozen.
    batch_size : int
        Samples per step, at most.
    schedule : {"constant", "cosine", "onecycle", "multistep"}
        "constant"; "cosine" down to 0; "onecycle"; "multistep": a tenth at each of `milestones`.
    milestones : tuple[int, ...]
        Epochs of "multistep".
    anneal : {"step", "epoch"}
        Whether the schedule moves with each "step" or stands still for an "epoch", as it does where an epoch
        has several passes.
    augment : {"none", "flip", "crop_flip", "auto"}
        "none", "flip", "crop_flip", or "auto": as the original was trained, where `recipe` tells; where it
        does not, "crop_flip" on images of 16 pixels and more, else "none".
    freeze_batchnorm : bool
        Normalise by the running statistics of the original model, and do not change them.
    """

    epochs: Count = 10
    lr: Positive = 0.01
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: Below1 = 0.9
    nesterov: bool = False
    weight_decay: NotNegative = 5e-4
    batch_size: Count = 256
    schedule: Literal["constant", "cosine", "onecycle", "multistep"] = "constant"
    milestones: tuple[Count, ...] = ()
    anneal: Literal["step", "epoch"] = "step"
    augment: Literal["none", "flip", "crop_flip", "auto"] = "auto"
    freeze_batchnorm: bool = False


@dataclass(eq=False)
class Work:
    """One run of one method.

    Attributes
    ----------
    method : str
        Its name.
    steps : Steps
        Its optimiser's settings.
    recipe : Recipe or None
        How the original was trained, where known.
    seed : int
        Of everything random.
    device : str
        Where to compute.
    epoch : int
        Samples in one retrain-epoch equivalent.
    budget
        How many sample passes and how many seconds may be spent.
    on_epoch : callable or None
        The caller's early stop: called with the model after each epoch that `descend` takes, True stops.
    optimizers : WeakKeyDictionary[Any, torch.optim.Optimizer]
        Of every model that was descended on, with what it has gathered.
    decided : dict[str, Any]
        What the method chose by itself from the request, for the record.
    """

    method: str
    steps: Steps
    recipe: Recipe | None
    seed: int
    device: str
    progress: bool
    epoch: int
    max_passes: float = float("inf")
    max_seconds: float = float("inf")
    on_epoch: Callable[[Any], bool | None] | None = None
    passes: float = 0.0
    gradient_steps: int = 0
    stopped: str | None = None
    decided: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    optimizers: WeakKeyDictionary[Any, torch.optim.Optimizer] = field(default_factory=WeakKeyDictionary)

    @property
    def where(self) -> torch.device:
        """The device as torch knows it."""
        from vestige.training import pick_device

        return pick_device(self.device)

    def generator(self, purpose: int = 0) -> torch.Generator:
        """Return a CPU generator of its own for each purpose, from the seed."""
        import numpy as np
        import torch

        state = np.random.SeedSequence((self.seed, 7, purpose)).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(state[0]))

    def augmentation(self, name: str, rows: Dataset) -> str:
        """Return what "auto" stands for on these samples, and any other name as it is."""
        if name != "auto":
            return name
        if self.recipe is not None:  # more of it than in training would undo some of what was learned
            return self.recipe.augment
        return "crop_flip" if rows.is_image and min(rows.shape[1:]) >= 16 else "none"

    def spend(self, samples: float) -> bool:
        """Count sample passes; return True where the budget is spent, and then the method is to stop."""
        self.passes += samples
        if self.passes >= self.max_passes:
            self.stopped = "max_epochs"
        elif time.perf_counter() - self.started >= self.max_seconds:
            self.stopped = "max_seconds"
        return self.stopped is not None

    def descend(
        self,
        model: nn.Module,
        rows: Rows,
        *,
        loss: Loss | None = None,
        objective: Objective | None = None,
        on_epoch: Callable[[int, float], bool | None] | None = None,
        after_step: Callable[[float], None] | None = None,
        cost: float = 1.0,
        max_steps: int | None = None,
        watched: nn.Module | None = None,
        seed: int = 0,
        fresh: bool = False,
        **changes: Any,
    ) -> None:
        """Minimise over `rows` by the method's steps, changing `model` in place.

        A model that was descended on before goes on with the optimiser it had: momentum and moments are kept from pass
        to pass. The rate of a pass is in `changes`; see `one_epoch`.

        Parameters
        ----------
        rows : Dataset, Resident or torch data set
            A data set; of torch's own kind where `augment` is among the changes.
        loss : Loss or None
            Of logits and labels; default: cross-entropy.
        objective : Objective or None
            Of inputs and labels, for losses that run the model themselves.
        on_epoch : Callable[[int, float], bool or None] or None
            The method's own stop: (finished epochs, mean loss) -> True to stop.
        after_step : Callable[[float], None] or None
            Called after each step with its learning rate; gradients are still there.
        cost : float
            Sample passes for each row of `rows`: what an objective adds is counted here.
        max_steps : int or None
            Stop after so many steps, without ending the method.
        watched : nn.Module or None
            What the caller's early stop is shown, where `model` is a stand-in.
        seed : int
            Told apart where a method descends more than once.
        fresh : bool
            Begin with a new optimiser, where a stage is a training of its own.
        changes : Any
            To the method's steps, for example epochs=1.
        """
        from vestige.config import validated
        from vestige.training import Recipe, batch_count, descend, learning_rate
        from vestige.training.batches import row_count

        if self.stopped:
            return
        settings = dataclasses.asdict(self.steps) | changes
        freeze = settings.pop("freeze_batchnorm")
        if isinstance(rows, Dataset):
            settings["augment"] = self.augmentation(settings["augment"], rows)
        if self.recipe is not None:
            settings = {"precision": self.recipe.precision} | settings
        recipe = validated(Recipe, settings | {"seed": self.seed + 1000 * seed}, self.method)

        per_epoch, taken = batch_count(row_count(rows), recipe.batch_size), 0

        def spend(samples: int) -> bool:
            nonlocal taken
            if after_step is not None:
                after_step(learning_rate(recipe, taken // per_epoch, taken % per_epoch, per_epoch))
            taken += 1
            self.gradient_steps += 1
            return self.spend(cost * samples) or taken == max_steps

        def ended(epoch: int, mean: float) -> bool:
            if on_epoch is not None and on_epoch(epoch, mean):
                return True
            if self.on_epoch is not None and self.on_epoch(watched or model):
                self.stopped = "on_epoch"
            return self.stopped is not None

        descend(
            model, rows, recipe, loss=loss, objective=objective, freeze_batchnorm=freeze, device=self.device,
            optimizer=self.optimizer_of(model, recipe, fresh=fresh), progress=self.progress, on_step=spend,
            on_epoch=ended,
        )  # fmt: skip

    def optimizer_of(self, model: nn.Module, recipe: Recipe, *, fresh: bool = False) -> torch.optim.Optimizer:
        """Return the optimiser of the model's earlier passes, or a new one: for the first, and where it is another."""
        from vestige.training.loop import make_optimizer

        model.to(self.where)
        own, new = self.optimizers.get(model), make_optimizer(recipe, model.parameters())
        if own is None or fresh or _settings(own) != _settings(new):
            self.optimizers[model] = own = new
        return own

    def one_epoch(self, epoch: int) -> dict[str, Any]:
        """Return the changes for one epoch, from 0, of a method that descends epoch by epoch: its schedule goes on.

        All passes of an epoch have one rate, as where a scheduler steps once an epoch.
        """
        from vestige.config import validated
        from vestige.training import Recipe, learning_rate

        own = self.steps
        chosen = {"epochs": own.epochs, "lr": own.lr, "schedule": own.schedule, "milestones": own.milestones}
        whole = validated(Recipe, chosen, self.method)
        return {"epochs": 1, "lr": learning_rate(whole, epoch), "schedule": "constant", "milestones": ()}

    def endless(
        self, rows: Dataset, *, batch_size: int | None = None, augment: str = "none", purpose: int = 1
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of `rows` for ever, in a new order each time round. Not counted: see `cost`."""
        from vestige.training import batches

        generator = self.generator(purpose)
        size = min(batch_size or self.steps.batch_size, len(rows))
        augment = self.augmentation(augment, rows)
        while True:
            yield from batches(rows, size, generator=generator, augment=augment, device=self.where)

    def once(
        self, rows: Dataset, *, batch_size: int | None = None, cost: float = FORWARD, short_last: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of `rows` once, in their order, each counted as `cost` passes a sample.

        Batches are of one size, to one sample; with `short_last` the last one holds what is left over.
        """
        import numpy as np

        from vestige.training import batches

        size = batch_size or self.steps.batch_size
        starts = range(0, len(rows), size)
        parts = [rows.take(np.arange(i, min(i + size, len(rows)))) for i in starts] if short_last else [rows]
        for part in parts:
            for x, y in batches(part, size, shuffle=False, device=self.where):
                yield x, y
                self.spend(cost * len(x))


@contextmanager
def prepared(model: nn.Module, data: Dataset, work: Work) -> Iterator[nn.Module]:
    """Make the copy ready: on its device, in single precision and evaluation mode; what is random in torch is seeded.

    Raises `InputError` where nothing may be changed, where weights are in double precision, and where the model does
    not give a logit for every class.
    """
    import torch

    from vestige.models import expect_logits_in_training, first_logits, seeded
    from vestige.models.threads import few_threads
    from vestige.training.loop import first_samples

    if not any(p.requires_grad for p in model.parameters()):
        raise InputError(
            "Every parameter of the model is frozen (requires_grad=False); nothing can be unlearned."
        )
    for name, p in model.named_parameters():
        if p.dtype == torch.float64:
            raise InputError(
                f"{work.method}: {name} is of double precision (torch.float64), and samples come in single precision; "
                "call model.float() first."
            )
    if any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
        model.float()
    model.to(work.where)
    sample = first_samples(data, work.seed, work.where)
    with few_threads(model, sample, work.steps.batch_size):
        try:
            first_logits(model, sample, len(data.classes))
            expect_logits_in_training(model, sample, len(data.classes))
        except InputError as error:
            raise InputError(f"{work.method} on {data.name}: {error}") from error
        with seeded(work.seed, work.where):
            yield model.eval()


def finish(result: nn.Module, original: nn.Module) -> None:
    """Leave the result as the original was: masks, precision, device. Raises `InputError` for weights not finite."""
    from vestige.models.copies import not_finite, restore_types
    from vestige.models.sparsity import apply_masks, masks_of
    from vestige.training import device_of

    apply_masks(masks_of(result))
    result.to(device_of(original))
    restore_types(result, original)
    if name := not_finite(result, original):
        raise InputError(f"{name} became NaN or infinite; take smaller steps (lr, alpha).")
    result.eval()


def check_steps(method: str, steps: dict[str, Any]) -> None:
    """Raise `InputError` where an optimiser's settings, fields of `Steps`, do not go together in a `Recipe`."""
    from vestige.config import validated
    from vestige.training import Recipe

    chosen = {key: value for key, value in steps.items() if key not in ("freeze_batchnorm", "augment")}
    validated(Recipe, chosen | ({} if steps["augment"] == "auto" else {"augment": steps["augment"]}), method)


def _settings(optimizer: torch.optim.Optimizer) -> tuple[Any, ...]:
    """Return what tells an optimiser from another: its kind, parameters and settings, but not its rate."""
    group = optimizer.param_groups[0]
    rest = {key: value for key, value in group.items() if key not in ("lr", "params")}
    return type(optimizer), [id(p) for p in group["params"]], rest


def unseen_rows(split: Split, method: str) -> Dataset:
    """Return samples that no audited model saw, none of which it is judged on. Raises `InputError` without any."""
    if not len(split.shadow):
        raise InputError(
            f"{method} needs samples that the model never saw and is not judged on; make the split with shadow= "
            "above 0."
        )
    return split.rows("shadow")
