"""What a measure is, how it is registered, and how it is called.

A measure is a plain function `(signals, *, options) -> float [N]`, larger = more unlearned. Its options are
keyword-only with the recommended values as defaults; `paper` holds what the publication used instead.

Texts are records too: a measure that declares `texts`, the arrays of texts that it needs, is called with them by
`vestige.measures.texts.measure`. Where its function takes `signals`, these are made of the texts' losses, and its
options are those of the preset "texts" or "texts_paper", where it has them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from vestige.arguments import checked
from vestige.errors import InputError
from vestige.registry import Entry, Registry
from vestige.signals import Signals

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Measure(Entry):
    """A registered measure.

    Attributes
    ----------
    needs : tuple[str, ...]
        Fields of `Signals` without which it cannot run.
    uses : tuple[str, ...]
        Fields it reads where they are there.
    unit : str
        Of the score: "nats", "probability", ...
    range : tuple[float or None, float or None]
        Smallest and largest possible score, None where unbounded.
    distribution : bool or Mapping[str, tuple[Any, ...]]
        Does it read more of a model than the probability of the true label? True, or the values of options
        with which it does: {"signal": ("taylor_soft_margin",)}.
    fit : Callable[..., Callable[[Signals], Scores]] or None
        Of a measure that is fitted on records of known truth: a function of `signals` and its options that
        returns how other records of the same models are scored, each by a fit that has not seen it.
    texts : tuple[str, ...]
        Arrays of texts that it needs, see `vestige.measures.texts.ARRAYS`; empty where texts cannot be asked
        by it.
    """

    BESIDE = ("label",)

    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    unit: str
    range: tuple[float | None, float | None] = (None, None)
    distribution: bool | Mapping[str, tuple[Any, ...]] = False
    texts: tuple[str, ...] = ()
    fit: Callable[..., Callable[[Signals], Scores]] | None = None

    @property
    def of_samples(self) -> bool:
        """Does it read `Signals`? Else it reads arrays of texts alone."""
        return "signals" in inspect.signature(self.function).parameters

    def range_of(self, options: Mapping[str, Any]) -> tuple[float | None, float | None]:
        """Return the smallest and largest possible score with these options; log-odds have none."""
        return (None, None) if options.get("output") == "log_odds" else self.range

    def unit_of(self, options: Mapping[str, Any]) -> str:
        """Return the unit of a score with these options."""
        return "log-odds" if options.get("output") == "log_odds" else self.unit

    def score(self, signals: Signals, options: Mapping[str, Any]) -> Scores:
        """Score every sample with the values of every option, as `resolve` returns them; see `measure`."""
        if signals.kind != "logits":
            self._expect_readable(options)
        for array in self.needs:
            signals.require(array, self.name)
        with np.errstate(all="ignore"):  # what is not finite is refused below, by sample
            scores = np.asarray(self.function(signals, **options), dtype=np.float64)
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

    def _expect_readable(self, options: Mapping[str, Any]) -> None:
        """Raise `InputError` where it reads, with these options, more than the probability of the true label."""
        reads = (
            "reads the probability of every class; of these samples that of the true label alone is known."
        )
        if self.distribution is True:
            raise InputError(f"{self.name} {reads}")
        for option, values in (self.distribution or {}).items():
            if options.get(option) in values:
                raise InputError(f"{self.name} with {option}={options[option]!r} {reads}")

    def scorer(self, signals: Signals, options: Mapping[str, Any]) -> Callable[[Signals], Scores]:
        """Return how other records of the same models, whose truth is known, are scored as those of `signals` are."""
        if self.fit is None:
            return lambda known: self.score(known, options)
        return self.fit(signals, **options)

    def compares_with_original(self, signals: Signals, options: Mapping[str, Any]) -> bool:
        """Does a score depend on the model before unlearning? Decides which samples are a null for it."""
        if "original" in self.needs:
            return True
        return "original" in self.uses and signals.original is not None and options.get("mode") != "offline"


MEASURES: Registry[Measure] = Registry("measure", "vestige.measures", "vestige.measures", Measure)
register = MEASURES.register


def _known(spec: str | dict[str, Any]) -> str | dict[str, Any]:
    entry, options, beside = MEASURES.chosen(spec)
    if not entry.of_samples:
        raise InputError(f"{entry.name} reads texts, not samples; an audit of samples cannot run it.")
    entry.resolve(options, beside.get("preset", "recommended"))
    return spec


MeasureConfig: TypeAlias = Annotated[str | dict[str, Any], AfterValidator(_known)]
"""A measure in a configuration: its name, or a mapping with its options beside it. Kept as it is written."""


@checked
def measure(name: str, signals: Signals, *, preset: str = "recommended", **options: Any) -> Scores:
    """Score every sample of `signals`: float64 [N], larger = more unlearned.

    Raises `MissingArray` where the signals lack an array the measure needs, `InputError` for an unknown
    name, preset or option, and where scores are not finite.

    Parameters
    ----------
    name : str
        A registered measure, see `vestige list measures`.
    preset : str
        "recommended" (the default), or "paper": as published, artefacts included.
    options : Any
        The measure's own, for example `family="norm"` for "iam".
    """
    entry = MEASURES[name]
    if not entry.of_samples:
        raise InputError(f"{name} reads texts, not samples: vestige.measures.texts.measure calls it.")
    return entry.score(signals, entry.resolve(options, preset))
