"""`Recipe`: everything that decides how a model is trained, as validated data. Its key names every cache."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from vestige.arguments import Seed
from vestige.config import Config, validated
from vestige.errors import InputError, unknown
from vestige.store import key_of

Finite = Field(allow_inf_nan=False)


class Recipe(Config):
    """How a model is trained. Keyword arguments; build one from a file with `config.validated`.

    Attributes
    ----------
    epochs : int
        Passes over the rows.
    batch_size : int
        Samples per step, at most; an epoch is cut into batches of one size, to one sample.
    optimizer : {"sgd", "adam", "adamw"}
        "sgd", "adam", "adamw".
    lr : float
        The highest learning rate of the schedule.
    momentum : float
        Of SGD, and whether in Nesterov's form; Adam does not read them.
    weight_decay : float
        On every parameter, biases and batch-norm included, as in the papers.
    schedule : {"constant", "cosine", "onecycle", "multistep"}
        "constant"; "cosine" down to 0; "onecycle": up from lr/25 over the first 30 %, then down to
        lr/250,000, both as half a cosine; "multistep": times `gamma` at each of `milestones`.
    anneal : {"step", "epoch"}
        Whether the schedule moves with each "step" or stands still for an "epoch".
    horizon : int or None
        Epochs of a whole "cosine" or "onecycle", where it is not `epochs`.
    warmup_epochs : float
        Lr rises linearly from 0 over so many epochs, before the schedule begins.
    label_smoothing : float
        Of the default loss.
    augment : {"none", "flip", "crop_flip"}
        "none"; "flip": left-right; "crop_flip": also a random crop after zero-padding by an eighth of the
        side (4 pixels of 32).
    precision : {"auto", "fp32", "bf16"}
        "fp32", "bf16" (autocast), or "auto": bf16 for convolutional networks where the processor computes in
        it, else fp32.
    compile : {"no", "default", "reduce-overhead", "max-autotune"}
        "no", or a mode of `torch.compile`: "default", "max-autotune", or "reduce-overhead", which replays
        CUDA graphs. Worth its minute of compiling where training takes many; wants a C++ compiler on a CPU.
        What a method computes besides the model's answers is not compiled.
    seed : int
        Of order, augmentation and dropout; the first weights are the model's.
    """

    epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=1)] = 128
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Field(gt=0), Finite] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0), Finite] = 5e-4
    schedule: Literal["constant", "cosine", "onecycle", "multistep"] = "cosine"
    anneal: Literal["step", "epoch"] = "step"
    horizon: Annotated[int, Field(ge=1)] | None = None
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = ()
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    warmup_epochs: Annotated[float, Field(ge=0), Finite] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: Literal["none", "flip", "crop_flip"] = "none"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: Literal["no", "default", "reduce-overhead", "max-autotune"] = "no"
    seed: Seed = 0

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ValueError("nesterov needs optimizer 'sgd' and a momentum above 0")
        if (self.schedule == "multistep") != bool(self.milestones):
            raise ValueError("milestones and schedule 'multistep' go together; give both or neither")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must rise, got {list(self.milestones)}")
        if self.horizon is not None and self.schedule not in ("cosine", "onecycle"):
            raise ValueError(f"horizon belongs to 'cosine' and 'onecycle', not to {self.schedule!r}")
        if self.warmup_epochs and self.schedule == "onecycle":
            raise ValueError("'onecycle' has its own warm-up; leave warmup_epochs at 0")
        if self.warmup_epochs >= (self.horizon or self.epochs):
            raise ValueError(f"warmup_epochs {self.warmup_epochs} leaves nothing of {self.epochs} epochs")
        return self

    @property
    def key(self) -> str:
        """The recipe's part in every cache key: 32 hex digits over all fields, defaults included."""
        return key_of(self.model_dump(mode="json"))


def _fields(recipe: Any) -> Any:
    """Return a recipe's fields, of those that are named the published ones, or raise `InputError`."""
    if isinstance(recipe, str):
        recipe = {"preset": recipe}
    if not isinstance(recipe, Mapping):
        return recipe
    if "preset" in recipe:
        changes = {key: value for key, value in recipe.items() if key != "preset"}
        return preset(str(recipe["preset"]), **changes).model_dump(mode="json", exclude_unset=True)
    validated(Recipe, recipe, "recipe")
    return recipe


RecipeFields: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_fields)]
"""A recipe in a configuration: its fields, or the name of a published one, alone or as `preset` among changes to it."""


def learning_rate(recipe: Recipe, epoch: int, step: int = 0, steps: int = 1) -> float:
    """Return the learning rate of a step, in closed form: nothing to save, nothing to restore.

    Parameters
    ----------
    epoch : int
        From 0.
    step, steps : int
        Which step of the epoch, from 0, and how many it has.
    """
    now = epoch + (step / steps if recipe.anneal == "step" else 0.0)
    if now < recipe.warmup_epochs:
        return recipe.lr * min(1.0, (epoch + (step + 1) / steps) / recipe.warmup_epochs)
    if recipe.schedule == "multistep":
        return recipe.lr * recipe.gamma ** sum(epoch >= milestone for milestone in recipe.milestones)
    span = (recipe.horizon or recipe.epochs) - recipe.warmup_epochs
    done = min(1.0, (now - recipe.warmup_epochs) / span)
    if recipe.schedule == "cosine":
        return _half_cosine(recipe.lr, 0.0, done)
    if recipe.schedule == "onecycle":
        first, last = recipe.lr / 25, recipe.lr / 25e4
        if done < 0.3:
            return _half_cosine(first, recipe.lr, done / 0.3)
        return _half_cosine(recipe.lr, last, (done - 0.3) / 0.7)
    return recipe.lr


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


_IAM: dict[str, Any] = {
    "epochs": 201, "horizon": 200, "anneal": "epoch", "batch_size": 128, "optimizer": "sgd",
    "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "cosine", "augment": "crop_flip",
}  # fmt: skip

# As published, but for "speed". The 201st epoch of the IAM recipes has a learning rate of 0 and only moves batch-norm
# statistics; Purchase stops at epoch 100 of a schedule of 200, half annealed (its shadows ran all 201).
PRESETS: dict[str, dict[str, Any]] = {
    "iam_cifar10": _IAM,
    "iam_cifar100": _IAM,
    "iam_purchase": _IAM | {"epochs": 100, "lr": 0.01, "augment": "none"},
    "unlearn_sparse": {
        "epochs": 182, "batch_size": 256, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9,
        "weight_decay": 5e-4, "schedule": "multistep", "milestones": (91, 136), "gamma": 0.1,
        "augment": "crop_flip",
    },
    "speed": {
        "epochs": 20, "batch_size": 256, "optimizer": "sgd", "lr": 0.4, "momentum": 0.9, "nesterov": True,
        "weight_decay": 5e-4, "schedule": "onecycle", "augment": "crop_flip",
    },
}  # fmt: skip


def preset(name: str, **changes: Any) -> Recipe:
    """Return a recipe by its name, with `changes` to its fields.

    Published: "iam_cifar10", "iam_cifar100", "iam_purchase" (Wang et al., USENIX Security 2025) and "unlearn_sparse"
    (Jia et al., NeurIPS 2023). Ours: "speed", a tenth of their epochs in one cycle of the learning rate.

    Raises `InputError` for an unknown name or field.
    """
    if name not in PRESETS:
        raise InputError(unknown("recipe", name, PRESETS))
    return validated(Recipe, PRESETS[name] | changes, f"recipe {name}")
