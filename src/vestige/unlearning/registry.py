"""What an unlearning method is, how it is registered, and how it is run.

A method is a plain function `(model, split, work, *, knobs) -> model`. It gets a copy that it may change, and `Work`:
settings, seed, device and budget. Copying, timing, counting and grading are done here, not in the methods.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal

from vestige.arguments import checked
from vestige.data.split import Split
from vestige.errors import InputError, need, unknown
from vestige.registry import PRESETS, Registry, knobs_of, resolved, summary_of, types_of
from vestige.unlearning.work import Steps, Work, check_steps, finish, prepared

World = Literal["torch", "sklearn"]


@dataclass(frozen=True)
class Method:
    """A registered method.

    needs   roles of the split whose samples it reads: "forget", "retain", "shadow" (samples that no audited model saw)
    worlds  model kinds it works on: "torch", "sklearn"
    exact   True where the result is distributed as a model that never saw the forget set
    steps   its optimiser's settings; None where it takes no gradient steps
    presets further ones by name, such as another group's version
    """

    name: str
    function: Callable[..., Any]
    needs: tuple[str, ...]
    worlds: tuple[World, ...]
    exact: bool
    cites: str
    paper: Mapping[str, Any] = field(default_factory=dict)
    steps: Steps | None = None
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return summary_of(self.function)

    @property
    def knobs(self) -> dict[str, Any]:
        """The options with their recommended values: the method's own, then those of its steps."""
        return knobs_of(self.function) | self.own_steps

    @property
    def own_steps(self) -> dict[str, Any]:
        """The settings of its optimiser with their recommended values; empty where it takes no gradient steps."""
        return {} if self.steps is None else dataclasses.asdict(self.steps)

    def resolve(self, preset: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return every knob's value: recommended, then the preset, then what the caller changed.

        Raises `InputError` for an unknown preset or option, and for a value of another type or outside its range.
        """
        if preset not in (*PRESETS, *self.presets):
            raise InputError(unknown("preset", preset, (*PRESETS, *self.presets)))
        types = types_of(self.function) | ({} if self.steps is None else types_of(Steps))
        knobs = self.knobs | dict(self.presets.get(preset, {}))
        usual = preset if preset in PRESETS else "recommended"
        values = resolved(self.name, knobs, self.paper, usual, options, types)
        if self.steps is not None:
            if values["schedule"] != "multistep" and "milestones" not in options:
                values["milestones"] = ()  # of the schedule that the caller replaced
            check_steps(self.name, {key: values[key] for key in self.own_steps})
        return values


METHODS: Registry[Method] = Registry("method", "vestige.unlearning", "vestige.methods")


def register(
    name: str,
    *,
    needs: tuple[str, ...],
    worlds: tuple[World, ...] = ("torch",),
    exact: bool = False,
    cites: str,
    paper: Mapping[str, Any] | None = None,
    steps: Steps | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the method `name`; the function stays a plain function."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        METHODS.add(
            name, Method(name, function, needs, worlds, exact, cites, paper or {}, steps, presets or {})
        )
        return function

    return keep


@dataclass(frozen=True, eq=False)
class Unlearned:
    """What `unlearn` returns.

    model           the new model, in evaluation mode
    knobs           every option's value
    seconds         wall-clock time, without evaluation
    epochs          cost in retrain-epoch equivalents: sample passes over the number of retained samples
    gradient_steps  how often an optimiser stepped
    stopped         "max_epochs", "max_seconds" or "on_epoch" where the method was stopped early, else None; a method
                    without gradient steps runs to its end all the same
    decided         what the method chose by itself from the request, such as {"request": "whole class"}
    """

    model: Any
    method: str
    knobs: dict[str, Any]
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
    seed: int = 0,
    device: str = "auto",
    progress: bool = False,
    max_epochs: float | None = None,
    max_seconds: float | None = None,
    on_epoch: Callable[[Any], bool | None] | None = None,
    **options: Any,
) -> Unlearned:
    """Remove the influence of `split.forget` from a trained model; the model that is given stays as it is.

    name         a registered method, see `vestige list methods`
    model        a `torch.nn.Module` that returns logits, or a fitted scikit-learn classifier; of a compiled network
                 the network itself is worked on and returned
    recipe       how the model was trained, for methods that train from scratch; a `Recipe`, its name or its fields
    seed         of everything random in the method
    max_epochs   stop when so many retrain-epoch equivalents are spent; the model is then as it is at that point
    max_seconds  stop at the first step after so many seconds; a method of a single step takes that one
    on_epoch     early stop: called with the model after each epoch, True stops; methods without `steps` have no epochs
                 and do not call it
    options      the method's own knobs

    Weights that a sparse model has masked stay zero; weights of half precision are worked on in single precision and
    rounded back. Raises `InputError` for an unknown method, preset or option, and where the method does not work on
    this kind of model.
    """
    need("torch", "torch", "Unlearning")
    from vestige.models import copied
    from vestige.training.loop import recipe_of

    entry, world = METHODS[name], world_of(model)
    if not isinstance(split, Split):
        raise InputError(
            f"{name}: split is of type {type(split).__name__}; a Split is wanted, such as make_split gives."
        )
    model = getattr(model, "_orig_mod", model)  # hooks do not fire in a compiled network
    if world is None:
        raise InputError(
            f"{name}: {type(model).__name__} is neither a torch.nn.Module nor a scikit-learn classifier with "
            "predict_proba; nothing else can be unlearned from."
        )
    if world not in entry.worlds:
        able = ", ".join(n for n in METHODS if world in METHODS[n].worlds)
        raise InputError(
            f"{name} does not work on {type(model).__name__} ({world}); methods that do: {able}."
        )
    knobs = entry.resolve(preset, options)
    for limit, value in (("max_epochs", max_epochs), ("max_seconds", max_seconds)):
        if value is not None and not (isinstance(value, Real) and value > 0):
            raise InputError(f"{limit} is {value!r}; a number above 0 is wanted.")
    if on_epoch is not None and not callable(on_epoch):
        raise InputError(
            f"on_epoch is {on_epoch!r}; a function of the model is wanted, such as lambda model: False."
        )
    if entry.exact and not (max_epochs is None and max_seconds is None and on_epoch is None):
        raise InputError(
            f"{name} is exact only when it runs to its end; it takes no budget and no early stop."
        )
    if not isinstance(seed, Integral) or seed < 0:
        raise InputError(f"seed is {seed!r}; a whole number from 0 is wanted.")
    own = knobs_of(entry.function)
    steps = Steps() if entry.steps is None else Steps(**{k: v for k, v in knobs.items() if k not in own})
    work = Work(
        name, steps, None if recipe is None else recipe_of(recipe), int(seed), device, progress, len(split.retain),
        on_epoch=on_epoch,
        max_passes=float("inf") if max_epochs is None else max_epochs * len(split.retain),
        max_seconds=float("inf") if max_seconds is None else max_seconds,
    )  # fmt: skip
    if world == "torch":
        with prepared(copied(model), split.data, work) as ready:
            result = entry.function(ready, split, work, **{k: v for k, v in knobs.items() if k in own})
            finish(result, model)
    else:
        result = entry.function(
            copy.deepcopy(model), split, work, **{k: v for k, v in knobs.items() if k in own}
        )
    seconds = time.perf_counter() - work.started
    cost = work.passes / work.epoch
    return Unlearned(result, name, knobs, seconds, cost, work.gradient_steps, work.stopped, work.decided)


def world_of(model: Any) -> World | None:
    """Return which kind of model this is; None for none that is known."""
    from torch import nn

    if isinstance(model, nn.Module):  # first: a network may have a predict_proba of its own
        return "torch"
    return "sklearn" if hasattr(model, "predict_proba") else None
