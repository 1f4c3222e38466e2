"""Finetune (FT): go on training on the retained samples, and hope that the rest is forgotten.

The baseline of Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023, arXiv 2304.04934.

    minimise the mean cross-entropy on D_r, from the trained weights

The defaults are the published ones: SGD with momentum 0.9, weight decay 5e-4, learning rate 0.01, batch 256,
10 epochs, random crop and flip on images. The schedule's milestones lie beyond 10 epochs: a constant rate.
Both presets are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.data.split import Split
from vestige.unlearning.registry import register

if TYPE_CHECKING:
    from torch import nn


@register("finetune", needs=("retain",), cites="Jia et al. 2023 (Unlearn-Sparse)")
def finetune(
    model: nn.Module,
    split: Split,
    *,
    epochs: int = 10,
    lr: float = 0.01,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    batch_size: int = 256,
    augment: str = "auto",
    seed: int = 0,
    device: str = "auto",
    progress: bool = False,
) -> nn.Module:
    """Continue training on the retained samples only; cheap, removes little.

    augment  "none", "flip", "crop_flip", or "auto": "crop_flip" on images of 16 pixels and more, else "none"
    """
    from vestige.config import validated
    from vestige.training import Recipe, descend

    rows = split.rows("retain")
    large = rows.is_image and min(rows.shape[1:]) >= 16
    settings = {
        "epochs": epochs, "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "seed": seed,
        "batch_size": batch_size, "schedule": "constant",
        "augment": ("crop_flip" if large else "none") if augment == "auto" else augment,
    }  # fmt: skip
    descend(model, rows, validated(Recipe, settings, "finetune"), device=device, progress=progress)
    return model
