"""SimNPO: negative preference by the loss a token, without a reference model.

Fan et al.: Simplicity Prevails, Rethinking Negative Preference Optimization for LLM Unlearning. arXiv 2410.07163, 2024.

    minimise gamma (2 / beta) mean log(1 + exp(-beta (nll / tokens - delta))) + alpha nll(retain)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.arguments import Positive
from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("simnpo", needs=("forget",), cites="Fan et al. 2024 (SimNPO)")
def simnpo(
    work: Work, *, beta: Positive = 4.5, delta: float = 0.0, gamma: float = 0.125, alpha: float = 1.0
) -> None:
    """Negative preference by the mean token loss, without a reference model.

    delta  loss in nats above which a sequence counts as forgotten
    gamma  weight of forgetting; alpha: of the loss on retained texts, where there are any
    """
    import torch.nn.functional as F

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        total, count = sequence_nll(logits_of(work.model, forget), forget.labels)
        value = -gamma * (2 / beta) * F.logsigmoid(beta * (total / count - delta)).mean()
        return work.with_retained(value, alpha, retain)

    work.descend(objective)
