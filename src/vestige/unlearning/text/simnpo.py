"""SimNPO: negative preference by the loss a token, without a reference model."""

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
    r"""Negative preference by the mean token loss, without a reference model.

    Parameters
    ----------
    beta : float
        Inverse temperature of the preference.
    delta : float
        Loss in nats above which a sequence counts as forgotten.
    gamma : float
        Weight of forgetting.
    alpha : float
        Weight of the loss on retained texts, where there are any.

    Notes
    -----
    .. math::

        \min_\theta \; \gamma \, \frac{2}{\beta} \, \mathrm{mean} \, \log\left( 1 + e^{-\beta (\mathrm{nll}(y)
        / |y| - \delta)} \right) + \alpha \, \mathrm{nll}(D_r)

    The loss of a forget sequence y is taken a token, so that long and short texts are pushed alike.

    **When to use.** As `npo`, where the original cannot be kept in memory beside the model, or texts differ
    much in length.

    **When it fails.** Without the original it does not know how far a text was known to begin with: easy
    texts are pushed as hard as memorised ones. No table of the lab book measures it.

    **Cost.** Five passes over the forget blocks and as many retained ones.

    References
    ----------
    Fan et al.: Simplicity Prevails, Rethinking Negative Preference Optimization for LLM Unlearning. arXiv
    2410.07163, 2024.
    """
    import torch.nn.functional as F

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        total, count = sequence_nll(logits_of(work.model, forget), forget.labels)
        value = -gamma * (2 / beta) * F.logsigmoid(beta * (total / count - delta)).mean()
        return work.with_retained(value, alpha, retain)

    work.descend(objective)
