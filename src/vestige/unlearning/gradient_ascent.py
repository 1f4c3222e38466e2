"""Gradient ascent (GA): climb the loss of the forget samples.

`paper`: SGD, momentum 0.9, weight decay 5e-4, learning rate 1e-4, batch 256, 5 epochs, in training mode, so that
the forget batches also rewrite the running statistics of BatchNorm; often that, not the weights, is what
raises the loss. `recommended` takes the same steps with BatchNorm frozen, and stops at the first epoch whose
forget loss has reached that of a uniform guess, log C: beyond it the samples are damaged, not forgotten.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vestige.data.split import Split
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work

if TYPE_CHECKING:
    from torch import Tensor, nn


@register(
    "gradient_ascent",
    needs=("forget",),
    cites="Jia et al. 2023 (Unlearn-Sparse); Thudi et al. 2022",
    steps=Steps(epochs=5, lr=1e-4, freeze_batchnorm=True),
    paper={"freeze_batchnorm": False, "stop_at_uniform": False},
    trial=Trial(strong={"lr": 0.2, "epochs": 20}, rise=0.5),
)
def gradient_ascent(model: nn.Module, split: Split, work: Work, *, stop_at_uniform: bool = True) -> nn.Module:
    r"""Maximise the loss on the forget samples; reads nothing else, easily over-unlearns.

    Parameters
    ----------
    stop_at_uniform : bool
        Stop at the first epoch whose mean forget loss is that of a uniform guess, or above.

    Notes
    -----
    .. math::

        \min_\theta \; -\frac{1}{|D_f|} \sum_{(x, y) \in D_f} \mathrm{CE}(f_\theta(x), y), \qquad \theta \;
        \mathrm{from} \; \theta_0

    **When to use.** As the cheapest baseline, or where the forget samples are all that is left of the data.

    **When it fails.** At the published rate it changes next to nothing on a random request (completeness
    -0.10 on CIFAR-10, 0.01 on Location-30, where half of the records bear a trace for certain; lab book,
    results). At a larger one it damages samples instead of forgetting them; hence the stop at the loss of a
    uniform guess. On a class it stayed 26.6 points from retraining.

    **Cost.** Five passes over the forget samples: half a pass over the retained ones where a tenth is
    forgotten.

    References
    ----------
    The baseline of Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023, arXiv 2304.04934,
    after Thudi et al., Unrolling SGD, EuroS&P 2022.
    """
    from torch.nn import functional

    rows = split.rows("forget")

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return -functional.cross_entropy(logits, labels)

    def on_epoch(epoch: int, mean_loss: float) -> bool:
        return stop_at_uniform and -mean_loss >= math.log(len(rows.classes))

    work.descend(model, rows, loss=loss, on_epoch=on_epoch)
    return model
