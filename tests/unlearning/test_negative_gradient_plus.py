"""NegGrad+: one step by hand, and its ceiling."""

from __future__ import annotations

import torch
from small import MODEL, SPLIT, values

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
