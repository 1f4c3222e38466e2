"""Measures on texts, under each model of a run with a language model: AUC, membership, verdicts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.config import validated
from vestige.errors import InputError
from vestige.evaluation.texts import TextAudit
from vestige.experiments.cells import Cell, Figures, FigureStep, Gap
from vestige.experiments.experiment import Experiment, Scale
from vestige.experiments.kinds.kind import Kind
from vestige.experiments.text_config import LlmConfig
from vestige.experiments.texts import TextPlan, plan_texts
from vestige.graph.step import Job, Step
from vestige.measures.texts import MEASURES

FIGURES = ("auc", "auc_holdout", "membership_forget", "membership_retain", "under", "over")


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditedTexts(FigureStep):
    """What each measure says under each model of a run on texts; `steps` are those of its plan.

    Attributes
    ----------
    auc, auc_holdout
        Forget texts above retained ones, above holdout ones.
    membership_forget, membership_retain
        Means of 1 - score, scaled to [0, 1] over both groups.
    under, over
        Shares of forget texts with a verdict.
    """

    plan: TextPlan
    steps: tuple[Step, ...]
    measures: Mapping[str, str]
    preset: str

    def compute(self, job: Job) -> tuple[list[Figures], list[Gap]]:
        cells: list[Figures] = []
        missing: list[Gap] = []
        for model, audit in self.plan.audits(job.store, self.preset).items():
            table = {row["measure"]: row for row in audit.table}
            for row, name in self.measures.items():
                if table[name]["reason"]:
                    missing.append(Gap(row, table[name]["reason"], column=model))
                else:
                    cells.append(Figures(row, _figures(audit, table[name]), column=model))
        return cells, missing


def _figures(audit: TextAudit, row: Mapping[str, Any]) -> dict[str, list[float]]:
    counts = audit.audit.verdict.counts
    values = {
        "auc": row["auc_retain"], "auc_holdout": row["auc_holdout"],
        **{name: row[name] for name in row if name.startswith("membership")},
        **{name: counts[name] / max(1, sum(counts.values())) for name in ("under", "over")},
    }  # fmt: skip
    return {name: [value] for name, value in values.items() if value is not None}


def text_configs(experiment: Experiment, scale: Scale, root: str | None) -> dict[str, LlmConfig]:
    """Return the runs of a scale by column; their files are looked for before any work."""
    configs = {}
    for column, values in scale.texts.items():
        config = validated(LlmConfig, values, f"texts.{column}")
        for name in experiment.measures.values():
            if not isinstance(name, str):
                raise InputError(f"{experiment.name}: a measure on texts is a name, not {name!r}.")
            _ = MEASURES[name]
        for name, path in _files(config, Path(root or ".")).items():
            if not path.is_file():
                raise InputError(
                    f"{experiment.name}: {path} is not there ({name} of {column!r}). {experiment.note}"
                )
        configs[column] = config
    return configs


def _files(config: LlmConfig, root: Path) -> dict[str, Path]:
    files = {name: root / getattr(config.data, name) for name in ("forget", "retain", "holdout")}
    if config.model.gguf is not None:
        files["model"] = root / config.model.name / config.model.gguf
    return files


def root_of(root: str | None) -> str | None:
    """Return the folder that paths of a table are in: that of data sets."""
    return root or os.environ.get("VESTIGE_DATA")


def _cells(experiment: Experiment, scale: Scale, root: str | None) -> list[Cell]:
    root = root_of(root)
    measures = {row: str(name) for row, name in experiment.measures.items()}
    cells = []
    for column, config in text_configs(experiment, scale, root).items():
        plan = plan_texts(config, root, figures_too=False)
        step = AuditedTexts(
            plan=plan, steps=plan.steps, measures=measures, preset=experiment.preset,
            label=f"{column}: audit texts",
        )  # fmt: skip
        cells.append(Cell(column, 0, step))
    return cells


KIND = Kind("texts", "measures", "texts", lambda experiment: FIGURES, _cells)
