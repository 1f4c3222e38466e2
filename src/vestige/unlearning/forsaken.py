"""Forsaken: an additive mask on the weights that makes forget samples answer like unseen ones.

Published: a generator network
from all P weights to the update, with P x 64 weights of its own, drawn anew at every call; in IAM's code it returns
after the first of 100 iterations, with an update that was never optimised. `paper` takes one iteration; `recommended`
100, all with one optimiser. Differs from the authors in both: the update is optimised itself, by Adam, not through a
generator, which for 11 million weights would have 1.4 billion. The published rate, 1e-4, is that of the generator's
weights, and 0.01 the length at which its output is subtracted; the update's own rate is 1e-3. Answers are probabilities
and their mean; in IAM's code the mean is over logits on one side, over largest logits by class on the other. A step
takes a batch of each set, theirs all of D_f and ten batches of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from vestige.arguments import Count, NotNegative, Positive
from vestige.data.split import Split
from vestige.models.sparsity import apply_masks, masks_of
from vestige.unlearning.layers import trainable
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Work, unseen_rows

if TYPE_CHECKING:
    from torch import nn


@register(
    "forsaken",
    needs=("forget", "retain", "shadow"),
    cites="Ma et al. 2022 (Forsaken)",
    paper={"iterations": 1},
    trial=Trial(quick={"iterations": 20}, strong={"lr": 0.01}, rise=0.02),
)
def forsaken(
    model: nn.Module,
    split: Split,
    work: Work,
    *,
    iterations: Count = 100,
    lr: Positive = 1e-3,
    penalty: NotNegative = 0.01,
    batch_size: Count = 256,
) -> nn.Module:
    r"""Shift the weights until forget samples answer, on average, like samples never seen.

    Parameters
    ----------
    iterations : int
        Steps of the update.
    lr : float
        Of Adam.
    penalty : float
        On the size of the update, times the loss on retained samples.
    batch_size : int
        Forget, retained and unseen samples in a step, each.

    Notes
    -----
    .. math::

        \min_d \; \mathrm{KL}\left(\bar p_{\theta + d}(D_v) \,\|\, \bar p_{\theta + d}(D_f)\right) + \rho \,
        L_{D_r}(\theta + d) \, |d|_1

    The bars are the mean answers over unseen samples D_v of the shadow pool and over the forget samples; rho is
    `penalty`. The more an update d would hurt the retained samples, the dearer it is.

    **When to use.** Hardly. On part of a class of Location-30 it moved forgotten records to an AUC of 95 by
    IAM, with retraining at 88 (reproduction, Table 8).

    **When it fails.** A mean over all forget samples says nothing of any one of them. On a class of CIFAR-10
    it took all other classes with it (retained accuracy 26 %), on a random request it left 66 % (lab book,
    results): what it forgets there is damage. Samples of the shadow pool are trained on: judge nothing on
    them.

    **Cost.** 100 steps on a batch of each of the three sets: about four passes over the retained samples on
    10,000 images.

    References
    ----------
    Ma et al.: Learn to Forget: Machine Unlearning via Neuron Masking. 2022; as run by Wang et al. 2025 (IAM).
    """
    forget, retain = split.rows("forget"), split.rows("retain")
    unseen = unseen_rows(split, work.method)
    parameters, masks = list(trainable(model).values()), masks_of(model)
    start = [p.detach().clone() for p in parameters]
    model.eval().to(work.where)
    optimiser = torch.optim.Adam(parameters, lr)
    streams = [
        work.endless(rows, batch_size=batch_size, purpose=k)
        for k, rows in enumerate((forget, retain, unseen))
    ]
    for _ in range(iterations):
        (x, _), (r, y), (u, _) = (next(stream) for stream in streams)
        with torch.no_grad():
            target = torch.softmax(model(u).float(), dim=1).mean(dim=0)
            weight = F.cross_entropy(model(r).float(), y)
        own = torch.softmax(model(x).float(), dim=1).mean(dim=0)
        moved = torch.stack([(p - s.to(p)).abs().sum() for p, s in zip(parameters, start, strict=True)]).sum()
        value = (target * (target.clamp(min=1e-12).log() - own.clamp(min=1e-12).log())).sum()
        gradients = torch.autograd.grad(value + penalty * weight * moved, parameters, allow_unused=True)
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = g
        optimiser.step()
        apply_masks(masks)
        work.gradient_steps += 1
        if work.spend(len(x) + (len(r) + len(u)) / 3):
            break
    return model
