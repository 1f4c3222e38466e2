"""How well scores separate two groups: ROC, AUC, rates at fixed error, with bootstrap intervals as arrays.

The statistic is an unlearning score, larger = more unlearned. The unlearned samples are the negatives of the
papers' membership test and the retained ones its positives: TPR at FPR x is the share of retained samples
recognised when at most a share x of the unlearned ones is mistaken for retained; TNR at FNR x is the share
of unlearned samples recognised when at most a share x of the retained ones is missed. Rates are steps of the
empirical ROC, never interpolated, so that a promised error is never exceeded on the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Roc:
    """The empirical ROC: one point per distinct score, from "nobody is retained" to "everybody is".

    fpr  [T] share of unlearned samples called retained at each threshold, rising from 0 to 1
    tpr  [T] share of retained samples called retained, rising from 0 to 1
    """

    fpr: Floats
    tpr: Floats


def roc(unlearned: Floats, retained: Floats) -> Roc:
    """Return the ROC of two groups of scores. Raises `InputError` where a group is empty."""
    below_unlearned, below_retained = _cumulative(unlearned, retained)
    return Roc(below_unlearned / len(unlearned), below_retained / len(retained))


def auc(unlearned: Floats, retained: Floats) -> float:
    """Probability that an unlearned sample scores above a retained one, ties by half; 0.5 = no better than chance."""
    curve = roc(unlearned, retained)
    return float(np.trapezoid(curve.tpr, curve.fpr))


def balanced_accuracy(unlearned: Floats, retained: Floats) -> float:
    """Largest mean of TPR and TNR over all thresholds: an oracle threshold, in [0.5, 1] up to noise."""
    curve = roc(unlearned, retained)
    return float(np.max(1 + curve.tpr - curve.fpr) / 2)


def tpr_at_fpr(unlearned: Floats, retained: Floats, fpr: float) -> float:
    """Share of retained samples recognised when at most `fpr` of the unlearned ones are called retained."""
    curve = roc(unlearned, retained)
    return float(curve.tpr[curve.fpr <= fpr + 1e-12].max())


def tnr_at_fnr(unlearned: Floats, retained: Floats, fnr: float) -> float:
    """Share of unlearned samples recognised when at most `fnr` of the retained ones are called unlearned."""
    curve = roc(unlearned, retained)
    return float((1 - curve.fpr)[1 - curve.tpr <= fnr + 1e-12].max())


FIGURES = ("auc", "balanced_accuracy", "tpr_at_fpr_1%", "tnr_at_fnr_1%", "tnr_at_fnr_0")


def figures(unlearned: Floats, retained: Floats) -> dict[str, float]:
    """Return every figure of `FIGURES` at once."""
    return {name: float(values[0]) for name, values in _figures(*_counts(unlearned, retained)).items()}


def bootstrap(
    unlearned: Floats, retained: Floats, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every figure, resampling both groups (stratified), as array operations.

    A bootstrap draw is a vector of counts over the distinct scores, so that each figure of all draws is a
    cumulative sum; nothing is sorted again.
    """
    ones, zeros = _counts(unlearned, retained)
    rng = np.random.default_rng(seed)
    block = max(1, min(draws, 4_000_000 // ones.shape[1]))
    collected: dict[str, list[Floats]] = {name: [] for name in FIGURES}
    for start in range(0, draws, block):
        size = min(block, draws - start)
        draw = [rng.multinomial(len(group), counts[0] / len(group), size=size)
                for group, counts in ((unlearned, ones), (retained, zeros))]  # fmt: skip
        for name, values in _figures(*draw).items():
            collected[name].append(values)
    tail = (1 - level) / 2
    return {
        name: (float(low), float(high))
        for name, values in collected.items()
        for low, high in [np.quantile(np.concatenate(values), [tail, 1 - tail])]
    }


def _counts(unlearned: Floats, retained: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return counts [1, T] of each group over the distinct scores, in rising order."""
    for name, group in (("unlearned", unlearned), ("retained", retained)):
        if not len(group):
            raise InputError(f"There are no {name} samples; a ROC needs both groups.")
        if not np.isfinite(group).all():
            raise InputError(f"The scores of {name} samples hold a NaN or an infinity.")
    distinct, where = np.unique(np.concatenate([unlearned, retained]), return_inverse=True)
    size = len(distinct)
    one = np.bincount(where[: len(unlearned)], minlength=size)
    zero = np.bincount(where[len(unlearned) :], minlength=size)
    return one[None], zero[None]


def _cumulative(unlearned: Floats, retained: Floats) -> tuple[Floats, Floats]:
    ones, zeros = _counts(unlearned, retained)
    return _from_zero(ones)[0].astype(np.float64), _from_zero(zeros)[0].astype(np.float64)


def _from_zero(counts: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([np.zeros((len(counts), 1), counts.dtype), np.cumsum(counts, axis=1)], axis=1)


def _figures(ones: NDArray[np.int64], zeros: NDArray[np.int64]) -> dict[str, Floats]:
    """Return the figures [B] of B groups given as counts [B, T] over rising scores."""
    fpr = _from_zero(ones) / ones.sum(axis=1, keepdims=True)
    tpr = _from_zero(zeros) / zeros.sum(axis=1, keepdims=True)
    area = np.einsum("bt,bt->b", np.diff(fpr, axis=1), (tpr[:, 1:] + tpr[:, :-1]) / 2)
    tiny = 1e-12
    return {
        "auc": area,
        "balanced_accuracy": (1 + tpr - fpr).max(axis=1) / 2,
        "tpr_at_fpr_1%": np.where(fpr <= 0.01 + tiny, tpr, 0).max(axis=1),
        "tnr_at_fnr_1%": np.where(1 - tpr <= 0.01 + tiny, 1 - fpr, 0).max(axis=1),
        "tnr_at_fnr_0": np.where(1 - tpr <= tiny, 1 - fpr, 0).max(axis=1),
    }
