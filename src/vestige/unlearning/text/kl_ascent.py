"""Ascent held back by a divergence: ascend on the forget texts, stay as the original was on retained ones.

Maini et al.: TOFU, A Task of Fictitious Unlearning for LLMs. COLM 2024, arXiv 2401.06121 ("KL minimization").

    minimise -gamma nll(forget) + alpha KL(original || model) on retained texts
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, kl, mean_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("kl_ascent", needs=("forget", "retain"), cites="Liu et al. 2022 (GradDiff)")
def kl_ascent(work: Work, *, gamma: float = 1.0, alpha: float = 1.0) -> None:
    """Raise the loss on the forget texts, predict on retained ones what the original predicted."""
    original = work.frozen()

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        assert retain is not None
        return -gamma * mean_nll(work.model, forget) + alpha * kl(work.model, original, retain)

    work.descend(objective)
