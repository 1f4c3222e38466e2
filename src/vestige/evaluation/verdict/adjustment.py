"""Two trace scores of a record: how much more the audited model fits it than never-seen records of its difficulty.

Both are larger for more trace, and are scaled so that never-seen records have standard deviation 1. The never-seen
records are scored with the audited model itself, so that its scale, offset and class effects cancel.

    regression   u - h(b, class), h a ridge of u on b (hinges at its deciles 1, 3, 5, 7, 9) and the class
    change       u - c b, c the ratio of standard deviations; minus the mean of the class, shrunk

u is the audited model's margin, b the shadows'. Which of them is right depends on how the forget set came about
(Lord's paradox): a set chosen by the records' true difficulty is judged rightly by `change`, one that was chosen by
the shadow's own answer by `regression`. A verdict computes both and takes the cautious one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestige.evaluation.verdict.margins import Floats, Margins, Mask

FOLDS = 5
KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)
SLOPE_PENALTY, HINGE_PENALTY, CLASS_PENALTY = 1e-3, 5.0, 3.0
ADJUSTMENTS = ("regression", "change")


def trace_scores(margins: Margins, null: Mask) -> Floats | None:
    """Return [2, N] the trace scores, a row for each of `ADJUSTMENTS`; None where the null has no spread.

    A record of the null is left out of its own fold's fit; every other record is scored by one fold's fit, so that
    it is exchangeable with them.
    """
    fold = np.arange(len(margins)) % FOLDS
    if len(np.unique(fold[null])) < FOLDS:  # a handful of null records may miss a fold
        fold = np.empty(len(margins), np.int64)
        for rows in (null, ~null):
            fold[rows] = np.arange(rows.sum()) % FOLDS
    scores = np.stack([_regression(margins, null, fold), _change(margins, null, fold)])
    spread = scores[:, null].std(axis=1, ddof=1)
    if not np.isfinite(spread).all() or (spread < 1e-12).any():
        return None
    return np.asarray((scores - scores[:, null].mean(axis=1, keepdims=True)) / spread[:, None])


def _regression(margins: Margins, null: Mask, fold: NDArray[np.int64]) -> Floats:
    u, b, classes = margins.unlearned, margins.difficulty, margins.labels
    scale = b[null].std() or 1.0
    z = (b - b[null].mean()) / scale
    knots = np.quantile(z[null], KNOTS)
    design = np.stack([np.ones_like(z), z, *(np.maximum(z - knot, 0) for knot in knots)], axis=1)
    penalty = np.diag([0.0, SLOPE_PENALTY] + [HINGE_PENALTY] * len(KNOTS))
    residual = np.empty_like(u)
    for k in range(FOLDS):
        fit, judged = null & (fold != k), fold == k
        slope, level = _ridge(design[fit], u[fit], classes[fit], penalty, int(classes.max()) + 1)
        residual[judged] = u[judged] - design[judged] @ slope - level[classes[judged]]
    return residual


def _ridge(
    design: Floats, target: Floats, classes: NDArray[np.int64], penalty: Floats, count: int
) -> tuple[Floats, Floats]:
    """Return coefficients [K] of the design and levels [C] of the classes; the classes' block is diagonal."""
    sizes = np.bincount(classes, minlength=count) + CLASS_PENALTY
    cross = np.stack([np.bincount(classes, weights=column, minlength=count) for column in design.T])  # [K, C]
    sums = np.bincount(classes, weights=target, minlength=count)
    left = design.T @ design + penalty - (cross / sizes) @ cross.T
    slope = np.linalg.lstsq(left, design.T @ target - cross @ (sums / sizes), rcond=None)[0]
    return np.asarray(slope, np.float64), np.asarray((sums - slope @ cross) / sizes, np.float64)


def _change(margins: Margins, null: Mask, fold: NDArray[np.int64]) -> Floats:
    u, classes, count = margins.unlearned, margins.labels, int(margins.labels.max()) + 1
    total = np.zeros_like(u)
    for b in margins.shadows:
        for k in range(FOLDS):
            fit, judged = null & (fold != k), fold == k
            ratio = u[fit].std() / (b[fit].std() or 1.0)
            drift = u - u[fit].mean() - ratio * (b - b[fit].mean())
            sums = np.bincount(classes[fit], weights=drift[fit], minlength=count)
            level = sums / (np.bincount(classes[fit], minlength=count) + CLASS_PENALTY)
            total[judged] += drift[judged] - level[classes[judged]]
    return total / len(margins.shadows)
