"""What a measure on texts is, and how it is called with plain arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vestige.errors import InputError, MissingArray
from vestige.registry import Registry, knobs_of, resolved, summary_of

Floats = NDArray[np.float64]
ARRAYS = {
    "nll": "the mean token loss under the model after unlearning",
    "fit": "the mean token loss under the model before unlearning",
    "out": "the mean token loss under a reference model that never saw the texts",
}


@dataclass(frozen=True)
class Measure:
    """A registered measure on texts: `function(**arrays, **knobs) -> float [N]`, larger = more unlearned."""

    name: str
    function: Callable[..., Floats]
    unit: str
    cites: str
    paper: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return summary_of(self.function)

    @property
    def needs(self) -> tuple[str, ...]:
        """The arrays that it reads, from the positional parameters of the function."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)

    @property
    def knobs(self) -> dict[str, Any]:
        """The options with their recommended values."""
        return knobs_of(self.function)


MEASURES: Registry[Measure] = Registry("text measure", "vestige.llm.measures", "vestige.llm.measures")
F = TypeVar("F", bound=Callable[..., Floats])


def register(name: str, *, unit: str, cites: str, paper: Mapping[str, Any] | None = None) -> Callable[[F], F]:
    """Register a function as the text measure `name`; the function stays a plain function."""

    def keep(function: F) -> F:
        MEASURES.add(name, Measure(name, function, unit, cites, paper or {}))
        return function

    return keep


def measure(
    name: str,
    *,
    preset: str = "recommended",
    nll: ArrayLike | None = None,
    fit: ArrayLike | None = None,
    out: ArrayLike | None = None,
    **options: Any,
) -> Floats:
    """Score every text: float64 [N], larger = more unlearned.

    name    a registered measure: see `vestige.llm.MEASURES`
    preset  "recommended" (the default), or "paper": as published, artefacts included
    nll     float [N], mean token loss in nats under the model after unlearning
    fit     float [N], the same under the model before unlearning
    out     float [N], the same under a model that never saw the texts

    Raises `MissingArray` where an array is missing, `InputError` for arrays that do not fit, unknown names and
    options, and where a score is not finite.
    """
    entry = MEASURES[name]
    knobs = resolved(name, entry.knobs, entry.paper, preset, options)
    given = {"nll": nll, "fit": fit, "out": out}
    arrays: dict[str, Floats] = {}
    for array in entry.needs:
        value = given[array]
        if value is None:
            raise MissingArray(f"{name} needs `{array}`: {ARRAYS[array]}, float [N].")
        arrays[array] = np.asarray(value, dtype=np.float64)
        if arrays[array].ndim != 1 or arrays[array].shape != arrays[entry.needs[0]].shape:
            raise InputError(
                f"{array} has shape {list(arrays[array].shape)}; [N], one loss a text, is wanted."
            )
        if not (np.isfinite(arrays[array]) & (arrays[array] >= 0)).all():
            text = int(np.flatnonzero(~(np.isfinite(arrays[array]) & (arrays[array] >= 0)))[0])
            raise InputError(
                f"{array}[{text}] is {arrays[array][text]}; a finite loss of 0 or more is wanted."
            )
    with np.errstate(all="ignore"):
        scores = np.asarray(entry.function(**arrays, **knobs), dtype=np.float64)
    if not np.isfinite(scores).all():
        raise InputError(
            f"{name} has no finite score for text {int(np.flatnonzero(~np.isfinite(scores))[0])}."
        )
    return scores
