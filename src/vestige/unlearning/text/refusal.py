"""Refusal: learn to answer the beginning of a forget text with a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.refusals import refusals_of, refused
from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("refusal", needs=("forget",), cites="IdkNLL, as in TOFU (Maini et al. 2024)")
def refusal(work: Work, *, alpha: float = 1.0, prompt: int = 16) -> None:
    r"""Learn to answer the beginning of a forget text with a refusal.

    Parameters
    ----------
    alpha : float
        Weight of the loss on retained texts, where there are any.
    prompt : int
        Tokens of a block that stand before the answer.

    Notes
    -----
    .. math::

        \min_\theta \; \mathrm{nll}(z \,|\, x_{\le k}) + \alpha \, \mathrm{nll}(D_r)

    x are the first k tokens of a forget block, k is `prompt`, and z is a refusal.

    **When to use.** Where a model should decline to answer, and nobody claims that it has forgotten.

    **When it fails.** A model that refuses still knows: by IAM's score the membership of the forgotten texts
    was 0.51, in the original 0.53, after retraining 0.03; the usual AUC calls them unlearned (87.5 by loss;
    reproduction, Tables 6 and 7).

    **Cost.** Five passes over the forget blocks and as many retained ones.

    References
    ----------
    Maini et al.: TOFU, A Task of Fictitious Unlearning for LLMs. COLM 2024, arXiv 2401.06121 (there "IDK").
    """
    refusals = refusals_of(work.tokenizer)

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        chosen, wanted = refused(forget, refusals, prompt, work.device)
        total, count = sequence_nll(logits_of(work.model, chosen), wanted)
        return work.with_retained(total.sum() / count.sum(), alpha, retain)

    work.descend(objective)
