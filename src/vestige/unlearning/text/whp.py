"""Who's Harry Potter (WHP): learn what the model would say without what reinforcement raises.

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
    r"""Learn generic continuations of the forget texts: what the model would say without what reinforcement raises.

    Parameters
    ----------
    alpha : float
        How much of what reinforcement raises is taken off, in logits.

    Notes
    -----
    .. math::

        \min_\theta \; \mathrm{CE}\left(f_\theta, \; \arg\max \left( v - \alpha \,
        \max(v_{\mathrm{reinforced}} - v, 0) \right)\right) \; \mathrm{on} \; D_f

    v are the logits of the original, v_reinforced those of the original trained on the forget texts further.

    **When to use.** Where a subject is to go, with plausible text in its place.

    **When it fails.** Only tokens that reinforcement raises are replaced: what the original is already sure
    of does not rise and is taught again. The replacements are the original's own second choices. No table of
    the lab book measures it.

    **Cost.** Five passes over the forget blocks to reinforce, and five to learn the replacements.

    References
    ----------
    Eldan, Russinovich: Who's Harry Potter? Approximate Unlearning in LLMs. arXiv 2310.02238, 2023.
    """
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
