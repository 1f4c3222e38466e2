"""The models that are attacked: scikit-learn's, with the published settings, and networks of this library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from vestige.data.dataset import Dataset
from vestige.errors import InputError, need, unknown
from vestige.signals import collect_logits
from vestige.signals.transforms import softmax

Floats = NDArray[np.float64]
TORCH = "torch:"


@dataclass(frozen=True)
class Network:
    """A network of `vestige list models` as a target.

    model   its name, with `knobs`
    recipe  how it is trained, as keywords of `vestige.Recipe`
    """

    model: str = "mlp"
    knobs: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=lambda: {"epochs": 30, "batch_size": 64, "lr": 0.05})


def targets() -> dict[str, Any]:
    """Return the scikit-learn targets by name, unfitted, as published by Chen et al. 2021.

    The scaler of the logistic regression is fitted once, on the training set, and belongs to the model.
    """
    one_vs_rest = OneVsRestClassifier(LogisticRegression(max_iter=400))
    return {
        "logistic-regression": make_pipeline(StandardScaler(), one_vs_rest),
        "decision-tree": DecisionTreeClassifier(max_leaf_nodes=10, random_state=0),
        "random-forest": RandomForestClassifier(500, min_samples_leaf=30, random_state=0),
        "mlp": MLPClassifier(early_stopping=True, learning_rate_init=0.01, random_state=0),
    }


def target_of(target: Any) -> Any:
    """Return the estimator of a name, or the user's own unfitted classifier; "torch:cnn" is a network by that name.

    Raises `InputError`.
    """
    if isinstance(target, Network):
        return target
    if isinstance(target, str) and target.startswith(TORCH):
        return Network(target.removeprefix(TORCH))
    if isinstance(target, str):
        known = targets()
        if target not in known:
            raise InputError(unknown("target", target, known))
        return known[target]
    if not (hasattr(target, "fit") and hasattr(target, "predict_proba")):
        raise InputError(f"{type(target).__name__} is no classifier with fit and predict_proba.")
    return target


def fitted(target: Any, rows: Dataset, seed: int) -> Any:
    """Return the target fitted on `rows`, every random state inside set to `seed`."""
    if isinstance(target, Network):
        need("torch", "torch", "Attacking a network")
        from vestige.models import build_model
        from vestige.training import Recipe, train

        start = build_model(target.model, rows.shape, len(rows.classes), seed=seed, **target.knobs)
        return train(start, rows, Recipe(**{**target.recipe, "seed": seed})).model
    fresh = clone(target)
    states = {name: seed for name in fresh.get_params() if name.split("__")[-1] == "random_state"}
    return fresh.set_params(**states).fit(rows.x.reshape(len(rows), -1), rows.y)


def posteriors(model: Any, rows: Dataset) -> Floats:
    """Return class probabilities [n, K] over all classes of the data; 0 for a class that the model never saw."""
    if hasattr(model, "forward"):
        return softmax(collect_logits(model, rows))
    p = np.asarray(model.predict_proba(rows.x.reshape(len(rows), -1)), dtype=np.float64)
    known = np.asarray(model.classes_).astype(np.int64)
    full = np.zeros((len(rows), len(rows.classes)))
    full[:, known] = p
    total = full.sum(axis=1, keepdims=True)
    return np.where(total > 0, full / np.where(total > 0, total, 1), 1 / full.shape[1])
