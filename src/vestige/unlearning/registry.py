"""What an unlearning method is, how it is registered, and how it is run.

A method is a plain function `(model, split, work, *, options) -> model`. It gets a copy that it may change, and `Work`:
settings, seed, device and budget. Copying, timing, counting and grading are done here, not in the methods.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Positive, Seed, checked
from vestige.config import Named
from vestige.data.split import Split
from vestige.errors import InputError, need
from vestige.registry import Entry, Registry
from vestige.unlearning.work import Steps, Work, check_steps, finish, prepared

World = Literal["torch", "sklearn"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How a method is tried by the tests that all share: on 160 samples in 12 dimensions, 30 of them to forget.

    Attributes
    ----------
    quick : Mapping[str, Any]
        Options by which it takes seconds there.
    strong : Mapping[str, Any]
        Options that bring out what it does, beside those of `quick`; the recommended ones suit large images.
    rise : float
        What the mean loss on the forget samples then rises by at least, in nats.
    repair : Mapping[str, Any]
        Options by which it repairs enough there, so that the test accuracy survives.
    alike : Mapping[str, str]
        Mutants that cannot be told from it there, each with the reason: "swapped" (forget and retain),
        "flipped" (the sign of every gradient).
    """

    quick: Mapping[str, Any] = field(default_factory=dict)
    strong: Mapping[str, Any] = field(default_factory=dict)
    rise: float = 0.1
    repair: Mapping[str, Any] = field(default_factory=dict)
    alike: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Method(Entry):
    """A registered method.

    Attributes
    ----------
    needs : tuple[str, ...]
        Roles of the split whose samples it reads: "forget", "retain", "shadow" (samples that no audited model
        saw).
    worlds : tuple[{"torch", "sklearn"}, ...]
        Model kinds it works on: "torch", "sklearn".
    exact : bool
        True where the result is distributed as a model that never saw the forget set.
    steps : Steps or None
        Its optimiser's settings; None where it takes no gradient steps.
    whole_classes : bool
        It unlearns whole classes only.
    own_model : bool
        It starts from a model that was trained for it.
    last_layer : bool
        It works on the last layer itself, and refuses a model where that is frozen.
    refuses : Callable[[Any], str]
        Why it does not work on a model of its worlds, fitted or not, in a sentence; "" where it does.
    trial : Trial
        How the tests try it.
    """

    BESIDE = ("label", "max_epochs", "max_seconds")

    needs: tuple[str, ...]
    worlds: tuple[World, ...] = ("torch",)
    exact: bool = False
    steps: Steps | None = None
    whole_classes: bool = False
    own_model: bool = False
    last_layer: bool = False
    refuses: Callable[[Any], str] = lambda model: ""
    trial: Trial = Trial()

    def resolve(self, options: Mapping[str, Any], preset: str = "recommended") -> dict[str, Any]:
        """Return every option's value, as `Entry.resolve`. Raises `InputError` as there, and for steps at odds."""
        values = super().resolve(options, preset)
        if self.steps is not None:
            if values["schedule"] != "multistep" and "milestones" not in options:
                values["milestones"] = ()  # of the schedule that the caller replaced
            check_steps(self.name, {key: values[key] for key in self.own_steps})
        return values


METHODS: Registry[Method] = Registry("method", "vestige.unlearning", "vestige.methods", Method)
register = METHODS.register


class MethodConfig(Named):
    """One method with its options; `label` names it in the report where the same method is run twice.

    Attributes
    ----------
    preset : str
        "recommended", "paper", or a further one of the method.
    max_epochs : float or None
        Budget in retrain-epoch equivalents.
    max_seconds : float or None
        Budget in seconds.
    """

    REGISTRY = METHODS

    preset: str = "recommended"
    label: str | None = None
    max_epochs: Positive | None = None
    max_seconds: Positive | None = None

    @property
    def title(self) -> str:
        return self.label or self.name

    @property
    def exact(self) -> bool:
        """Is the result distributed as a model that never saw the forget set?"""
        return METHODS[self.name].exact


@dataclass(frozen=True, eq=False)
class Unlearned:
    """What `unlearn` returns.

    Attributes
    ----------
    model : Any
        The new model, in evaluation mode.
    options : dict[str, Any]
        Every option's value.
    seconds : float
        Wall-clock time, without evaluation.
    epochs : float
        Cost in retrain-epoch equivalents: sample passes over the number of retained samples.
    gradient_steps : int
        How often an optimiser stepped.
    stopped : str or None
        "max_epochs", "max_seconds" or "on_epoch" where the method was stopped early, else None; a method
        without gradient steps runs to its end all the same.
    decided : dict[str, Any]
        What the method chose by itself from the request, such as {"request": "whole class"}.
    """

    model: Any
    method: str
    options: dict[str, Any]
    seconds: float
    epochs: float = 0.0
    gradient_steps: int = 0
    stopped: str | None = None
    decided: dict[str, Any] = field(default_factory=dict)


@checked
def unlearn(
    name: str,
    model: Any,
    split: Split,
    *,
    preset: str = "recommended",
    recipe: Any = None,
    seed: Seed = 0,
    device: str = "auto",
    progress: bool = False,
    max_epochs: Positive | None = None,
    max_seconds: Positive | None = None,
    on_epoch: Callable[[Any], bool | None] | None = None,
    **options: Any,
) -> Unlearned:
    """Remove the influence of `split.forget` from a trained model; the model that is given stays as it is.

    Weights that a sparse model has masked stay zero; weights of half precision are worked on in single precision and
    rounded back. Raises `InputError` for an unknown method, preset or option, and where the method does not work on
    this kind of model.

    Parameters
    ----------
    name : str
        A registered method, see `vestige list methods`.
    model : Any
        A `torch.nn.Module` that returns logits, or a fitted scikit-learn classifier; of a compiled network
        the network itself is worked on and returned.
    recipe : Any
        How the model was trained, for methods that train from scratch; a `Recipe`, its name or its fields.
    seed : int
        Of everything random in the method.
    max_epochs : float or None
        Stop when so many retrain-epoch equivalents are spent; the model is then as it is at that point.
    max_seconds : float or None
        Stop at the first step after so many seconds; a method of a single step takes that one.
    on_epoch : callable or None
        Early stop: called with the model after each epoch, True stops; methods without `steps` have no epochs
        and do not call it.
    options : Any
        The method's own, and those of its steps.
    """
    need("torch", "torch", "Unlearning")
    from vestige.models import copied
    from vestige.training.loop import recipe_of

    entry, world = METHODS[name], world_of(model)
    model = getattr(model, "_orig_mod", model)  # hooks do not fire in a compiled network
    reason = refusal(name, model)
    if reason:
        raise InputError(reason)
    values = entry.resolve(options, preset)
    if entry.exact and not (max_epochs is None and max_seconds is None and on_epoch is None):
        raise InputError(
            f"{name} is exact only when it runs to its end; it takes no budget and no early stop."
        )
    own = {name: values[name] for name in entry.own_options}
    steps = Steps(**{name: values[name] for name in entry.own_steps})
    work = Work(
        name, steps, None if recipe is None else recipe_of(recipe), seed, device, progress, len(split.retain),
        on_epoch=on_epoch,
        max_passes=float("inf") if max_epochs is None else max_epochs * len(split.retain),
        max_seconds=float("inf") if max_seconds is None else max_seconds,
    )  # fmt: skip
    if world == "torch":
        with prepared(copied(model), split.data, work) as ready:
            result = entry.function(ready, split, work, **own)
            finish(result, model)
    else:
        result = entry.function(copy.deepcopy(model), split, work, **own)
    seconds = time.perf_counter() - work.started
    cost = work.passes / work.epoch
    return Unlearned(result, name, values, seconds, cost, work.gradient_steps, work.stopped, work.decided)


def refusal(name: str, model: Any, unseen: bool = True) -> str:
    """Return why a method does not work on a model, fitted or not, in a sentence; "" where it does.

    `unseen` says whether samples that the model never saw can be given to it, beside those of the request.
    """
    entry, world = METHODS[name], world_of(model)
    if world in entry.worlds:
        if unseen or "shadow" not in entry.needs:
            return entry.refuses(model)
        return (
            f"{name} needs samples that the model never saw and is not judged on, which a system keeps for its shadow "
            "models; vestige.unlearn takes them in a split."
        )
    if world is None:
        return (
            f"{name}: {type(model).__name__} is neither a torch.nn.Module nor a scikit-learn classifier with "
            "predict_proba; nothing else can be unlearned from."
        )
    able = ", ".join(methods_on(model)) or "none"
    return f"{name} does not work on {type(model).__name__} ({world}); methods that do: {able}."


def expect_whole_classes(
    name: str, forget: NDArray[np.int64], retain: NDArray[np.int64], classes: Sequence[str]
) -> None:
    """Raise `InputError` where a class of the labels `forget` also has labels among `retain`, and the method minds."""
    left = np.intersect1d(forget, retain)
    if METHODS[name].whole_classes and len(left):
        raise InputError(
            f"{name} unlearns whole classes; {classes[int(left[0])]!r} also has retained samples. For single samples "
            "take another method."
        )


def methods_on(model: Any, unseen: bool = True) -> list[str]:
    """Return the names of the methods that work on a model, fitted or not; `unseen` as of `refusal`."""
    world = world_of(model)
    return [m.name for m in METHODS.entries() if world in m.worlds and not refusal(m.name, model, unseen)]


def world_of(model: Any) -> World | None:
    """Return which kind of model this is; None for none that is known."""
    from torch import nn

    if isinstance(model, nn.Module):  # first: a network may have a predict_proba of its own
        return "torch"
    return "sklearn" if hasattr(model, "predict_proba") else None
