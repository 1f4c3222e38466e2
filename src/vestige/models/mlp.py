"""Fully connected networks, from none to four hidden layers; images are flattened."""

from __future__ import annotations

import math

from torch import nn

from vestige.models.classifier import Classifier, Fraction, Width
from vestige.models.registry import register


def _fully_connected(
    shape: tuple[int, ...],
    classes: int,
    hidden: tuple[int, ...],
    activation: type[nn.Module],
    *,
    dropout: float = 0.0,
    standardise: bool = True,
) -> Classifier:
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = math.prod(shape)
    for width in hidden:
        layers += [nn.Linear(inputs, width), activation()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = width
    return Classifier(shape, nn.Sequential(*layers), inputs, classes, adaptive=standardise)


@register("mlp")
def mlp(
    shape: tuple[int, ...],
    classes: int,
    *,
    hidden: tuple[Width, ...] = (256, 128),
    dropout: Fraction = 0.0,
    standardise: bool = True,
) -> Classifier:
    """Hidden layers with ReLU, each followed by dropout where it is above 0."""
    return _fully_connected(shape, classes, hidden, nn.ReLU, dropout=dropout, standardise=standardise)


@register("purchase_mlp", cites="Wang et al. 2025 (IAM)")
def purchase_mlp(shape: tuple[int, ...], classes: int, *, standardise: bool = False) -> Classifier:
    """1024-512-256-128 with tanh: the model of Purchase-100 (600 features, 100 classes).

    Parameters
    ----------
    standardise : bool
        False as published: a rare binary feature divided by its tiny std would saturate tanh.
    """
    return _fully_connected(shape, classes, (1024, 512, 256, 128), nn.Tanh, standardise=standardise)


@register("leaks_mlp", cites="Chen et al. 2021 (UnlearningLeaks)")
def leaks_mlp(shape: tuple[int, ...], classes: int, *, standardise: bool = True) -> Classifier:
    """256-128-64-32 with ReLU: the target model of the two-version attack."""
    return _fully_connected(shape, classes, (256, 128, 64, 32), nn.ReLU, standardise=standardise)


@register("logistic")
def logistic(shape: tuple[int, ...], classes: int, *, standardise: bool = True) -> Classifier:
    """Logistic regression: one linear layer."""
    return _fully_connected(shape, classes, (), nn.ReLU, standardise=standardise)
