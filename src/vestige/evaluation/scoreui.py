"""ScoreUI: do the scores of a measure follow the degree to which samples are in the model?

Wang et al. 2025 (IAM), USENIX Security: checkpoints of a model that is trained into the data stand for degrees of
membership from 0 to 1. Scores point to "unlearned", so they are correlated with 1 - degree: 1 = perfect.

The published figure pools all samples and checkpoints, and so mixes two questions: whether scores of different
samples are on one scale, and whether each sample's scores rise as it fades. `per_sample` asks the second alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vestige.arguments import Array, Draws, Seed, checked
from vestige.errors import InputError
from vestige.values import as_floats

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreUI:
    """Result of `scoreui`; every figure from -1 to 1, 0 = unrelated, 1 = scores fall exactly as membership rises.

    Attributes
    ----------
    pooled : float
        Spearman correlation over all samples and checkpoints, as published.
    low, high : float
        Its 95 % interval over samples (ranks are taken once).
    per_sample : float
        Mean Spearman correlation within a sample.
    kendall : float
        Kendall's tau-b over all samples and checkpoints.
    constant : int
        Samples whose scores are all the same; they are not in `per_sample`.
    """

    pooled: float
    low: float
    high: float
    per_sample: float
    kendall: float
    constant: int


@checked
def scoreui(scores: Array, degree: Array, *, draws: Draws = 1000, seed: Seed = 0) -> ScoreUI:
    """Correlate scores with the degree of membership over a chain of checkpoints.

    Parameters
    ----------
    scores : float [N, B]
        Larger = more unlearned.
    degree : float [B]
        Degree of membership of each checkpoint, at least two different ones.

    Raises
    ------
    InputError
        Where the arrays do not fit, hold a NaN, or all scores are the same.
    """
    x, d = (
        as_floats(name, value).astype(np.float64) for name, value in (("scores", scores), ("degree", degree))
    )
    if x.ndim != 2 or d.shape != x.shape[1:] or not len(x):
        raise InputError(
            f"scores has shape {list(x.shape)}, degree {list(d.shape)}; [N, B] and [B] are wanted."
        )
    if len(np.unique(d)) < 2 or x.min() == x.max():
        raise InputError("scores and degree must each hold at least two different values.")
    gone = np.broadcast_to(1 - d, x.shape)
    ranks = (stats.rankdata(x).reshape(x.shape), stats.rankdata(gone).reshape(x.shape))
    rng = np.random.default_rng(seed)
    drawn = [_pooled(*ranks, rng.integers(0, len(x), len(x))) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    rows = stats.rankdata(x, axis=1)
    moving = np.ptp(rows, axis=1) > 0
    within = _correlation(rows[moving], np.broadcast_to(stats.rankdata(1 - d), rows[moving].shape))
    return ScoreUI(
        pooled=_pooled(*ranks, np.arange(len(x))),
        low=float(low),
        high=float(high),
        per_sample=float(within.mean()) if moving.any() else 0.0,
        kendall=float(stats.kendalltau(x.ravel(), gone.ravel()).statistic),
        constant=int((~moving).sum()),
    )


def _pooled(scores: Floats, gone: Floats, rows: NDArray[Any]) -> float:
    return float(_correlation(scores[rows].reshape(1, -1), gone[rows].reshape(1, -1))[0])


def _correlation(x: Floats, y: Floats) -> Floats:
    """Pearson correlation of each row of x with the same row of y."""
    a, b = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    size = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    return np.asarray(np.divide((a * b).sum(axis=1), size, out=np.zeros(len(x)), where=size > 0))
