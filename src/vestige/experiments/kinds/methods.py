"""Unlearning methods against exact retraining: accuracies, disparity, and what IAM sees of each method's network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vestige.evaluation import accuracy_figures, average_disparity, figures, mia_efficacy
from vestige.evaluation.accuracy import FEATURES
from vestige.experiments.cells import Cell, Figures, Gap
from vestige.experiments.experiment import Experiment, Scale
from vestige.experiments.kinds.checks import check_measures, check_methods, matrices
from vestige.experiments.kinds.kind import Kind
from vestige.experiments.record import BlockStep, MeasureSpec, Record, block_fields, scored
from vestige.graph.step import Job

COMPARED = ("unlearning_accuracy", "mia_efficacy", "retain_accuracy", "test_accuracy")
FIGURES = (
    *COMPARED, *(f"mia_{feature}" for feature in FEATURES[1:]), "iam_auc", "membership_forget",
    "membership_retain", "disparity", "mia_disparity", "gap_forget", "gap_retain",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class AgainstRetraining(BlockStep):
    """Every figure of one method's network.

    `iam_auc` ranks forgotten samples above retained ones under the method's network. `membership_forget` and
    `membership_retain` are 1 - the mean of IAM's scores: 1 = a member; `gap_forget` and `gap_retain` are these minus
    retraining's: above 0 on forgotten samples is under-unlearning, below 0 on retained ones is damage. `mia_*` are
    shares of forget samples that attacks on other features than confidence call non-members, by the published
    attacker; `mia_disparity` is their mean gap to retraining, with confidence among them.
    """

    row: str
    measure: MeasureSpec
    attacks: tuple[str, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        return (self.row,)

    def compute(self, job: Job) -> tuple[list[Figures], list[Gap]]:
        record = self.record(job)
        fields = record.shadows(range(len(self.members)))
        exact, own = (self._figures(record, name, fields) for name in ("retrained", "method"))
        own["disparity"] = average_disparity(*({k: each[k] for k in COMPARED} for each in (own, exact)))
        attacks = ["mia_efficacy", *(f"mia_{feature}" for feature in self.attacks[1:])]
        own["mia_disparity"] = float(np.mean([abs(own[k] - exact[k]) for k in attacks]))
        for part in ("forget", "retain"):
            own[f"gap_{part}"] = own[f"membership_{part}"] - exact[f"membership_{part}"]
        return [Figures(self.row, {name: [value] for name, value in own.items()}, len(self.members))], []

    def _figures(self, record: Record, name: str, fields: dict[str, object]) -> dict[str, float]:
        signals = record.signals(record.logits[name], **fields)
        scores = scored(self.measure, self.preset, signals)
        forget, retain = (scores[signals.roles == role] for role in ("forget", "retain"))
        return {
            **{k: float(v) for k, v in accuracy_figures(signals, preset="paper").items()},
            **{f"mia_{feature}": mia_efficacy(signals, "paper", feature) for feature in self.attacks[1:]},
            "iam_auc": figures(forget, retain)["auc"],
            "membership_forget": 1 - float(forget.mean()), "membership_retain": 1 - float(retain.mean()),
        }  # fmt: skip


def _cells(experiment: Experiment, scale: Scale, root: str | None) -> list[Cell]:
    check_measures(experiment, experiment.measures.items())
    methods = experiment.methods_at(scale)
    check_methods(experiment, methods)
    (_, measure), *_ = experiment.measures.items() or [("IAM-On", "iam")]
    cells = []
    for matrix in matrices(experiment, scale, root):
        references = matrix.references()
        for asked, wanted in scale.requests.items():
            for number in range(scale.seeds):
                parts = matrix.request(wanted, number % scale.splits)
                exact = matrix.retrained(parts, 3000 + number, f"retraining, {asked}, seed {number}")
                for method in methods:
                    label = f"{method.title}, {asked}, seed {number}"
                    outputs = matrix.outputs(matrix.unlearned(method, parts, number), label)
                    step = AgainstRetraining(
                        parts=parts, outputs=references | {"retrained": exact, "method": outputs},
                        **block_fields(matrix), row=method.title, measure=measure, attacks=tuple(FEATURES),
                        label=f"{matrix.name}: {label}",
                    )  # fmt: skip
                    cells.append(Cell(f"{matrix.name} · {asked}", number, step))
    return cells


KIND = Kind("methods", "methods", "blocks", lambda experiment: FIGURES, _cells, values="seeds")
