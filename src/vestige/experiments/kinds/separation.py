"""AUC of each measure between forgotten and retained samples under retrained models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vestige.evaluation import figures
from vestige.evaluation.roc import FIGURES, tpr_at_fpr
from vestige.experiments.cells import Cell, Figures, Gap
from vestige.experiments.experiment import Experiment, Scale
from vestige.experiments.kinds.checks import check_measures, matrices
from vestige.experiments.kinds.kind import Kind
from vestige.experiments.record import MeasureSpec, MeasuresStep, block_fields, redrawn, scored
from vestige.graph.step import Job

RATES = tuple(float(rate) for rate in np.logspace(-3, 0, 25).round(4))
"""False positive rates at which a curve is kept."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Separation(MeasuresStep):
    """How well each measure tells forgotten from retained samples."""

    curve: bool

    def compute(self, job: Job) -> tuple[list[Figures], list[Gap]]:
        record = self.record(job)

        def figures_of(spec: MeasureSpec, number: int, fields: dict[str, Any]) -> dict[str, float]:
            signals = record.signals(record.logits["retrained"], **fields)
            scores = scored(redrawn(spec, number), self.preset, signals)
            forget, retain = (scores[signals.roles == role] for role in ("forget", "retain"))
            own = dict(figures(forget, retain))
            if self.curve:
                own |= {f"tpr_at_{rate:.4f}": tpr_at_fpr(forget, retain, rate) for rate in RATES}
            return own

        return self.by_group(record, figures_of)


def _cells(experiment: Experiment, scale: Scale, root: str | None) -> list[Cell]:
    check_measures(experiment, experiment.measures.items())
    for wanted in scale.requests.values():
        check_measures(experiment, wanted.measures.items())
    cells = []
    for matrix in matrices(experiment, scale, root):
        references = matrix.references()
        for asked, wanted in scale.requests.items():
            for number in range(scale.splits):
                parts, label = matrix.request(wanted, number), f"{asked}, split {number}"
                retrained = matrix.retrained(parts, 3000 + number, f"retraining, {label}")
                step = Separation(
                    parts=parts, outputs=references | {"retrained": retrained}, **block_fields(matrix),
                    measures=experiment.measures | wanted.measures, sizes=scale.groups, curve=experiment.curve,
                    label=f"{matrix.name}: measures, {label}",
                )  # fmt: skip
                cells.append(Cell(f"{matrix.name} · {asked}", number, step))
    return cells


def _figures(experiment: Experiment) -> tuple[str, ...]:
    rates = tuple(f"tpr_at_{rate:.4f}" for rate in RATES)
    return (*FIGURES, *rates) if experiment.curve else tuple(FIGURES)


KIND = Kind("separation", "measures", "blocks", _figures, _cells, chance=0.5)
