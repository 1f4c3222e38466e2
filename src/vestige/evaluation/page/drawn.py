"""The sections with figures: scores by role, ROC, before and after unlearning; a panel for each method and measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige.evaluation.page import plots
from vestige.evaluation.page.comparison import auc_of
from vestige.report.blocks import Beside, Block, Drawing, Heading, Panel, Text
from vestige.report.page import Section

if TYPE_CHECKING:
    from vestige.evaluation.result import Audit, MeasureRun

Audits = Mapping[str, "Audit"]

MOST_FIGURES = 40
"""Methods x measures beyond which figures are drawn for one measure only."""


class Drawn:
    """The figures of every measure of every method, or the reason why there are none.

    Attributes
    ----------
    measures
        {measure: could it be computed for no method?}.
    first
        Place of the measure that is shown first.
    """

    def __init__(self, audits: Audits, shown: str | None) -> None:
        self.audits = audits
        runs = [(run.label, run.status) for audit in audits.values() for run in audit.measures]
        scored = {name for name, status in runs if status == "scored"}
        self.measures = {name: name not in scored for name, _ in runs}
        self.only = shown if len(self.measures) * len(audits) > MOST_FIGURES else None
        self.first = list(self.measures).index(shown) if shown in self.measures else 0
        self.scores = [_scores_by_role(audit) for audit in audits.values()]

    def panels(self, draw: Any) -> list[Panel]:
        """Return a panel for each method and measure; `draw(by_role, audit, run, key)` returns its blocks."""
        panels = []
        for m, (name, audit) in enumerate(self.audits.items()):
            runs = {run.label: run for run in audit.measures}
            for j, measure in enumerate(self.measures):
                run = runs.get(measure)
                reason = self._reason(measure, run)
                blocks: list[Block] = [Heading(f"{name}, {measure}", "of")] if len(self.audits) > 1 else []
                if reason:
                    blocks.append(Text(reason, "empty"))
                else:
                    blocks += draw(self.scores[m].get(measure, {}), audit, run, f"m{m}", j)
                panels.append(Panel(blocks, m, j, not m and j == self.first))
        return panels

    def _reason(self, measure: str, run: MeasureRun | None) -> str:
        if run is None:
            return f"{measure} was not requested for this method."
        if run.status == "failed":
            return f"{measure} could not be computed: {run.reason or 'no reason given'}"
        if self.only is not None and measure != self.only:
            return f"Left out to keep this report small; figures are drawn for {self.only} only."
        return ""


def _scores_by_role(audit: Audit) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return {measure: {role: finite scores [n]}}."""
    by_measure: dict[str, dict[str, NDArray[np.float64]]] = {}
    for (measure, role), rows in audit.scores.groupby(["measure", "role"], sort=False, observed=True):
        values = rows["score"].dropna().to_numpy(dtype="float64")
        by_measure.setdefault(str(measure), {})[str(role)] = values
    return by_measure


def scores(drawn: Drawn) -> Section:
    """Return the score distributions by role."""

    def draw(by_role: Any, audit: Audit, run: MeasureRun, key: str, j: int) -> list[Block]:
        drawing = plots.distributions(by_role, run.label, run.unit, f"{key}-s{j}")
        return [replace(drawing, style="beside")]

    intro = (
        "Where do the forget samples lie? After unlearning they should look like the holdout samples, which the model "
        "never saw, and no longer like the retained ones."
    )
    none = [] if drawn.audits else [Text("No method was audited.", "empty")]
    return Section("scores", "Score distributions", "Scores", [Text(intro), *drawn.panels(draw), *none])


def roc(drawn: Drawn) -> Section:
    """Return the ROC of forget against retained samples, linear and logarithmic."""

    def draw(by_role: Any, audit: Audit, run: MeasureRun, key: str, j: int) -> list[Block]:
        linear, logarithmic = plots.roc(by_role, run.label, auc_of(audit, run.label), f"{key}-r{j}")
        return [Beside([linear, logarithmic]) if linear.svg else linear]

    intro = (
        "Calling a sample unlearned when its score is at least a threshold: which share of the forget samples is "
        "found, at which share of retained samples wrongly called unlearned? The further above the chance line, the "
        "more clearly the forget samples differ from those the model still has."
    )
    return Section("roc", "ROC: forget against retain", "ROC", [Text(intro), *drawn.panels(draw)])


def before_after(audits: Audits) -> Section:
    """Return the log-odds of the true label before and after unlearning."""
    intro = (
        "What did unlearning change? Retained samples should stay on the dashed line, forget samples should drop to "
        "where holdout samples lie, and no further."
    )

    def draw(m: int, audit: Audit) -> list[Block]:
        drawing: Drawing = plots.before_after(audit.signals, key=f"m{m}-before-after")
        return [replace(drawing, style="beside")]

    return Section(
        "before-after", "Before and after", "Before and after", [Text(intro), *by_method(audits, draw)]
    )


def by_method(audits: Audits, draw: Any) -> list[Panel]:
    """Return a panel for each method with the blocks that `draw(number, audit)` returns."""
    return [
        Panel(
            [*([Heading(name, "of")] if len(audits) > 1 else []), *draw(m, audit)], m, shown=not m
        )
        for m, (name, audit) in enumerate(audits.items())
    ]  # fmt: skip
