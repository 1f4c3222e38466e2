"""DAU's classifier: one step by hand against an attacker of one linear layer, and the bound on the game."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from small import clusters, network
from torch import nn

import vestige.unlearning.dau as dau
from vestige.data import make_split
from vestige.unlearning import unlearn

DATA = clusters(200)
# twelve samples of one class; others of it stay, so that the request is not for a whole class
SPLIT = make_split(DATA, "partial_class", label=1, forget=12, train=120, holdout=20, shadow=60)
DATA.x[SPLIT.shadow] += 2  # so that the attacker has something to tell the groups by
STEP = {"epochs": 1, "lr": 1.0, "momentum": 0, "weight_decay": 0, "batch_size": 256, "pretrain": 0}
# small for predictions and labels: the verdict on these is near a guess, and the attacker's step is by the groups
WEIGHT = torch.tensor([0.05] * 3 + [1.0] * 3 + [0.05] * 3) * torch.randn(
    2, 9, generator=torch.Generator().manual_seed(1)
)


class Reads(nn.Module):
    """An attacker of rows (predictions, sensitivities, one-hot label) that reads the columns wanted, of 3 classes."""

    def __init__(self, columns):
        super().__init__()
        self.weight = nn.Parameter(WEIGHT.clone())
        self.register_buffer("columns", torch.zeros(9).index_fill(0, torch.tensor(columns), 1.0))

    def forward(self, rows):
        return (rows * self.columns) @ self.weight.T


def rows_of(role):
    """All samples of a role; of the unseen ones, those of the class of the forget samples."""
    rows = SPLIT.rows(role)
    if role == "shadow":
        rows = rows.take(np.flatnonzero(rows.y == 1))
    return torch.from_numpy(rows.x), torch.from_numpy(rows.y)


def attacked(u_f, u_v, columns):
    """The loss of flipped labels, by the attacker's weights after its own step.

    1 = forget. The first step of Adam is lr * g / (|g| + eps).
    """
    w = WEIGHT.clone().requires_grad_(True)
    mask = torch.zeros(9).index_fill(0, torch.tensor(columns), 1.0)

    def loss(w, of_forget):
        f, v = (torch.log_softmax((u * mask) @ w.T, dim=1) for u in (u_f, u_v))
        return -(f[:, of_forget].mean() + v[:, 1 - of_forget].mean()) / 2

    (g,) = torch.autograd.grad(loss(w, 1), w, retain_graph=True)
    new = (w - 1e-3 * g / (g.abs() + 1e-8)).detach()
    return loss(new, 0)


def features_apart(z_f, z_v):
    """|mean_f - mean_v|^2 + |cov_f - cov_v|^2 / d in units of the unseen features' deviation."""
    spread = z_v.std(dim=0).detach()
    means = (z_f.mean(dim=0) - z_v.mean(dim=0)) / spread
    f, v = ((z - z.mean(dim=0)) / spread for z in (z_f, z_v))
    return means.square().sum() + (f.T @ f / len(f) - v.T @ v / len(v)).square().sum() / f.shape[1]


def slopes(model, value):
    return torch.autograd.grad(value, list(model.parameters()), retain_graph=True, allow_unused=True)


def flat(parameters):
    return torch.cat([p.detach().flatten() for p in parameters])


def retained_step(model):
    """The step of the retained samples' loss alone, at a learning rate of 1."""
    x, y = rows_of("retain")
    return -flat(slopes(model, F.cross_entropy(model(x), y)))


def test_the_classifiers_step_is_that_of_its_objective(monkeypatch):
    """CE(D(x_r), y_r) + 0.9 L_adv + 0.001 L_ss at the published weights; the attacker has had its step by then."""
    columns = [0, 1, 2, 6, 7, 8]  # not the sensitivities, which are random
    monkeypatch.setattr(dau, "Samia", lambda classes: Reads(columns))
    model = network()
    made = unlearn("dau", model, SPLIT, bound=None, **STEP)
    assert made.gradient_steps == 1
    (x_r, y_r), (x_f, y_f), (x_v, y_v) = (rows_of(role) for role in ("retain", "forget", "shadow"))
    u_f, u_v = (
        torch.cat([torch.softmax(model(x), dim=1), torch.zeros(len(x), 3), F.one_hot(y, 3)], dim=1)
        for x, y in ((x_f, y_f), (x_v, y_v))
    )
    parts = (
        F.cross_entropy(model(x_r), y_r),
        0.9 * attacked(u_f, u_v, columns),
        1e-3 * features_apart(model[:2](x_f), model[:2](x_v)),
    )
    assert all(max(float(g.abs().max()) for g in slopes(model, p) if g is not None) > 1e-4 for p in parts)
    for new, old, g in zip(
        made.model.parameters(), model.parameters(), slopes(model, sum(parts)), strict=True
    ):
        assert torch.allclose(new, old - g, atol=2e-6)


def test_the_game_is_played_through_sensitivities_too(monkeypatch):
    """A linear model's sensitivity to normal noise is sqrt(2 / pi) |w| for each class, but for its draws.

    All rows being alike, an attacker of these alone cannot tell the groups apart, but its verdict moves the weights.
    """
    columns = [3, 4, 5]
    monkeypatch.setattr(dau, "Samia", lambda classes: Reads(columns))
    model = nn.Linear(5, 3)
    with torch.no_grad():
        model.weight.copy_(torch.randn(3, 5, generator=torch.Generator().manual_seed(2)))
        model.bias.zero_()
    options = {"inputs": "logits", "selfsupervised": 0.0, "copies": 2000, "bound": None}
    made = unlearn("dau", model, SPLIT, **options, **STEP).model
    game = flat(made.parameters()) - flat(model.parameters()) - retained_step(model)
    w = model.weight.detach().clone().requires_grad_(True)
    sensitivity = (2 / torch.pi) ** 0.5 * w.norm(dim=1)
    u = torch.cat([torch.zeros(3), sensitivity, torch.zeros(3)])[None]
    (wanted,) = torch.autograd.grad(0.9 * attacked(u, u, columns), w)
    assert wanted.norm() > 0.01
    assert (game[:15] + wanted.flatten()).norm() < 0.05 * wanted.norm()
    assert game[15:].abs().max() < 1e-4  # a bias has no part in it


def test_the_bound_shortens_the_game_and_turns_nothing():
    """A game of any weight adds `bound` times the length of the retained samples' step, along its own gradient."""
    model = network()
    fit, start = retained_step(model), flat(model.parameters())

    def game(**options):
        made = unlearn("dau", model, SPLIT, copies=1, **options, **STEP).model
        return flat(made.parameters()) - start - fit

    free = game(adversarial=1e3, bound=None)
    assert free.norm() > 3 * fit.norm()
    for bound in (0.5, 0.2):
        held = game(adversarial=1e3, bound=bound)
        assert torch.isclose(held.norm(), bound * fit.norm(), rtol=1e-4)
        assert torch.cosine_similarity(held, free, dim=0) > 0.9999
    weak = game(adversarial=0.1, bound=None)
    assert 0 < weak.norm() < 0.4 * fit.norm()
    assert torch.allclose(game(adversarial=0.1), weak, atol=1e-6)  # where it is short anyway nothing changes
