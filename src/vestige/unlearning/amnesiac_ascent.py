"""Amnesiac ascent: undo, on the trained network, the path that a fresh network takes when it learns the forget set.

The method called "ascent" in Wang et al. 2025 (IAM), after Graves et al., Amnesiac Machine Learning, AAAI 2021, which
subtracts logged updates; without a log, a stand-in is trained.

    train a fresh network on D_f by SGD; after each of its steps, with gradient g and learning rate lr:
    theta <- theta + lr * g

Five epochs, learning rate 0.01 with a cosine, which in `paper` falls once an epoch and in `recommended` at every step;
momentum 0.9 and weight decay 5e-4 of the stand-in, which have no part in what is added. The gradients are those of
another network: that they undo anything in this one is hoped for, not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vestige.data.split import Split
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work, trainable

if TYPE_CHECKING:
    from torch import nn


@register(
    "amnesiac_ascent",
    needs=("forget",),
    cites="Wang et al. 2025 (IAM); Graves et al. 2021",
    steps=Steps(epochs=5, lr=0.01, batch_size=128, schedule="cosine"),
    paper={"anneal": "epoch"},
    trial=Trial(strong={"lr": 0.5}),
)
def amnesiac_ascent(model: nn.Module, split: Split, work: Work) -> nn.Module:
    """Add a fresh network's gradients on the forget samples to the trained weights; reads nothing else."""
    from vestige.models import reinitialise

    stand_in = reinitialise(model, work.seed)
    pairs = list(zip(trainable(model).values(), trainable(stand_in).values(), strict=True))

    @torch.no_grad()
    def follow(lr: float) -> None:
        for own, other in pairs:
            if other.grad is not None:
                own.add_(lr * other.grad.to(own))

    work.descend(stand_in, split.rows("forget"), after_step=follow, watched=model)
    return model
