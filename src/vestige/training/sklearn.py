"""scikit-learn classifiers: clone, seed, fit."""

from __future__ import annotations

from typing import TypeVar

from sklearn.base import clone

from vestige.data.dataset import Dataset

Estimator = TypeVar("Estimator")


def fit_sklearn(estimator: Estimator, rows: Dataset, seed: int) -> Estimator:
    """Return a fitted clone of a classifier or pipeline; the one that is given stays as it is.

    rows  images are flattened to [N, C * H * W], their bytes as they are
    seed  becomes every `random_state` among the parameters, those of inner steps included
    """
    fresh = clone(estimator)
    states = {name: seed for name in fresh.get_params() if name.split("__")[-1] == "random_state"}
    fresh.set_params(**states).fit(rows.x.reshape(len(rows), -1), rows.y)
    return fresh  # type: ignore[no-any-return]
