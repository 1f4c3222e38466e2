"""Epsilon-hat: a method's networks against as many retrained ones, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vestige.data.source import Parts
from vestige.evaluation import epsilon
from vestige.experiments.cells import Cell, Figures, FigureStep, Gap
from vestige.experiments.experiment import Experiment, Scale
from vestige.experiments.kinds.checks import check_methods, matrices
from vestige.experiments.kinds.kind import Kind
from vestige.experiments.steps import Collect
from vestige.graph.step import Job

FIGURES = ("epsilon", "epsilon_cross_fitted", "forget_accuracy", "test_accuracy")


@dataclass(frozen=True, eq=False, kw_only=True)
class EpsilonHat(FigureStep):
    """Epsilon-hat of one method."""

    row: str
    parts: Parts
    retrained: tuple[Collect, ...]
    unlearned: tuple[Collect, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        return (self.row,)

    def compute(self, job: Job) -> tuple[list[Figures], list[Gap]]:
        split = self.parts.load(job.environment.root)
        forget = np.searchsorted(split.train, split.forget)
        exact = np.stack([outputs.read(job)["train"][forget] for outputs in self.retrained])
        unlearned = [outputs.read(job) for outputs in self.unlearned]
        own = np.stack([groups["train"][forget] for groups in unlearned])
        labels, truth = split.data.y[split.forget], split.data.y[split.holdout]
        published, crossed = epsilon(exact, own, labels, preset="eth2023"), epsilon(exact, own, labels)
        values = {
            "epsilon": min(float(published.median), published.largest),
            "epsilon_cross_fitted": float(crossed.median),
            "forget_accuracy": 100 * float((own.argmax(-1) == labels).mean()),
            "test_accuracy": 100 * float(
                np.mean([(groups["holdout"].argmax(-1) == truth).mean() for groups in unlearned])
            ),
        }  # fmt: skip
        figures = {name: [value] for name, value in values.items()}
        return [Figures(self.row, figures, len(self.retrained))], []


def _cells(experiment: Experiment, scale: Scale, root: str | None) -> list[Cell]:
    methods = experiment.methods_at(scale)
    check_methods(experiment, methods)
    cells = []
    for matrix in matrices(experiment, scale, root):
        for asked, wanted in scale.requests.items():
            parts, models = matrix.request(wanted, 0), range(scale.models)
            exact = tuple(matrix.retrained(parts, 3000 + k, f"retraining {k}") for k in models)
            for method in methods:
                own = tuple(
                    matrix.outputs(matrix.unlearned(method, parts, scale.models + k), f"{method.title} {k}")
                    for k in models
                )
                step = EpsilonHat(
                    row=method.title, parts=parts, retrained=exact, unlearned=own,
                    label=f"{matrix.name}: epsilon-hat of {method.title}",
                )  # fmt: skip
                cells.append(Cell(f"{matrix.name} · {asked}", 0, step))
    return cells


KIND = Kind("epsilon", "methods", "blocks", lambda experiment: FIGURES, _cells, fewest=4)
