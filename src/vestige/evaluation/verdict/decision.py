"""The decision: from margins to a verdict, in one fixed order.

1. a reference control fails                        undecided, blocked
2. p_under <= alpha / 2                             a vestige remains
   of a harder or easier request also: a quarter of the influence is left for certain
3. a sharpness control fails, or none could be run  undecided, blocked
4. p_over <= alpha / 2                              over-unlearned
   and the interval of what is left lies below none; never of a harder or easier request
5. the influence left is within the tolerance on both sides, and few records could be whole   unlearned
6. else                                             undecided: what was found, and what would decide it
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestige.evaluation.verdict import answer, controls
from vestige.evaluation.verdict.adjustment import trace_scores
from vestige.evaluation.verdict.advice import FEW, FEWEST_KEPT, advice
from vestige.evaluation.verdict.answer import RECORD_OUTCOMES, Figures, Outcome, Verdict
from vestige.evaluation.verdict.bounds import Share
from vestige.evaluation.verdict.controls import Control
from vestige.evaluation.verdict.evidence import (
    FEWEST_NULL,
    Evidence,
    compare,
    left,
    likeness,
    p_over_of_every_source,
    record_outcomes,
    record_p_values,
    request_seen,
    traced,
    unlimited,
    whole,
)  # fmt: skip
from vestige.evaluation.verdict.margins import FORGET, HOLDOUT, MOST, RETAIN, Floats, Margins, Mask
from vestige.evaluation.verdict.power import Power, power

PERMUTATIONS = 999
ALLOWED = 0.01
BEYOND_ADJUSTMENT = 0.25
"""Share of the influence that must be left for certain where a request is harder or easier than never-seen records."""
LEAST_ALPHA = 0.005
"""Smallest error rate that the permutations of the request and of the planted traces can show, in each direction."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """A verdict with what it rests on: of `judge` by record of the margins, of `judge_signals` by row of `Signals`.

    Attributes
    ----------
    verdict : Verdict
    controls : tuple of Control
    score : float [N] or None
        Larger = more unlearned: minus the mean of both trace scores, in standard deviations of never-seen records. NaN
        for retained and holdout rows that were left out; None where nothing could be compared.
    p_under, p_over : float [N] or None
        Conformal p-values, in (0, 1]; NaN where the score is.
    outcomes : str [n]
        The answer for each forget record, in their order.
    notes : tuple of str
        What a reader must know besides, and what was left out or averaged, in sentences.
    """

    verdict: Verdict
    controls: tuple[Control, ...]
    score: Floats | None
    p_under: Floats | None
    p_over: Floats | None
    outcomes: NDArray[np.str_]
    notes: tuple[str, ...] = ()


def judge(
    margins: Margins, *, alpha: float = 0.05, tolerance: float = 0.1, seed: int = 0, unit: str = "record",
    permutations: int = PERMUTATIONS, with_power: bool = True,
) -> Judgement:  # fmt: skip
    """Judge the forget records of `margins`; see the head of this file for the order of the decision.

    Parameters
    ----------
    margins : Margins
    alpha : float
        Error rate of each claim, between 0 and 1.
    tolerance : float
        Largest share of the influence that may be left for "unlearned", between 0 and 1.
    seed : int
        Of permutations and planted traces; the same seed gives the same answer.
    unit : "record" or "cluster"
        What a row stands for.
    permutations : int
        Of the group test.
    with_power : bool
        Plant traces and say how often they would have been found.
    """
    forget, null, kept = margins.of(FORGET), margins.of(HOLDOUT), margins.of(RETAIN)
    seeds = np.random.SeedSequence(seed).spawn(5)
    missing = _missing(margins, null)
    if missing:
        return _silent(margins, alpha, tolerance, unit, *missing)
    rng = np.random.default_rng(seeds[0])
    evidence = compare(margins, forget, null, rng, permutations)
    if evidence is None:
        why = "the audited model gives all never-seen records the same answer, or the shadows do"
        return _silent(
            margins,
            alpha,
            tolerance,
            unit,
            why,
            "Check the outputs: a model whose answers do not vary is broken.",
        )
    swapped = None if margins.original is None else margins.with_(unlearned=margins.original)
    original = None if swapped is None else trace_scores(swapped, null)
    checks = controls.run(margins, evidence, seeds[1], original)
    seen = request_seen(evidence, original)
    bounded = kept.sum() >= FEWEST_KEPT
    share = left(evidence, kept, seen, alpha / 2) if bounded else Share(float("nan"), -np.inf, np.inf)
    p_under, p_over = record_p_values(evidence)
    alike = likeness(margins, evidence, kept) if kept.any() else evidence.scores
    outcomes = record_outcomes(evidence, alike, kept, p_under, p_over, alpha)
    figures = _figures(
        evidence, alike, kept, seen, share, len(margins.shadows), outcomes, alpha, tolerance, unit, seeds[2]
    )
    planted = with_power and kept.any()
    powers = power(evidence, kept, alpha, np.random.default_rng(seeds[3])) if planted else ()
    confirmed = figures.p_over <= alpha / 2 and _null_is_checked(checks)
    if confirmed:
        confirmed = p_over_of_every_source(margins, forget, null, rng, permutations) <= alpha / 2
    outcome, sentence, blocking = _decide(figures, checks, confirmed)
    outcomes = _allowed_outcomes(outcomes, checks)
    if (
        figures.other_difficulty and outcome != "under"
    ):  # difficulty and trace cannot be told apart, nor of one record
        outcomes = np.where(outcomes == "cleared", outcomes, "undecided")
    if (
        outcome == "under"
        and _trace_beside_named(margins, evidence, outcomes, rng, permutations) <= alpha / 2
    ):
        outcomes = np.where(outcomes == "cleared", "undecided", outcomes)
    verdict = _verdict(figures, evidence, outcome, sentence, blocking, outcomes, powers)
    return Judgement(
        verdict, checks, -evidence.scores.mean(axis=0), p_under, p_over, outcomes, _notes(margins, evidence)
    )


def _trace_beside_named(
    margins: Margins,
    evidence: Evidence,
    outcomes: NDArray[np.str_],
    rng: np.random.Generator,
    permutations: int,
) -> float:
    """Return p_under of the request without the records that are flagged: where a trace is in all, none is cleared."""
    rest = evidence.forget.copy()
    rest[evidence.forget] = outcomes != "under"
    if not rest.any() or not (outcomes == "cleared").any():
        return 1.0
    others = compare(margins, rest, evidence.null, rng, permutations)
    return 1.0 if others is None else others.p_under


def _notes(margins: Margins, evidence: Evidence) -> tuple[str, ...]:
    notes = []
    if margins.original is None and evidence.matching.differs:
        notes.append(
            "The request is of other classes or of another difficulty than never-seen records, and the original's "
            "outputs are not given: what a whole record of it would look like is taken from retained records, which "
            "may differ."
        )
    if evidence.matching.other_difficulty:
        notes.append(
            "The request is harder or easier than never-seen records: a model that is trained without it answers all "
            "such records otherwise, so that the interval of what is left can lie beside the truth, mostly towards "
            "damage (docs/labbook/calibration.md)."
        )
    return tuple(notes)


def limited(margins: Margins) -> NDArray[np.int64]:
    """Return the positions of every forget record and of at most `MOST` retained and holdout ones, sorted."""
    parts = [
        np.flatnonzero(margins.of(role))[:most]
        for role, most in ((FORGET, None), (RETAIN, MOST), (HOLDOUT, MOST))
    ]
    return np.sort(np.concatenate(parts))


def _missing(margins: Margins, null: Mask) -> tuple[str, str] | None:
    """Return what an answer cannot do without, and how to get it; None where all is there."""
    if not len(margins.shadows):
        return (
            "no shadow model is given, so a hard record cannot be told from one that was unlearned, nor an easy one "
            "from a trace",
            "Add the outputs of at least one model that never saw these records.",
        )
    if null.sum() < FEWEST_NULL:
        return (
            f"{int(null.sum())} never-seen records are given, at least {FEWEST_NULL} are needed to compare with",
            "Add records that no model saw, with the role 'holdout'.",
        )
    return None


def _silent(margins: Margins, alpha: float, tolerance: float, unit: str, why: str, advice: str) -> Judgement:
    n = int(margins.of(FORGET).sum())
    counts: dict[str, int] = {outcome: n * (outcome == "undecided") for outcome in RECORD_OUTCOMES}
    verdict = Verdict(
        "undecided", f"Undecided: {why}.", advice, (), alpha, tolerance, counts, n=n, allowed=allowed(n),
        null=int(margins.of(HOLDOUT).sum()), kept=int(margins.of(RETAIN).sum()), unit=unit,
    )  # fmt: skip
    return Judgement(verdict, (), None, None, None, np.full(n, "undecided"))


def allowed(n: int) -> int:
    """Return how many records may be whole unseen for "unlearned": none below 20, else 1 %, and one at least."""
    return 0 if n < FEW else max(1, int(ALLOWED * n))


def _figures(
    evidence: Evidence, alike: Floats, kept: Mask, seen: Floats | None, share: Share, shadows: int,
    outcomes: NDArray[np.str_], alpha: float, tolerance: float, unit: str, seed: np.random.SeedSequence,
) -> Figures:  # fmt: skip
    n = int(evidence.forget.sum())
    most, best = (
        (whole(evidence, alike, kept, seen, alpha, far) for far in (1.0, unlimited(shadows)))
        if kept.any()
        else (n, n)
    )
    return Figures(
        n, evidence.p_under, evidence.p_over, share.value, share.low, share.high, most, allowed(n),
        traced(evidence, alpha / 2, np.random.default_rng(seed)), int((outcomes == "under").sum()), alpha, tolerance,
        int(evidence.null.sum()), int(kept.sum()), unit, evidence.matching.other_difficulty, shadows, best,
    )  # fmt: skip


def _decide(f: Figures, checks: tuple[Control, ...], confirmed: bool) -> tuple[Outcome, str, list[Control]]:
    reference, blunt = (controls.failed(checks, kind) for kind in ("reference", "sharpness"))
    if reference:
        return "undecided", _blocked(reference), reference
    if f.p_under <= f.alpha / 2 and (not f.other_difficulty or f.left_low >= BEYOND_ADJUSTMENT):
        return "under", answer.under_sentence(f), []
    if blunt:
        return "undecided", _blocked(blunt), blunt
    tested = any(check.passed for check in checks if check.kind == "sharpness" and "recognised" in check.name)
    if f.p_over <= f.alpha / 2 and tested and confirmed and f.left_high < 0 and not f.other_difficulty:
        return "over", answer.over_sentence(f), []
    near = f.left_high <= f.tolerance and f.left_low >= -f.tolerance
    if tested and near and f.could_be_whole <= f.allowed and f.p_over > f.alpha / 2:
        return "unlearned", answer.unlearned_sentence(f), []
    return "undecided", answer.undecided_sentence(f, tested), []


def _blocked(checks: list[Control]) -> str:
    return answer.blocked_sentence(tuple(c.name for c in checks), [c.statement for c in checks])


def _null_is_checked(checks: tuple[Control, ...]) -> bool:
    """Was it tested, in one way or another, that the never-seen records are unseen? "Over" rests on it."""
    return any(check.passed is not None for check in checks if check.name == controls.SOURCES)


def _allowed_outcomes(outcomes: NDArray[np.str_], checks: tuple[Control, ...]) -> NDArray[np.str_]:
    """Withhold what the controls forbid of single records, as of the request."""
    if controls.failed(checks, "reference"):
        return np.full(len(outcomes), "undecided")
    if controls.failed(checks, "sharpness"):
        return np.where(outcomes == "under", outcomes, "undecided")
    if not _null_is_checked(checks):
        return np.where(outcomes == "over", "undecided", outcomes)
    return outcomes


def _verdict(
    f: Figures, evidence: Evidence, outcome: Outcome, sentence: str, blocking: list[Control],
    outcomes: NDArray[np.str_], powers: tuple[Power, ...],
) -> Verdict:  # fmt: skip
    counts: dict[str, int] = {name: int((outcomes == name).sum()) for name in RECORD_OUTCOMES}
    withheld = bool(blocking)

    def end(value: float) -> float | None:
        return None if withheld or not np.isfinite(value) else 1.0 - value

    return Verdict(
        outcome, sentence, advice(f, outcome, blocking), tuple(c.name for c in blocking), f.alpha,
        f.tolerance, counts, f.p_under, f.p_over, end(f.left), end(f.left_high), end(f.left_low),
        None if withheld else f.could_be_whole, f.allowed, f.at_least, f.n, f.null, f.kept,
        evidence.effective_null, powers, f.unit,
    )  # fmt: skip
