"""Boundary shrink and expanding: the labels that forget samples get, and the steps to them by hand."""

from __future__ import annotations

import numpy as np
import pytest
import small
import torch
from small import clusters, network, split_of
from torch import nn

from vestige.data import Dataset
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.unlearning import unlearn

PLAIN = {"momentum": 0, "weight_decay": 0, "batch_size": 256}

# logits x0, x1 and 2.9 - 3 x0
WEIGHT, BIAS = np.array([[1.0, 0], [0, 1], [-3, 0]]), np.array([0, 0, 2.9])
# the third class is behind the second at (1, 0.05), where the logits are (1, 0.05, -0.1), and before it at (0.9, 0.15)
X = np.array([[1, 0.05], [1, 0.3], [-1, 0], [0.5, 2]], dtype=np.float32)
Y, NEAREST = np.array([0, 0, 2, 1]), np.array([2, 1, 1, 2])


def four_samples():
    """A linear model of three classes, and a request to forget four samples of it."""
    model = nn.Linear(2, 3)
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(WEIGHT))
        model.bias.copy_(torch.from_numpy(BIAS))
    x, y = np.concatenate([X, -X]), np.concatenate([Y, Y])
    data = Dataset("four", x, y, np.arange(8).astype(str), ("a", "b", "c"))
    none = np.arange(0)
    return model, Split(data, np.arange(4), np.arange(4, 8), none, none)


def test_shrink_labels_by_the_nearest_other_class():
    """One step of softmax regression to labels found on paper: theta - lr * mean of (p - onehot) (x, 1)'."""
    model, split = four_samples()
    made = unlearn("boundary_shrink", model, split, epochs=1, lr=0.5, **PLAIN).model
    odds = np.exp(X @ WEIGHT.T + BIAS)
    slope = (odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[NEAREST]) / 4
    assert np.allclose(made.weight.detach().numpy(), WEIGHT - 0.5 * slope.T @ X, atol=1e-6)
    assert np.allclose(made.bias.detach().numpy(), BIAS - 0.5 * slope.sum(axis=0), atol=1e-6)


def test_shrink_as_published_has_no_weight_decay_and_keeps_momentum():
    """Ten epochs of SGD with momentum 0.9, at a rate that shows it, to the nearest other class, all samples in one batch."""
    model, split = four_samples()
    made = unlearn("boundary_shrink", model, split, preset="paper", lr=0.1).model
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    for _ in range(10):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.from_numpy(X)), torch.from_numpy(NEAREST)).backward()
        optimizer.step()
    assert torch.allclose(made.weight, model.weight, atol=1e-5, rtol=0)
    assert torch.allclose(made.bias, model.bias, atol=1e-5, rtol=0)
    decayed = unlearn(
        "boundary_shrink", four_samples()[0], split, preset="paper", lr=0.1, weight_decay=5e-4
    ).model
    assert (made.weight - decayed.weight).abs().max() > 1e-4


def test_shrink_finds_another_class_at_another_radius():
    """A step of 0.01 to (0.99, 0.06) leaves the second class ahead of the third, 0.06 to -0.07."""
    model, split = four_samples()
    small, usual = (
        unlearn("boundary_shrink", model, split, epochs=1, lr=0.5, radius=radius, **PLAIN).model.bias
        for radius in (0.01, 0.1)
    )
    # of a label, 1/4 of a step of 0.5 goes from the third class to the second
    assert torch.allclose(small - usual, torch.tensor([0, 0.125, -0.125]), atol=1e-6)


def test_expanding_descends_to_one_more_class_and_drops_it():
    """Three steps by hand to an output that begins at weight 0 and the mean bias; `paper` keeps those of the head."""
    data = clusters(80)
    split, model = split_of(data, train=60), network()
    x = torch.from_numpy(split.rows("forget").x)
    first = [p.detach().clone().requires_grad_(True) for p in model.parameters()]
    w, b, head, bias = first
    head = torch.cat([head, torch.zeros(1, 8)]).detach().requires_grad_(True)
    bias = torch.cat([bias, bias.mean()[None]]).detach().requires_grad_(True)
    for _ in range(3):
        p = torch.softmax(torch.tanh(x @ w.T + b) @ head.T + bias, dim=1)
        slopes = torch.autograd.grad(-p[:, 3].log().mean(), [w, b, head, bias])
        with torch.no_grad():
            for value, slope in zip((w, b, head, bias), slopes, strict=True):
                value -= 0.5 * slope
    new, old = [w, b, head[:3], bias[:3]], list(model.parameters())
    assert all((a - c).abs().max().item() > 0.05 for a, c in zip(new, old, strict=True))
    for preset, wanted in (("recommended", new), ("paper", old[:2] + new[2:])):
        made = unlearn("boundary_expanding", model, split, preset=preset, epochs=3, lr=0.5, **PLAIN).model
        for a, c in zip(made.parameters(), wanted, strict=True):
            assert torch.allclose(a, c, atol=1e-5)


@pytest.mark.parametrize("preset", ["recommended", "paper"])
def test_expanding_refuses_a_frozen_last_layer(preset):
    """Of the first layer, frozen, every value stays; a last one that is frozen, in part or whole, cannot be widened."""
    split = split_of(clusters(80), train=60)
    model = network()
    model[0].requires_grad_(False)
    made = unlearn("boundary_expanding", model, split, preset=preset, lr=0.5).model
    assert torch.equal(made[0].weight, model[0].weight) and not torch.equal(made[2].weight, model[2].weight)
    for part in ("weight", "bias"):
        model = network()
        getattr(model[2], part).requires_grad_(False)
        with pytest.raises(InputError, match="last linear layer, which is frozen"):
            unlearn("boundary_expanding", model, split, preset=preset, lr=0.5)


def test_both_read_the_forget_samples_alone():
    """Where held-out samples take the place of the retained ones, the result is the same bit for bit."""
    data = clusters(80)
    split = split_of(data, train=60)
    for name in ("boundary_shrink", "boundary_expanding"):
        one = unlearn(name, network(), split, lr=0.1).model
        other = Split(data, split.forget, split.holdout, split.retain, split.shadow)
        two = unlearn(name, network(), other, lr=0.1).model
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_expanding_leaves_c_classes_and_shrink_another_label():
    made = unlearn("boundary_expanding", small.MODEL, small.SPLIT, lr=0.3).model
    assert made[2].weight.shape == (3, 8) and made[2].out_features == 3
    thrown = unlearn("boundary_expanding", small.MODEL, small.SPLIT, preset="paper", lr=0.3).model
    assert torch.equal(thrown[0].weight, small.MODEL[0].weight) and not torch.equal(
        made[0].weight, small.MODEL[0].weight
    )
    rows = small.SPLIT.rows("forget")
    shrunk = unlearn("boundary_shrink", small.MODEL, small.SPLIT, lr=0.1, epochs=60).model
    before, after = (
        float((m(torch.from_numpy(rows.x)).argmax(1) == torch.from_numpy(rows.y)).float().mean())
        for m in (small.MODEL, shrunk)
    )
    assert after < before - 0.4


class Cut(nn.Module):
    def forward(self, x):
        with torch.no_grad():
            return x + 0


class Categories(nn.Embedding):
    def forward(self, x):
        return super().forward(x.abs().long()).flatten(1)


def test_shrink_wants_a_gradient_by_the_inputs():
    split = split_of(clusters(80), train=60)
    for model in (
        nn.Sequential(Categories(20, 2), nn.Linear(10, 3)),
        nn.Sequential(Cut(), network()),
    ):
        with pytest.raises(InputError, match="no gradient reaches its inputs"):
            unlearn("boundary_shrink", model, split)


def test_expanding_wants_logits_of_the_last_layer():
    class Prior(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.prior = nn.Linear(5, 3), nn.Parameter(torch.ones(3))

        def forward(self, x):
            return self.linear(x) + self.prior

    class First(Prior):
        def forward(self, x):
            return self.linear(x)[:, :3]

    for model in (Prior(), First()):
        with pytest.raises(InputError, match="adds an output.*boundary_shrink"):
            unlearn("boundary_expanding", model, split_of(clusters(80), train=60))
