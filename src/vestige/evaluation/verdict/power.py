"""What the audit could have seen: the group test as it was run, on traces that are planted.

Null records are drawn anew in the place of the request, as many as it has; a few of them are replaced by kept records
(a rare, whole trace), or all are moved towards these (a weak trace in every record). The share of draws in which the
same permutations call that a trace is the power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestige.evaluation.verdict.evidence import SCORES, Evidence
from vestige.evaluation.verdict.margins import MOST, Floats, Mask
from vestige.evaluation.verdict.permutation import Judge, group_test, permuted_labels, scans

RARE, WEAK = (0.01, 0.05), (0.05, 0.1, 0.25)
DRAWS, PERMUTATIONS = 50, 399
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Power:
    """With which probability a trace would have been found.

    Attributes
    ----------
    trace : str
        In words: "1 of 60 records whole", "10 % of the influence in every record".
    records : int
        How many records bear it.
    influence : float
        How much of a kept record's influence each of them keeps, 0 to 1.
    probability : float
        Share of planted traces that the group test finds at alpha / 2, 0 to 1; larger = sharper.
    """

    trace: str
    records: int
    influence: float
    probability: float


def power(evidence: Evidence, kept: Mask, alpha: float, rng: np.random.Generator) -> tuple[Power, ...]:
    """Return the power for one whole record, 1 % and 5 % of them, and for 5, 10 and 25 % left in every record.

    None of it where the request has no class, and no difficulty, in common with a never-seen record.
    """
    if not _comparable(evidence).any():
        return ()
    n = int(evidence.forget.sum())
    counts = list(dict.fromkeys([1, *(max(1, round(share * n)) for share in RARE)]))
    planted = [(count, 1.0) for count in counts] + [(n, share) for share in WEAK]
    drawn = _draw(evidence, kept, rng)
    found = [np.ones(DRAWS, bool) for _ in planted]
    for score in SCORES:
        t = evidence.scores[score]
        forget, null, whole = (t[rows] for rows in drawn)
        judge = _judge(forget[0], null[0], rng)
        step = t[kept].mean() - np.average(t[evidence.null], weights=evidence.null_weights(score))
        for k, (count, share) in enumerate(planted):
            rare = np.concatenate([whole[:, :count], forget[:, count:]], axis=1)
            p = _p_under(judge, forget + share * step if share < 1 else rare, null)
            found[k] &= p <= alpha / 2
    return tuple(
        Power(_words(count, n, share), count, share, float(hits.mean()))
        for (count, share), hits in zip(planted, found, strict=True)
    )


def _words(count: int, n: int, share: float) -> str:
    return f"{share:.0%} of the influence in every record" if share < 1 else f"{count:,} of {n:,} whole"


def _comparable(evidence: Evidence) -> Mask:
    """Return which records are never-seen ones in a stratum of the request."""
    return np.asarray(evidence.null & (evidence.matching.strata >= 0).all(axis=0))


def _draw(evidence: Evidence, kept: Mask, rng: np.random.Generator) -> tuple[Rows, Rows, Rows]:
    """Return positions [DRAWS, n] of pseudo-forget, [DRAWS, m] of pseudo-null and [DRAWS, n] of kept records."""
    n = min(int(evidence.forget.sum()), MOST)
    matched = _comparable(evidence)
    used = np.flatnonzero(matched)
    weights = evidence.null_weights(1)[np.flatnonzero(matched[evidence.null])]
    forget = rng.choice(used, (DRAWS, n), p=weights / weights.sum())
    return forget, rng.choice(used, (DRAWS, len(used))), rng.choice(np.flatnonzero(kept), (DRAWS, n))


def _judge(forget: Floats, null: Floats, rng: np.random.Generator) -> Judge:
    """Return the judge of requests without a trace, of this size."""
    scores, labels = np.concatenate([forget, null]), np.arange(len(forget) + len(null)) < len(forget)
    strata = np.zeros(len(scores), np.int64)
    return group_test(scores, labels, permuted_labels(labels, strata, rng, PERMUTATIONS), rng).judge


def _p_under(judge: Judge, forget: Floats, null: Floats) -> Floats:
    labels = np.argsort(-np.concatenate([forget, null], axis=1), axis=1) < forget.shape[1]
    return judge.p_values(judge.standard(forget).sum(axis=1), scans(labels))[0]
