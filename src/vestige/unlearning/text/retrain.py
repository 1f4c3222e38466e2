"""Retraining: the base model is trained on the retained texts alone. Exact; what the others are measured against."""

from __future__ import annotations

from typing import Any

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Steps, Work, mean_nll


@register("retrain", needs=("retain",), cites="exact", steps=Steps(epochs=5, lr=5e-5))
def retrain(work: Work, *, base: Any = None) -> Any:
    """Train the base model on the retained texts alone: what the others are measured against.

    base  the model before it had learned any of the texts
    """
    fresh = work.ready(base)
    work.descend(lambda retain, _: mean_nll(fresh, retain), blocks=work.retain, model=fresh)
    return fresh
