"""Activation reset, on a unit that answers to the forget samples."""

from __future__ import annotations

import copy

import torch
from small import MODEL, SPLIT, clusters, network, split_of, values

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
