"""Negative preference optimisation (NPO): the forget texts are what is not preferred.

Unlike ascent it flattens out as the texts fade, in relation to the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.arguments import Positive
from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, logits_of, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("npo", needs=("forget",), cites="Zhang et al. 2024 (NPO)")
def npo(work: Work, *, beta: Positive = 0.1, alpha: float = 1.0) -> None:
    r"""Negative preference: push forget sequences below their likelihood under the original, ever more gently.

    Parameters
    ----------
    beta : float
        Inverse temperature; towards 0 it becomes gradient ascent.
    alpha : float
        Weight of the loss on retained texts, where there are any.

    Notes
    -----
    .. math::

        \min_\theta \; \frac{2}{\beta} \, \mathrm{mean} \, \log\left( 1 + \left(
        \frac{p_\theta(y)}{p_{\theta_0}(y)} \right)^{\beta} \right) + \alpha \, \mathrm{nll}(D_r)

    p is the likelihood of a whole forget sequence, theta_0 the original.

    **When to use.** The first to be tried: of the three methods measured on MUSE-News it went furthest (0.50
    [0.44, 0.55] of the way) and harmed nothing that was measured there (lab book, texts).

    **When it fails.** It went half of the way. Each of the 24 texts still bore a trace, and six steps of
    training on them brought their loss from 2.2 back to 1.5, where a retrained model stands at 2.9 (lab book,
    texts).

    **Cost.** Five passes over the forget blocks and as many retained ones, a forward pass of the original
    beside the former.

    References
    ----------
    Zhang, Lin, Bai, Mei: Negative Preference Optimization. COLM 2024, arXiv 2404.05868.
    """
    import torch
    import torch.nn.functional as F

    original = work.frozen()

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        with torch.no_grad():
            before = sequence_nll(logits_of(original, forget), forget.labels)[0]
        after = sequence_nll(logits_of(work.model, forget), forget.labels)[0]
        value = -(2 / beta) * F.logsigmoid(beta * (after - before)).mean()
        return work.with_retained(value, alpha, retain)

    work.descend(objective)
