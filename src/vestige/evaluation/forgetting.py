"""The forgetting score of the NeurIPS 2023 unlearning challenge: how near to retraining, times how useful still.

Triantafillou et al.: Are we making progress in unlearning? Findings from the first NeurIPS unlearning competition.
2024, arXiv 2406.09073; the formulas are those of the released scoring code.

    eps    per forget sample, the largest epsilon at delta = 1e-5 over tests on the log-odds of the true label: one
           threshold, or the two ends of an interval, on a grid of 100 points per unit; at most 50
    H      2 / 2^n in the n-th bin of width 0.5 from 0, for bins that end at or below ceil(log(N - 1)); else 0
    F      mean of H over the forget samples
    score  F * (retain accuracy, unlearned / retrained) * (test accuracy, unlearned / retrained)

The largest of 160,000 in-sample tests is never small: identical models score F of about 0.18, at any N, and not 1.
That value is computed beside every result. The grid is not scale-free, and the ratios may exceed 1. `recommended`
takes H of the cross-fitted epsilon-hat, for which identical models score near 1, and caps the ratios at 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Array, Draws, Seed, checked
from vestige.errors import InputError, unknown
from vestige.evaluation.epsilon import cross_fitted, formula, statistics
from vestige.signals.transforms import margin

Floats = NDArray[np.float64]
PRESETS = ("recommended", "paper", "neurips2023")
DELTA, CAP, PER_UNIT, BUFFER, NARROW = 1e-5, 50.0, 100, 2.0, 0.01


@dataclass(frozen=True, eq=False)
class ForgettingScore:
    """Result of `forgetting_score`; all but `epsilon` larger = better.

    Attributes
    ----------
    epsilon : float [N]
        Of every forget sample, from 0 to 50.
    points : float [N]
        H of every sample, from 0 to 1.
    quality : float
        F, the mean of `points`.
    retain_ratio : float or None
        Retain accuracy of the unlearned over that of the retrained models; None where not given.
    test_ratio : float or None
        The same on the test set.
    score : float or None
        F times both ratios; None where they were not given.
    perfect : float
        F of a perfect unlearner: of models drawn like the retrained ones, at these counts.
    relative : float
        `quality` over `perfect`; 1 = as good as retraining by this score.
    bins : int
        How many bins earn points at this number of models.
    """

    epsilon: Floats
    points: Floats
    quality: float
    retain_ratio: float | None
    test_ratio: float | None
    score: float | None
    perfect: float
    relative: float
    bins: int


@checked
def forgetting_score(
    retrained: Array,
    unlearned: Array,
    labels: Array,
    *,
    retain_accuracy: tuple[float, float] | None = None,
    test_accuracy: tuple[float, float] | None = None,
    preset: str = "recommended",
    simulated: Draws = 300,
    seed: Seed = 0,
) -> ForgettingScore:
    """Return the forgetting score from logits of retrained and unlearned models on the forget samples.

    Parameters
    ----------
    retrained, unlearned : float [R, N, C] and [U, N, C]
        At least four models each (published: 512).
    labels : int [N]
    retain_accuracy : tuple[float, float] or None
        Mean accuracy on the retained samples: (unlearned, retrained).
    test_accuracy : tuple[float, float] or None
        The same on the test set.
    preset : str
        "recommended", or as published: "paper", also called "neurips2023" after the challenge.
    simulated : int
        Samples on which a perfect unlearner is simulated: normal log-odds with the mean and deviation of the
        retrained models, drawn for both sides.

    Raises
    ------
    InputError
        For an unknown preset, and for arrays or accuracies that do not fit.
    """
    if preset not in PRESETS:
        raise InputError(unknown("preset", preset, PRESETS))
    transform = published_log_odds if preset != "recommended" else margin
    first, second = (
        statistics(name, x, labels, transform)
        for name, x in (("retrained", retrained), ("unlearned", unlearned))
    )
    if len(first) != len(second):
        raise InputError(f"retrained has {len(first)} samples, unlearned {len(second)}; as many are wanted.")
    estimate = grid_epsilon if preset != "recommended" else _cross_fitted
    bins = int(np.ceil(np.log(min(first.shape[1], second.shape[1]) - 1)) / 0.5)
    epsilon = estimate(first, second)
    points = _points(epsilon, bins)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(first))[:simulated])
    centre, spread = first[rows].mean(axis=1, keepdims=True), first[rows].std(axis=1, ddof=1, keepdims=True)
    drawn = (rng.normal(centre, spread, (len(rows), side.shape[1])) for side in (first, second))
    perfect = float(_points(estimate(*drawn), bins).mean())
    capped = preset == "recommended"
    retain = _ratio("retain_accuracy", retain_accuracy, capped=capped)
    test = _ratio("test_accuracy", test_accuracy, capped=capped)
    quality = float(points.mean())
    score = None if retain is None or test is None else quality * retain * test
    relative = quality / perfect if perfect > 0 else 0.0
    return ForgettingScore(epsilon, points, quality, retain, test, score, perfect, relative, bins)


def published_log_odds(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Floats:
    """log(p + 1e-45) - log(1 - p + 1e-45) of the true label, exponentials in the precision of the logits."""
    rows = np.arange(len(labels))
    p = np.exp(logits - logits.max(axis=-1, keepdims=True)).astype(np.float64)
    p /= p.sum(axis=-1, keepdims=True)
    right = p[..., rows, labels].copy()
    p[..., rows, labels] = 0
    return np.asarray(np.log(right + 1e-45) - np.log(p.sum(axis=-1) + 1e-45))


def grid_epsilon(retrained: Floats, unlearned: Floats, *, delta: float = DELTA) -> Floats:
    """The published epsilon [N] from log-odds [N, R] and [N, U], in 0..50.

    The interval's grid is laid round the group with the narrower range. As error rates are counts, the formula is
    tabulated for every pair of counts, and a test on the grid is two positions among the sorted log-odds.
    """
    result = np.empty(len(retrained))
    for row, (r, u) in enumerate(zip(retrained, unlearned, strict=True)):
        high, low = (r, u) if np.median(r) > np.median(u) else (u, r)
        ranges = np.ptp(high), np.ptp(low)
        if max(ranges) == 0:
            result[row] = 0.0 if high[0] == low[0] else CAP
        elif min(ranges) / max(ranges) < NARROW:
            result[row] = CAP
        else:
            inner, outer = (low, high) if ranges[0] >= ranges[1] else (high, low)
            result[row] = max(_one_threshold(high, low, delta), _interval(inner, outer, min(ranges), delta))
    return np.clip(result, 0.0, CAP)


def _one_threshold(positive: Floats, negative: Floats, delta: float) -> float:
    lowest, highest = min(positive.min(), negative.min()), max(positive.max(), negative.max())
    grid = np.linspace(lowest, highest, int(np.ceil((highest - lowest) * PER_UNIT)))
    missed, right = (np.searchsorted(np.sort(group), grid, side="left") for group in (positive, negative))
    table = _table(len(positive), len(negative), delta)
    return float(table[missed, len(negative) - right].max(initial=0.0))


def _interval(positive: Floats, negative: Floats, width: float, delta: float) -> float:
    lowest, highest = positive.min() + width - BUFFER, positive.max() + BUFFER
    right = np.linspace(lowest, highest, int(np.ceil((highest - lowest) * PER_UNIT)))
    shift = np.linspace(-BUFFER, BUFFER, int(np.ceil(2 * BUFFER * PER_UNIT)))
    both = np.concatenate([positive, negative])
    order = np.argsort(both, kind="stable")
    ranked = both[order]
    end = np.searchsorted(ranked, right, side="right")[:, None]
    start = np.minimum(np.searchsorted(ranked, right[:, None] - width + shift, side="left"), end)
    below = np.concatenate([[0], np.cumsum(order < len(positive))])
    found = below[end] - below[start]
    false = end - start - found
    return float(_table(len(positive), len(negative), delta)[len(positive) - found, false].max(initial=0.0))


def _table(positives: int, negatives: int, delta: float) -> Floats:
    """Epsilon for every number of missed positives (rows) and false positives; 0 where the test is dropped."""
    fnr, fpr = np.arange(positives + 1)[:, None] / positives, np.arange(negatives + 1) / negatives
    values = np.where((fnr == 0) | (fpr == 0), 0.0, np.maximum(formula(fpr, fnr, delta), 0.0))
    values[0, 0] = np.inf
    return np.asarray(values)


def _cross_fitted(retrained: Floats, unlearned: Floats) -> Floats:
    return cross_fitted(retrained, unlearned, DELTA, 0.95)[0]


def _points(epsilon: Floats, bins: int) -> Floats:
    place = np.floor(epsilon / 0.5)
    return np.where(place < bins, 0.5 ** np.minimum(place, 1000), 0.0)


def _ratio(name: str, pair: tuple[float, float] | None, *, capped: bool) -> float | None:
    if pair is None:
        return None
    unlearned, retrained = pair
    if not (0 <= unlearned <= 1 and 0 < retrained <= 1):
        raise InputError(f"{name} is {pair}; (unlearned, retrained) between 0 and 1 are wanted.")
    return min(unlearned / retrained, 1.0) if capped else unlearned / retrained
