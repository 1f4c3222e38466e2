"""Epsilon-hat: how well a test on many models tells unlearned from retrained ones, per forget sample.

Krähenmann, Neubecker, Strozzi, Martinelli: Forget with Precision, ETH Zurich 2023. An unlearning is
(eps, delta)-close to retraining if no test can tell the two apart better than

    eps_hat = max( log((1 - delta - FPR) / FNR), log((1 - delta - FNR) / FPR) )

Per sample, two Gaussians are fitted to the logit margin z_y - max other z of the retrained and of the unlearned
models; their likelihood ratio is the test's score, and eps_hat the largest value over its thresholds.

`eth2023` fits, chooses the threshold and counts the errors on the same models, and drops thresholds at which
exactly one error rate is 0. Identical models then score well above 0: the more so the fewer they are.
`recommended` fits and chooses on one half of the models and counts errors on the other, both ways round, and
gives Clopper-Pearson bounds. Both are read beside their null: retrained against retrained at equal counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vestige.arguments import Array, Below1, Between, checked
from vestige.errors import InputError, unknown
from vestige.signals.transforms import Transform, margin
from vestige.values import as_array, as_floats

Floats = NDArray[np.float64]
Counts = NDArray[np.int32]
PRESETS = ("recommended", "paper", "eth2023")
CHUNK = 256


@dataclass(frozen=True, eq=False)
class Epsilon:
    """Result of `epsilon`; 0 = indistinguishable from retraining, larger = told apart better, in nats.

    Attributes
    ----------
    values : float [N]
        Per sample; infinite where the test never erred (eth2023), NaN where all scores tie.
    median : float
        Over the samples, NaN left out.
    low, high : float [N]
        Clopper-Pearson bounds, `high` infinite where no error was seen; None for eth2023.
    median_low : float or None
        Median of `low`; None for eth2023.
    null : float or None
        Median of retrained against retrained, at `null_counts` models on either side.
    at_null_counts : float or None
        Median of retrained against unlearned at those same counts: compare this one with `null`.
    largest : float
        eth2023: the largest finite value that the counts of models can give; recommended: the largest value
        that they can show to be exceeded (the largest possible `low`).
    """

    values: Floats
    median: float
    low: Floats | None
    high: Floats | None
    median_low: float | None
    null: float | None
    at_null_counts: float | None
    null_counts: int
    largest: float


@checked
def epsilon(
    retrained: Array,
    unlearned: Array,
    labels: Array,
    *,
    preset: str = "recommended",
    delta: Below1 = 0.05,
    level: Between = 0.95,
) -> Epsilon:
    """Return epsilon-hat of N samples from logits of R retrained and U unlearned models.

    Parameters
    ----------
    retrained : float [R, N, C]
        At least four models.
    unlearned : float [U, N, C]
        At least four models.
    labels : int [N]
    preset : str
        "recommended", or "paper", also called "eth2023" after the authors' code.
    delta : float
        Of the (eps, delta) statement, from 0 to below 1; published: 0.05.
    level : float
        Of the bounds.

    Raises
    ------
    InputError
        For an unknown preset, and for arrays that do not fit.
    """
    if preset not in PRESETS:
        raise InputError(unknown("preset", preset, PRESETS))
    first, second = (
        statistics(name, x, labels) for name, x in (("retrained", retrained), ("unlearned", unlearned))
    )
    if first.shape[0] != second.shape[0]:
        raise InputError(
            f"retrained has {first.shape[0]} samples, unlearned {second.shape[0]}; as many are wanted."
        )
    n = min(first.shape[1] // 2, second.shape[1])
    halves = first[:, :n], first[:, n : 2 * n]
    if preset != "recommended":
        values = _in_sample(first, second, delta)
        small, null = (_median(_in_sample(halves[0], other, delta)) for other in (second[:, :n], halves[1]))
        count = min(first.shape[1], second.shape[1])
        largest = float(np.log((1 - delta - 1 / count) * count))
        return Epsilon(values, _median(values), None, None, None, null, small, n, largest)
    values, low, high = cross_fitted(first, second, delta, level)
    small, null = (
        _median(cross_fitted(halves[0], other, delta, level)[0]) for other in (second[:, :n], halves[1])
    )
    best = _upper(np.zeros(1), min(first.shape[1], second.shape[1]), level)
    largest = float(formula(best, best, delta)[0])
    return Epsilon(values, _median(values), low, high, _median(low), null, small, n, largest)


def _median(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def statistics(name: str, logits: Array, labels: Array, transform: Transform = margin) -> Floats:
    """Return what the tests look at, by default the logit margins: [N, models]. Raises `InputError`."""
    stack, labels = as_floats(name, logits), as_array("labels", labels)
    if stack.ndim != 3 or stack.shape[0] < 4 or labels.shape != stack.shape[1:2]:
        raise InputError(
            f"{name} has shape {list(stack.shape)}; [at least 4 models, {labels.size}, classes] is wanted."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= stack.shape[2]:
        raise InputError(f"labels must be whole numbers from 0 to {stack.shape[2] - 1}.")
    return np.ascontiguousarray(transform(stack, labels).T)


def _ratio(x: Floats, retrained: Floats, unlearned: Floats) -> Floats:
    """Log-likelihood ratio unlearned over retrained of x [n, m] under Gaussians (ddof 0) fitted per sample."""

    def squares(group: Floats) -> tuple[Floats, Floats]:
        deviation = np.maximum(group.std(axis=1, keepdims=True), 1e-12)
        z: Floats = x - group.mean(axis=1, keepdims=True)
        z /= deviation
        z *= z
        return z, np.log(deviation)

    (ratio, wide), (other, narrow) = squares(retrained), squares(unlearned)
    ratio -= other
    ratio *= 0.5
    ratio += wide - narrow
    return ratio


def _ranked(scores: Floats, a: int) -> tuple[Floats, NDArray[np.bool_], Counts, NDArray[np.bool_]]:
    """Return scores [n, a + b] in rising order, which of them are of the last b, how many of these lie below
    each, and which are distinct from the one before."""
    order = np.argsort(scores, axis=1)
    ranked = np.take_along_axis(scores, order, axis=1)
    second = order >= a
    below = np.cumsum(second, axis=1, dtype=np.int32)
    below -= second
    distinct = np.ones(ranked.shape, bool)
    np.greater(ranked[:, 1:], ranked[:, :-1], out=distinct[:, 1:])
    return ranked, second, below, distinct


def formula(fpr: Floats, fnr: Floats, delta: float) -> Floats:
    """The formula; -infinity where a direction is not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = np.log((1 - delta - fpr) / fnr), np.log((1 - delta - fnr) / fpr)
    return np.fmax(np.where(fpr < 1 - delta, one, -np.inf), np.where(fnr < 1 - delta, other, -np.inf))


def _in_sample(retrained: Floats, unlearned: Floats, delta: float) -> Floats:
    """The published estimator: fit, threshold and errors on the same models.

    Error rates are counts, so the formula is tabulated once for every pair of counts. Where the retrained models
    have the larger median of likelihood ratios, they are the positive class.
    """
    a, b = retrained.shape[1], unlearned.shape[1]
    first, second = np.arange(a + 1)[:, None] / a, np.arange(b + 1) / b
    table = np.stack([_published(1 - first, second, delta), _published(1 - second, first, delta)]).ravel()
    ranks = np.arange(a + b, dtype=np.int32)
    result = np.empty(len(retrained))
    for start in range(0, len(retrained), CHUNK):
        r, u = retrained[start : start + CHUNK], unlearned[start : start + CHUNK]
        ranked, second, below, distinct = _ranked(_ratio(np.concatenate([r, u], axis=1), r, u), a)
        others = ranks - below
        swap = _middle(ranked, ~second, others, a) > _middle(ranked, second, below, b)
        place = (swap[:, None] * (a + 1) + others) * (b + 1) + below
        values = np.where(distinct, table.take(place), -np.inf).max(axis=1)
        result[start : start + CHUNK] = np.where(values == -np.inf, np.nan, values)
    return result


def _middle(ranked: Floats, own: NDArray[np.bool_], below: Counts, n: int) -> Floats:
    """The log of the median of exp(score), over the `n` scores of every row that are `own`; `below` lie below each.

    Of an even number it is the mean of the two in the middle, and a mean of ratios is not that of their logarithms.
    """
    lower, upper = ((own & (below == k)).argmax(axis=1) for k in ((n - 1) // 2, n // 2))
    rows = np.arange(len(ranked))
    return np.asarray(np.logaddexp(ranked[rows, lower], ranked[rows, upper]) - np.log(2))


def _published(fpr: Floats, fnr: Floats, delta: float) -> Floats:
    """The formula with the published rule for zeros: both give infinity, one of them drops the threshold."""
    values = formula(fpr, fnr, delta)
    values = np.where((fpr < 1e-9) != (fnr < 1e-9), -np.inf, values)
    return np.where((fpr < 1e-9) & (fnr < 1e-9), np.inf, values)


def cross_fitted(
    retrained: Floats, unlearned: Floats, delta: float, level: float
) -> tuple[Floats, Floats, Floats]:
    """Choose the test on one half of the models, count its errors on the other, both ways round; pool the counts."""
    n = len(retrained)
    false, missed = np.zeros(n), np.zeros(n)
    for turn in (0, 1):
        r, u = retrained[:, turn::2], unlearned[:, turn::2]
        threshold, sign = _best_threshold(_ratio(r, r, u), _ratio(u, r, u), delta)
        seen = [sign[:, None] * _ratio(x[:, 1 - turn :: 2], r, u) for x in (retrained, unlearned)]
        false += (seen[0] >= threshold[:, None]).sum(axis=1)
        missed += (seen[1] < threshold[:, None]).sum(axis=1)
    a, b = retrained.shape[1], unlearned.shape[1]
    fpr, fnr = (false + 0.5) / (a + 1), (missed + 0.5) / (b + 1)
    low = formula(_upper(false, a, level), _upper(missed, b, level), delta)
    high = formula(_lower(false, a, level), _lower(missed, b, level), delta)
    return np.maximum(formula(fpr, fnr, delta), 0), np.maximum(low, 0), np.maximum(high, 0)


def _best_threshold(negative: Floats, positive: Floats, delta: float) -> tuple[Floats, Floats]:
    """Return the threshold with the largest smoothed epsilon, and the sign by which scores are to be taken.

    It lies midway to the next lower score, so that it does not cling to the sample that it was chosen on.
    """
    swap = np.median(negative, axis=1) > np.median(positive, axis=1)
    sign = np.where(swap, -1.0, 1.0)
    a, b = negative.shape[1], positive.shape[1]
    scores = sign[:, None] * np.concatenate([negative, positive], axis=1)
    threshold, _, below, distinct = _ranked(scores, a)
    false, missed = (a - np.arange(a + 1.0)[:, None] + 0.5) / (a + 1), (np.arange(b + 1.0) + 0.5) / (b + 1)
    table = formula(false, missed, delta).ravel()
    values = table.take((np.arange(a + b, dtype=np.int32) - below) * (b + 1) + below)
    best = np.where(distinct, values, -np.inf).argmax(axis=1)
    rows = np.arange(len(best))
    return (threshold[rows, best] + threshold[rows, np.maximum(best - 1, 0)]) / 2, sign


def _upper(errors: Floats, trials: int, level: float) -> Floats:
    bound = stats.beta.ppf((1 + level) / 2, errors + 1, np.maximum(trials - errors, 1e-300))
    return np.where(errors >= trials, 1.0, bound)


def _lower(errors: Floats, trials: int, level: float) -> Floats:
    bound = stats.beta.ppf((1 - level) / 2, np.maximum(errors, 1e-300), trials - errors + 1)
    return np.where(errors <= 0, 0.0, bound)
