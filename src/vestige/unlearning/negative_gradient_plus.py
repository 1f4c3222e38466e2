"""Negative gradient plus (NegGrad+): descend on the retained samples while climbing on the forget samples.

The baseline of Kurmanji, Triantafillou, Hayes, Triantafillou: Towards Unbounded Machine Unlearning. NeurIPS 2023,
arXiv 2302.09880.

    minimise alpha * CE(D_r) - (1 - alpha) * CE(D_f)

SGD, learning rate 0.01, 10 epochs, alpha between 0.95 and 0.9999 by setting. Both presets are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.data.split import Split
from vestige.errors import InputError
from vestige.unlearning.registry import register
from vestige.unlearning.work import Steps, Work

if TYPE_CHECKING:
    from torch import Tensor, nn


@register(
    "negative_gradient_plus",
    needs=("forget", "retain"),
    cites="Kurmanji et al. 2023 (SCRUB)",
    steps=Steps(freeze_batchnorm=True),
)
def negative_gradient_plus(model: nn.Module, split: Split, work: Work, *, alpha: float = 0.95) -> nn.Module:
    """Descend on retained and climb on forget samples in every step.

    alpha  weight of the retained samples, from 0 to 1; 1 is finetuning
    """
    from torch.nn.functional import cross_entropy

    if not 0 <= alpha <= 1:
        raise InputError(f"{work.method}: alpha is {alpha}; a weight from 0 to 1 is wanted.")
    forget = work.endless(split.rows("forget"), augment=work.steps.augment)

    def objective(x: Tensor, y: Tensor) -> Tensor:
        u, v = next(forget)
        kept, gone = (cross_entropy(model(a).float(), b) for a, b in ((x, y), (u, v)))
        return alpha * kept - (1 - alpha) * gone

    work.descend(model, split.rows("retain"), objective=objective, cost=2)
    return model
