"""`Kind`: what a kind of table is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vestige.errors import InputError
from vestige.experiments.cells import Cell
from vestige.experiments.experiment import Experiment, Scale


@dataclass(frozen=True)
class Kind:
    """A kind of table. To add one, write a file in this folder that ends with one of these, called `KIND`.

    Attributes
    ----------
    name : str
        As an experiment's file says it.
    rows : {"measures", "methods", "settings"}
        What the rows are: "measures", "methods", or "settings" (of the part).
    part : {"blocks", "leaks", "texts"}
        What a scale is made of: "blocks", "leaks" or "texts".
    figures : Callable[[Experiment], tuple[str, ...]]
        The figures that a cell may have.
    cells : Callable[[Experiment, Scale, str or None], list[Cell]]
        The steps that give them; raises `InputError` before any work for whatever cannot be run.
    values : {"splits", "seeds"}
        What a cell has one value of: "splits" or "seeds".
    chance : float or None
        The figure of a measure that knows nothing, where that is known: the negative control.
    fewest : int
        Models on either side that a scale needs at least.
    """

    name: str
    rows: Literal["measures", "methods", "settings"]
    part: Literal["blocks", "leaks", "texts"]
    figures: Callable[[Experiment], tuple[str, ...]]
    cells: Callable[[Experiment, Scale, str | None], list[Cell]]
    values: Literal["splits", "seeds"] = "splits"
    chance: float | None = None
    fewest: int = 0

    def check(self, experiment: Experiment) -> None:
        """Raise `InputError` where an experiment lacks what this kind is made of."""
        if self.rows == "measures" and not experiment.measures:
            raise InputError(f"{experiment.name}: {self.name} needs measures.")
        if self.rows == "methods" and not experiment.methods:
            raise InputError(f"{experiment.name}: {self.name} needs methods.")
        if experiment.curve and not any(figure.startswith("tpr_at_") for figure in self.figures(experiment)):
            raise InputError(f"{experiment.name}: curve is for separation.")
        for name, scale in experiment.scales.items():
            if not getattr(scale, self.part):
                raise InputError(
                    f"{experiment.name}: the scale {name!r} has no {self.part}, which the kind {self.name!r} is made "
                    "of."
                )
            if scale.models < self.fewest:
                raise InputError(
                    f"{experiment.name}: the scale {name!r} has {scale.models} models; {self.name} needs at least "
                    f"{self.fewest}."
                )

    def titles(self, experiment: Experiment) -> tuple[str, ...]:
        """Return the names of the table's rows, where they are known before it is filled."""
        if self.rows == "methods":
            return tuple(method.title for method in experiment.methods)
        return tuple(experiment.measures)
