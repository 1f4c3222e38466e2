"""How much can be left, how many records could be whole, how many bear a trace for certain.

Three bounds on trace scores (larger = more trace) of forget, null (never seen) and kept (still in the model) records.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from vestige.evaluation.verdict.margins import Floats
from vestige.evaluation.verdict.matching import effective

EXACT = 8  # records up to which the Mann-Whitney distribution is computed exactly
FEW = 20  # forget records below which their own spread says little
STEPS = (1, 2, 4, 8, 16, 32, 64, 128)


class Share(NamedTuple):
    """Influence left, as a share of a kept record's: 0 = none, 1 = all, below 0 = beyond never seen."""

    value: float
    low: float
    high: float


def influence_left(
    forget: Floats, null: Floats, kept: Floats, level: float, null_weights: Floats, kept_weights: Floats,
    fit_error: float = 0.0,
) -> Share:  # fmt: skip
    """Return (mean forget - mean null) / (mean kept - mean null) with Fieller's interval.

    Parameters
    ----------
    level : float
        The probability with which each end may miss the truth. An end is infinite where the data give none.
    fit_error : float
        Standard error that all forget records share.
    """
    floor = np.median(null) - 6 * stats.median_abs_deviation(null)
    forget, null, kept = (np.maximum(group, floor) for group in (forget, null, kept))
    f, (z, z_spread, z_n), (k, k_spread, k_n) = (
        forget.mean(), _moments(null, null_weights), _moments(kept, kept_weights)
    )  # fmt: skip
    spreads = [
        forget.var(ddof=1) if len(forget) > 1 else 0.0,
        z_spread,
        k_spread if len(forget) < FEW else 0.0,
    ]
    v_f, v_z, v_k = max(spreads) / len(forget) + fit_error**2, z_spread / z_n, k_spread / k_n
    way = k - z
    if way <= 0:
        return Share(float("nan"), -np.inf, np.inf)
    q = float(stats.t.ppf(1 - level, max(z_n - 1, 1)))
    a = way**2 - q**2 * (v_z + v_k)
    b = -2 * (f - z) * way + 2 * q**2 * v_z
    c = (f - z) ** 2 - q**2 * (v_f + v_z)
    root = b**2 - 4 * a * c
    if a <= 0 or root < 0:
        return Share(float((f - z) / way), -np.inf, np.inf)
    return Share(
        float((f - z) / way), float((-b - np.sqrt(root)) / (2 * a)), float((-b + np.sqrt(root)) / (2 * a))
    )


def _moments(values: Floats, weights: Floats) -> tuple[float, float, float]:
    """Return weighted mean, variance and effective number."""
    n = effective(weights)
    mean = float(np.average(values, weights=weights))
    variance = float(np.average(np.square(values - mean), weights=weights)) * n / max(n - 1, 1)
    return mean, variance, n


def could_be_whole(forget: Floats, kept: Floats, alpha: float) -> int:
    """Return the largest number of forget records that could be as whole as kept ones, unseen; 0 to n.

    If k records were whole, the k largest scores would together rank among the kept ones at least as k kept records
    do. The bound holds with probability 1 - alpha whatever the other records look like (Mann and Whitney 1947).
    """
    ordered = np.sort(forget)[::-1]
    below = np.searchsorted(np.sort(kept), ordered, side="right")
    u = np.cumsum(below)
    k, q = np.arange(1, len(forget) + 1), len(kept)
    spread = np.sqrt(k * q * (k + q + 1.0) / 12)
    p = stats.norm.cdf((u + 0.5 - k * q / 2) / spread)
    for few in range(1, min(EXACT, len(forget)) + 1):
        p[few - 1] = mann_whitney_cdf(int(u[few - 1]), few, q)
    possible = np.flatnonzero(p > alpha)
    return int(k[possible[-1]]) if len(possible) else 0


def mann_whitney_cdf(u: int, k: int, q: int) -> float:
    """Return P(U <= u), U the number of pairs in which one of k exceeds one of q of the same distribution, exact."""
    if 2 * u >= k * q:  # the distribution is symmetric
        rest = k * q - u - 1
        return 1.0 - mann_whitney_cdf(rest, k, q) if rest >= 0 else 1.0
    counts = np.zeros(u + 1)
    counts[0] = 1.0
    total = 1.0
    for i in range(1, k + 1):  # times (1 - x^(q+i)) / (1 - x^i): the Gaussian binomial coefficient
        if q + i <= u:
            counts[q + i :] -= counts[: u + 1 - q - i].copy()
        for start in range(min(i, u + 1)):
            counts[start::i] = np.cumsum(counts[start::i])
        total *= (q + i) / i
    return float(min(max(counts.sum() / total, 0.0), 1.0))


def at_least(forget: Floats, null: Floats, alpha: float) -> int:
    """Return a lower bound, with probability 1 - alpha, on how many forget records bear a trace; 0 to n.

    Above the s-th largest of m null scores lies a beta-binomial number of never-seen records; what lies there beyond
    its quantile bears a trace. Several s are tried, and pay for it.
    """
    n, m = len(forget), len(null)
    ordered = np.sort(null)[::-1]
    tried = [s for s in STEPS if s <= m / 4 + 1]
    most = 0
    for s in tried:
        above = int((forget > ordered[s - 1]).sum())
        most = max(most, above - _by_chance(n, s, m, alpha / len(tried)))
    return most


@lru_cache(maxsize=1024)
def _by_chance(n: int, s: int, m: int, alpha: float) -> int:
    """Return how many of n never-seen records lie above the s-th largest of m others, but with probability alpha."""
    return int(stats.betabinom.ppf(1 - alpha, n, s, m - s + 1))
