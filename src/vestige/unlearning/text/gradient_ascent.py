"""Gradient ascent: raise the loss on the forget texts.

Jang et al.: Knowledge Unlearning for Mitigating Privacy Risks in Language Models. ACL 2023, arXiv 2210.01504.

    minimise -nll(forget)

Ascent has no floor: left alone it ruins the model within a few epochs. Stop it by `on_epoch` or `max_steps`.
"""

from __future__ import annotations

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Work, mean_nll


@register("gradient_ascent", needs=("forget",), cites="Jang et al. 2023 (gradient ascent)")
def gradient_ascent(work: Work) -> None:
    """Raise the loss on the forget texts."""
    work.descend(lambda forget, retain: -mean_nll(work.model, forget))
