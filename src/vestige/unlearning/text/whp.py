"""Who's Harry Potter (WHP): learn what the model would say without what reinforcement raises.

Eldan, Russinovich: Who's Harry Potter? Approximate Unlearning in LLMs. arXiv 2310.02238, 2023.

    learn the tokens that v - alpha relu(v_reinforced - v) puts first, v logits

What learning the forget texts even better raises is what belongs to them in particular; the rest is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import IGNORED, Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("whp", needs=("forget",), cites="Eldan and Russinovich 2023 (Who's Harry Potter?)")
def whp(work: Work, *, alpha: float = 5.0) -> None:
    """Learn generic continuations of the forget texts: what the model would say without what reinforcement raises."""
    import torch

    original, stronger = work.frozen(), work.reinforced()

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        with torch.no_grad():
            plain, raised = logits_of(original, forget), logits_of(stronger, forget)
            generic = (plain - alpha * (raised - plain).clamp(min=0)).argmax(dim=-1)
        labels = forget.labels.clone()
        labels[:, 1:] = torch.where(labels[:, 1:] == IGNORED, labels[:, 1:], generic)
        total, count = sequence_nll(logits_of(work.model, forget), labels)
        return total.sum() / count.sum()

    work.descend(objective)
