"""Finetune (FT): go on training on the retained samples, and hope that the rest is forgotten.

The settings are the published ones: SGD with momentum 0.9, weight decay 5e-4, learning rate 0.01, batch 256,
10 epochs, random crop and flip on images. The schedule's milestones lie beyond 10 epochs: a constant rate.
Both presets are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestige.data.split import Split
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work

if TYPE_CHECKING:
    from torch import nn


@register(
    "finetune",
    needs=("retain",),
    cites="Jia et al. 2023 (Unlearn-Sparse)",
    steps=Steps(),
    trial=Trial(strong={"lr": 0.05, "epochs": 20}, rise=0.03),
)
def finetune(model: nn.Module, split: Split, work: Work) -> nn.Module:
    r"""Continue training on the retained samples only; cheap, removes little.

    Notes
    -----
    .. math::

        \min_\theta \; \frac{1}{|D_r|} \sum_{(x, y) \in D_r} \mathrm{CE}(f_\theta(x), y), \qquad \theta \;
        \mathrm{from} \; \theta_0

    **When to use.** As the baseline that every other method has to beat, and as the repair after one that
    damages. Where a class goes it forgets some of it in passing: 35 % of the class, 31.7 points from
    retraining (lab book, results).

    **When it fails.** It hides nothing and removes little: on a random request of CIFAR-10 it made ten passes
    and had a completeness of 0.19; on Location-30 of 0.01, with a vestige in half of the records (lab book,
    results). It raises the retained accuracy above that of retraining (98 against 89 %), and so moves away
    from it while it forgets.

    **Cost.** Ten passes over the retained samples.

    References
    ----------
    The baseline of Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023, arXiv 2304.04934.
    """
    work.descend(model, split.rows("retain"))
    return model
