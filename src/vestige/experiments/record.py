"""What the figure steps of a block read: labels, roles, and what every network of it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.data.source import Parts, Samples
from vestige.errors import InputError
from vestige.experiments.cells import Figures, FigureStep, Gap
from vestige.experiments.matrix import Matrix
from vestige.experiments.steps import Collect, Values, shadow_fields
from vestige.graph.step import Job
from vestige.measures import MEASURES, measure
from vestige.signals import Signals
from vestige.signals.simulate import FEWEST_TO_SIMULATE

MeasureSpec = str | dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockStep(FigureStep):
    """A step that gives figures of a block.

    Attributes
    ----------
    parts : Parts
        The split: the audited samples are its training set and its holdout samples.
    outputs : Mapping[str, Collect]
        What each network says of them: "original", "shadow-0", ...
    pool : Samples or None
        What shadow models are trained on; `members` [S, P] which on which.
    preset : str
        Of the measures.
    """

    parts: Parts
    outputs: Mapping[str, Collect]
    pool: Samples | None
    members: NDArray[np.bool_]
    preset: str

    def record(self, job: Job) -> Record:
        """Return what the step reads."""
        return Record(self, job)


GroupFigures = Callable[[MeasureSpec, int, dict[str, Any]], Mapping[str, float]]
"""What computes the figures of a measure with one group of shadow models, given the group's number and fields."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuresStep(BlockStep):
    """A step that gives figures of measures, a row each, with groups of shadow models of several `sizes`."""

    measures: Mapping[str, MeasureSpec]
    sizes: tuple[int, ...]

    def by_group(self, record: Record, figures_of: GroupFigures) -> tuple[list[Figures], list[Gap]]:
        """Return the figures of every row and size, and what is missing: a size of which one group has none."""
        cells: list[Figures] = []
        missing: list[Gap] = []
        groups = record.shadow_groups(self.sizes)
        for row, spec in self.measures.items():
            for size, of_size in groups.items():
                try:
                    each = [figures_of(spec, number, fields) for number, fields in enumerate(of_size)]
                except InputError as error:
                    missing.append(Gap(row, str(error), size if len(self.sizes) > 1 else None))
                    continue
                values = {name: [float(figures[name]) for figures in each] for name in each[0]}
                cells.append(Figures(row, values, size))
        return cells, missing


def block_fields(matrix: Matrix) -> dict[str, Any]:
    """Return the fields of a `BlockStep` that all of a block share."""
    return {
        "pool": matrix.pool if matrix.scale.shadows else None, "members": matrix.members,
        "preset": matrix.experiment.preset,
    }  # fmt: skip


class Record:
    """Labels, roles and ids of the audited samples, and the logits of every network on them."""

    def __init__(self, step: BlockStep, job: Job) -> None:
        split = step.parts.load(job.environment.root)
        audited = np.concatenate([split.train, split.holdout])
        self.step, self.job = step, job
        self.labels, self.ids = split.data.y[audited], split.data.ids[audited]
        self.role = np.where(np.isin(audited, split.forget), "forget", "retain").astype("<U7")
        self.role[len(split.train) :] = "holdout"
        self.train = len(split.train)
        self.groups = {name: outputs.read(job) for name, outputs in step.outputs.items()}
        self.logits = {
            name: np.concatenate([groups["train"], groups["holdout"]]) for name, groups in self.groups.items()
        }

    def shadow_groups(self, sizes: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """Return the fields of `Signals` that each disjoint group of shadow models gives, by the groups' size."""
        count = len(self.step.members)
        if not count:
            return {0: [{}]}
        return {
            size: [self.shadows(range(start, start + size)) for start in range(0, count - size + 1, size)]
            for size in sizes
            if size <= count
        }

    def shadows(self, chosen: Sequence[int]) -> dict[str, Any]:
        """Return the fields of `Signals` that a group of shadow models gives."""
        if not chosen or self.step.pool is None:
            return {}
        names = [f"shadow-{k}" for k in range(len(self.step.members))]
        pool = self.step.pool.truth(self.job.environment.root)
        fields = shadow_fields(
            pool.values, pool.ids, self.step.members,
            [self.groups[name]["pool"] for name in names], [self.logits[name] for name in names],
            simulate=len(names) >= FEWEST_TO_SIMULATE, chosen=chosen, out=min(len(chosen), len(names) - 2),
            seed=chosen[0],
        )  # fmt: skip
        return fields | {"shadow_out": np.stack(fields["shadow_out"])}

    def signals(self, unlearned: Values, **fields: Any) -> Signals:
        """Build the record of a measure; the holdout samples are the population of measures that want one."""
        held = self.role == "holdout"
        shadows = fields.get("shadow_out")
        population = Signals(
            self.labels[held], unlearned[held], ids=self.ids[held],
            shadow_out=None if shadows is None else shadows[:, held],
        )  # fmt: skip
        fields["population_in"] = self.groups.get("population", {}).get("holdout")
        return Signals(
            self.labels, unlearned, self.logits["original"], role=self.role, ids=self.ids, population=population,
            **fields,
        )  # fmt: skip


def scored(spec: MeasureSpec, preset: str, signals: Signals) -> NDArray[np.float64]:
    """Return the scores of a measure as a row of an experiment names it."""
    entry, options, beside = MEASURES.chosen(spec)
    return measure(entry.name, signals, preset=beside.get("preset", preset), **options)


def redrawn(spec: MeasureSpec, seed: int) -> MeasureSpec:
    """Return the negative control with a draw of its own; other measures stay as they are."""
    return {"name": "random", "seed": seed} if spec == "random" else spec
