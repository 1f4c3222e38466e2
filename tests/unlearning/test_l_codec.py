"""L-CODEC's step against a dense solve, and on problems where the channels that it may choose are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small import clusters, network, split_of
from torch import nn

from vestige.errors import InputError
from vestige.unlearning import unlearn
from vestige.unlearning.l_codec import conditional_dependence, foci, inverse_fisher

DATA = clusters(80)
SPLIT = split_of(DATA, forget=5, train=40)


def rows_changed(made, model):
    """By parameter name, the channels that are not what they were."""
    return {
        name: (new != old).reshape(len(old), -1).any(dim=1).nonzero()[:, 0].tolist()
        for (name, new), old in zip(made.named_parameters(), model.parameters(), strict=True)
    }


def dense_step(forget, retain, ridge):
    """(mean of g g' over the retained + ridge I)^{-1} sum of g over the forgotten / N_r, from gradients [n, d]."""
    fisher = sum(np.outer(g, g) for g in retain) / len(retain)
    return np.linalg.solve(fisher + ridge * np.eye(len(fisher)), forget.sum(axis=0) / len(retain))


@pytest.mark.parametrize("samples", [3, 30])  # fewer and more than there are weights
def test_the_inverse_is_that_of_the_dense_matrix(samples):
    generator = torch.Generator().manual_seed(samples)
    g, v = (torch.randn(*n, dtype=torch.float64, generator=generator) for n in ((samples, 7), (7,)))
    dense = sum(torch.outer(one, one) for one in g) / samples + 0.2 * torch.eye(7, dtype=g.dtype)
    assert torch.allclose(dense @ inverse_fisher(g, v, 0.2), v, atol=1e-10)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_whole_step_on_softmax_regression(scale):
    """Channel 2 answers to no input, so 0 and 1 are chosen; a sample's gradient is (p - onehot) (x, 1)'.

    One forget sample is perturbed, so that its loss is a function of the two; all five are in the step.
    """
    model = nn.Linear(5, 3)
    with torch.no_grad():
        model.weight.copy_(0.4 * torch.randn(3, 5, generator=torch.Generator().manual_seed(0)))
        model.weight[2] = 0
        model.bias.zero_()
    before = torch.cat([model.weight, model.bias[:, None]], dim=1).detach().double().numpy()

    def gradients(rows):
        x = np.c_[rows.x, np.ones(len(rows))].astype(float)
        odds = np.exp(x @ before.T)
        slope = odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[rows.y]
        return np.stack([np.outer(s[:2], one).ravel() for s, one in zip(slope, x, strict=True)])

    step = dense_step(gradients(SPLIT.rows("forget")), gradients(SPLIT.rows("retain")), 0.05)
    options = {"batch_size": 1, "perturbations": 400, "noise": 1.0, "ridge": 0.05, "scale": scale}
    made = unlearn("l_codec", model, SPLIT, **options).model
    after = torch.cat([made.weight, made.bias[:, None]], dim=1).detach().numpy()
    assert np.abs(step).max() > 0.05
    assert np.allclose(after[:2] - before[:2], scale * step.reshape(2, 6), atol=1e-4)
    assert rows_changed(made, model) == {"weight": [0, 1], "bias": [0, 1]}
    one = unlearn("l_codec", model, SPLIT, most=1, **options).model
    assert rows_changed(one, model)["weight"] in ([0], [1])


def test_chosen_channels_of_two_layers_are_stepped_together():
    """Whichever are chosen: at most `most`, weights with their biases, by one dense solve over all of them."""
    model = network()
    made = unlearn("l_codec", model, SPLIT, perturbations=200, noise=0.5, most=5, ridge=0.05).model
    changed = rows_changed(made, model)
    assert changed["0.weight"] == changed["0.bias"] and changed["2.weight"] == changed["2.bias"]
    assert 2 <= len(changed["0.weight"]) + len(changed["2.weight"]) <= 5

    def picked(tensors):
        return np.concatenate(
            [t[changed[n]].flatten().numpy() for n, t in zip(changed, tensors, strict=True)]
        )

    def gradients(rows):
        losses = F.cross_entropy(model(torch.from_numpy(rows.x)), torch.from_numpy(rows.y), reduction="none")
        parameters = list(model.parameters())
        return np.stack([picked(torch.autograd.grad(one, parameters, retain_graph=True)) for one in losses])

    moved = [(a - b).detach() for a, b in zip(made.parameters(), model.parameters(), strict=True)]
    step = dense_step(gradients(SPLIT.rows("forget")), gradients(SPLIT.rows("retain")), 0.05)
    assert np.abs(step).max() > 0.05
    assert np.allclose(picked(moved), step, atol=1e-4)


def test_the_unit_that_the_loss_depends_on_is_chosen():
    """The frozen output reads the third of eight hidden units alone; seven others react as strongly to the noise."""
    model = network()
    with torch.no_grad():
        model[2].weight[:, [0, 1, 3, 4, 5, 6, 7]] = 0
    model[2].requires_grad_(False)
    for seed in range(3):
        made = unlearn("l_codec", model, SPLIT, perturbations=200, batch_size=1, most=1, seed=seed).model
        assert rows_changed(made, model) == {"0.weight": [2], "0.bias": [2], "2.weight": [], "2.bias": []}


def test_conditional_dependence():
    """0 for independent, 1 for functions, and given what explains all, nothing more."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 1))
    assert abs(conditional_dependence(x[:, 0], z)) < 0.05
    assert conditional_dependence(np.sin(3 * x[:, 0]), x) > 0.98
    assert conditional_dependence(x[:, 0] * z[:, 0], z, x) > 0.85
    noisy = x[:, 0] + rng.normal(size=4000)
    assert abs(conditional_dependence(noisy, z, x)) < 0.1 < conditional_dependence(noisy, x, z)


def test_foci_finds_the_parents():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(1500, 12))
    y = 2 * z[:, 3] + np.abs(z[:, 7]) + 0.01 * rng.normal(size=1500)
    assert set(foci(y, z, 5)[:2]) == {3, 7}
    with pytest.raises(InputError, match="raise noise"):
        foci(y, np.ones((1500, 3)), 2)


class Tokens(nn.Module):
    """Twelve features as three tokens of four, through four units; the frozen output reads the third unit alone."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3)
        with torch.no_grad():
            self.last.weight[:, [0, 1, 3]] = 0
        self.last.requires_grad_(False)

    def forward(self, x):
        return self.last(torch.tanh(self.outputs(x)).mean(dim=1))

    def outputs(self, x):
        return self.first(x.view(-1, 3, 4))


class Row(Tokens):
    """The same by a convolution of one dimension, with strides of a token."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 4, 4, stride=4)

    def outputs(self, x):
        return self.first(x[:, None]).transpose(1, 2)


@pytest.mark.parametrize("build", [Tokens, Row])
def test_units_of_sequences_and_kernels_of_one_dimension(build):
    data = clusters(80, features=12)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build()
    options = {"perturbations": 400, "batch_size": 1, "most": 1}
    made = unlearn("l_codec", model, split_of(data, forget=5, train=40), **options).model
    assert rows_changed(made, model) == {
        "first.weight": [2],
        "first.bias": [2],
        "last.weight": [],
        "last.bias": [],
    }


def test_a_weight_of_two_layers_is_stepped_once():
    """The step on a shared weight is that of one parameter, whose gradient both layers have part in."""
    model = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 3))
    with torch.no_grad():
        for k, one in enumerate(model.parameters()):
            one.copy_(0.4 * torch.randn(one.shape, generator=torch.Generator().manual_seed(k)))
    model[2].weight = model[0].weight
    for name, p in model.named_parameters():
        p.requires_grad_(name == "0.weight")
    made = unlearn("l_codec", model, SPLIT, perturbations=200, noise=0.5, most=5, ridge=0.05).model
    assert made[2].weight is made[0].weight
    chosen = rows_changed(made, model)["0.weight"]

    def gradients(rows):
        losses = F.cross_entropy(model(torch.from_numpy(rows.x)), torch.from_numpy(rows.y), reduction="none")
        each = [torch.autograd.grad(one, model[0].weight, retain_graph=True)[0] for one in losses]
        return torch.stack(each)[:, chosen].flatten(1).numpy()

    moved = (made[0].weight - model[0].weight)[chosen].flatten().detach().numpy()
    assert np.allclose(
        moved, dense_step(gradients(SPLIT.rows("forget")), gradients(SPLIT.rows("retain")), 0.05), atol=1e-4
    )


def test_as_published_neighbours_are_near_in_the_units_of_the_activations():
    """A wide column that says nothing hides a narrow one that says all, unless columns are standardised."""
    rng = np.random.default_rng(2)
    first, second, wide = rng.normal(size=400), 0.1 * rng.normal(size=400), 1000 * rng.normal(size=400)
    y, z = 3 * first + 10 * second, np.c_[first, second, wide]
    assert sorted(foci(y, z, 3)[:2]) == [0, 1] and sorted(foci(y, z, 3, standardise=False)[:2]) == [0, 1]
    narrow = np.c_[first, 1e-6 * second, wide]
    assert sorted(foci(y, narrow, 3)[:2]) == [0, 1]
    given = conditional_dependence(y, narrow[:, [1]], narrow[:, [0]])
    assert given < 0.2 < conditional_dependence(y, z[:, [1]] / 0.1, narrow[:, [0]])
    assert foci(y, narrow, 3, standardise=False).tolist() != foci(y, narrow, 3).tolist()


def test_as_published_every_channel_is_tried():
    """A column that y depends on without correlation is not among the four preselected ones."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(500, 12))
    y = np.cos(3 * z[:, 11])
    order = np.argsort(-np.abs(((z - z.mean(0)) / z.std(0)).T @ (y - y.mean())))
    assert 11 not in order[:4]
    assert foci(y, z, 1, preselect=False).tolist() == [11] != foci(y, z, 1).tolist()
    chosen = {
        preset: unlearn("l_codec", network(), SPLIT, preset=preset, perturbations=60).options
        for preset in ("paper", "recommended")
    }
    assert not chosen["paper"]["preselect"] and chosen["recommended"]["standardise"]
