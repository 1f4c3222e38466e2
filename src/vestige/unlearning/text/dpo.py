"""Direct preference of a refusal over how a forget text goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.arguments import Positive
from vestige.unlearning.text.refusals import refusals_of, refused
from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import IGNORED, Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("dpo", needs=("forget",), cites="Rafailov et al. 2023 (DPO), as in TOFU (Maini et al. 2024)")
def dpo(work: Work, *, beta: Positive = 0.1, alpha: float = 1.0, prompt: int = 16) -> None:
    r"""Prefer a refusal to how a forget text goes on after its first tokens.

    Parameters
    ----------
    beta : float
        Inverse temperature of the preference.
    alpha : float
        Weight of the loss on retained texts, where there are any.
    prompt : int
        Tokens of a block that stand before the answer; the rest of the block is the answer.

    Notes
    -----
    .. math::

        \min_\theta \; -\frac{1}{\beta} \, \mathrm{mean} \, \log \sigma\left( \beta \left( \log
        \frac{p_\theta(z)}{p_{\theta_0}(z)}
        - \log \frac{p_\theta(y)}{p_{\theta_0}(y)} \right) \right) + \alpha \, \mathrm{nll}(D_r)

    y is how a forget block goes on after its first tokens, z a refusal in its place; p is the likelihood of the
    whole answer and theta_0 the original.

    **When to use.** Where a model should decline in place of answering, and a plain refusal changes too much
    of the rest: preference is relative to the original.

    **When it fails.** It teaches what to say, not to forget: as `refusal`, after which the forgotten texts
    are still known by IAM's score (reproduction, Table 7), it leaves the loss of the text itself to chance.
    No table of the lab book measures it.

    **Cost.** Five passes over the forget blocks and as many retained ones, a forward pass of the original
    beside each.

    References
    ----------
    Rafailov et al.: Direct Preference Optimization. NeurIPS 2023, arXiv 2305.18290; as in TOFU (Maini et al.
    2024).
    """
    import torch
    import torch.nn.functional as F

    original, refusals = work.frozen(), refusals_of(work.tokenizer)

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        chosen, wanted = refused(forget, refusals, prompt, work.device)
        rejected = forget.labels.clone()
        rejected[:, :prompt] = IGNORED
        with torch.no_grad():
            before = (
                sequence_nll(logits_of(original, chosen), wanted)[0],
                sequence_nll(logits_of(original, forget), rejected)[0],
            )
        after = (
            sequence_nll(logits_of(work.model, chosen), wanted)[0],
            sequence_nll(logits_of(work.model, forget), rejected)[0],
        )
        margin = (before[0] - after[0]) - (before[1] - after[1])
        value = -(1 / beta) * F.logsigmoid(beta * margin).mean()
        return work.with_retained(value, alpha, retain)

    work.descend(objective)
