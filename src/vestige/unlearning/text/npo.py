"""Negative preference optimisation (NPO): the forget texts are what is not preferred.

Zhang, Lin, Bai, Mei: Negative Preference Optimization. COLM 2024, arXiv 2404.05868.

    minimise (2 / beta) mean log(1 + (p / p_0)^beta) + alpha nll(retain)

p of a whole sequence, p_0 the original's. Unlike ascent it flattens out as the texts fade, in relation to the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.arguments import Positive
from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("npo", needs=("forget",), cites="Zhang et al. 2024 (NPO)")
def npo(work: Work, *, beta: Positive = 0.1, alpha: float = 1.0) -> None:
    """Negative preference: push forget sequences below their likelihood under the original, ever more gently.

    beta   inverse temperature; towards 0 it becomes gradient ascent
    alpha  weight of the loss on retained texts, where there are any
    """
    import torch
    import torch.nn.functional as F

    original = work.frozen()

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        with torch.no_grad():
            before = sequence_nll(logits_of(original, forget), forget.labels)[0]
        after = sequence_nll(logits_of(work.model, forget), forget.labels)[0]
        value = -(2 / beta) * F.logsigmoid(beta * (after - before)).mean()
        return work.with_retained(value, alpha, retain)

    work.descend(objective)
