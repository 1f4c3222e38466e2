"""Gradient difference: ascend on the forget texts while descending on retained ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, mean_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("grad_diff", needs=("forget", "retain"), cites="Liu et al. 2022 (GradDiff)")
def grad_diff(work: Work, *, gamma: float = 1.0, alpha: float = 1.0) -> None:
    r"""Raise the loss on the forget texts, lower it on retained ones.

    Parameters
    ----------
    gamma : float
        Weight of the loss on forget texts, which is raised.
    alpha : float
        Weight of the loss on retained texts.

    Notes
    -----
    .. math::

        \min_\theta \; -\gamma \, \mathrm{nll}(D_f) + \alpha \, \mathrm{nll}(D_r)

    **When to use.** Where ascent alone would ruin the texts to keep, which are at hand.

    **When it fails.** It hides the texts and does not unlearn them: on MUSE-News each of 24 texts still bore
    a trace, 0.40 [0.35, 0.45] of the way had been gone, and a few steps of training brought them back. It
    pays with texts that nobody asked about (perplexity 60.5; retraining 46.5; lab book, texts).

    **Cost.** Five passes over the forget blocks and as many retained ones.

    References
    ----------
    Liu, Liu, Stone: Continual Learning and Private Unlearning. CoLLAs 2022, arXiv 2203.12817.
    """

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        assert retain is not None
        return -gamma * mean_nll(work.model, forget) + alpha * mean_nll(work.model, retain)

    work.descend(objective)
