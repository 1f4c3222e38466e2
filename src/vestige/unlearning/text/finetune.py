"""Fine-tuning on the retained texts: forgetting by neglect."""

from __future__ import annotations

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Work, mean_nll


@register("finetune", needs=("retain",), cites="Warnecke et al. 2023")
def finetune(work: Work) -> None:
    r"""Train on the retained texts; what is not rehearsed fades, slowly.

    Notes
    -----
    .. math::

        \min_\theta \; \mathrm{nll}(D_r)

    **When to use.** As the baseline of every other method: what is not rehearsed fades, slowly.

    **When it fails.** Slowly: nothing in it knows which texts are to go. On samples, where it is measured, it
    removes next to nothing (lab book, results). No table of the lab book measures it.

    **Cost.** Five passes over the retained blocks.

    References
    ----------
    Warnecke et al.: Machine Unlearning of Features and Labels. NDSS 2023, arXiv 2108.11577 (the baseline of
    that paper).
    """
    work.descend(lambda retain, _: mean_nll(work.model, retain), blocks=work.retain)
