"""The verdict of `Signals`: margins, clusters and limits of size in, an answer for every row out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestige.evaluation.verdict.answer import Verdict
from vestige.evaluation.verdict.controls import Control
from vestige.evaluation.verdict.decision import judge, limited
from vestige.evaluation.verdict.margins import FORGET, HOLDOUT, MOST, RETAIN, Floats, by_cluster, margins_of
from vestige.signals import Signals


@dataclass(frozen=True, eq=False)
class Judged:
    """A verdict with its figures for the rows of `Signals`.

    Attributes
    ----------
    verdict : Verdict
    controls : tuple of Control
    score : float [N] or None
        Larger = more unlearned: minus the mean trace score, in standard deviations of never-seen records. NaN for
        retained and holdout rows that were left out; None where nothing could be compared.
    p_under, p_over : float [N] or None
        Conformal p-values, in (0, 1]; NaN where the score is.
    outcomes : str [n]
        The answer for each forget row, in their order.
    notes : tuple of str
        What was left out or averaged, in sentences.
    """

    verdict: Verdict
    controls: tuple[Control, ...]
    score: Floats | None
    p_under: Floats | None
    p_over: Floats | None
    outcomes: NDArray[np.str_]
    notes: tuple[str, ...]


def judge_signals(signals: Signals, *, alpha: float, tolerance: float, seed: int) -> Judged:
    """Judge the forget rows of `signals`; see `judge`."""
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
    judgement = judge(margins.take(rows), alpha=alpha, tolerance=tolerance, seed=seed, unit=unit)
    notes += judgement.notes

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
    score = spread(judgement.scores)
    return Judged(
        judgement.verdict, judgement.controls, None if score is None else -score, spread(judgement.p_under),
        spread(judgement.p_over), outcomes[signals.roles == FORGET], tuple(notes),
    )  # fmt: skip
