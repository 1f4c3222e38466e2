"""Is there a trace in any record of a group? A permutation test of its mean and of its extremes.

Two statistics look at the trace scores t of forget and null records, larger = more trace:

    mean   sum over the forget records of (t - median) / MAD, clipped at 6: sensitive to many weak traces
    scan   the largest r KL(C_r / r || n / N) over the r most extreme records, C_r the forget records among them
           (Berk and Jones 1979): sensitive to few strong traces

The labels forget and null are permuted within strata; the smaller of the two p-values is calibrated on the same
permutations, so that both together keep one error rate. `under` looks from the top, `over` from the bottom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vestige.evaluation.verdict.margins import Floats

CLIP = 6.0
DEEPEST = 1500
BLOCK = 400_000  # labels whose statistics are computed at once: more of them take longer, for the memory

Labels = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class GroupTest:
    """The p-values of "no forget record bears a trace" and of "none lies too far", each in (0, 1].

    Attributes
    ----------
    p_under, p_over : float
        Small: forget records look more (less) fitted than never-seen ones. Smallest possible: 1 / (1 + permutations).
    judge : Judge
        Gives the p-values of other scores of as many records by the same permutations.
    """

    p_under: float
    p_over: float
    judge: Judge


@dataclass(frozen=True, eq=False)
class Judge:
    """Permuted statistics, [permutations] each and sorted, in each direction: mean, scan, smaller p of the two.

    `centre` and `spread` standardise scores for the mean.
    """

    centre: float
    spread: float
    mean: tuple[Floats, Floats]
    scan: tuple[Floats, Floats]
    smaller: tuple[Floats, Floats]

    def standard(self, scores: Floats) -> Floats:
        """Return (t - median) / MAD, clipped at 6 on both sides."""
        return np.asarray(np.clip((scores - self.centre) / self.spread, -CLIP, CLIP))

    def p_values(self, mean: Floats, scan: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """Return (p_under, p_over) [K] of statistics [K] that were computed in the same way."""
        both = []
        for k, (one, other) in enumerate(zip((mean, -mean), scan, strict=True)):
            smaller = np.minimum(_share_above(self.mean[k], one), _share_above(self.scan[k], other))
            both.append(
                (1 + np.searchsorted(self.smaller[k], smaller, side="right")) / (1 + len(self.smaller[k]))
            )
        return both[0], both[1]


def group_test(
    scores: Floats, forget: Labels, permuted: Labels, rng: np.random.Generator, allowance: float = 0.0
) -> GroupTest:
    """Test the forget records of `scores` [N] against the others by `permuted_labels`; ties are broken at random.

    Parameters
    ----------
    allowance : float
        By which the forget records are moved towards the others before they are judged, in each direction:
        for an error that they share.
    """
    order = _descending(scores, rng)
    centre = float(np.median(scores))
    spread = float(np.median(np.abs(scores - centre)) or scores.std() or 1.0)
    values = np.clip((scores[order] - centre) / spread, -CLIP, CLIP)
    size = max(1, BLOCK // len(scores))
    blocks = [
        statistics(permuted[start : start + size][:, order], values)
        for start in range(0, len(permuted), size)
    ]
    mean, top, bottom = (
        np.concatenate(parts) for parts in zip(*((m, *extremes) for m, extremes in blocks), strict=True)
    )
    judge = _judge(centre, spread, mean, (top, bottom))
    p_values = []
    for direction, moved in enumerate((scores - allowance * forget, scores + allowance * forget)):
        order = _descending(moved, rng)
        own, extremes = statistics(forget[None, order], judge.standard(moved[order]))
        p_values.append(float(judge.p_values(own, extremes)[direction][0]))
    return GroupTest(p_values[0], p_values[1], judge)


def _descending(scores: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.lexsort((rng.random(len(scores)), -scores))


def permuted_labels(
    forget: Labels, strata: NDArray[np.int64], rng: np.random.Generator, permutations: int
) -> Labels:
    """Return [permutations, N] labels, permuted within strata [N]."""
    different = np.unique(strata)
    drawn = np.empty((permutations, len(forget)), bool)
    for stratum in different:
        rows = np.flatnonzero(strata == stratum)
        count = int(forget[rows].sum())
        few = count <= len(rows) / 2
        chosen = _subsets(len(rows), count if few else len(rows) - count, rng, permutations)
        chosen = chosen if few else ~chosen
        if len(different) == 1:
            return chosen
        drawn[:, rows] = chosen
    return drawn


def _subsets(size: int, count: int, rng: np.random.Generator, draws: int) -> Labels:
    """Return [draws, size] with `count` marks in each row, every subset equally likely.

    Positions are drawn with replacement, and what was drawn twice is drawn again: faster than to shuffle every row.
    """
    marked = np.zeros((draws, size), bool)
    open_rows, lacking = np.arange(draws), np.full(draws, count)
    while lacking.any():
        places = np.repeat(open_rows * size, lacking)
        places += rng.integers(0, size, len(places))
        marked.reshape(-1)[places] = True
        open_rows = open_rows[lacking > 0]
        lacking = count - marked[open_rows].view(np.uint8).sum(axis=1, dtype=np.int32)
    return marked


def statistics(labels: Labels, values: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """Return mean [K] and (scan from the top [K], from the bottom [K]) of labels [K, N], scores descending."""
    mean = labels.astype(np.float32) @ values.astype(np.float32)
    return mean.astype(np.float64), scans(labels)


def scans(labels: Labels) -> tuple[Floats, Floats]:
    """Return the scan [K] from the top and from the bottom of labels [K, N], scores descending."""
    return _scan(labels), _scan(labels[:, ::-1])


def _scan(labels: Labels) -> Floats:
    """Return [K] max over r of r KL(C_r / r || n / N); it is reached where a forget record comes in."""
    n, count = int(labels[0].sum()), labels.shape[1]
    best = np.zeros(len(labels))
    if n in (0, count):  # nothing to compare with
        return best
    depth, share = min(count // 2, DEEPEST) or 1, n / count
    extreme = np.ascontiguousarray(labels[:, :depth])
    each = extreme.view(np.uint8).sum(axis=1, dtype=np.int32)  # faster than to count along an axis
    start, held = np.cumsum(each) - each, each > 0
    if not held.any():
        return best
    inside = np.arange(each.sum()) - np.repeat(start - 1, each)  # forget records among the r first
    r = np.flatnonzero(extreme) - np.repeat(np.arange(len(labels)) * depth - 1, each)
    counts = np.arange(depth + 1)
    table = special.xlogy(counts, counts)
    ours, others = table - counts * np.log(share), table - counts * np.log1p(-share)
    value = ours[inside] + others[r - inside] - table[r]
    value[inside <= r * share] = 0.0
    best[held] = np.maximum.reduceat(value, start[held])
    return np.maximum(best, 0.0)


def _judge(centre: float, spread: float, mean: Floats, scan: tuple[Floats, Floats]) -> Judge:
    means, scans, smaller = [], [], []
    for one, other in zip((mean, -mean), scan, strict=True):
        sorted_mean, sorted_scan = np.sort(one), np.sort(other)
        means.append(sorted_mean)
        scans.append(sorted_scan)
        smaller.append(np.sort(np.minimum(_share_above(sorted_mean, one), _share_above(sorted_scan, other))))
    return Judge(centre, spread, (means[0], means[1]), (scans[0], scans[1]), (smaller[0], smaller[1]))


def _share_above(ordered: Floats, values: Floats) -> Floats:
    """Return the share of the ordered values that are as large or larger, within rounding."""
    slack = 1e-6 * (1 + np.abs(values))
    return (1 + len(ordered) - np.searchsorted(ordered, values - slack, side="left")) / (1 + len(ordered))
