"""Finetune (FT): go on training on the retained samples, and hope that the rest is forgotten.

The baseline of Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023, arXiv 2304.04934.

    minimise the mean cross-entropy on D_r, from the trained weights

The settings are the published ones: SGD with momentum 0.9, weight decay 5e-4, learning rate 0.01, batch 256,
10 epochs, random crop and flip on images. The schedule's milestones lie beyond 10 epochs: a constant rate.
Both presets are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.data.split import Split
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work

if TYPE_CHECKING:
    from torch import nn


@register(
    "finetune",
    needs=("retain",),
    cites="Jia et al. 2023 (Unlearn-Sparse)",
    steps=Steps(),
    trial=Trial(strong={"lr": 0.05, "epochs": 20}, rise=0.03),
)
def finetune(model: nn.Module, split: Split, work: Work) -> nn.Module:
    """Continue training on the retained samples only; cheap, removes little."""
    work.descend(model, split.rows("retain"))
    return model
