"""Methods that first learn the forget texts even better, and then go the other way.

    task_vector  theta - scale (theta_reinforced - theta)                                    Ilharco et al. 2023
    whp          learn the tokens that v - alpha relu(v_reinforced - v) puts first           Eldan and Russinovich 2023

v are logits. What reinforcement raises is what belongs to the forget texts in particular; `whp` keeps the rest.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import IGNORED, Batch, Work, logits_of, mean_nll, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


def reinforced(work: Work) -> Any:
    """Return a copy of the model that was trained on the forget texts."""
    stronger = copy.deepcopy(work.model)
    kept, work.retain = work.retain, []
    work.descend(lambda forget, _: mean_nll(stronger, forget), model=stronger, seed=1)
    work.retain = kept
    return stronger


@register("task_vector", needs=("forget",), cites="Ilharco et al. 2023 (task vectors)")
def task_vector(work: Work, *, scale: float = 1.0) -> None:
    """Step away from the weights that learning the forget texts leads to.

    scale  length of the step; 1 = as far as learning went
    """
    import torch

    stronger = reinforced(work)
    with torch.no_grad():
        for own, other in zip(work.model.parameters(), stronger.parameters(), strict=True):
            if own.requires_grad:
                own.sub_(scale * (other - own))


@register("whp", needs=("forget",), cites="Eldan and Russinovich 2023 (Who's Harry Potter?)")
def whp(work: Work, *, alpha: float = 5.0) -> None:
    """Learn generic continuations of the forget texts: what the model would say without what reinforcement raises."""
    import torch

    original, stronger = work.frozen(), reinforced(work)

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        with torch.no_grad():
            plain, raised = logits_of(original, forget), logits_of(stronger, forget)
            generic = (plain - alpha * (raised - plain).clamp(min=0)).argmax(dim=-1)
        labels = forget.labels.clone()
        labels[:, 1:] = torch.where(labels[:, 1:] == IGNORED, labels[:, 1:], generic)
        total, count = sequence_nll(logits_of(work.model, forget), labels)
        return total.sum() / count.sum()

    work.descend(objective)
