"""Fisher forgetting: the variance of its noise, and the row of a whole class."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from plain import apart
from small import MODEL, SPLIT, WHOLE, values, work
from torch import nn

from vestige.unlearning import unlearn
from vestige.unlearning.gradients import fisher_diagonal
from vestige.unlearning.work import Steps, Work


def test_fisher_noise_has_its_variance():
    """Over 300 seeds: alpha * min(1 / (F + 1e-8), cap), averaged over inputs, ten times for biases and the head."""
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    noise = {name: [] for name, _ in MODEL.named_parameters()}
    for seed in range(300):
        made = values(unlearn("fisher_forgetting", MODEL, SPLIT, seed=seed, alpha=1e-6, batch_size=128).model)
        for name, before in values(MODEL).items():
            noise[name].append(made[name] - before)
    f = fisher_diagonal(MODEL, SPLIT.rows("retain"), job, labels="all")
    for name, drawn in noise.items():
        own = name.startswith("2.")
        v = 1e-6 * (1 / (f[name] + 1e-8)).clamp(max=1e2 if own else 1e3)
        v = v.mean(dim=1, keepdim=True).expand_as(f[name]) if v.ndim > 1 else v
        v = 10 * v if own or v.ndim == 1 else v
        ratio = torch.stack(drawn).var(dim=0) / v  # the Fisher is itself drawn, so some weights are off
        assert 0.7 < float(ratio.median()) < 1.4


def test_fisher_forgetting_draws_a_whole_classs_row_anew():
    made = unlearn("fisher_forgetting", MODEL, WHOLE, alpha=1e-12).model
    before, after = values(MODEL)["2.weight"], values(made)["2.weight"]
    assert after[1].abs().max() < 0.2 and (after[1] - before[1]).abs().max() > 0.1
    assert (after[[0, 2]] - before[[0, 2]]).abs().max() < 1e-3


@pytest.mark.parametrize("rows", [64, 65])
def test_the_published_mean_is_over_batches_with_a_short_last_one(rows):
    """F is the mean over batches of 32, all alike, of sum over labels of p * (slope of the mean loss)^2."""
    split = dataclasses.replace(SPLIT, retain=SPLIT.retain[:rows])
    x, model = torch.from_numpy(split.rows("retain").x), copy.deepcopy(MODEL)
    total, batches = [torch.zeros_like(p) for p in model.parameters()], 0
    for part in torch.split(x, 32):
        logits = model(part)
        for label, p in enumerate(torch.softmax(logits, 1).mean(0).detach()):
            value = F.cross_entropy(logits, torch.full((len(part),), label))
            for sums, g in zip(
                total, torch.autograd.grad(value, list(model.parameters()), retain_graph=True), strict=True
            ):
                sums += p * g.square()
        batches += 1
    short, even = (
        unlearn("fisher_forgetting", MODEL, split, preset="paper", alpha=1e-4, short_last=last).model
        for last in (True, False)
    )
    drawn = work().generator()
    for (name, was), f, made in zip(MODEL.named_parameters(), total, short.parameters(), strict=True):
        own = name.startswith("2.")
        v = 1e-4 * (1 / (f / batches + 1e-8)).clamp(max=1e2 if own else 1e3)
        v = v.mean(dim=1, keepdim=True).expand_as(f) if v.ndim > 1 else v
        v = 10 * v if own or v.ndim == 1 else v
        assert torch.allclose(made, was + v.sqrt() * torch.randn(f.shape, generator=drawn), atol=1e-6)
    assert (apart(short, even) < 1e-6) == (rows == 64)


class Cosine(nn.Linear):
    """A last layer with a scale of its own."""

    def __init__(self):
        super().__init__(5, 3, bias=False)
        self.tau = nn.Parameter(torch.tensor(10.0))

    def forward(self, x):
        return self.tau * F.linear(F.normalize(x), F.normalize(self.weight))


def test_only_rows_of_a_class_are_drawn_anew():
    model = Cosine()
    with torch.no_grad():
        model.weight.fill_(1)
    made = unlearn("fisher_forgetting", model, WHOLE, alpha=1e-12).model
    moved = (made.weight - 1).abs()
    assert moved[1].min() > 0.5 and moved[[0, 2]].max() < 1e-3
    assert abs(float(made.tau.detach()) - 10) < 1e-3
