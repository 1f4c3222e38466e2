"""Selective synaptic dampening (SSD): shrink the weights that matter much more to the forget set than to all data.

Foster, Schoepf, Brintrup: Fast Machine Unlearning Without Retraining Through Selective Synaptic Dampening. AAAI 2024,
arXiv 2308.07707.

    F_f, F_D = mean squared gradients on D_f and on D = D_f + D_r
    where F_f > alpha F_D:  theta <- theta * min(lambda F_D / F_f, 1)

alpha = 10, lambda = 1, as published. `paper` squares the gradients of batch means, as the published code does, which
adds a mean term and divides by the batch size; `recommended` squares per-sample gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from vestige.data.split import Split
from vestige.errors import InputError, unknown
from vestige.unlearning.gradients import batch_squares, fisher_diagonal
from vestige.unlearning.registry import register
from vestige.unlearning.work import Work, trainable

if TYPE_CHECKING:
    from torch import nn

FORMS = ("per_sample", "batch_mean")


@register(
    "ssd",
    needs=("forget", "retain"),
    cites="Foster et al. 2024 (SSD)",
    paper={"importance": "batch_mean"},
)
def ssd(
    model: nn.Module,
    split: Split,
    work: Work,
    *,
    alpha: float = 10.0,
    dampening: float = 1.0,
    importance: Literal["per_sample", "batch_mean"] = "per_sample",
    batch_size: int = 64,
) -> nn.Module:
    """Dampen the weights that the forget samples need most; no gradient step is taken.

    alpha       how many times more important to the forget set a weight must be; larger = fewer are touched
    dampening   lambda, how much of such a weight is left
    importance  squared gradients "per_sample", or of each "batch_mean"
    batch_size  samples in such a batch; per sample, of speed only
    """
    if importance not in FORMS:
        raise InputError(f"ssd: {unknown('importance', importance, FORMS)}")
    if not alpha > 0 or not dampening >= 0:
        raise InputError(f"ssd: alpha is {alpha}, dampening {dampening}; above 0 and from 0 are wanted.")
    forget, retain = split.rows("forget"), split.rows("retain")
    parts = []
    for rows in (forget, retain):
        if importance == "per_sample":
            parts.append(fisher_diagonal(model, rows, work, labels="true", batch_size=batch_size))
        else:
            parts.append(batch_squares(model, rows, work, batch_size=batch_size))
    share = len(forget) / (len(forget) + len(retain))
    touched = 0
    with torch.no_grad():
        for name, weight in trainable(model).items():
            own = parts[0][name]
            everyone = share * own + (1 - share) * parts[1][name]
            factor = (dampening * everyone / own.clamp(min=1e-30)).clamp(max=1)
            chosen = own > alpha * everyone
            weight.mul_(torch.where(chosen, factor, 1.0))
            touched += int(chosen.sum())
    if not touched:
        raise InputError(
            f"ssd: no weight is {alpha:g} times as important to the forget set as to all data; lower alpha. Above "
            f"{1 / share:.3g}, with this share of samples to forget, none ever is."
        )
    return model
