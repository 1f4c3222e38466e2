"""Training on, without the forget texts or on false ones.

finetune          minimise nll(retain): forgetting by neglect
negative_labels   minimise the loss of random tokens in place of the forget texts' own    Wang et al. 2025 (IAM)
retrain           exact: the base model is trained on the retained texts alone
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Steps, Work, logits_of, mean_nll, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor

IAM = "Wang et al. 2025 (IAM)"


@register("finetune", needs=("retain",), cites="Warnecke et al. 2023")
def finetune(work: Work) -> None:
    """Train on the retained texts; what is not rehearsed fades, slowly."""
    work.descend(lambda retain, _: mean_nll(work.model, retain), blocks=work.retain)


@register("negative_labels", needs=("forget",), cites=IAM)
def negative_labels(work: Work, *, alpha: float = 1.0) -> None:
    """Learn random tokens in place of the forget texts' own, drawn anew each time."""
    import torch

    generator = torch.Generator().manual_seed(work.seed)
    vocabulary = int(work.model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        drawn = torch.randint(vocabulary, forget.tokens.shape, generator=generator).to(forget.tokens)
        labels = torch.where(forget.mask == 1, drawn, forget.labels)
        total, count = sequence_nll(logits_of(work.model, forget), labels)
        value = total.sum() / count.sum()
        return value + (alpha * mean_nll(work.model, retain) if retain is not None else 0)

    work.descend(objective)


@register("retrain", needs=("retain",), cites="exact", steps=Steps(epochs=5, lr=5e-5))
def retrain(work: Work, *, base: Any = None) -> Any:
    """Train the base model on the retained texts alone: what the others are measured against.

    base  the model before it had learned any of the texts
    """
    fresh = work.ready(base)
    work.descend(lambda retain, _: mean_nll(fresh, retain), blocks=work.retain, model=fresh)
    return fresh
