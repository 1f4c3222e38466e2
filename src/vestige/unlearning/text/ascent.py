"""Gradient ascent and what holds it back.

    gradient_ascent  minimise -nll(forget)                                  Jang et al. 2023
    grad_diff        minimise -gamma nll(forget) + alpha nll(retain)         Liu et al. 2022
    kl_ascent        minimise -gamma nll(forget) + alpha KL(original || model) on retained texts

Ascent has no floor: left alone it ruins the model within a few epochs. Stop it by `on_epoch` or `max_steps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, kl, mean_nll

if TYPE_CHECKING:
    from torch import Tensor

GA, DIFF = "Jang et al. 2023 (gradient ascent)", "Liu et al. 2022 (GradDiff)"


@register("gradient_ascent", needs=("forget",), cites=GA)
def gradient_ascent(work: Work) -> None:
    """Raise the loss on the forget texts."""
    work.descend(lambda forget, retain: -mean_nll(work.model, forget))


@register("grad_diff", needs=("forget", "retain"), cites=DIFF)
def grad_diff(work: Work, *, gamma: float = 1.0, alpha: float = 1.0) -> None:
    """Raise the loss on the forget texts, lower it on retained ones."""

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        assert retain is not None
        return -gamma * mean_nll(work.model, forget) + alpha * mean_nll(work.model, retain)

    work.descend(objective)


@register("kl_ascent", needs=("forget", "retain"), cites=DIFF)
def kl_ascent(work: Work, *, gamma: float = 1.0, alpha: float = 1.0) -> None:
    """Raise the loss on the forget texts, predict on retained ones what the original predicted."""
    original = work.frozen()

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        assert retain is not None
        return -gamma * mean_nll(work.model, forget) + alpha * kl(work.model, original, retain)

    work.descend(objective)
