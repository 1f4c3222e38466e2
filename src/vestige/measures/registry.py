"""What a measure is, how it is registered, and how it is called.

A measure is a plain function `(signals, *, knobs) -> float [N]`, larger = more unlearned. Its knobs are
keyword-only with the recommended values as defaults; `paper` holds what the publication used instead.

Texts are records too: a measure that declares `texts`, the arrays of texts that it needs, is called with them by
`vestige.measures.texts.measure`. Where its function takes `signals`, these are made of the texts' losses, and its
options are those of the preset "texts" or "texts_paper", where it has them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import checked
from vestige.errors import InputError
from vestige.registry import Registry, knobs_of, resolved, summary_of, types_of
from vestige.signals import Signals

Scores = NDArray[np.float64]
P = ParamSpec("P")


@dataclass(frozen=True)
class Measure:
    """A registered measure.

    needs  fields of `Signals` without which it cannot run
    uses   fields it reads where they are there
    unit   of the score: "nats", "probability", ...
    range  smallest and largest possible score, None where unbounded
    texts  arrays of texts that it needs, see `vestige.measures.texts.ARRAYS`; empty where texts cannot be asked by it
    presets  further ones by name
    """

    name: str
    function: Callable[..., Scores]
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    unit: str
    range: tuple[float | None, float | None]
    cites: str
    paper: Mapping[str, Any] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def of_samples(self) -> bool:
        """Does it read `Signals`? Else it reads arrays of texts alone."""
        return "signals" in inspect.signature(self.function).parameters

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return summary_of(self.function)

    @property
    def knobs(self) -> dict[str, Any]:
        """The options with their recommended values."""
        return knobs_of(self.function)

    def resolve(self, preset: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return every knob's value: recommended, then the preset, then what the caller changed."""
        if preset in self.presets:
            preset, knobs = "recommended", self.knobs | dict(self.presets[preset])
        else:
            knobs = self.knobs
        return resolved(self.name, knobs, self.paper, preset, options, types_of(self.function))

    def range_of(self, knobs: Mapping[str, Any]) -> tuple[float | None, float | None]:
        """Return the smallest and largest possible score with these options; log-odds have none."""
        return (None, None) if knobs.get("output") == "log_odds" else self.range

    def unit_of(self, knobs: Mapping[str, Any]) -> str:
        """Return the unit of a score with these options."""
        return "log-odds" if knobs.get("output") == "log_odds" else self.unit

    def score(self, signals: Signals, knobs: Mapping[str, Any]) -> Scores:
        """Score every sample with the values of every knob, as `resolve` returns them; see `measure`."""
        for array in self.needs:
            signals.require(array, self.name)
        with np.errstate(all="ignore"):  # what is not finite is refused below, by sample
            scores = np.asarray(self.function(signals, **knobs), dtype=np.float64)
        if scores.shape != (len(signals),):
            raise InputError(
                f"{self.name} returned scores of shape {scores.shape}; [{len(signals)}] is wanted."
            )
        bad = ~np.isfinite(scores)
        if bad.any():
            first = str(signals.names[np.flatnonzero(bad)[0]])
            raise InputError(
                f"{self.name} has no finite score for {int(bad.sum())} samples, among them {first!r}."
            )
        return scores

    def compares_with_original(self, signals: Signals, knobs: Mapping[str, Any]) -> bool:
        """Does a score depend on the model before unlearning? Decides which samples are a null for it."""
        if "original" in self.needs:
            return True
        return "original" in self.uses and signals.original is not None and knobs.get("mode") != "offline"


MEASURES: Registry[Measure] = Registry("measure", "vestige.measures", "vestige.measures")


def register(
    name: str,
    *,
    needs: tuple[str, ...] = (),
    uses: tuple[str, ...] = (),
    unit: str,
    range: tuple[float | None, float | None] = (None, None),
    cites: str,
    paper: Mapping[str, Any] | None = None,
    texts: tuple[str, ...] = (),
    presets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[Callable[..., Scores]], Callable[..., Scores]]:
    """Register a function as the measure `name`; the function stays a plain function."""

    def keep(function: Callable[..., Scores]) -> Callable[..., Scores]:
        MEASURES.add(
            name, Measure(name, function, needs, uses, unit, range, cites, paper or {}, texts, presets or {})
        )
        return function

    return keep


def _check_numbers(name: str, options: Mapping[str, Any]) -> None:
    """Refuse what a number cannot be in any measure: a truth value, not finite, or a seed below 0."""
    for option, value in options.items():
        if isinstance(value, float) and not np.isfinite(value):
            raise InputError(f"{name}: {option!r} is {value}; a finite number is wanted.")
        if isinstance(value, bool) or (option == "seed" and isinstance(value, int) and value < 0):
            raise InputError(f"{name}: {option!r} is {value}; a number from 0 is wanted.")


@checked
def measure(name: str, signals: Signals, *, preset: str = "recommended", **options: Any) -> Scores:
    """Score every sample of `signals`: float64 [N], larger = more unlearned.

    name     a registered measure, see `vestige list measures`
    preset   "recommended" (the default), or "paper": as published, artefacts included
    options  the measure's own knobs, for example `family="norm"` for "iam"

    Raises `MissingArray` where the signals lack an array the measure needs, `InputError` for an unknown
    name, preset or option, and where scores are not finite.
    """
    entry = MEASURES[name]
    if not isinstance(signals, Signals):
        raise InputError(f"{name} reads vestige.Signals; this is of type {type(signals).__name__}.")
    if not entry.of_samples:
        raise InputError(f"{name} reads texts, not samples: vestige.measures.texts.measure calls it.")
    _check_numbers(name, options)
    return entry.score(signals, entry.resolve(preset, options))
