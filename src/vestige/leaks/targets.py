"""The models that are attacked: scikit-learn's, with the published settings, and networks of this library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from vestige.arguments import Positive, check_fields, checked
from vestige.data.dataset import Dataset
from vestige.errors import InputError, need, unknown
from vestige.estimators import expect_classifier, fit_sklearn, probabilities
from vestige.leaks.record import normalised
from vestige.signals import collect_logits
from vestige.signals.transforms import softmax

Floats = NDArray[np.float64]
TORCH = "torch:"
TRAINING_DEFENCES = ("train_temperature", "dp")


@dataclass(frozen=True)
class Network:
    """A network of `vestige list models` as a target.

    Attributes
    ----------
    model : str or Mapping[str, Any]
        Its name, or a mapping with its options beside the name: {"name": "cnn", "width": 16}.
    recipe : Mapping[str, Any]
        How it is trained, as keywords of `vestige.Recipe`.
    temperature : float
        What the logits are divided by, in training as well as when the model answers.
    privacy : Mapping[str, Any] or None
        None, or the budget of differentially private training: epsilon, delta, clip, as keywords of
        `vestige.training.train_private`; the input scale is then not fitted.
    """

    model: str | Mapping[str, Any] = "mlp"
    recipe: Mapping[str, Any] = field(default_factory=lambda: {"epochs": 30, "batch_size": 64, "lr": 0.05})
    temperature: Positive = 1.0
    privacy: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_fields("Network", self)


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
    return expect_classifier(target)


def expect_target(target: Any) -> None:
    """Raise `InputError` where there is no such target; of a network, where its model or recipe cannot be."""
    estimator = target_of(target)
    if isinstance(estimator, Network):
        need("torch", "torch", "Attacking a network")
        from vestige.config import validated
        from vestige.models import MODELS
        from vestige.training import Recipe

        entry, options, _ = MODELS.chosen(estimator.model)
        entry.resolve(options)
        validated(Recipe, estimator.recipe, entry.name)


def fitted(target: Any, rows: Dataset, seed: int) -> Any:
    """Return the target fitted on `rows`, every random state inside set to `seed`."""
    if isinstance(target, Network):
        need("torch", "torch", "Attacking a network")
        return _network(target, rows, seed)
    return fit_sklearn(target, rows, seed)


def _network(target: Network, rows: Dataset, seed: int) -> Any:
    from vestige.config import validated
    from vestige.models import MODELS, build_model
    from vestige.models.classifier import Tempered
    from vestige.training import Recipe, train, train_private

    entry, options, _ = MODELS.chosen(target.model)
    start = build_model(entry.name, rows.shape, len(rows.classes), seed=seed, **options)
    if target.temperature != 1:
        start = Tempered(start, target.temperature)
    recipe = validated(Recipe, {**target.recipe, "seed": seed}, entry.name)
    if target.privacy is not None:
        return train_private(start, rows, recipe, **target.privacy).model
    return train(start, rows, recipe).model


@checked
def hardened(target: Any, defence: str) -> tuple[Any, str]:
    """Return the target with those parts of a defence that act in training, and the parts that do not.

    Two defences act in training: `train_temperature=T` divides logits by T there as well, and `dp=EPSILON` trains
    with differential privacy (delta 1e-5, gradients clipped at 1).

    Raises
    ------
    InputError
        Where the target cannot be trained in that way.
    """
    left = []
    for part in (p.strip() for p in defence.split("+")):
        name, _, value = part.partition("=")
        if name not in TRAINING_DEFENCES:
            left.append(part)
            continue
        target = target_of(target)
        if not isinstance(target, Network):
            raise InputError(f"The defence {part!r} acts in training and needs a network, such as torch:mlp.")
        try:
            number = float(value)
        except ValueError:
            raise InputError(f"The defence {part!r} needs a number, such as {name}=4.") from None
        if name == "dp":
            target = replace(target, privacy={"epsilon": number, "delta": 1e-5, "clip": 1.0})
        else:
            target = replace(target, temperature=number)
    return target, "+".join(left) or "none"


def posteriors(model: Any, rows: Dataset) -> Floats:
    """Return class probabilities [n, K] over all classes of the data; 0 for a class that the model never saw."""
    if hasattr(model, "forward"):
        return softmax(collect_logits(model, rows))
    return normalised(probabilities(model, rows))
