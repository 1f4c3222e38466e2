"""Refusal: learn to answer the beginning of a forget text with a refusal.

Maini et al.: TOFU, A Task of Fictitious Unlearning for LLMs. COLM 2024, arXiv 2401.06121 (there "IDK").

    minimise nll(refusal behind the first tokens of forget) + alpha nll(retain)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.refusals import refusals_of, refused
from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("refusal", needs=("forget",), cites="IdkNLL, as in TOFU (Maini et al. 2024)")
def refusal(work: Work, *, alpha: float = 1.0, prompt: int = 16) -> None:
    """Learn to answer the beginning of a forget text with a refusal.

    prompt  tokens of a block that stand before the answer
    """
    refusals = refusals_of(work.tokenizer)

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        chosen, wanted = refused(forget, refusals, prompt, work.device)
        total, count = sequence_nll(logits_of(work.model, chosen), wanted)
        return work.with_retained(total.sum() / count.sum(), alpha, retain)

    work.descend(objective)
