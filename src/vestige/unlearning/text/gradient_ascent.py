"""Gradient ascent: raise the loss on the forget texts.

Ascent has no floor: left alone it ruins the model within a few epochs. Stop it by `on_epoch` or `max_steps`.
"""

from __future__ import annotations

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Work, mean_nll


@register("gradient_ascent", needs=("forget",), cites="Jang et al. 2023 (gradient ascent)")
def gradient_ascent(work: Work) -> None:
    r"""Raise the loss on the forget texts.

    Notes
    -----
    .. math::

        \min_\theta \; -\mathrm{nll}(D_f)

    **When to use.** As the baseline that reads the forget texts alone, with an early stop by `on_epoch` or
    `max_steps`.

    **When it fails.** Ascent has no floor: left alone it ruins the model within a few epochs. Stopped in time
    it hides: on MUSE-News 0.33 [0.25, 0.40] of the way, a trace in each of 24 texts, although the usual AUC
    rose to 0.97 as under retraining (lab book, texts).

    **Cost.** Five passes over the forget blocks.

    References
    ----------
    Jang et al.: Knowledge Unlearning for Mitigating Privacy Risks in Language Models. ACL 2023, arXiv
    2210.01504.
    """
    work.descend(lambda forget, retain: -mean_nll(work.model, forget))
