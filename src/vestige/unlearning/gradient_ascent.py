"""Gradient ascent (GA): climb the loss of the forget samples.

The baseline of Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023, arXiv 2304.04934,
after Thudi et al., Unrolling SGD, EuroS&P 2022.

    minimise -cross-entropy on D_f, from the trained weights

`paper`: SGD, momentum 0.9, weight decay 5e-4, learning rate 1e-4, batch 256, 5 epochs, in training mode, so that
the forget batches also rewrite the running statistics of BatchNorm; often that, not the weights, is what
raises the loss. `recommended` takes the same steps with BatchNorm frozen, and stops at the first epoch whose
forget loss has reached that of a uniform guess, log C: beyond it the samples are damaged, not forgotten.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from vestige.data.split import Split
from vestige.unlearning.registry import register

if TYPE_CHECKING:
    import torch
    from torch import nn


@register(
    "gradient_ascent",
    needs=("forget",),
    cites="Jia et al. 2023 (Unlearn-Sparse); Thudi et al. 2022",
    paper={"freeze_batchnorm": False, "stop_at_uniform": False},
)
def gradient_ascent(
    model: nn.Module,
    split: Split,
    *,
    epochs: int = 5,
    lr: float = 1e-4,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    batch_size: int = 256,
    augment: str = "auto",
    freeze_batchnorm: bool = True,
    stop_at_uniform: bool = True,
    seed: int = 0,
    device: str = "auto",
    progress: bool = False,
) -> nn.Module:
    """Maximise the loss on the forget samples; reads nothing else, easily over-unlearns.

    augment  "none", "flip", "crop_flip", or "auto": "crop_flip" on images of 16 pixels and more, else "none"
    """
    from torch.nn import functional

    from vestige.config import validated
    from vestige.training import Recipe, descend

    rows = split.rows("forget")
    large = rows.is_image and min(rows.shape[1:]) >= 16
    settings: dict[str, Any] = {
        "epochs": epochs, "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "seed": seed,
        "batch_size": batch_size, "schedule": "constant",
        "augment": ("crop_flip" if large else "none") if augment == "auto" else augment,
    }  # fmt: skip

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return -functional.cross_entropy(logits, labels)

    def on_epoch(epoch: int, mean_loss: float) -> bool:
        return stop_at_uniform and -mean_loss >= math.log(len(rows.classes))

    descend(
        model, rows, validated(Recipe, settings, "gradient_ascent"), loss=loss, on_epoch=on_epoch,
        freeze_batchnorm=freeze_batchnorm, device=device, progress=progress,
    )  # fmt: skip
    return model
