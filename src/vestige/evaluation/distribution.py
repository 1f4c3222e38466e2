"""How far the scores under an unlearned model lie from those under an exactly retrained one, as distributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from vestige.arguments import Array, Draws, Seed, checked
from vestige.errors import InputError
from vestige.values import as_floats


@dataclass(frozen=True)
class Distance:
    """Result of `distance`; 0 = the same distribution.

    Attributes
    ----------
    ks, p : float
        Kolmogorov-Smirnov statistic, from 0 to 1, and its p-value.
    wasserstein : float
        Mean distance that a score has to be moved, in units of the score.
    low, high : float
        95 % interval of `wasserstein` over samples; its lower end is never 0, for samples scatter.
    """

    ks: float
    p: float
    wasserstein: float
    low: float
    high: float


@checked
def distance(unlearned: Array, retrained: Array, *, draws: Draws = 500, seed: Seed = 0) -> Distance:
    """Compare scores [N] under the unlearned model with scores [M] under the retrained model.

    Raises `InputError` where either is empty or holds a NaN.
    """
    x, y = (
        as_floats(name, scores).astype(np.float64).ravel()
        for name, scores in (("unlearned", unlearned), ("retrained", retrained))
    )
    for name, values in (("unlearned", x), ("retrained", y)):
        if not len(values):
            raise InputError(f"{name} must hold at least one score.")
    found = stats.ks_2samp(x, y)
    rng = np.random.default_rng(seed)
    drawn = [stats.wasserstein_distance(rng.choice(x, len(x)), rng.choice(y, len(y))) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    moved = stats.wasserstein_distance(x, y)
    return Distance(float(found.statistic), float(found.pvalue), float(moved), float(low), float(high))
