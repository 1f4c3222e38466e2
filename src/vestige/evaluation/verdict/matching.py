"""Are the never-seen records comparable with the forgotten ones? Strata and weights that make them so.

A request may hold records of few classes, harder or easier ones, or large clusters. Then labels are permuted within
strata alone, and null records are weighted so that each stratum counts as it does in the request. The effective number
of null records, (sum w)^2 / sum w^2, says what is left of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vestige.evaluation.verdict.margins import Floats, Margins, Mask

ENOUGH = 10  # null records that a stratum must hold
FEWEST_TO_TEST_CLASSES, FEWEST_TO_TEST_DIFFICULTY = 2, 20
FEWEST_FOR_SHARES = (
    5  # forget records from which on the shares of classes are compared; below, how often they coincide
)
DRAWS = 1999


@dataclass(frozen=True, eq=False)
class Matching:
    """How forget and null records are compared.

    Attributes
    ----------
    strata : int [2, N]
        Stratum of each record for each trace score; records that no forget record is comparable with have -1.
    class_p : float or None
        p-value of "forget and null records are of the same classes"; None for a single forget record.
    difficulty_p : float or None
        p-value (Kolmogorov-Smirnov) of "equally difficult to the shadows"; None below twenty.
    unsupported : int
        Forget records whose class has fewer than ten null records, where that matters.
    alone : int
        Forget clusters that are as large as fewer than ten null clusters are, within a factor of two.
    """

    strata: NDArray[np.int64]
    class_p: float | None
    difficulty_p: float | None
    unsupported: int
    alone: int = 0

    @property
    def differs(self) -> bool:
        """Is the request another mix of classes, clusters or difficulty than never-seen records are?"""
        classes = self.class_p is not None and self.class_p <= 0.05
        return classes or self.alone > 0 or (self.difficulty_p is not None and self.difficulty_p <= 0.1)

    @property
    def other_difficulty(self) -> bool:
        """Is the request harder or easier than never-seen records, beyond chance?"""
        return self.difficulty_p is not None and self.difficulty_p <= 0.01

    def weights(self, score: int, forget: Mask, other: Mask) -> Floats | None:
        """Return [m] weights, summing to 1, of the `other` records; None where a stratum of the request has none."""
        strata = self.strata[score]
        count = int(strata.max()) + 1
        wanted = np.bincount(strata[forget], minlength=count) / forget.sum()
        there = np.bincount(strata[other & (strata >= 0)], minlength=count)
        if ((wanted > 0) & (there == 0)).any():
            return None
        each = np.divide(wanted, there, out=np.zeros(count), where=there > 0)
        return np.where(strata[other] >= 0, each[strata[other]], 0.0)


def effective(weights: Floats) -> float:
    """Return (sum w)^2 / sum w^2: to how many equally weighted records the weighted ones amount."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def match(margins: Margins, forget: Mask, null: Mask, rng: np.random.Generator) -> Matching:
    """Compare the classes, cluster sizes and difficulty of forget and null records, and choose strata."""
    group = np.zeros(len(margins), np.int64)
    unsupported = alone = 0
    class_p = None
    if forget.sum() >= FEWEST_TO_TEST_CLASSES:
        class_p = _same_classes(margins.labels[forget], margins.labels[null], rng)
        if class_p <= 0.05:
            group, unsupported = _supported(margins.labels, forget, null)
    if (margins.size > 1).any():
        sizes, alone = _supported(np.log2(margins.size).astype(np.int64), forget, null)
        group = np.unique(np.stack([group, sizes]), axis=1, return_inverse=True)[1].ravel()
    difficulty_p, finer = None, group
    if forget.sum() >= FEWEST_TO_TEST_DIFFICULTY:
        b = margins.difficulty
        difficulty_p = float(stats.ks_2samp(b[forget], b[null]).pvalue)
        if difficulty_p <= 0.1:
            finer = _fifths(b, group, forget, null)
    strata = np.stack([np.where(np.isin(one, one[forget]), one, -1) for one in (finer, group)])
    return Matching(strata, class_p, difficulty_p, unsupported, alone)


def _same_classes(ours: NDArray[np.int64], theirs: NDArray[np.int64], rng: np.random.Generator) -> float:
    """Return the permutation p-value of Pearson's chi-square between two samples of classes.

    Of fewer than five records it is that of the sum of squared counts: are they of one class?
    """
    count = int(max(ours.max(), theirs.max())) + 1
    own, other = np.bincount(ours, minlength=count), np.bincount(theirs, minlength=count)
    total = own + other
    own, total = own[total > 0], total[total > 0]
    n, expected = len(ours), len(ours) * total / total.sum()
    draws = rng.multivariate_hypergeometric(total, n, size=DRAWS, method="marginals")
    centre, scale = (
        (expected, expected) if n >= FEWEST_FOR_SHARES else (np.zeros(len(own)), np.ones(len(own)))
    )
    distance = (np.square(draws - centre) / scale).sum(axis=1)
    seen = (np.square(own - centre) / scale).sum()
    return float((1 + (distance >= seen - 1e-9).sum()) / (1 + DRAWS))


def _supported(kind: NDArray[np.int64], forget: Mask, null: Mask) -> tuple[NDArray[np.int64], int]:
    """Return a stratum for each kind with ten null records, one for all others, and how many forget are in that."""
    count = int(kind.max()) + 1
    enough = np.bincount(kind[null], minlength=count) >= ENOUGH
    strata = np.where(enough[kind], kind, count)
    return strata, int((strata[forget] == count).sum())


def _fifths(b: Floats, group: NDArray[np.int64], forget: Mask, null: Mask) -> NDArray[np.int64]:
    """Split each group at the fifths of the forget records' difficulty, each part holding ten null records."""
    strata, following = np.zeros(len(b), np.int64), 0
    for one in np.unique(group):
        rows = group == one
        ours, theirs = b[rows & forget], b[rows & null]
        edges: list[float] = []
        if len(ours) >= FEWEST_TO_TEST_DIFFICULTY:
            for edge in np.quantile(ours, [0.2, 0.4, 0.6, 0.8]):
                below = edges[-1] if edges else -np.inf
                if ((theirs > below) & (theirs <= edge)).sum() >= ENOUGH:
                    edges.append(float(edge))
            while edges and (theirs > edges[-1]).sum() < ENOUGH:
                edges.pop()
        strata[rows] = following + np.searchsorted(edges, b[rows], side="left")
        following += len(edges) + 1
    return strata
