"""What a table is filled with: the figures of its cells, what is missing and why, and the steps that give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from vestige.graph.step import Job, Step
from vestige.store import read_json, write_json


@dataclass(frozen=True)
class Figures:
    """The figures of a row.

    Attributes
    ----------
    row : str
        Its name.
    figures : Mapping[str, Sequence[float]]
        {name: one value for each group of shadow models, or a single one}.
    group : int
        How many shadow models a measure was given at once; 0 where that says nothing.
    column : str
        Where the step gives several columns: which; otherwise "".
    """

    row: str
    figures: Mapping[str, Sequence[float]]
    group: int = 0
    column: str = ""


@dataclass(frozen=True)
class Gap:
    """A row without figures, and why; `group` is the one group size that it is about, None: all of them."""

    row: str
    why: str
    group: int | None = None
    column: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class FigureStep(Step):
    """A step that gives figures: `compute` returns them, and what is missing."""

    suffix: ClassVar[str] = ".json"

    def compute(self, job: Job) -> tuple[list[Figures], list[Gap]]:
        """Return the figures of every row, and the rows that have none."""
        raise NotImplementedError

    def make(self, job: Job) -> None:
        cells, missing = self.compute(job)
        record = {"cells": [asdict(cell) for cell in cells], "missing": [asdict(gap) for gap in missing]}
        write_json(job.path, record, flush=False)

    @property
    def rows(self) -> tuple[str, ...] | None:
        """The rows that the step fills; None: all of its table."""
        return None


def read_figures(path: Path) -> tuple[list[Figures], list[Gap]]:
    """Read what a step has given."""
    record: dict[str, Any] = read_json(path)
    return [Figures(**cell) for cell in record["cells"]], [Gap(**gap) for gap in record["missing"]]


@dataclass(frozen=True)
class Cell:
    """A step that gives figures, and where they go: `column` of the table, `number` of the split or seed."""

    column: str
    number: int
    step: FigureStep
