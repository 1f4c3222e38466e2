"""Random tokens in place of the forget texts' own.

Wang et al.: Towards Lifecycle Unlearning Commitment Management. USENIX Security 2025 (IAM), arXiv 2506.06112.

    minimise nll(random tokens in place of forget) + alpha nll(retain)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("negative_labels", needs=("forget",), cites="Wang et al. 2025 (IAM)")
def negative_labels(work: Work, *, alpha: float = 1.0) -> None:
    """Learn random tokens in place of the forget texts' own, drawn anew each time.

    alpha  weight of the loss on retained texts, where there are any
    """
    import torch

    generator = torch.Generator().manual_seed(work.seed)
    vocabulary = int(work.model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        drawn = torch.randint(vocabulary, forget.tokens.shape, generator=generator).to(forget.tokens)
        labels = torch.where(forget.mask == 1, drawn, forget.labels)
        total, count = sequence_nll(logits_of(work.model, forget), labels)
        return work.with_retained(total.sum() / count.sum(), alpha, retain)

    work.descend(objective)
