"""Amnesiac ascent: undo, on the trained network, the path that a fresh network takes when it learns the forget set.

Five epochs, learning rate 0.01 with a cosine, which in `paper` falls once an epoch and in `recommended` at every step;
momentum 0.9 and weight decay 5e-4 of the stand-in, which have no part in what is added. The gradients are those of
another network: that they undo anything in this one is hoped for, not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vestige.data.split import Split
from vestige.unlearning.layers import trainable
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work

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
    r"""Add a fresh network's gradients on the forget samples to the trained weights; reads nothing else.

    Notes
    -----
    .. math::

        \theta \leftarrow \theta + \eta_t \, \nabla_{\phi} L(\phi_t; B_t), \qquad B_t \subset D_f

    Here the phi_t are the weights of a fresh network that learns D_f by stochastic gradient descent, and eta_t
    is its learning rate: each of its gradients is added to the trained weights theta.

    **When to use.** As a lower bound in a comparison, or to reproduce the rows called "ascent" in Wang et al.
    2025. It reads the forget samples alone.

    **When it fails.** The gradients are those of another network, and nothing says that they undo anything in
    this one. It left a class of CIFAR-10 as it was (47.6 points from retraining; the untouched original
    stands at 49.0), and random requests at an AUC of 0.49 to 0.50 (lab book, results; reproduction, Table 8).

    **Cost.** Five passes over the forget samples: half a pass over the retained ones where a tenth is
    forgotten.

    References
    ----------
    The method called "ascent" in Wang et al. 2025 (IAM), after Graves et al., Amnesiac Machine Learning, AAAI
    2021, which subtracts logged updates; without a log, a stand-in is trained.
    """
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
