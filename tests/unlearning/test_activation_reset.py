"""Activation reset, on a unit that answers to the forget samples."""

from __future__ import annotations

import copy

import torch
from small import MODEL, SPLIT, clusters, network, split_of, values
from torch import nn

from vestige.unlearning import unlearn


def test_activation_reset_finds_the_unit_that_answers_to_the_forget_samples():
    """Unit 0 fires on forget samples only; it is drawn anew, the others are not."""
    data = clusters(160)
    split = split_of(data, train=120)
    data.x[:, 0] = 0
    data.x[split.forget, 0] = 10
    model = copy.deepcopy(network())
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.zero_()
        model[0].weight[0, 0] = 1
        model[0].weight[1, 0] = -1
    made = unlearn("activation_reset", model, split, lr=1e-12).model
    changed = (made[0].weight - model[0].weight).abs().max(dim=1).values > 1e-6
    assert changed.tolist() == [True] + [False] * 7
    assert (made[2].weight - model[2].weight).abs().min() > 0


def test_a_budget_spent_on_the_maps_leaves_the_model_as_it_was():
    for limit in ({"max_seconds": 1e-9}, {"max_epochs": 1e-9}):
        made = unlearn("activation_reset", MODEL, SPLIT, **limit)
        assert [made.stopped] == list(limit)
        assert all(torch.equal(v, values(MODEL)[k]) for k, v in values(made.model).items())


class Tokens(nn.Module):
    """Six features as two tokens of three, through a linear layer."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(self.first(x.view(-1, 2, 3)).mean(dim=1))


class Row(nn.Module):
    """Six features as a row of pixels, through a convolution."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv1d(1, 8, 1), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(self.first(x[:, None]).mean(dim=2))


def test_units_of_sequences_and_kernels_of_one_dimension():
    """Unit 0 is higher on the forget samples, at every position, and unit 1 lower; the others answer to nothing."""
    data = clusters(160, features=6)
    split = split_of(data, train=120)
    data.x[:] = 0
    data.x[split.forget] = 10
    for model in (Tokens(), Row()):
        with torch.no_grad():
            model.first.weight.zero_()
            model.first.bias.zero_()
            model.first.weight[0], model.first.weight[1] = 1, -1
        made = unlearn("activation_reset", model, split, lr=1e-12).model
        changed = (made.first.weight - model.first.weight).abs().flatten(1).max(dim=1).values > 1e-6
        assert changed.tolist() == [True] + [False] * 7
