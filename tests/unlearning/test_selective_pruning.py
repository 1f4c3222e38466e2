"""Selective pruning: which weights are drawn anew, against copies that are overfitted in the test."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from small import MODEL, SPLIT, network, values
from torch.nn.utils import parametrizations, parametrize, prune

from vestige.errors import InputError
from vestige.unlearning import unlearn


def least_moved(role, lr, epochs=5):
    """For each matrix, the three in ten entries that overfitting on one role moves least: |theta - theta_F| ranked.

    All samples make one batch, so that the copy depends on no order. SGD with Nesterov momentum 0.9, decay 5e-4.
    """
    rows = SPLIT.rows(role)
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)
    other = copy.deepcopy(MODEL)
    optimiser = torch.optim.SGD(other.parameters(), lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for _ in range(epochs):
        optimiser.zero_grad()
        F.cross_entropy(other(x), y).backward()
        optimiser.step()
    chosen = {}
    for name, weight in values(MODEL).items():
        distance = (weight - values(other)[name]).abs().flatten()
        ranks = distance.argsort().argsort()
        chosen[name] = (ranks < int(0.3 * len(ranks))).view_as(weight) & (weight.ndim == 2)
    return chosen


def redrawn(name):
    """Where a method with hardly any repair changes the model: what it drew anew."""
    made = values(unlearn(name, MODEL, SPLIT, lr=1e-12, overfit_epochs=5).model)
    return {n: (made[n] - v).abs() > 1e-6 for n, v in values(MODEL).items()}


def test_drawn_anew_is_what_the_forget_samples_move_least():
    near, found = least_moved("forget", 0.01), redrawn("selective_pruning")
    assert all(torch.equal(found[n], near[n]) for n in near)
    assert int(found["0.weight"].sum()) == 12 and int(found["2.weight"].sum()) == 7


def test_the_last_layers_share_is_drawn_anew():
    near, found = least_moved("forget", 0.01), redrawn("selective_pruning_last_layer")
    assert torch.equal(found["2.weight"], near["2.weight"])
    assert not any(found[n].any() for n in found if n != "2.weight")


def test_complex_draws_anew_what_both_leave_alone():
    """The retained samples, fewer than a batch, are all taken, at a third of the rate."""
    near, other = least_moved("forget", 0.01), least_moved("retain", 0.01 / 3)
    found = redrawn("selective_pruning_complex")
    assert all(torch.equal(found[n], near[n] & other[n]) for n in near)
    counts = [sum(int(m.sum()) for m in masks.values()) for masks in (found, near)]
    assert 0 < counts[0] < counts[1]


SETS_WEIGHTS = ("activation_reset", "l_codec", "boundary_expanding", "selective_pruning_last_layer")


@pytest.mark.parametrize("name", SETS_WEIGHTS)
def test_a_weight_that_is_computed_from_others_is_not_set(name):
    """The message names the layer and the way out, which works."""
    few = {"l_codec": {"perturbations": 20}}.get(name, {})
    for layer in (0, 2) if name in SETS_WEIGHTS[:2] else (2,):
        model = network()
        parametrizations.weight_norm(model[layer])
        with pytest.raises(InputError, match=f"layer '{layer}'.*remove_parametrizations"):
            unlearn(name, model, SPLIT, **few)
        parametrize.remove_parametrizations(model[layer], "weight")
        unlearn(name, model, SPLIT, **few)
        prune.l1_unstructured(model[layer], "weight", 0.5)
        with pytest.raises(InputError, match=f"layer '{layer}'.*prune.remove"):
            unlearn(name, model, SPLIT, **few)


@pytest.mark.parametrize("name", ["selective_pruning", "selective_pruning_complex"])
def test_frozen_weights(name):
    model = network()
    for layer in (0, 2):
        model[layer].weight.requires_grad_(False)
    with pytest.raises(InputError, match="is a vector"):
        unlearn(name, model, SPLIT)
