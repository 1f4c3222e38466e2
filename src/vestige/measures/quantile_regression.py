"""Quantile regression: where the scaled logit lies among those that the unlearned model gives to samples it never saw.

No shadow model: a regression on the features of never-seen samples predicts quantiles of their score under the
model itself. `Signals` hold no features, so it is fitted on what they hold and what does not say how well the true
label was learned: the class, and how the model shares the rest of its probability among the other classes.

The quantiles are gradient-boosted trees, fitted on the population, or else cross-fitted on the holdout samples. The
published attack takes one quantile as a threshold; this score is in spreads of the samples like it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.ensemble import HistGradientBoostingRegressor

from vestige.errors import MissingArray
from vestige.measures.crossfit import folds_of
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.fields import HOW_TO_GET
from vestige.signals.transforms import softmax

Floats = NDArray[np.float64]
LEVELS = (0.16, 0.5, 0.84)
MOST_CATEGORIES = 200
FEWEST = 20
SMALLEST = 1e-3  # nats; a spread below it is none


@register(
    "quantile",
    needs=("unlearned",),
    uses=("population", "role"),
    unit="spreads",
    cites="Bertran et al. 2023 (quantile regression)",
)
def quantile(
    signals: Signals,
    *,
    trees: Annotated[int, Field(ge=1, le=10_000)] = 60,
    folds: Annotated[int, Field(ge=2, le=50)] = 5,
) -> Floats:
    r"""How far the scaled logit lies below the median of never-seen samples like it; larger = more unlearned.

    Parameters
    ----------
    trees : int
        Boosted trees of 8 leaves for each of the three quantiles.
    folds : int
        Into which the holdout samples are split where there is no `population`; a sample is never measured by
        a regression that it took part in.

    Notes
    -----
    .. math::

        \mathrm{score} = -\frac{\lambda_u - q_{50}(x)}{\left( q_{84}(x) - q_{16}(x) \right) / 2}

    lambda is the scaled logit, and the q are quantiles of it among never-seen records of the same class and of
    the same share of probability among the other classes, by boosted trees.

    **When to use.** Where there is no shadow and no original, and never-seen records are many: it allows for
    the class, which `emia_population` does not.

    **When it fails.** Class and the shares of the other classes say little of a record's difficulty; the
    published regression sees its features, which signals do not hold. With two classes it sees the class
    alone: 0.55 on random requests of Adult (`iam` 0.67), and 0.61 on a whole class, which a plain difference
    of confidences recognises without error (lab book, results).

    **Cost.** No further model; three quantile regressions in five folds.

    References
    ----------
    Bertran, Tang, Kearns, Morgenstern, Roth, Wu: Scalable Membership Inference Attacks via Quantile Regression.
    NeurIPS 2023, arXiv 2307.03694.
    """
    known, split = _population(signals, folds)
    own, target = _features(signals), signals.scaled_logits("unlearned")
    given, wanted = _features(known), known.scaled_logits("unlearned")
    order = np.argsort(known.names)
    scores, count = np.zeros(len(signals)), np.zeros(len(signals))
    for fold in range(split.max() + 1):
        train = order[split[order] != fold] if split.max() else order
        rows = np.ones(len(signals), bool)
        if known is not signals.population:
            rows[np.isin(signals.names, known.names[train])] = False
        low, middle, high = (
            _fitted(given[train], wanted[train], level, trees)(own[rows]) for level in LEVELS
        )
        scores[rows] -= (target[rows] - middle) / np.maximum((high - low) / 2, SMALLEST)
        count[rows] += 1
    return scores / count


def _population(signals: Signals, folds: int) -> tuple[Signals, NDArray[np.int64]]:
    """Return the never-seen samples, and the fold of each; one fold where they are not among the queried ones."""
    never = int((signals.roles == "holdout").sum())
    if signals.population is None and never < FEWEST:
        raise MissingArray(
            f"quantile needs `population`, or {FEWEST} holdout samples: {HOW_TO_GET['population']}."
        )
    if signals.population is not None:
        return signals.population, np.zeros(len(signals.population), np.int64)
    known = signals.of_role("holdout")
    return known, folds_of(known.names, folds)


def _features(signals: Signals) -> Floats:
    """Return [N, 1 or 3]: the class; with three classes or more, the largest and the entropy of the others' shares."""
    labels = signals.labels.astype(np.float64)
    if signals.classes < 3 or signals.kind != "logits":
        return labels[:, None]
    largest, entropy = np.empty(len(labels)), np.empty(len(labels))
    for part in signals.chunks():
        logits = signals.unlearned[part].astype(np.float64)
        logits[np.arange(len(logits)), signals.labels[part]] = -np.inf
        shares = softmax(logits)
        largest[part] = shares.max(axis=1)
        entropy[part] = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1)
    return np.stack([labels, largest, entropy], axis=1)


def _fitted(features: Floats, target: Floats, level: float, trees: int) -> Callable[[Floats], Floats]:
    categories = [0] if features[:, 0].max() < MOST_CATEGORIES else None
    model = HistGradientBoostingRegressor(
        loss="quantile", quantile=level, max_iter=trees, max_leaf_nodes=8, min_samples_leaf=FEWEST,
        categorical_features=categories, early_stopping=False, random_state=0,
    )  # fmt: skip
    fitted: Callable[[Floats], Floats] = model.fit(features, target).predict
    return fitted
