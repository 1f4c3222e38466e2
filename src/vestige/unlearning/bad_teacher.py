"""Bad teacher: learn ignorance of the forget samples from a network that knows nothing.

The bad teacher has fresh weights. One epoch, Adam 1e-4, batch 256, temperature 1, 30 % of D_r. `recommended` keeps the
running statistics of batch normalisation, `paper` does not; else the presets are the same. Differs from the authors:
their divergence is divided by the number of classes too, which Adam does not see. Samples then look as to a model that
saw no data at all, which is not one that saw all others: expect over-unlearned records.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from vestige.arguments import Positive, Share
from vestige.data.dataset import joined
from vestige.data.split import Split
from vestige.models import copied, reinitialise
from vestige.unlearning.distances import distance, teacher_says
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work

if TYPE_CHECKING:
    from torch import Tensor, nn


@register(
    "bad_teacher",
    needs=("forget", "retain"),
    cites="Chundawat et al. 2023",
    paper={"freeze_batchnorm": False},
    steps=Steps(epochs=1, lr=1e-4, optimizer="adam", weight_decay=0.0, freeze_batchnorm=True),
    trial=Trial(strong={"lr": 0.01, "batch_size": 16, "epochs": 5}),
)
def bad_teacher(
    model: nn.Module, split: Split, work: Work, *, share: Share = 0.3, temperature: Positive = 1.0
) -> nn.Module:
    r"""Follow a random network on forget samples and the original on retained ones.

    Parameters
    ----------
    share : float
        Of the retained samples that are used.
    temperature : float
        Of both softmaxes.

    Notes
    -----
    .. math::

        \min_\theta \; \frac{1}{|B|} \left( \sum_{x \in B \cap D_f} \mathrm{KL}\left(p_{\mathrm{bad}}(x)
        \,\|\, p_\theta(x)\right)
        + \sum_{x \in B \cap D_r} \mathrm{KL}\left(p_{\theta_0}(x) \,\|\, p_\theta(x)\right) \right)

    The batches B are drawn from one shuffled set of D_f and a share of D_r. The bad teacher has fresh weights;
    theta_0 is the original.

    **When to use.** Where a class has to go within one pass over a part of the data: on a class of CIFAR-10
    it came within 2.3 points of retraining in 0.7 passes (lab book, results).

    **When it fails.** Forget samples end as they look to a network that saw nothing at all, not to one that
    saw all the others: expect over-unlearned records. On a random request it lost five points of retained
    accuracy, and IAM saw no difference between forgotten and retained samples (AUC 0.50, completeness -0.27;
    lab book, results).

    **Cost.** One pass over the forget samples and 30 % of the retained ones, with a forward pass of a teacher
    beside each.

    References
    ----------
    Chundawat, Tarun, Mandal, Kankanhalli: Can Bad Teaching Induce Forgetting? AAAI 2023, arXiv 2205.08096.
    """
    good = copied(model).to(work.where).eval()
    bad = reinitialise(model, work.seed).to(work.where).eval()
    forget, retain = split.rows("forget"), split.rows("retain")
    rng = np.random.default_rng((work.seed, 19))
    few = retain.take(rng.permutation(len(retain))[: max(1, round(share * len(retain)))])
    rows = joined(forget, few)
    which = (np.arange(len(rows)) < len(forget)).astype(
        np.int64
    )  # labels are not used: 1 = the bad teacher's

    def objective(x: Tensor, y: Tensor) -> Tensor:
        taught = torch.where((y == 1)[:, None], teacher_says(bad, x), teacher_says(good, x))
        return distance(model(x), taught, temperature)

    work.descend(model, dataclasses.replace(rows, y=which), objective=objective, cost=5 / 3)
    return model
