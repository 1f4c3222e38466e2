"""ScoreUI on texts: how each measure follows the passes in which a language model learns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vestige.errors import InputError
from vestige.evaluation import scoreui
from vestige.evaluation.texts import degrees
from vestige.experiments.cells import Cell, Figures, FigureStep, Gap
from vestige.experiments.experiment import Experiment, Scale
from vestige.experiments.kinds.degrees import FIGURES
from vestige.experiments.kinds.kind import Kind
from vestige.experiments.kinds.texts import root_of, text_configs
from vestige.experiments.text_config import LlmConfig
from vestige.experiments.text_steps import BaseModel, Groups, learn_chain
from vestige.graph.step import Job


@dataclass(frozen=True, eq=False, kw_only=True)
class DegreesOfTexts(FigureStep):
    """ScoreUI of each measure along the learning of texts."""

    config: LlmConfig
    base: BaseModel
    groups: Groups
    measures: Mapping[str, str]
    preset: str

    network: ClassVar[bool] = True

    def compute(self, job: Job) -> tuple[list[Figures], list[Gap]]:
        chain = learn_chain(self.config, self.base, self.groups, job.environment)
        held = chain.role == "holdout"
        extra = {"texts": list(chain.texts.texts)}
        degree = np.arange(1, len(chain.checkpoints) + 1) / len(chain.checkpoints)
        cells: list[Figures] = []
        missing: list[Gap] = []
        for row, name in self.measures.items():
            try:
                scores = degrees(
                    name, chain.checkpoints, chain.checkpoints[-1], [chain.never], holdout=held, extra=extra,
                    preset=self.preset,
                )  # fmt: skip
                ui = scoreui(scores[~held], degree, draws=1)
            except InputError as error:
                missing.append(Gap(row, str(error)))
                continue
            cells.append(Figures(row, {figure: [float(getattr(ui, figure))] for figure in FIGURES}))
        return cells, missing


def _cells(experiment: Experiment, scale: Scale, root: str | None) -> list[Cell]:
    root = root_of(root)
    measures = {row: str(name) for row, name in experiment.measures.items()}
    return [
        Cell(
            column, 0,
            DegreesOfTexts(
                config=config, base=BaseModel.of(config.model, root), groups=Groups.of(config.data, root),
                measures=measures, preset=experiment.preset, label=f"{column}: learn texts, pass by pass",
            ),
        )
        for column, config in text_configs(experiment, scale, root).items()
    ]  # fmt: skip


KIND = Kind("degrees_of_texts", "measures", "texts", lambda experiment: FIGURES, _cells)
