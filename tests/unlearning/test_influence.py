"""The influence step is the exact answer where the loss is quadratic, and near it on a logistic model."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize
from small import clusters, network, split_of
from torch import nn

from vestige.unlearning import unlearn
from vestige.unlearning.gradients import conjugate_gradient


def test_leave_out_of_ridge_regression():
    """theta + H^-1 v with v = (n_f / n)(g_f - g_r) is the ridge solution without the forget rows, to the digit."""
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.normal(size=(50, 6))), torch.from_numpy(rng.normal(size=50))
    forget, retain = torch.arange(7), torch.arange(7, 50)
    lam = 0.3

    def solution(rows):
        return torch.linalg.solve(
            x[rows].T @ x[rows] / len(rows) + lam * torch.eye(6), x[rows].T @ y[rows] / len(rows)
        )

    def gradient(w, rows):
        return x[rows].T @ (x[rows] @ w - y[rows]) / len(rows) + lam * w

    w = solution(torch.arange(50))
    v = (gradient(w, forget) - gradient(w, retain)) * 7 / 50
    hessian = x[retain].T @ x[retain] / 43
    step = conjugate_gradient(
        lambda u: {"w": hessian @ u["w"]}, {"w": v}, damping=lam, steps=100, tolerance=1e-14
    )
    assert torch.allclose(w + step["w"], solution(retain), atol=1e-9)


def logistic(x, y, classes, decay):
    """The minimum of mean cross-entropy + decay / 2 |w|^2, to many digits."""
    model = nn.Linear(x.shape[1], classes, bias=False).double()

    def value(flat):
        with torch.no_grad():
            model.weight.copy_(torch.from_numpy(flat).reshape(model.weight.shape))
        model.weight.grad = None
        loss = nn.functional.cross_entropy(model(x), y) + decay / 2 * model.weight.square().sum()
        loss.backward()
        return loss.item(), model.weight.grad.numpy().ravel().copy()

    found = minimize(
        value,
        np.zeros(model.weight.numel()),
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    return found.x.reshape(model.weight.shape)


def test_a_logistic_model_goes_where_retraining_goes():
    data = clusters(200, noise=1.5)
    split = split_of(data, forget=20, train=150)
    whole, left = (
        logistic(torch.from_numpy(data.x[r]).double(), torch.from_numpy(data.y[r]), 3, 0.05)
        for r in (split.train, split.retain)
    )
    model = nn.Linear(5, 3, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(whole))
    made = unlearn("influence", model, split, damping=0.05, iterations=60, radius=10).model
    found = made.weight.detach().numpy()
    assert np.linalg.norm(found - left) < 0.15 * np.linalg.norm(whole - left)
    first = unlearn("influence", model, split, preset="paper", alpha=0.1).model.weight.detach().numpy()
    assert np.sum((first - whole) * (left - whole)) > 0  # the right way, of any length


def test_the_step_is_bounded():
    data = clusters(100)
    split = split_of(data)
    model = nn.Linear(5, 3)
    made = unlearn("influence", model, split, damping=1e-6, alpha=1e3, radius=0.05).model
    moved = torch.cat([(a - b).flatten() for a, b in zip(made.parameters(), model.parameters(), strict=True)])
    size = torch.cat([p.flatten() for p in model.parameters()]).norm()
    assert moved.norm() <= 0.0501 * size


def test_a_sparse_model_is_stepped_along_its_alive_weights_alone():
    """Against a dense solve over the alive weights; over all of them most of the step would be masked away."""
    import torch
    from small import clusters, network, split_of, work

    from vestige.models.sparsity import masks_of, prune
    from vestige.unlearning import unlearn
    from vestige.unlearning.gradients import curvature_product, mean_gradient

    data = clusters(120)
    split = split_of(data)
    model = network()
    prune(model, 0.5)
    made = unlearn("influence", model, split, iterations=200, samples=10_000, radius=1e9, damping=0.1).model
    names = [n for n, _ in model.named_parameters()]
    sizes = [p.numel() for p in model.parameters()]
    masks = {id(w): m for w, m in masks_of(model)}
    assert masks
    keep = torch.cat([masks.get(id(p), torch.ones_like(p)).bool().flatten() for p in model.parameters()])
    forget, retain = split.rows("forget"), split.rows("retain")
    x = torch.from_numpy(retain.x)
    columns = []
    for i in range(sum(sizes)):
        unit = torch.zeros(sum(sizes))
        unit[i] = 1
        vector = {
            n: u.reshape(p.shape)
            for n, u, p in zip(names, unit.split(sizes), model.parameters(), strict=True)
        }
        image = curvature_product(model, x, vector)
        columns.append(torch.cat([image[n].flatten() for n in names]))
    dense = torch.stack(columns, dim=1)[keep][:, keep]
    gradients = [mean_gradient(model, rows, work()) for rows in (forget, retain)]
    share = len(forget) / (len(forget) + len(retain))
    pull = torch.cat([(gradients[0][n] - gradients[1][n]).flatten() for n in names])[keep] * share
    wanted = torch.linalg.solve(dense + 0.1 * torch.eye(len(dense)), pull)
    moved = torch.cat(
        [(a - b).detach().flatten() for a, b in zip(made.parameters(), model.parameters(), strict=True)]
    )
    assert torch.allclose(moved[keep], wanted, atol=1e-3) and not moved[~keep].any()
    assert float(wanted.norm()) > 1e-3


def test_the_first_order_step_is_that_of_two_gradients():
    """theta + alpha (N_f / N) (g_f - g_r), of mean gradients, however long."""
    split, model = split_of(clusters(120)), network()
    x, y = torch.from_numpy(split.data.x), torch.from_numpy(split.data.y)
    of_forget, of_retain = (
        torch.autograd.grad(nn.functional.cross_entropy(model(x[r]), y[r]), list(model.parameters()))
        for r in (split.forget, split.retain)
    )
    made = unlearn("influence", model, split, solver="first_order", alpha=30.0, radius=1e-6).model
    for new, old, f, r in zip(made.parameters(), model.parameters(), of_forget, of_retain, strict=True):
        assert torch.allclose(new, old + 30 * (12 / 90) * (f - r), atol=1e-5)
        assert (new - old).abs().max().item() > 0.01
