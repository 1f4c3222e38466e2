"""The verdict of `Signals`: margins, clusters and limits of size in, an answer for every row out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestige.evaluation.verdict.decision import Judgement, judge, limited
from vestige.evaluation.verdict.margins import (
    FORGET,
    HOLDOUT,
    MOST,
    RETAIN,
    Floats,
    Margins,
    by_cluster,
    margins_of,
)
from vestige.signals import Signals


@dataclass(frozen=True, eq=False)
class Judged:
    """What is judged of `Signals`: rows of margins, and where each came from.

    Attributes
    ----------
    margins : Margins
        Records, or clusters where they were named.
    rows : array of int64
        Which of them are judged.
    group : int [N]
        The margins' row that each record went into, in the order of `position`.
    position : int [N]
        Where each record stands in the signals.
    unit : str
        "record" or "cluster".
    notes : list[str]
        What was left out or averaged, in sentences.
    """

    margins: Margins
    rows: NDArray[np.int64]
    group: NDArray[np.int64]
    position: NDArray[np.int64]
    unit: str
    notes: list[str]


def judged_margins(signals: Signals) -> Judged:
    """Return the margins of `signals` that a verdict reads: equal shadows once, clusters averaged, at most `MOST`."""
    margins, position = margins_of(signals)
    first = {shadow.tobytes(): place for place, shadow in reversed([*enumerate(margins.shadows)])}
    distinct = sorted(first.values())
    notes = []
    if len(distinct) < len(margins.shadows):
        notes.append(
            f"Of {len(margins.shadows):,} shadow models {len(distinct):,} differ in their answers; the same ones count "
            "once."
        )
        margins = margins.with_(shadows=margins.shadows[distinct])
    group = np.arange(len(margins))  # which row of the judged margins each of these is in
    unit = "record"
    if signals.cluster is not None:
        margins, group = by_cluster(margins, signals.cluster[position])
        unit = "cluster"
        notes.append(
            f"Records of one cluster are averaged: {len(position):,} records are {len(margins):,} clusters."
        )
    rows = limited(margins)
    for role, word in ((RETAIN, "retained"), (HOLDOUT, "holdout")):
        count = int(margins.of(role).sum())
        if count > MOST:
            notes.append(
                f"The verdict reads {MOST:,} of {count:,} {word} {unit}s, chosen by the hash of their ids."
            )
    return Judged(margins, rows, group, position, unit, notes)


def judge_signals(signals: Signals, *, alpha: float, tolerance: float, seed: int) -> Judgement:
    """Judge the forget rows of `signals`; see `judge`."""
    own = judged_margins(signals)
    margins, rows, group, position = own.margins, own.rows, own.group, own.position
    judgement = judge(margins.take(rows), alpha=alpha, tolerance=tolerance, seed=seed, unit=own.unit)
    notes = [*own.notes, *judgement.notes]

    def spread(values: Floats | None) -> Floats | None:
        """Give every row of `signals` the value of the row that it was judged in."""
        if values is None:
            return None
        judged = np.full(len(margins), np.nan)
        judged[rows] = values
        every = np.empty(len(signals))
        every[position] = judged[group]
        return every

    answers = np.full(len(margins), "undecided")
    answers[rows[margins.role[rows] == FORGET]] = judgement.outcomes
    outcomes = np.empty(len(signals), answers.dtype)
    outcomes[position] = answers[group]
    return Judgement(
        judgement.verdict, judgement.controls, spread(judgement.score), spread(judgement.p_under),
        spread(judgement.p_over), outcomes[signals.roles == FORGET], tuple(notes),
    )  # fmt: skip
