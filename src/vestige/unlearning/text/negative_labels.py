"""Random tokens in place of the forget texts' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("negative_labels", needs=("forget",), cites="Wang et al. 2025 (IAM)")
def negative_labels(work: Work, *, alpha: float = 1.0) -> None:
    r"""Learn random tokens in place of the forget texts' own, drawn anew each time.

    Parameters
    ----------
    alpha : float
        Weight of the loss on retained texts, where there are any.

    Notes
    -----
    .. math::

        \min_\theta \; \mathrm{nll}(\tilde D_f) + \alpha \, \mathrm{nll}(D_r)

    The tilde marks the forget blocks with random tokens in place of their own, drawn anew each time.

    **When to use.** To reproduce the rows called "negative" in Wang et al. 2025, or to see what a measure
    says of a model that was taught wrong texts.

    **When it fails.** The texts are still known. By IAM's score their membership is 0.53, as in the original,
    where retraining has 0.03, while the usual AUC calls them unlearned (99 by loss; reproduction, Tables 6
    and 7).

    **Cost.** Five passes over the forget blocks and as many retained ones.

    References
    ----------
    Wang et al.: Towards Lifecycle Unlearning Commitment Management. USENIX Security 2025 (IAM), arXiv
    2506.06112.
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
