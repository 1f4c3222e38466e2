"""ScoreUI: how each measure follows the degree of training, checkpoint after checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from safetensors.numpy import save_file

from vestige.data.source import Parts
from vestige.evaluation import scoreui
from vestige.experiments.cells import Cell, Figures, Gap
from vestige.experiments.experiment import Experiment, Scale
from vestige.experiments.kinds.checks import check_measures, matrices
from vestige.experiments.kinds.kind import Kind
from vestige.experiments.networks import Train, fresh
from vestige.experiments.record import MeasureSpec, MeasuresStep, block_fields, redrawn, scored
from vestige.files import read_safetensors
from vestige.graph.step import Job, Step
from vestige.models import ModelConfig
from vestige.signals import collect_logits
from vestige.training import Recipe, descend, load_model

FIGURES = ("pooled", "per_sample", "kendall")


@dataclass(frozen=True, eq=False, kw_only=True)
class AlongTraining(Step):
    """Train a shadow model on the training set; collect what it says of that and of the holdout samples as it goes."""

    begin: Train
    parts: Parts
    model: ModelConfig
    recipe: Recipe
    checkpoints: int

    network: ClassVar[bool] = True

    def make(self, job: Job) -> None:
        split, recipe = self.parts.load(job.environment.root), self.recipe
        audited = split.data.take(np.concatenate([split.train, split.holdout]))
        model = load_model(job.file(self.begin), fresh(self.model, self.parts.source, 0))
        logits, every = {"0": collect_logits(model, audited)}, max(1, recipe.epochs // self.checkpoints)

        def keep(epoch: int, loss: float) -> None:
            if epoch % every == 0:
                logits[str(epoch)] = collect_logits(model, audited)

        descend(model, split.data.take(split.train), recipe, on_epoch=keep)
        save_file(logits, job.path)

    @property
    def size(self) -> float:
        rows = len(self.parts.forget) + len(self.parts.retain) + len(self.parts.holdout)
        return 400.0 * rows * self.checkpoints


@dataclass(frozen=True, eq=False, kw_only=True)
class Degrees(MeasuresStep):
    """ScoreUI of each measure along a training."""

    along: AlongTraining

    def compute(self, job: Job) -> tuple[list[Figures], list[Gap]]:
        record, path = self.record(job), read_safetensors(job.file(self.along))
        epochs = sorted(int(name) for name in path)
        degree = np.array(epochs) / epochs[-1]

        def figures_of(spec: MeasureSpec, number: int, fields: dict[str, Any]) -> dict[str, float]:
            scores = [
                scored(redrawn(spec, draw), self.preset, record.signals(path[str(epoch)], **fields))
                for draw, epoch in enumerate(epochs)
            ]
            ui = scoreui(np.stack(scores, axis=1)[: record.train], degree, draws=100)
            return {name: getattr(ui, name) for name in FIGURES}

        return self.by_group(record, figures_of)


def _cells(experiment: Experiment, scale: Scale, root: str | None) -> list[Cell]:
    check_measures(experiment, experiment.measures.items())
    cells = []
    for matrix in matrices(experiment, scale, root, requests=False):
        references = matrix.references()
        for number in range(scale.splits):
            along = AlongTraining(
                begin=matrix.shadow(number), parts=matrix.parts, model=matrix.base.model,
                recipe=matrix.recipe(5000 + number), checkpoints=matrix.block.checkpoints,
                label=f"{matrix.name}: checkpoints {number}",
            )  # fmt: skip
            step = Degrees(
                parts=matrix.parts, outputs=references, **block_fields(matrix), along=along,
                measures=experiment.measures, sizes=scale.groups, label=f"{matrix.name}: ScoreUI {number}",
            )  # fmt: skip
            cells.append(Cell(matrix.name, number, step))
    return cells


KIND = Kind("degrees", "measures", "blocks", lambda experiment: FIGURES, _cells, chance=0.0)
