"""NegGrad+: one step by hand, and its ceiling."""

from __future__ import annotations

import torch
from small import MODEL, SPLIT, clusters, split_of, values

from vestige.unlearning import unlearn
from vestige.unlearning.gradients import mean_gradient
from vestige.unlearning.work import Steps, Work


def test_negative_gradient_plus_is_one_weighted_step():
    steps = {"epochs": 1, "lr": 0.1, "momentum": 0, "weight_decay": 0, "batch_size": 256, "augment": "none"}
    made = unlearn("negative_gradient_plus", MODEL, SPLIT, alpha=0.8, **steps).model
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    kept, gone = (mean_gradient(MODEL, SPLIT.rows(r), job) for r in ("retain", "forget"))
    for name, p in made.named_parameters():
        wanted = values(MODEL)[name] - 0.1 * (0.8 * kept[name] - 0.2 * gone[name])
        assert torch.allclose(p, wanted, atol=1e-6)


def test_negative_gradient_plus_lets_go_above_its_ceiling():
    """Where every forget sample is above it, what is left is finetuning at alpha times the rate."""
    steps = {"epochs": 2, "momentum": 0, "weight_decay": 0, "batch_size": 32, "augment": "none"}
    made = unlearn("negative_gradient_plus", MODEL, SPLIT, alpha=0.8, ceiling=1e-9, lr=0.1, **steps).model
    tuned = unlearn("finetune", MODEL, SPLIT, lr=0.08, freeze_batchnorm=True, **steps).model
    for name, p in made.named_parameters():
        assert torch.allclose(p, values(tuned)[name], atol=1e-6)
    far = unlearn("negative_gradient_plus", MODEL, SPLIT, alpha=0.2, lr=1.0, epochs=30, batch_size=16).model
    assert all(p.isfinite().all() for p in far.parameters())


def test_a_single_forget_sample_meets_batch_normalisation():
    """By the running statistics: with a weight of 1 it changes nothing, and the retained samples' batches count."""
    data = clusters(60)
    split = split_of(data, forget=1, train=40)
    model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3))
    steps = {"epochs": 1, "batch_size": 10, "augment": "none", "preset": "paper"}
    made, other = (
        unlearn("negative_gradient_plus", model, split, alpha=alpha, **steps).model for alpha in (1, 0.5)
    )
    tuned = unlearn("finetune", model, split, **steps, freeze_batchnorm=False).model
    assert all(torch.allclose(p, values(tuned)[name], atol=1e-6) for name, p in made.named_parameters())
    assert torch.allclose(made[1].running_mean, tuned[1].running_mean)
    assert not torch.equal(other[2].weight, made[2].weight)
