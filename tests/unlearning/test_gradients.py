"""Gradients, Fisher diagonals and curvature products against autograd by hand and dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small import clusters, network, work
from torch import nn
from torch.nn.utils import parametrizations, prune

from vestige.errors import InputError
from vestige.models import build_model
from vestige.unlearning.gradients import (
    _by_functions,
    batch_squares,
    conjugate_gradient,
    curvature_product,
    fisher_diagonal,
    mean_gradient,
    sample_gradients,
)
from vestige.unlearning.per_layer import traced

DATA, MODEL = clusters(20), network()
X, Y = torch.from_numpy(DATA.x), torch.from_numpy(DATA.y)


def by_hand(x, y):
    """Gradient of one sample's loss, by parameter name."""
    loss = F.cross_entropy(MODEL(x[None]), y[None])
    return dict(
        zip(
            [n for n, _ in MODEL.named_parameters()],
            torch.autograd.grad(loss, list(MODEL.parameters())),
            strict=True,
        )
    )


def test_sample_gradients_and_their_mean():
    each = sample_gradients(MODEL, X, Y)
    for i in (0, 7):
        for name, g in by_hand(X[i], Y[i]).items():
            assert torch.allclose(each[name][i], g, atol=1e-6)
    mean = mean_gradient(MODEL, DATA, work(batch_size=7))
    for name, g in mean.items():
        assert torch.allclose(g, each[name].mean(dim=0), atol=1e-6)


def test_fisher_diagonal_by_hand():
    true = fisher_diagonal(MODEL, DATA, work(), labels="true", batch_size=6)
    every = fisher_diagonal(MODEL, DATA, work(), labels="all", batch_size=6)
    p = torch.softmax(MODEL(X), dim=1).detach()
    for name in true:
        wanted = torch.stack([by_hand(X[i], Y[i])[name].square() for i in range(20)]).mean(dim=0)
        assert torch.allclose(true[name], wanted, atol=1e-6)
        wanted = sum(
            p[i, c] * by_hand(X[i], torch.tensor(c))[name].square() for i in range(20) for c in range(3)
        ) / 20  # fmt: skip
        assert torch.allclose(every[name], wanted, atol=1e-6)


def test_sampled_labels_are_unbiased():
    every = fisher_diagonal(MODEL, DATA, work(), labels="all")
    drawn = [fisher_diagonal(MODEL, DATA, work(), purpose=k) for k in range(200)]
    for name, value in every.items():
        mean = torch.stack([d[name] for d in drawn]).mean(dim=0)
        assert float((mean - value).abs().max()) < 0.15 * float(value.max())


def test_squares_of_batch_means_are_not_the_fisher():
    """Published: of batches of n, about 1/n of it, plus a mean term."""
    one = batch_squares(MODEL, DATA, work(), batch_size=1)
    all_at_once = batch_squares(MODEL, DATA, work(), batch_size=20)
    true = fisher_diagonal(MODEL, DATA, work(), labels="true")
    mean = mean_gradient(MODEL, DATA, work())
    for name in true:
        assert torch.allclose(one[name], true[name], atol=1e-6)
        assert torch.allclose(all_at_once[name], mean[name].square(), atol=1e-6)


def dense_product(model, x, vector):
    """Return J' (diag p - p p') J v / n with J row by row, all parameters flattened."""
    parameters = list(model.parameters())
    logits = model(x)
    p = torch.softmax(logits, dim=1).detach()
    total = 0
    for i in range(len(x)):
        rows = []
        for value in logits[i]:
            g = torch.autograd.grad(
                value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            rows.append(torch.cat([part.flatten() for part in g]))
        j = torch.stack(rows)
        total = total + j.T @ (torch.diag(p[i]) - torch.outer(p[i], p[i])) @ j
    return total @ flat(vector) / len(x)


def flat(named):
    return torch.cat([part.flatten() for part in named.values()])


def normal_vector(model):
    generator = torch.Generator().manual_seed(0)
    return {n: torch.randn(p.shape, generator=generator) for n, p in model.named_parameters()}


def test_curvature_product_is_the_dense_gauss_newton_matrix():
    vector = normal_vector(MODEL)
    found = curvature_product(MODEL, X[:5], vector)
    assert torch.allclose(flat(found), dense_product(MODEL, X[:5], vector), atol=1e-5)


def test_conjugate_gradients_solve():
    rng = np.random.default_rng(0)
    a = torch.from_numpy(rng.normal(size=(9, 9)))
    a = a @ a.T
    b = torch.from_numpy(rng.normal(size=9))
    found = conjugate_gradient(lambda v: {"w": a @ v["w"]}, {"w": b}, damping=0.1, steps=60, tolerance=1e-12)
    wanted = torch.linalg.solve(a + 0.1 * torch.eye(9, dtype=a.dtype), b)
    assert torch.allclose(found["w"], wanted, atol=1e-6)
    assert conjugate_gradient(lambda v: v, {"w": torch.zeros(3)}, damping=1, steps=5)["w"].tolist() == [
        0,
        0,
        0,
    ]


def test_frozen_parameters_have_no_part():
    model = network()
    model[0].weight.requires_grad_(False)
    assert "0.weight" not in mean_gradient(model, DATA, work())
    assert set(sample_gradients(model, X, Y)) == {"0.bias", "2.weight", "2.bias"}


def test_passes_are_counted():
    job = work(batch_size=8)
    mean_gradient(MODEL, DATA, job)
    assert job.passes == 20
    fisher_diagonal(MODEL, DATA, job, labels="all")
    assert job.passes == pytest.approx(20 + 60)


@pytest.mark.parametrize("name", ["mlp", "cnn", "resnet18", "densenet"])
def test_layer_by_layer_is_what_the_general_way_gives(name):
    """Strides, 1x1 convolutions, biases, batch normalisation: against `torch.func`, and of some channels only."""
    knobs = {
        "mlp": {"hidden": (6,)},
        "cnn": {"width": 3, "norm": "none"},
        "densenet": {"growth": 3, "depth": 10},
    }
    model = build_model(name, (3, 8, 8), 4, **knobs.get(name, {"width": 3}))
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # statistics that are not 0 and 1
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    x = torch.rand(5, 3, 8, 8, generator=generator)
    y = torch.tensor([0, 1, 2, 3, 0])
    assert traced(model, x) is not None
    fast, general = sample_gradients(model, x, y), _by_functions(model.eval(), x, y)
    assert list(fast) == list(general)
    for name_ in fast:
        assert torch.allclose(fast[name_], general[name_], atol=1e-5, rtol=1e-4), name_
    weight = next(n for n in fast if n.endswith("weight") and fast[n].shape[1] > 2)
    some = sample_gradients(model, x, y, only={weight: torch.tensor([2, 0])})
    assert torch.allclose(some[weight], fast[weight][:, [2, 0]], atol=1e-6)


def test_models_of_other_layers_take_the_general_way():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(5, 5)

        def forward(self, x):
            return self.linear(torch.relu_(self.linear(x)))

    for model in (
        Twice(),
        torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 3)),
    ):
        assert traced(model, X) is None
        each = sample_gradients(model, X, Y)
        one = torch.autograd.grad(F.cross_entropy(model(X[:1]), Y[:1]), list(model.parameters()))
        for a, b in zip(each.values(), one, strict=True):
            assert torch.allclose(a[0], b, atol=1e-5)
    inplace = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU(inplace=True), torch.nn.Linear(4, 3))
    assert traced(inplace, X) is not None
    fast, general = sample_gradients(inplace, X, Y), _by_functions(inplace, X, Y)
    assert all(torch.allclose(fast[n], general[n], atol=1e-6) for n in fast)


class Tokens(nn.Module):
    """A layer that reads the five features as tokens [n, 5, 4], and a linear layer on their mean."""

    def __init__(self, layer):
        super().__init__()
        self.inner, self.layer, self.last = nn.Linear(1, 4), layer, nn.Linear(4, 3)

    def forward(self, x):
        found = self.layer(self.inner(x[:, :, None]))
        return self.last((found[0] if isinstance(found, tuple) else found).mean(dim=1))


def gru():
    return Tokens(nn.GRU(4, 4, batch_first=True))


def lstm():
    return Tokens(nn.LSTM(4, 4, batch_first=True))


def attention():
    return Tokens(nn.TransformerEncoderLayer(4, 1, 8, batch_first=True))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.last = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.b(torch.tanh(self.a(x)))))


class Standardised(nn.Conv2d):
    def forward(self, x):
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / w.std((1, 2, 3), keepdim=True)
        return F.conv2d(x, w, self.bias)


class Activated(nn.BatchNorm1d):
    def forward(self, x):
        return F.silu(super().forward(x))


class Branching(Net):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(3)

    def forward(self, x):
        return self.norm(super().forward(x / 50 if x.abs().max() > 50 else x))


class Counting(Branching):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.norm(Net.forward(self, x))


class Cut(Net):
    def forward(self, x):
        with torch.no_grad():
            x = torch.tanh(self.a(x))
        return self.last(torch.tanh(self.b(x)))


class Reading(Net):
    def forward(self, x):
        return super().forward(x) + F.linear(x, self.last.weight)


class Beside(Net):
    def forward(self, x):
        self.b(x)
        return self.last(torch.tanh(self.a(input=x)))


class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.last = nn.Linear(1, 4), nn.Linear(20, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.inner(x.reshape(-1, 1))).reshape(len(x), 20))


def standardised():
    return nn.Sequential(
        nn.Unflatten(1, (1, 1, 5)), Standardised(1, 4, (1, 3)), nn.Flatten(), nn.Linear(12, 3)
    )


def tied():
    model = Net()
    model.b.weight = model.a.weight
    return model


def pruned():
    model = Net()
    prune.l1_unstructured(model.a, "weight", 0.5)
    return model


def weight_normed():
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(5, 6)), nn.Tanh(), nn.Linear(6, 3))


def hooked():
    model = Net()
    model.a.register_forward_hook(lambda layer, given, output: 2 * output.relu())
    return model


OTHERS = [
    standardised, lambda: nn.Sequential(nn.Linear(5, 4), Activated(4), nn.Linear(4, 3)), tied, pruned, weight_normed,
    hooked, gru, attention, Branching, Counting, Cut, Beside, Reading, Folded,
]  # fmt: skip


def made(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build().eval()


@pytest.mark.parametrize("build", OTHERS)
def test_per_sample_gradients_of_any_model_are_those_of_single_samples(build):
    """Subclasses, shared and computed weights, user's hooks, recurrence, control flow, parts without a gradient."""
    model = made(build)
    parameters = dict(model.named_parameters())
    slow = []
    for i in range(len(X)):
        loss = F.cross_entropy(model(X[i : i + 1]), Y[i : i + 1])
        slow.append(
            torch.autograd.grad(loss, list(parameters.values()), allow_unused=True, materialize_grads=True)
        )
    each = sample_gradients(model, X, Y)
    squares = fisher_diagonal(model, DATA, work(), labels="true", batch_size=6)
    assert set(each) == set(squares) == set(parameters)
    for name, one in zip(parameters, zip(*slow, strict=True), strict=True):
        assert torch.allclose(each[name], torch.stack(one), atol=1e-6), name
        assert torch.allclose(squares[name], torch.stack(one).square().mean(dim=0), atol=1e-6), name


def test_a_model_that_cannot_be_run_on_one_sample():
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 3))
    with pytest.raises(InputError, match="cannot be run on a single one.*track_running_stats=True"):
        sample_gradients(model, X, Y)


@pytest.mark.parametrize("build", [lstm, attention, weight_normed, lambda: nn.DataParallel(network())])
def test_curvature_product_without_forward_mode(build):
    model = made(build)
    vector = normal_vector(model)
    found = curvature_product(model, X[:4], vector)
    assert torch.allclose(flat(found), dense_product(model, X[:4], vector), atol=1e-5)
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_model_that_cannot_be_differentiated_twice():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            return 2 * g

    class Doubled(Net):
        def forward(self, x):
            return Once.apply(super().forward(x))

    model = made(Doubled)
    with pytest.raises(InputError, match="first_order"):
        curvature_product(model, X, normal_vector(model))
