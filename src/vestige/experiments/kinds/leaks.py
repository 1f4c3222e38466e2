"""The two-version attack: how well an adversary tells deleted from never-seen records, a row for each setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vestige.config import validated
from vestige.experiments.cells import Cell, Figures, FigureStep, Gap
from vestige.experiments.experiment import Experiment, Scale
from vestige.experiments.kinds.kind import Kind
from vestige.graph.step import Job
from vestige.leaks import LeakConfig, LeakPlan, PairSet, plan_leaks

FIGURES = ("auc", "baseline_auc", "gain", "tpr_1%")


@dataclass(frozen=True, eq=False, kw_only=True)
class Attack(FigureStep):
    """Attack one setting; its inputs are the sets of its plan."""

    row: str
    plan: LeakPlan
    sets: tuple[PairSet, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        return (self.row,)

    def compute(self, job: Job) -> tuple[list[Figures], list[Gap]]:
        summary: dict[str, Any] = self.plan.findings(job.store).record()["summary"]
        return [Figures(self.row, {name: [float(summary[name])] for name in FIGURES})], []


def _cells(experiment: Experiment, scale: Scale, root: str | None) -> list[Cell]:
    cells = []
    for row, values in scale.leaks.items():
        config = validated(LeakConfig, values, f"leaks.{row}")
        plan = plan_leaks(config, root)
        step = Attack(row=row, sets=tuple(plan.steps), plan=plan, label=row)
        cells.append(Cell("AUC", 0, step))
    return cells


KIND = Kind("leaks", "settings", "leaks", lambda experiment: FIGURES, _cells)
