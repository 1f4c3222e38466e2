"""What a measure is, how it is registered, and how it is called.

A measure is a plain function `(signals, *, options) -> float [N]`, larger = more unlearned. Its options are
keyword-only with the recommended values as defaults; `paper` holds what the publication used instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from vestige.errors import InputError
from vestige.registry import Entry, Registry
from vestige.signals import Signals

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Measure(Entry):
    """A registered measure.

    needs  fields of `Signals` without which it cannot run
    uses   fields it reads where they are there
    unit   of the score: "nats", "probability", ...
    range  smallest and largest possible score, None where unbounded
    """

    BESIDE = ("label",)

    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    unit: str
    range: tuple[float | None, float | None] = (None, None)

    def compares_with_original(self, signals: Signals, options: Mapping[str, Any]) -> bool:
        """Does a score depend on the model before unlearning? Decides which samples are a null for it."""
        if "original" in self.needs:
            return True
        return "original" in self.uses and signals.original is not None and options.get("mode") != "offline"


MEASURES: Registry[Measure] = Registry("measure", "vestige.measures", "vestige.measures", Measure)
register = MEASURES.register


def _known(spec: str | dict[str, Any]) -> str | dict[str, Any]:
    entry, options, beside = MEASURES.chosen(spec)
    entry.resolve(options, beside.get("preset", "recommended"))
    return spec


MeasureConfig: TypeAlias = Annotated[str | dict[str, Any], AfterValidator(_known)]
"""A measure in a configuration: its name, or a mapping with its options beside it. Kept as it is written."""


def measure(name: str, signals: Signals, *, preset: str = "recommended", **options: Any) -> Scores:
    """Score every sample of `signals`: float64 [N], larger = more unlearned.

    name     a registered measure, see `vestige list measures`
    preset   "recommended" (the default), or "paper": as published, artefacts included
    options  the measure's own, for example `family="norm"` for "iam"

    Raises `MissingArray` where the signals lack an array the measure needs, `InputError` for an unknown
    name, preset or option, and where scores are not finite.
    """
    entry = MEASURES[name]
    if not isinstance(signals, Signals):
        raise InputError(f"{name} reads vestige.Signals; this is of type {type(signals).__name__}.")
    values = entry.resolve(options, preset)
    for array in entry.needs:
        signals.require(array, name)
    with np.errstate(all="ignore"):  # what is not finite is refused below, by sample
        scores = np.asarray(entry.function(signals, **values), dtype=np.float64)
    if scores.shape != (len(signals),):
        raise InputError(f"{name} returned scores of shape {scores.shape}; [{len(signals)}] is wanted.")
    bad = ~np.isfinite(scores)
    if bad.any():
        first = str(signals.names[np.flatnonzero(bad)[0]])
        raise InputError(f"{name} has no finite score for {int(bad.sum())} samples, among them {first!r}.")
    return scores
