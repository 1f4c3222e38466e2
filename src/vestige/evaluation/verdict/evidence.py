"""One comparison of forgotten with never-seen records under one model: trace scores, strata, group tests.

Both trace scores are tested, and the cautious answer counts: the larger of their p-values in each direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vestige.evaluation.verdict.adjustment import ADJUSTMENTS, trace_scores
from vestige.evaluation.verdict.bounds import Share, at_least, could_be_whole, influence_left
from vestige.evaluation.verdict.margins import Floats, Margins, Mask
from vestige.evaluation.verdict.matching import Matching, effective, match
from vestige.evaluation.verdict.permutation import GroupTest, group_test, permuted_labels

SCORES = range(len(ADJUSTMENTS))
MOST = 20_000
"""Forget records that the group test permutes; of more, the first in the order of their hashed ids."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one comparison shows.

    Attributes
    ----------
    scores : float [2, N]
        Trace scores, a row for each adjustment; larger = more trace, never-seen records have mean 0 and deviation 1.
    forget, null : bool [N]
    matching : Matching
    tests : tuple of GroupTest
        One for each adjustment.
    """

    scores: Floats
    forget: Mask
    null: Mask
    matching: Matching
    tests: tuple[GroupTest, ...]

    @property
    def p_under(self) -> float:
        """p-value of "no record bears a trace", in (0, 1]; small: a trace is there."""
        return max(test.p_under for test in self.tests)

    @property
    def p_over(self) -> float:
        """p-value of "no record lies further away than never-seen ones do", in (0, 1]."""
        return max(test.p_over for test in self.tests)

    def null_weights(self, score: int) -> Floats:
        """Return [m] weights of the null records, summing to 1."""
        weights = self.matching.weights(score, self.forget, self.null)
        return np.full(int(self.null.sum()), 1 / self.null.sum()) if weights is None else weights

    @property
    def effective_null(self) -> float:
        """To how many equally weighted null records the matched ones amount: the smaller of both scores."""
        return min(effective(self.null_weights(score)) for score in SCORES)


def compare(
    margins: Margins, forget: Mask, null: Mask, rng: np.random.Generator, permutations: int
) -> Evidence | None:
    """Compare forget with null records under `margins.unlearned`; None where the null records have no spread."""
    scores = trace_scores(margins, null)
    if scores is None:
        return None
    matching = match(margins, forget, null, rng)
    tests: list[GroupTest] = []
    permuted = None
    tested = null.copy()
    tested[np.flatnonzero(forget)[:MOST]] = True
    for score in SCORES:
        rows = tested & (matching.strata[score] >= 0)
        if permuted is None or not np.array_equal(*matching.strata):
            permuted = permuted_labels(forget[rows], matching.strata[score, rows], rng, permutations)
        tests.append(group_test(scores[score, rows], forget[rows], permuted, rng))
    return Evidence(scores, forget, null, matching, tuple(tests))


def left(evidence: Evidence, kept: Mask, level: float) -> Share:
    """Return the influence left with the ends of its interval, each score's further one; 1 = that of a kept record."""
    shares = []
    for score in SCORES:
        t = evidence.scores[score]
        weights = evidence.matching.weights(score, evidence.forget, kept)
        even = np.full(int(kept.sum()), 1 / kept.sum())
        shares.append(
            influence_left(
                t[evidence.forget], t[evidence.null], t[kept], level, evidence.null_weights(score),
                even if weights is None else weights,
            )
        )  # fmt: skip
    value = float(np.mean([share.value for share in shares]))
    return Share(value, min(share.low for share in shares), max(share.high for share in shares))


def whole(evidence: Evidence, kept: Mask, alpha: float) -> int:
    """Return how many forget records could be whole, by the blunter of both scores."""
    t = evidence.scores
    return max(could_be_whole(t[score, evidence.forget], t[score, kept], alpha) for score in SCORES)


def traced(evidence: Evidence, alpha: float, rng: np.random.Generator) -> int:
    """Return how many forget records bear a trace at least; null records are thinned to the request's strata."""
    counts = []
    for score in SCORES:
        t, weights = evidence.scores[score], evidence.null_weights(score)
        null = t[evidence.null]
        if weights.max() > weights[weights > 0].min() * (1 + 1e-9):
            null = null[rng.random(len(null)) < weights / weights.max()]
        counts.append(at_least(t[evidence.forget], null, alpha) if len(null) else 0)
    return min(counts)


def record_p_values(evidence: Evidence) -> tuple[Floats, Floats]:
    """Return conformal (p_under, p_over) [N] of every record against the null: the larger of both scores."""
    under, over = np.zeros(evidence.scores.shape[1]), np.zeros(evidence.scores.shape[1])
    for score in SCORES:
        t, weights = evidence.scores[score], evidence.null_weights(score)
        weights = weights * effective(weights)
        order = np.argsort(t[evidence.null], kind="stable")
        null, reach = t[evidence.null][order], np.append(0.0, np.cumsum(weights[order]))
        above = reach[-1] - reach[np.searchsorted(null, t, side="left")]
        below = reach[np.searchsorted(null, t, side="right")]
        np.maximum(under, (1 + above) / (1 + reach[-1]), out=under)
        np.maximum(over, (1 + below) / (1 + reach[-1]), out=over)
    return np.minimum(under, 1.0), np.minimum(over, 1.0)


def record_outcomes(
    evidence: Evidence, kept: Mask, p_under: Floats, p_over: Floats, alpha: float
) -> NDArray[np.str_]:
    """Return [n] "under", "over", "cleared" or "undecided" for each forget record.

    Benjamini and Hochberg over the request: at alpha / 2 in each direction against never-seen records, and at alpha
    against kept ones, which a record must not resemble to be cleared.
    """
    forget = evidence.forget
    under, over = (stats.false_discovery_control(p[forget]) <= alpha / 2 for p in (p_under, p_over))
    cleared = np.zeros(int(forget.sum()), bool)
    if kept.any():
        like_kept = np.zeros(int(forget.sum()))
        for score in SCORES:
            t = evidence.scores[score]
            below = np.searchsorted(np.sort(t[kept]), t[forget], side="right")
            np.maximum(like_kept, (1 + below) / (1 + kept.sum()), out=like_kept)
        cleared = stats.false_discovery_control(like_kept) <= alpha
    quiet = np.where(cleared, "cleared", "undecided")
    return np.where(under, "under", np.where(over, "over", quiet))
