"""How well an attack tells the statuses apart. Rows of one set share a model: intervals resample whole sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Array, Between, Draws, Number, Seed, checked
from vestige.errors import InputError
from vestige.evaluation.roc import auc, tpr_at_fpr
from vestige.leaks.record import PosteriorPairs
from vestige.values import as_array, as_floats, as_mask

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """Figures of one attack on target rows; 0.5 of AUC and accuracy is chance, larger = more is given away.

    Attributes
    ----------
    low, high : float
        95 % interval of the AUC over resampled sets; both the AUC where there is one set.
    tpr_1, tpr_01 : float
        Share of deleted records found at 1 % and 0.1 % of the others accused.
    rows : int
        Of either kind.
    """

    auc: float
    low: float
    high: float
    accuracy: float | None
    tpr_1: float
    tpr_01: float
    rows: int


@checked
def figures(score: Array, positive: Array, sets: Array, *, threshold: Number | None = None) -> Figures:
    """Return the figures of scores [n], larger = more likely deleted.

    Parameters
    ----------
    positive : bool [n]
        Which rows are deleted.
    sets : array [n]
        Which rows belong together.
    threshold : float or None
        Of the 0/1 decision, for the accuracy; None: no decision.

    Raises
    ------
    InputError
        Where a kind is missing or a score is not finite.
    """
    score, positive, sets = _rows(score, positive, sets)
    value = auc(score[positive], score[~positive])
    low, high = clustered_interval(score, positive, sets)
    decided = None if threshold is None else float(((score >= threshold) == positive).mean())
    ones, zeros = -score[~positive], -score[positive]  # the ROC's "retained" are found at low scores
    return Figures(
        value, low, high, decided, tpr_at_fpr(ones, zeros, 0.01), tpr_at_fpr(ones, zeros, 0.001), len(score)
    )


@checked
def clustered_interval(
    score: Array,
    positive: Array,
    sets: Array,
    *,
    baseline: Array | None = None,
    draws: Draws = 2000,
    level: Between = 0.95,
    seed: Seed = 0,
) -> tuple[float, float]:
    """Return the percentile interval of the AUC over resampled sets; both ends the AUC where there is one set.

    Parameters
    ----------
    baseline : ArrayLike or None
        Scores [n] of another attack on the same rows: the interval is then that of the gain over its AUC,
        paired.

    Raises
    ------
    InputError
        Where the arrays do not fit, a kind is missing or a score is not finite.
    """
    values = _resampled(*_rows(score, positive, sets), draws, seed)
    if baseline is not None:
        values = values - _resampled(*_rows(baseline, positive, sets), draws, seed)
    tail = (1 - level) / 2
    low, high = np.quantile(values[~np.isnan(values)], [tail, 1 - tail])
    return float(low), float(high)


def _rows(
    score: Array, positive: Array, sets: Array, *, both: bool = True
) -> tuple[Floats, NDArray[np.bool_], NDArray[Any]]:
    """Return scores, truth and sets, [n] each, as arrays. Raises `InputError`."""
    scores = as_floats("The attack's scores", score).astype(np.float64, copy=False)
    truth, groups = as_mask("positive", positive), as_array("sets", sets)
    if scores.ndim != 1 or not scores.shape == truth.shape == groups.shape or groups.dtype.kind not in "iuU":
        raise InputError(
            f"scores {list(scores.shape)}, positive {list(truth.shape)} and sets {list(groups.shape)} of "
            f"{groups.dtype} do not fit; [n] each, and whole numbers or names for the sets, are wanted."
        )
    if both and (truth.all() or not truth.any()):
        raise InputError("An attack is judged on rows of both kinds.")
    return scores, truth, groups


def _resampled(
    score: Floats, positive: NDArray[np.bool_], sets: NDArray[np.int64], draws: int, seed: int
) -> Floats:
    """Return the AUC of every draw [draws] of whole sets; NaN where a draw has one kind only.

    Wins of positives of set a over negatives of set b are counted once, in a matrix; a draw is a weighting of it.
    """
    names, number = np.unique(sets, return_inverse=True)
    if len(names) < 2:
        return np.array([auc(score[positive], score[~positive])])
    wins = np.zeros((len(names), len(names)))
    groups = [
        (score[(number == k) & positive], np.sort(score[(number == k) & ~positive]))
        for k in range(len(names))
    ]
    for a, (own, _) in enumerate(groups):
        for b, (_, others) in enumerate(groups):
            below, upto = (np.searchsorted(others, own, side=side) for side in ("left", "right"))
            wins[a, b] = (below + upto).sum() / 2
    ones, zeros = (np.array([len(g[k]) for g in groups], float) for k in (0, 1))
    weights = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=draws
    )
    total = (weights @ ones) * (weights @ zeros)
    won = np.einsum("da,ab,db->d", weights, wins, weights)
    return np.where(total > 0, won / np.where(total > 0, total, 1), np.nan)


@dataclass(frozen=True)
class Degradation:
    """Gain of confidence in the truth over a baseline attack, on the same rows.

    They depend on calibration, and can disagree with the AUC in sign: never read them alone.

    Attributes
    ----------
    count : float
        DegCount: share of rows with more confidence in the truth; neutral is half of the rows that are not
        tied.
    ties : float
        Share of rows with the same.
    rate : float
        DegRate: mean gain, from -1 to 1.
    """

    count: float
    ties: float
    rate: float


def degradation(probability: Array, baseline: Array, positive: Array) -> Degradation:
    """Return DegCount and DegRate of an attack's probabilities [n] against a baseline's.

    Raises `InputError` where the arrays do not fit.
    """
    positive = as_mask("positive", positive)
    places = np.arange(positive.size)
    (probability, positive, _), (baseline, _, _) = (
        _rows(p, positive, places, both=False) for p in (probability, baseline)
    )
    own, other = (np.where(positive, p, 1 - p) for p in (probability, baseline))
    return Degradation(float((own > other).mean()), float((own == other).mean()), float((own - other).mean()))


@checked
def overfitting(pairs: PosteriorPairs) -> float | None:
    """Return the original's accuracy on records that it was trained on, minus that on others; None without labels.

    From -1 to 1; larger = more overfitted. Raises `InputError` where one of the two kinds is missing.
    """
    if pairs.labels is None:
        return None
    right, outside = pairs.original.argmax(axis=1) == pairs.labels, pairs.status == "outside"
    if outside.all() or not outside.any():
        raise InputError(
            "Overfitting is judged on records of the training set and on others; one kind is missing."
        )
    return float(right[~outside].mean() - right[outside].mean())
