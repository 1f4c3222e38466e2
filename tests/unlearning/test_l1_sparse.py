"""The L1 penalty, on a weight that the data say nothing about."""

from __future__ import annotations

import pytest
import torch
from small import clusters, split_of
from torch import nn

from vestige.errors import InputError
from vestige.unlearning import unlearn


def test_l1_penalty_falls_to_nothing():
    """A weight without data gradient shrinks by lr * alpha_t a step: sum of 1, 2/3, 1/3 of alpha over 3 epochs."""
    data = clusters(64)
    data.x[:, 4] = 0
    split = split_of(data, forget=4, train=44)
    model = nn.Linear(5, 3)
    with torch.no_grad():
        model.weight[:, 4] = 5.0
    steps = {"epochs": 3, "lr": 0.1, "momentum": 0, "weight_decay": 0, "batch_size": 64, "augment": "none"}
    made = unlearn("l1_sparse", model, split, alpha=0.3, **steps).model
    assert made.weight[:, 4].tolist() == pytest.approx([5 - 0.1 * 0.3 * (1 + 2 / 3 + 1 / 3)] * 3, abs=1e-5)
    kept = unlearn("l1_sparse", model, split, alpha=0.3, plain_epochs=2, **steps).model
    assert kept.weight[:, 4].tolist() == pytest.approx([5 - 0.1 * 0.3] * 3, abs=1e-5)


def test_a_penalty_on_nothing_is_refused():
    model = nn.Linear(5, 3)
    model.weight.requires_grad_(False)
    split = split_of(clusters(64), forget=4, train=44)
    with pytest.raises(InputError, match="vectors=True"):
        unlearn("l1_sparse", model, split)
    unlearn("l1_sparse", model, split, vectors=True, epochs=1)
