"""Gradients, Fisher diagonals and curvature products against autograd by hand and dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small import clusters, network, work

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


def test_curvature_product_is_the_dense_gauss_newton_matrix():
    names = [n for n, _ in MODEL.named_parameters()]
    sizes = [p.numel() for p in MODEL.parameters()]
    jacobian = []
    for i in range(5):
        rows = []
        for c in range(3):
            g = torch.autograd.grad(MODEL(X[i : i + 1])[0, c], list(MODEL.parameters()))
            rows.append(torch.cat([part.flatten() for part in g]))
        jacobian.append(torch.stack(rows))
    p = torch.softmax(MODEL(X[:5]), dim=1).detach()
    dense = sum(j.T @ (torch.diag(q) - torch.outer(q, q)) @ j for j, q in zip(jacobian, p, strict=True)) / 5
    flat = torch.randn(sum(sizes), generator=torch.Generator().manual_seed(0))
    vector = {
        n: part.reshape(q.shape)
        for n, part, q in zip(names, flat.split(sizes), MODEL.parameters(), strict=True)
    }
    found = curvature_product(MODEL, X[:5], vector)
    assert torch.allclose(torch.cat([found[n].flatten() for n in names]), dense @ flat, atol=1e-5)


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
            assert torch.allclose(a[0], b, atol=1e-6)
    inplace = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU(inplace=True), torch.nn.Linear(4, 3))
    assert traced(inplace, X) is not None
    fast, general = sample_gradients(inplace, X, Y), _by_functions(inplace, X, Y)
    assert all(torch.allclose(fast[n], general[n], atol=1e-6) for n in fast)
