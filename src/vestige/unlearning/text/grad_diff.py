"""Gradient difference: ascend on the forget texts while descending on retained ones.

Liu, Liu, Stone: Continual Learning and Private Unlearning. CoLLAs 2022, arXiv 2203.12817.

    minimise -gamma nll(forget) + alpha nll(retain)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, mean_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("grad_diff", needs=("forget", "retain"), cites="Liu et al. 2022 (GradDiff)")
def grad_diff(work: Work, *, gamma: float = 1.0, alpha: float = 1.0) -> None:
    """Raise the loss on the forget texts, lower it on retained ones."""

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        assert retain is not None
        return -gamma * mean_nll(work.model, forget) + alpha * mean_nll(work.model, retain)

    work.descend(objective)
