"""Problems small enough to know the answer: samples in clusters, requests to forget some, and a model of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from vestige.data import Dataset, make_split
from vestige.training import Recipe, train
from vestige.unlearning.work import Steps, Work


def clusters(n=120, classes=3, features=5, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = (rng.normal(size=(classes, features))[y] * 1.5 + noise * rng.normal(size=(n, features))).astype(
        np.float32
    )
    return Dataset("clusters", x, y.astype(np.int64), np.arange(n).astype(str), tuple("abcdefgh"[:classes]))


def split_of(data, forget=12, train=90, seed=0, **options):
    rest = len(data) - train
    return make_split(
        data, forget=forget, train=train, holdout=rest // 2, shadow=rest - rest // 2, seed=seed, **options
    )


def network(features=5, classes=3, hidden=8, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(features, hidden), nn.Tanh(), nn.Linear(hidden, classes))


def softmax_regression(scale=0.5):
    made = nn.Linear(5, 3)
    with torch.no_grad():
        made.weight.copy_(scale * torch.randn(3, 5, generator=torch.Generator().manual_seed(0)))
        made.bias.copy_(torch.tensor([0.3, 0.0, -0.3]))
    return made


def weights_of(model):
    """Weights of a linear layer [out, in + 1], biases last."""
    return np.c_[model.weight.detach().numpy(), model.bias.detach().numpy()].astype(float)


def softmax(z):
    odds = np.exp(z)
    return odds / odds.sum(axis=1, keepdims=True)


def work(method="test", **steps):
    return Work(method, Steps(**steps), None, 0, "cpu", False, 100)


def values(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


DATA = clusters(160)
SPLIT = split_of(DATA, train=120)
WHOLE = make_split(DATA, "class", label=1, train=120, holdout=20, shadow=20)
MODEL = train(network(), DATA.take(SPLIT.train), Recipe(epochs=40, batch_size=16, lr=0.1)).model
