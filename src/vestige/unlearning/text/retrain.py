"""Retraining: the base model is trained on the retained texts alone. Exact; what the others are measured against."""

from __future__ import annotations

from typing import Any

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Steps, Work, mean_nll


@register("retrain", needs=("retain",), cites="exact", steps=Steps(epochs=5, lr=5e-5))
def retrain(work: Work, *, base: Any = None) -> Any:
    r"""Train the base model on the retained texts alone: what the others are measured against.

    Parameters
    ----------
    base : Any
        The model before it had learned any of the texts.

    Notes
    -----
    .. math::

        \min_\theta \; \mathrm{nll}(D_r), \qquad \theta \; \mathrm{from} \; \theta_{\mathrm{base}}

    The base model had learned none of the texts.

    **When to use.** Whenever the base model is there and the texts were learned in finetuning: it came out at
    a completeness of 1.00 [1.00, 1.00] on MUSE-News, with no text flagged (lab book, texts).

    **When it fails.** It is exact only towards the texts that are given: if the base model saw a forget text
    in its own training, that stays.

    **Cost.** Five passes over the retained blocks, or as many as the original had.

    References
    ----------
    Exact by definition; what the others are measured against.
    """
    fresh = work.ready(base)
    work.descend(lambda retain, _: mean_nll(fresh, retain), blocks=work.retain, model=fresh)
    return fresh
