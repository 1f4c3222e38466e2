"""An e-value of "no record of the request bears a trace": as large as the evidence is, however many tests there are.

A permutation p-value is never below 1 / (1 + permutations), and after a thousand tests a re-opening takes less. An
e-value has no such floor. For any function f >= 0 of the trace scores whose mean over all records of a stratum is 1,

    e = product over the forget records of f(x)

has an expectation of at most 1 where the labels forget and never-seen are exchangeable within strata: over random
subsets it is the elementary symmetric mean of f, which Maclaurin's inequality bounds by the mean of f to the power n.
No model of the scores is needed, and no permutation is drawn. Here

    f(x) = 1 - share + share exp(tilt x) / mean of exp(tilt x)

and e is the mean over a few tilts and shares, fixed before: a share of 1 finds a weak trace in every record, a small
one finds a strong trace in few.

References
----------
Vovk, Wang: E-values: calibration, combination and applications. Annals of Statistics 2021.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vestige.evaluation.verdict.evidence import FEWEST_NULL, SCORES, allowance, compare
from vestige.evaluation.verdict.margins import FORGET, HOLDOUT
from vestige.evaluation.verdict.permutation import CLIP
from vestige.evaluation.verdict.signals import judged_margins
from vestige.signals import Signals

Floats = NDArray[np.float64]
TILTS: tuple[tuple[float, float], ...] = (
    (0.1, 1.0), (0.2, 1.0), (0.4, 1.0), (0.8, 1.0), (1.2, 1.0), (2.0, 0.1), (2.0, 0.02),
)  # fmt: skip
"""Tilts, in one over the median absolute deviation, and the share of records that each looks for."""


def group_e_value(signals: Signals, *, seed: int = 0) -> float | None:
    """Return the e-value of a request, from the same trace scores, strata and records as the verdict.

    Parameters
    ----------
    signals : Signals
    seed : int
        The audit's.

    Returns
    -------
    float or None
        In [0, infinity); larger = more evidence of a trace; the smaller of both trace scores. None where the verdict
        compares nothing either.
    """
    own = judged_margins(signals)
    margins = own.margins.take(own.rows)
    forget, null = margins.of(FORGET), margins.of(HOLDOUT)
    if not len(margins.shadows) or null.sum() < FEWEST_NULL or not forget.any():
        return None
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[0])  # the verdict's: the same strata
    evidence = compare(margins, forget, null, rng, permutations=1)
    if evidence is None:
        return None
    logs = []
    for score in SCORES:
        strata = evidence.matching.strata[score]
        rows = (forget | null) & (strata >= 0)
        moved = allowance(evidence.trace, evidence.matching, score, forget, null)
        logs.append(log_e_value(evidence.scores[score, rows], forget[rows], strata[rows], moved))
    return float(np.exp(min(*logs, 700.0)))


def log_e_value(
    scores: Floats, forget: NDArray[np.bool_], strata: NDArray[np.int64], moved: float = 0.0
) -> float:
    """Return the logarithm of the e-value of the forget records among scores [N] in strata [N].

    Parameters
    ----------
    moved : float
        By which the forget records' scores are lowered first, for an error that they share.
    """
    centre = np.median(scores)
    spread = np.median(np.abs(scores - centre)) or scores.std() or 1.0

    def standard(values: Floats) -> Floats:
        with np.errstate(over="ignore"):  # what overflows is beyond the clip
            return np.asarray(np.clip((values - centre) / spread, -CLIP, CLIP))

    every, own, place = standard(scores), standard(scores[forget] - moved), strata[forget]
    counts = np.bincount(strata)
    logs = []
    for tilt, share in TILTS:
        mean = np.bincount(strata, np.exp(tilt * every)) / np.maximum(counts, 1)
        ratio = np.exp(tilt * own) / mean[place]
        logs.append(np.log1p(share * (ratio - 1)).sum())
    return float(special.logsumexp(logs) - np.log(len(TILTS)))
