"""Two trace scores of a record: how much more the audited model fits it than never-seen records of its difficulty.

Both are larger for more trace, and are scaled so that never-seen records have standard deviation 1. The never-seen
records are scored with the audited model itself, so that its scale, offset and class effects cancel.

    regression   u - h(b, class), h a ridge of u on b (hinges at its deciles 1, 3, 5, 7, 9) and the class
    change       u - e(b), e equating the quantiles of never-seen records; minus the mean of the class, shrunk

u is the audited model's margin, b the shadows'. Which of them is right depends on how the forget set came about
(Lord's paradox): a set chosen by the records' true difficulty is judged rightly by `change`, one that was chosen by
the shadow's own answer by `regression`. A verdict computes both and takes the cautious one.

What is subtracted was fitted, and its error is shared by all records of a request that differs in difficulty from the
never-seen ones. The fits of all folds are kept, so that this error can be told (a jackknife).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vestige.evaluation.verdict.margins import Floats, Margins, Mask

FOLDS = 10
KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)
SLOPE_PENALTY, HINGE_PENALTY, CLASS_PENALTY = 1e-3, 5.0, 3.0
EQUATED, FEWEST_TO_EQUATE = np.array([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98]), 200
ADJUSTMENTS = ("regression", "change")


class TraceScores(NamedTuple):
    """Trace scores and what was subtracted for them, both in standard deviations of never-seen records.

    Attributes
    ----------
    values : float [2, N]
        A row for each of `ADJUSTMENTS`; larger = more trace.
    fits : float [2, FOLDS, N]
        What each fold's fit subtracts from each record.
    """

    values: Floats
    fits: Floats

    def fit_error(self, score: int, forget: Mask, null: Mask, weights: Floats) -> float:
        """Return the jackknife's standard error, by the fit, of mean(forget) - weighted mean(null)."""
        fits = self.fits[score]
        difference = fits[:, forget].mean(axis=1) - fits[:, null] @ weights
        return float(np.sqrt((FOLDS - 1) / FOLDS * np.square(difference - difference.mean()).sum()))


def trace_scores(margins: Margins, null: Mask) -> TraceScores | None:
    """Return the trace scores of all records; None where the never-seen ones have no spread.

    A record of the null is left out of its own fold's fit; every other record is scored by one fold's fit, so that
    it is exchangeable with them.
    """
    fold = np.empty(len(margins), np.int64)
    for rows in (null, ~null):
        fold[rows] = np.arange(rows.sum()) % FOLDS
    fits = np.stack([_regression(margins, null, fold), _change(margins, null, fold)])
    values = margins.unlearned - fits[:, fold, np.arange(len(margins))]
    spread = values[:, null].std(axis=1, ddof=1)
    if not np.isfinite(spread).all() or (spread < 1e-12).any():
        return None
    values = (values - values[:, null].mean(axis=1, keepdims=True)) / spread[:, None]
    return TraceScores(values, fits / spread[:, None, None])


def _regression(margins: Margins, null: Mask, fold: NDArray[np.int64]) -> Floats:
    """Return [FOLDS, N] what a ridge on difficulty and class says of every record."""
    u, b, classes = margins.unlearned, margins.difficulty, margins.labels
    scale = b[null].std() or 1.0
    z = (b - b[null].mean()) / scale
    knots = np.quantile(z[null], KNOTS)
    design = np.stack([np.ones_like(z), z, *(np.maximum(z - knot, 0) for knot in knots)], axis=1)
    penalty = np.diag([0.0, SLOPE_PENALTY] + [HINGE_PENALTY] * len(KNOTS))
    fits = np.empty((FOLDS, len(u)))
    for k in range(FOLDS):
        fit = np.flatnonzero(null & (fold != k))
        slope, level = _ridge(design[fit], u[fit], classes[fit], penalty, int(classes.max()) + 1)
        fits[k] = design @ slope + level[classes]
    return fits


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
    """Return [FOLDS, N] the shadows' margins on the audited model's scale, with the mean of the class."""
    u, classes, count = margins.unlearned, margins.labels, int(margins.labels.max()) + 1
    fits = np.empty((FOLDS, len(u)))
    never_seen = np.concatenate([u[None], margins.shadows])[:, null]
    order = np.argsort(never_seen, axis=1)
    ordered, folds = np.take_along_axis(never_seen, order, axis=1), fold[null][order]
    for k in range(FOLDS):
        fit = np.flatnonzero(null & (fold != k))
        own, kinds = u[fit], classes[fit]
        y, *every = quantiles(ordered[folds != k].reshape(len(ordered), -1), EQUATED)
        each = zip(margins.shadows, margins.shadows[:, fit], every, strict=True)
        moved = np.mean([_equated(b, of_shadow, own, x, y) for b, of_shadow, x in each], axis=0)
        size = np.bincount(kinds, minlength=count) + CLASS_PENALTY
        level = np.bincount(kinds, weights=own - moved[fit], minlength=count) / size
        fits[k] = moved + level[classes]
    return fits


def quantiles(ordered: Floats, at: Floats) -> Floats:
    """Return [R, K] the quantiles at K shares below 1 of R rows of two or more sorted numbers, as `np.quantile`."""
    place = at * (ordered.shape[1] - 1)
    below = place.astype(np.int64)
    low, high = ordered[:, below], ordered[:, below + 1]
    return np.asarray(low + (high - low) * (place - below))


def _equated(b: Floats, of_shadow: Floats, of_audited: Floats, x: Floats, y: Floats) -> Floats:
    """Return the shadow's margins on the audited model's scale: equal quantiles of never-seen records become equal.

    Between the quantiles `x` of the shadow and `y` of the audited model, and beyond the outer ones, the map is linear;
    with few records it is one line.
    """
    if len(of_shadow) < FEWEST_TO_EQUATE or np.diff(x).min() < 1e-9:
        return np.asarray(
            of_audited.mean() + of_audited.std() / (of_shadow.std() or 1.0) * (b - of_shadow.mean())
        )
    first, last = min(b.min(), x[0] - 1), max(b.max(), x[-1] + 1)
    slope = np.diff(y) / np.diff(x)
    ends = y[0] - (x[0] - first) * slope[0], y[-1] + (last - x[-1]) * slope[-1]
    return np.asarray(np.interp(b, [first, *x, last], [ends[0], *y, ends[1]]))
