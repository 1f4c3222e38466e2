"""CF-k and EU-k: which layers move, and in which order they are counted."""

from __future__ import annotations

import copy

import pytest
import torch
from small import DATA, MODEL, SPLIT, values
from torch import nn

from vestige.errors import InputError
from vestige.unlearning import unlearn
from vestige.unlearning.last_layers import only
from vestige.unlearning.work import Steps, Work


def test_cf_k_and_eu_k_leave_the_others_alone():
    for name, k in (("cf_k", 1), ("eu_k", 1)):
        made = values(unlearn(name, MODEL, SPLIT, k=k).model)
        before = values(MODEL)
        assert torch.equal(made["0.weight"], before["0.weight"]) and torch.equal(
            made["0.bias"], before["0.bias"]
        )
        assert not torch.equal(made["2.weight"], before["2.weight"])
    with pytest.raises(InputError, match="2 layers"):
        unlearn("cf_k", MODEL, SPLIT, k=3)
    partly = copy.deepcopy(MODEL)
    partly[0].requires_grad_(False)
    made = unlearn(
        "eu_k", partly, SPLIT, k=2
    ).model  # a frozen layer is not drawn anew, for nothing would train it
    assert torch.equal(made[0].weight, MODEL[0].weight) and not torch.equal(made[2].weight, MODEL[2].weight)
    norms = nn.Sequential(MODEL[0], nn.BatchNorm1d(8), nn.Tanh(), nn.BatchNorm1d(8), MODEL[2])
    made = unlearn(
        "eu_k", norms, SPLIT, k=2
    ).model  # what is drawn anew takes its statistics from the retained samples
    assert not made[1].running_mean.any() and made[3].running_mean.all()
    model = copy.deepcopy(MODEL)
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    with only(model, DATA, 1, job):
        assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]
    assert all(p.requires_grad for p in model.parameters())


class Attends(nn.Module):
    """Features attend to one another, then a head; `scale` is a parameter that nothing draws."""

    def __init__(self, scaled=False):
        super().__init__()
        self.body, self.head = nn.MultiheadAttention(1, 1, batch_first=True), nn.Linear(5, 3)
        self.scaled = Scaled() if scaled else nn.Identity()

    def forward(self, x):
        return self.scaled(self.head(self.body(x[..., None], x[..., None], x[..., None])[0][..., 0]))


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.scale * x


def test_what_eu_k_can_draw():
    model = Attends()
    made = unlearn("eu_k", model, SPLIT, k=2, lr=1e-12).model
    assert (made.body.in_proj_weight - model.body.in_proj_weight).abs().min() > 1e-6
    with pytest.raises(InputError, match="'scale' cannot be drawn anew"):
        unlearn("eu_k", Attends(scaled=True), SPLIT)
    unlearn("cf_k", Attends(scaled=True), SPLIT)


class Tempered(nn.Module):
    """A network with a weight of its own beside its layers, as the class token of a vision transformer is."""

    def __init__(self):
        super().__init__()
        self.head, self.body = copy.deepcopy(MODEL[2]), copy.deepcopy(MODEL[0])
        self.temperature = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.head(torch.tanh(self.body(x))) * self.temperature


@pytest.mark.parametrize("name", ["cf_k", "eu_k"])
def test_weights_of_the_network_itself_come_before_its_layers(name):
    before = Tempered()
    made = values(unlearn(name, before, SPLIT, k=1).model)
    moved = {key for key, value in values(before).items() if not torch.equal(made[key], value)}
    assert moved == {"head.weight", "head.bias"}


def test_a_computed_weight_belongs_to_its_layer():
    model = copy.deepcopy(MODEL)
    nn.utils.parametrizations.weight_norm(model[2])
    made = values(unlearn("cf_k", model, SPLIT, k=1).model)
    moved = {key for key, value in values(model).items() if not torch.equal(made[key], value)}
    assert moved == {"2.bias", "2.parametrizations.weight.original0", "2.parametrizations.weight.original1"}
    made = values(unlearn("eu_k", model, SPLIT, k=1).model)
    assert torch.equal(made["0.weight"], MODEL[0].weight) and not torch.equal(made["2.bias"], MODEL[2].bias)


def test_a_frozen_weight_of_a_free_layer_is_not_drawn():
    model = copy.deepcopy(MODEL)
    model[2].weight.requires_grad_(False)
    made = values(unlearn("eu_k", model, SPLIT, k=1).model)
    assert torch.equal(made["2.weight"], MODEL[2].weight) and not torch.equal(made["2.bias"], MODEL[2].bias)
