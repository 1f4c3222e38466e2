"""How well scores separate two groups: ROC, AUC, rates at fixed error, with bootstrap intervals as arrays.

The statistic is an unlearning score, larger = more unlearned. The unlearned samples are the negatives of the
papers' membership test and the retained ones its positives: TPR at FPR x is the share of retained samples
recognised when at most a share x of the unlearned ones is mistaken for retained; TNR at FNR x is the share
of unlearned samples recognised when at most a share x of the retained ones is missed. Weights are steps of the
empirical ROC, never interpolated, so that a promised error is never exceeded on the data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Array, Between, Draws, Seed, Weight, checked
from vestige.errors import InputError
from vestige.values import as_floats

Floats = NDArray[np.float64]
Counts = NDArray[np.integer[Any]]
DRAWN, TOGETHER = 30_000, 2
"""Samples of the larger group that are drawn at once, and how many times as many are counted at once."""


@dataclass(frozen=True, eq=False)
class Roc:
    """The empirical ROC: one point per distinct score, from "nobody is retained" to "everybody is".

    Attributes
    ----------
    fpr : float [T]
        Share of unlearned samples called retained at each threshold, rising from 0 to 1.
    tpr : float [T]
        Share of retained samples called retained, rising from 0 to 1.
    """

    fpr: Floats
    tpr: Floats


def roc(unlearned: Array, retained: Array) -> Roc:
    """Return the ROC of two groups of scores. Raises `InputError` where a group is empty."""
    below_unlearned, below_retained = _cumulative(unlearned, retained)
    return Roc(below_unlearned / below_unlearned[-1], below_retained / below_retained[-1])


def auc(unlearned: Array, retained: Array) -> float:
    """Probability that an unlearned sample scores above a retained one, ties by half; 0.5 = no better than chance."""
    curve = roc(unlearned, retained)
    return float(np.trapezoid(curve.tpr, curve.fpr))


def balanced_accuracy(unlearned: Array, retained: Array) -> float:
    """Largest mean of TPR and TNR over all thresholds: an oracle threshold, in [0.5, 1] up to noise."""
    curve = roc(unlearned, retained)
    return float(np.max(1 + curve.tpr - curve.fpr) / 2)


@checked
def tpr_at_fpr(unlearned: Array, retained: Array, fpr: Weight) -> float:
    """Share of retained samples recognised when at most `fpr` of the unlearned ones are called retained."""
    curve = roc(unlearned, retained)
    return float(curve.tpr[curve.fpr <= fpr + 1e-12].max())


@checked
def tnr_at_fnr(unlearned: Array, retained: Array, fnr: Weight) -> float:
    """Share of unlearned samples recognised when at most `fnr` of the retained ones are called unlearned."""
    curve = roc(unlearned, retained)
    return float((1 - curve.fpr)[1 - curve.tpr <= fnr + 1e-12].max())


FIGURES = ("auc", "balanced_accuracy", "tpr_at_fpr_1%", "tnr_at_fnr_1%", "tnr_at_fnr_0")


def figures(unlearned: Array, retained: Array) -> dict[str, float]:
    """Return every figure of `FIGURES` at once."""
    one, zero = (np.cumsum(group, axis=1) for group in _counts(unlearned, retained))
    return {name: float(values[0]) for name, values in _figures(one, zero, _within(one, zero)).items()}


@checked
def bootstrap(
    unlearned: Array, retained: Array, *, draws: Draws = 1000, level: Between = 0.95, seed: Seed = 0
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every figure, resampling both groups (stratified), as array operations."""
    return bootstraps([(unlearned, retained)], draws=draws, level=level, seed=seed)[0]


def bootstraps(
    pairs: Sequence[tuple[Array, Array]], *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> list[dict[str, tuple[float, float]]]:
    """Return `bootstrap` of each pair (unlearned, retained), all of the same two sizes, from the same draws.

    Scores are sorted once, and cut into runs: samples of one group with none of the other between them, for inside a
    run no figure changes. A draw is a count per sample of the sorted group, the same for all pairs; every figure is
    read from its cumulative sum at the ends of the runs. Up to which sample an error keeps its bound is the same for
    all pairs too.
    """
    ends = [_ends(*pair) for pair in pairs]
    sizes = [np.size(group) for group in pairs[0]]
    largest = np.prod(sizes, dtype=float) * max(len(one) for one, _ in ends)  # sum of products of two counts
    kind: type[np.integer[Any]] = np.int32 if largest < 2**31 else np.int64
    values = np.empty((len(pairs), len(FIGURES), draws))
    done = 0
    for below in _drawn(np.random.default_rng(seed), sizes, draws):
        one_below, zero_below = (group.astype(kind, copy=False) for group in below)
        within, rows = _within(*below), slice(done, done + len(one_below))
        for place, (one, zero) in enumerate(ends):
            runs = [np.searchsorted(end, count) for end, count in zip((one, zero, zero), within, strict=True)]
            values[place, :, rows] = list(
                _figures(one_below.take(one, axis=1), zero_below.take(zero, axis=1), runs).values()
            )
        done = rows.stop
    tail = (1 - level) / 2
    limits = np.quantile(values, [tail, 1 - tail], axis=-1).transpose(1, 2, 0).tolist()
    return [dict(zip(FIGURES, map(tuple, each), strict=True)) for each in limits]


def _drawn(rng: np.random.Generator, sizes: Sequence[int], draws: int) -> Iterator[list[Counts]]:
    """Yield what `_drawn_below` returns for each group, of several draws at once: so many as fit the cache."""
    block = max(1, min(draws, DRAWN // max(sizes)))
    several = max(1, TOGETHER * DRAWN // max(sizes) // block)
    rows = [min(block, draws - start) for start in range(0, draws, block)]
    for start in range(0, len(rows), several):
        each = [[_drawn_below(rng, size, count) for size in sizes] for count in rows[start : start + several]]
        yield [np.concatenate(group) for group in zip(*each, strict=True)]


def _drawn_below(rng: np.random.Generator, size: int, rows: int) -> Counts:
    """Draw as many samples as the group has, `rows` times; return how many are below each, [rows, 1 + size].

    A position is a random word of 32 bits times the group's size, divided by 2^32: off by less than 1 in 10^4
    from equal chances in groups of up to 400,000, and three times as fast as `Generator.integers`.
    """
    total = rows * size
    words = rng.bit_generator.random_raw((total + 1) // 2).view(np.uint32)[:total].astype(np.uint64)
    words *= np.uint64(size)
    words >>= np.uint64(32)
    chosen = words.view(np.int64).reshape(rows, size)
    chosen += np.arange(rows)[:, None] * size
    return _from_zero(np.bincount(chosen.ravel(), minlength=total).reshape(rows, size))


def _ends(unlearned: Array, retained: Array) -> tuple[Counts, Counts]:
    """Return how many samples of each group lie below the end of each run, [T], runs in rising order of the scores."""
    ones, zeros = _counts(unlearned, retained)
    kind = np.where(zeros[0] == 0, 0, np.where(ones[0] == 0, 1, 2))  # 2: a tie of both, a run of its own
    last = np.ones(len(kind), bool)
    last[:-1] = (kind[1:] != kind[:-1]) | (kind[1:] == 2)
    return np.cumsum(ones[0])[last], np.cumsum(zeros[0])[last]


def _counts(unlearned: Array, retained: Array) -> tuple[Counts, Counts]:
    """Return counts [1, T] of each group over the distinct scores, in rising order."""
    ones, zeros = (_group(name, x) for name, x in (("unlearned", unlearned), ("retained", retained)))
    distinct, where = np.unique(np.concatenate([ones, zeros]), return_inverse=True)
    size = len(distinct)
    one = np.bincount(where[: len(ones)], minlength=size)
    zero = np.bincount(where[len(ones) :], minlength=size)
    return one[None], zero[None]


def _group(name: str, scores: Array) -> NDArray[np.floating[Any]]:
    group = as_floats(f"The scores of {name} samples", scores)
    if group.ndim != 1:
        raise InputError(f"The scores of {name} samples have shape {list(group.shape)}; [N] is wanted.")
    if not len(group):
        raise InputError(f"There are no {name} samples; a ROC needs both groups.")
    return group


def _cumulative(unlearned: Array, retained: Array) -> tuple[Floats, Floats]:
    ones, zeros = _counts(unlearned, retained)
    return _from_zero(ones)[0].astype(np.float64), _from_zero(zeros)[0].astype(np.float64)


def _from_zero(counts: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([np.zeros((len(counts), 1), counts.dtype), np.cumsum(counts, axis=1)], axis=1)


def _within(below_one: Counts, below_zero: Counts) -> list[Counts]:
    """Return up to how many of the rising counts [B, T] an error keeps its bound, [B] each.

    At most 1 % of the unlearned samples are below; more than 1 %, then any, of the retained samples are not below.
    """
    n, m = int(below_one[0, -1]), int(below_zero[0, -1])
    few, most, every = math.floor((0.01 + 1e-9) * n), math.ceil((0.99 - 1e-9) * m), math.ceil((1 - 1e-9) * m)
    return [
        np.array([row.searchsorted(few, side="right") for row in below_one]),
        np.array([row.searchsorted(most) for row in below_zero]),
        np.array([row.searchsorted(every) for row in below_zero]),
    ]


def _figures(below_one: Counts, below_zero: Counts, within: Sequence[Counts]) -> dict[str, Floats]:
    """Return the figures [B] of B groups given as the counts [B, T] up to each of T rising scores.

    Thresholds lie before the first score and behind each one; `within` says up to which one an error keeps its bound.
    """
    n, m = int(below_one[0, -1]), int(below_zero[0, -1])
    rows, thresholds = np.arange(len(below_one)), below_one.shape[1]
    recognised, *missed = within

    def at(below: Counts, threshold: Counts) -> Floats:
        """Counts below the k-th threshold; the 0th has none below."""
        return np.asarray(np.where(threshold == 0, 0, below[rows, threshold - 1]), np.float64)

    tnr = [1 - at(below_one, np.minimum(count + 1, thresholds)) / n for count in missed]
    turn = np.einsum("bt,bt->b", below_one[:, 1:], below_zero[:, :-1])
    turn -= np.einsum("bt,bt->b", below_one[:, :-1], below_zero[:, 1:])  # the shoelace formula of the area
    gain = (below_zero * n - below_one * m).max(axis=1).clip(0) / (n * m)
    return {
        "auc": (n * m + turn) / 2 / (n * m),
        "balanced_accuracy": (1 + gain) / 2,
        "tpr_at_fpr_1%": at(below_zero, recognised) / m,
        "tnr_at_fnr_1%": tnr[0],
        "tnr_at_fnr_0": tnr[1],
    }
