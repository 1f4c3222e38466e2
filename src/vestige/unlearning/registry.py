"""What an unlearning method is, how it is registered, and how it is run.

A method is a plain function `(model, split, *, knobs) -> model`. It gets a copy that it may change; copying,
seeding, timing and grading are done here, not in the methods.
"""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vestige.data.split import Split
from vestige.errors import InputError
from vestige.registry import Registry, knobs_of, resolved, summary_of

World = Literal["torch", "sklearn"]


@dataclass(frozen=True)
class Method:
    """A registered method.

    needs   roles of the split whose samples it reads: "forget", "retain"
    worlds  model kinds it works on: "torch", "sklearn"
    exact   True where the result is distributed as a model that never saw the forget set
    """

    name: str
    function: Callable[..., Any]
    needs: tuple[str, ...]
    worlds: tuple[World, ...]
    exact: bool
    cites: str
    paper: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return summary_of(self.function)

    @property
    def knobs(self) -> dict[str, Any]:
        """The options with their recommended values; `seed`, `device`, `progress` and `recipe` are the harness's."""
        return knobs_of(self.function, HARNESS)

    def resolve(self, preset: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return every knob's value: recommended, then the preset, then what the caller changed."""
        return resolved(self.name, self.knobs, self.paper, preset, options)


HARNESS = ("seed", "device", "progress", "recipe")

METHODS: Registry[Method] = Registry("method", "vestige.unlearning", "vestige.methods")


def register(
    name: str,
    *,
    needs: tuple[str, ...],
    worlds: tuple[World, ...] = ("torch",),
    exact: bool = False,
    cites: str,
    paper: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the method `name`; the function stays a plain function."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        METHODS.add(name, Method(name, function, needs, worlds, exact, cites, paper or {}))
        return function

    return keep


@dataclass(frozen=True, eq=False)
class Unlearned:
    """What `unlearn` returns: the new model, what was run, and its wall-clock seconds."""

    model: Any
    method: str
    knobs: dict[str, Any]
    seconds: float


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
    **options: Any,
) -> Unlearned:
    """Remove the influence of `split.forget` from a trained model; the model that is given stays as it is.

    name     a registered method, see `vestige list methods`
    model    a `torch.nn.Module` that returns logits, or a fitted scikit-learn classifier
    recipe   how the model was trained, for methods that train from scratch
    seed     of everything random in the method
    options  the method's own knobs

    Raises `InputError` for an unknown method, preset or option, and where the method does not work on this
    kind of model.
    """
    entry = METHODS[name]
    world: World = "sklearn" if hasattr(model, "predict_proba") else "torch"
    if world not in entry.worlds:
        able = ", ".join(n for n in METHODS if world in METHODS[n].worlds)
        raise InputError(
            f"{name} does not work on {type(model).__name__} ({world}); methods that do: {able}."
        )
    knobs = entry.resolve(preset, options)
    given = {"seed": seed, "device": device, "progress": progress, "recipe": recipe}
    accepted = inspect.signature(entry.function).parameters
    start = time.perf_counter()
    result = entry.function(
        copy.deepcopy(model), split, **knobs, **{k: v for k, v in given.items() if k in accepted}
    )
    return Unlearned(result, name, knobs, time.perf_counter() - start)
