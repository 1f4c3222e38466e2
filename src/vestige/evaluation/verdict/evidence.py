"""One comparison of forgotten with never-seen records under one model: trace scores, strata, group tests.

Both trace scores are tested, and the cautious answer counts: the larger of their p-values in each direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from vestige.evaluation.verdict.adjustment import ADJUSTMENTS, TraceScores, trace_scores
from vestige.evaluation.verdict.bounds import Share, at_least, could_be_whole, influence_left
from vestige.evaluation.verdict.margins import MOST, Floats, Margins, Mask
from vestige.evaluation.verdict.matching import Matching, effective, match
from vestige.evaluation.verdict.permutation import GroupTest, group_test, permuted_labels
from vestige.measures.interpolation import Moments, interpolate
from vestige.signals.transforms import bounded_gumbel

SCORES = range(len(ADJUSTMENTS))
FEWEST_NULL = 20  # never-seen records that a comparison takes
ENOUGH = 50
"""Kept records, matched in strata, from which on they stand for whole forget records."""
QUANTILE = 1.96
"""Standard errors of sampling and fit together beyond which a group is judged, less those of sampling alone."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one comparison shows.

    Attributes
    ----------
    trace : TraceScores
        Larger = more trace; never-seen records have mean 0 and deviation 1.
    forget, null : bool [N]
    matching : Matching
    tests : tuple of GroupTest
        One for each adjustment.
    """

    trace: TraceScores
    forget: Mask
    null: Mask
    matching: Matching
    tests: tuple[GroupTest, ...]

    @property
    def scores(self) -> Floats:
        """[2, N] the trace scores, a row for each adjustment."""
        return self.trace.values

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
        return _null_weights(self.matching, score, self.forget, self.null)

    def fit_error(self, score: int) -> float:
        """The standard error, by the fit, of the mean of the forget records against that of the null."""
        return self.trace.fit_error(score, self.forget, self.null, self.null_weights(score))

    @property
    def effective_null(self) -> float:
        """To how many equally weighted null records the matched ones amount: the smaller of both scores."""
        return min(effective(self.null_weights(score)) for score in SCORES)


def compare(
    margins: Margins,
    forget: Mask,
    null: Mask,
    rng: np.random.Generator,
    permutations: int,
    trace: TraceScores | None = None,
) -> Evidence | None:
    """Compare forget with null records under `margins.unlearned`; None where the null records have no spread.

    Parameters
    ----------
    trace : TraceScores or None
        The trace scores of `margins`, where they are known.
    """
    trace = trace_scores(margins, null) if trace is None else trace
    if trace is None:
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
        allowed = allowance(trace, matching, score, forget, null)
        tests.append(group_test(trace.values[score, rows], forget[rows], permuted, rng, allowed))
    return Evidence(trace, forget, null, matching, tuple(tests))


def allowance(trace: TraceScores, matching: Matching, score: int, forget: Mask, null: Mask) -> float:
    """Return by how much the forget records are moved towards the null ones, for the error of the fit they share."""
    weights = _null_weights(matching, score, forget, null)
    error, sampling = (
        trace.fit_error(score, forget, null, weights),
        1 / forget.sum() + 1 / effective(weights),
    )
    return QUANTILE * float(np.sqrt(sampling + error**2) - np.sqrt(sampling))


def p_over_of_every_source(
    margins: Margins, forget: Mask, null: Mask, rng: np.random.Generator, permutations: int
) -> float:
    """Return the largest p_over that any single source of never-seen records gives.

    Records that the audited model did see, hidden among the never-seen ones of one source, make every request look too
    far away. "Over" must hold against each source by itself.
    """
    sources, counts = np.unique(margins.source[null], return_counts=True)
    every = [
        compare(margins, forget, null & (margins.source == one), rng, permutations)
        for one in sources[counts >= FEWEST_NULL]
    ]
    return max((one.p_over for one in every if one is not None), default=1.0)


def _null_weights(matching: Matching, score: int, forget: Mask, null: Mask) -> Floats:
    weights = matching.weights(score, forget, null)
    return _even(int(null.sum())) if weights is None else weights


def request_seen(evidence: Evidence, original: TraceScores | None) -> Floats | None:
    """Return [2, n] the trace scores of the forget records under the original, which saw them.

    A request of easy or hard records, or of one class, bears another trace than kept records do; the original shows
    which. None where there is no original, or where the request is a mix as kept records are.
    """
    return original.values[:, evidence.forget] if original is not None and evidence.matching.differs else None


def left(evidence: Evidence, kept: Mask, seen: Floats | None, level: float) -> Share:
    """Return the influence left, with the further ends of all intervals; 1 = all of it.

    All of it is what kept records show, and, where the request is of another kind, what `seen` [2, n] shows.
    """
    shares = []
    for score in SCORES:
        t = evidence.scores[score]
        weights = evidence.matching.weights(score, evidence.forget, kept)
        wholes = [(t[kept], _even(int(kept.sum())) if weights is None else weights)]
        if seen is not None:
            wholes.append((seen[score], _even(seen.shape[1])))
        for whole_scores, whole_weights in wholes:
            shares.append(
                influence_left(
                    t[evidence.forget], t[evidence.null], whole_scores, level, evidence.null_weights(score),
                    whole_weights, evidence.fit_error(score),
                )
            )  # fmt: skip
    value = float(np.mean([share.value for share in shares]))
    return Share(value, min(share.low for share in shares), max(share.high for share in shares))


def likeness(margins: Margins, evidence: Evidence, kept: Mask) -> Floats:
    """Return [1 or 2, N] how much a record is like one that the audited model still has; larger = more.

    With the original's outputs it is minus the log-odds of IAM (Wang et al. 2025), online, in its recommended form:
    sharper, because it knows how far each record had to fall. Without them it is both trace scores.
    """
    if margins.original is None:
        return evidence.scores
    of = [bounded_gumbel(special.expit(m)) for m in (margins.unlearned, margins.shadows, margins.original)]
    own, out, fitted = of
    pair = np.cov(np.stack([out[:, kept].mean(axis=0), fitted[kept]]), ddof=0)
    moments = Moments(float(out[:, kept].var()), float(pair[1, 1]), float(pair[0, 1]))
    if moments.scale(0.0) == 0:
        return evidence.scores
    return -interpolate(own, out, fitted, moments=moments, output="log_odds")[None]


def whole(
    evidence: Evidence, alike: Floats, kept: Mask, seen: Floats | None, alpha: float, sharper: float = 1.0
) -> int:
    """Return how many forget records could be whole, by the blunter of the scores in `alike`.

    They are compared with kept records and, where the request is of another kind, with itself under the original.

    Parameters
    ----------
    sharper : float
        By how much kept records are moved further away from the forget ones: 1 = as they are; see `unlimited`.
    """
    matched, forget = _matched(evidence, kept), evidence.forget
    pairs = [(one[forget], one[matched]) for one in alike]
    if seen is not None:
        pairs += [(evidence.scores[k, forget], seen[k]) for k in SCORES]
    apart = [np.maximum(0.0, one.mean() - asked.mean()) * (sharper - 1) for asked, one in pairs]
    return max(
        could_be_whole(asked, one + far, alpha) for (asked, one), far in zip(pairs, apart, strict=True)
    )


def unlimited(shadows: int) -> float:
    """Return by which factor any number of shadow models would set kept and never-seen records further apart.

    A trace score is the audited model's answer less the shadows' mean. In deviations of one training its noise is
    sqrt(1 + 1/S) with S shadows, and 1 with any number: the audited model's own noise stays.
    """
    return float(np.sqrt(1 + 1 / shadows))


def _even(count: int) -> Floats:
    return np.full(count, 1 / count)


def _matched(evidence: Evidence, kept: Mask) -> Mask:
    """Return which kept records to compare with: thinned to the strata of the request, where that leaves enough."""
    weights = evidence.matching.weights(0, evidence.forget, kept)
    if weights is None or weights.max() <= weights[weights > 0].min() * (1 + 1e-9):
        return kept
    draws = np.random.default_rng(0).random(len(weights))
    thinned = kept.copy()
    thinned[kept] = draws < weights / weights.max()
    return thinned if thinned.sum() >= ENOUGH else kept


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
    evidence: Evidence, alike: Floats, kept: Mask, p_under: Floats, p_over: Floats, alpha: float
) -> NDArray[np.str_]:
    """Return [n] "under", "over", "cleared" or "undecided" for each forget record.

    Benjamini and Hochberg over the request: at alpha / 2 in each direction against never-seen records, and at alpha
    against kept ones, which a record must not resemble to be cleared.
    """
    forget = evidence.forget
    under, over = (stats.false_discovery_control(p[forget]) <= alpha / 2 for p in (p_under, p_over))
    cleared = np.zeros(int(forget.sum()), bool)
    if kept.any():
        like_kept, matched = np.zeros(int(forget.sum())), _matched(evidence, kept)
        for one in alike:
            below = np.searchsorted(np.sort(one[matched]), one[forget], side="right")
            np.maximum(like_kept, (1 + below) / (1 + matched.sum()), out=like_kept)
        cleared = stats.false_discovery_control(like_kept) <= alpha
    quiet = np.where(cleared, "cleared", "undecided")
    return np.where(under, "under", np.where(over, "over", quiet))
