"""Ascent held back by a divergence: ascend on the forget texts, stay as the original was on retained ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, kl, mean_nll

if TYPE_CHECKING:
    from torch import Tensor


@register("kl_ascent", needs=("forget", "retain"), cites="Liu et al. 2022 (GradDiff)")
def kl_ascent(work: Work, *, gamma: float = 1.0, alpha: float = 1.0) -> None:
    r"""Raise the loss on the forget texts, predict on retained ones what the original predicted.

    Parameters
    ----------
    gamma : float
        Weight of the loss on forget texts, which is raised.
    alpha : float
        Weight of the divergence from the original on retained texts.

    Notes
    -----
    .. math::

        \min_\theta \; -\gamma \, \mathrm{nll}(D_f) + \alpha \, \mathrm{KL}\left(p_{\theta_0} \,\|\,
        p_\theta\right) \; \mathrm{on} \; D_r

    **When to use.** As `grad_diff`, where the retained texts should be answered as before and not better than
    before.

    **When it fails.** The ascent on the forget texts has no floor either, and the divergence guards the
    retained texts only, not those that nobody gave. No table of the lab book measures it.

    **Cost.** Five passes over the forget blocks and as many retained ones, a forward pass of the original
    beside these.

    References
    ----------
    Maini et al.: TOFU, A Task of Fictitious Unlearning for LLMs. COLM 2024, arXiv 2401.06121 ("KL
    minimization").
    """
    original = work.frozen()

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        assert retain is not None
        return -gamma * mean_nll(work.model, forget) + alpha * kl(work.model, original, retain)

    work.descend(objective)
