"""Selective synaptic dampening (SSD): shrink the weights that matter much more to the forget set than to all data.

alpha = 10, lambda = 1, as published. `recommended` squares per-sample gradients. `paper` squares the gradients of the
means of batches, as the published code does, which adds a mean term and divides by the batch size: over the forget set,
and over batches of all data in which both sets are mixed, the last batch as short as it comes. Where gradients of
unlike samples cancel, F_D is much smaller than the mean of its parts; alpha means another thing than per sample, and
may be larger than N / N_f. `iam` is the copy in the code of Wang et al. 2025 (IAM): batches of 128 that are not mixed,
the retained samples' before the forget set's, each batch's gradient clipped to norm 1, batch normalisation in training
mode, which rewrites its running statistics, the forget set's last; alpha 60 on CIFAR-10 and CIFAR-100, else 10.
Differs from the authors: mixed batches are shuffled by the seed; theirs come in the order of the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from vestige.arguments import Count, NotNegative, Positive
from vestige.data.dataset import joined
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.unlearning.gradients import Named, batch_squares, fisher_diagonal
from vestige.unlearning.layers import trainable
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Work

if TYPE_CHECKING:
    from torch import nn

PAPER = {"importance": "batch_mean", "short_last": True}


@register(
    "ssd",
    needs=("forget", "retain"),
    cites="Foster et al. 2024 (SSD)",
    paper=PAPER,
    presets={"iam": PAPER | {"mixed": False, "clip": 1.0, "own_batchnorm": True, "batch_size": 128}},
    trial=Trial(quick={"alpha": 1.0}, alike={"flipped": "its gradients are squared"}),
)
def ssd(
    model: nn.Module,
    split: Split,
    work: Work,
    *,
    alpha: Positive = 10.0,
    dampening: NotNegative = 1.0,
    importance: Literal["per_sample", "batch_mean"] = "per_sample",
    batch_size: Count = 64,
    mixed: bool = True,
    short_last: bool = False,
    clip: Positive | None = None,
    own_batchnorm: bool = False,
) -> nn.Module:
    r"""Dampen the weights that the forget samples need most; no gradient step is taken.

    Parameters
    ----------
    alpha : float
        How many times more important to the forget set a weight must be; larger = fewer are touched.
    dampening : float
        lambda, how much of such a weight is left.
    importance : {"per_sample", "batch_mean"}
        Squared gradients "per_sample", or of each "batch_mean"; the former reads none of the options below,
        but batch_size, of speed only.
    batch_size : int
        Samples in such a batch.
    mixed : bool
        Batches of all data hold samples of both sets, else of the retained ones first, then of the others.
    short_last : bool
        The last batch holds what is left over, else all are of one size, to one sample.
    clip : float or None
        Largest norm of a batch's gradient; None: any.
    own_batchnorm : bool
        Run batches in training mode, by their own statistics.

    Notes
    -----
    .. math::

        F_{f,j} > \alpha \, F_{D,j} \;\; \Rightarrow \;\; \theta_j \leftarrow \theta_j \, \min\left( \lambda
        \, \frac{F_{D,j}}{F_{f,j}}, \; 1 \right)

    F_f and F_D are the mean squared gradients on D_f and on all data; alpha is `alpha`, lambda is `dampening`.

    **When to use.** Where a class, or a part of one, has to go at the cost of one pass: it called none of a
    class of CIFAR-10 by its name, 6.3 points from retraining, and stands near retraining on part of a class
    of Location-30 (96.7; retraining 88.1; lab book, results; reproduction, Table 8).

    **When it fails.** On a random request no weight belongs to the forget samples alone. Then it refuses
    (above N / N_f no weight is ever so important), moves nothing (as published, on Location-30), or forgets
    nothing (completeness -0.13 with alpha 1.5 on CIFAR-10). On the class the retained accuracy fell from 92
    to 77 % (lab book, results).

    **Cost.** One pass over all samples, sample by sample: 75 s where a pass of training takes 17.

    References
    ----------
    Foster, Schoepf, Brintrup: Fast Machine Unlearning Without Retraining Through Selective Synaptic Dampening.
    AAAI 2024, arXiv 2308.07707.
    """
    forget, retain = split.rows("forget"), split.rows("retain")
    share = len(forget) / (len(forget) + len(retain))
    if importance == "per_sample":
        own, other = (
            fisher_diagonal(model, rows, work, labels="true", batch_size=batch_size)
            for rows in (forget, retain)
        )
        everyone: Named = {name: share * own[name] + (1 - share) * other[name] for name in own}
    else:
        every = joined(retain, forget)
        if mixed:
            every = every.take(np.random.default_rng((work.seed, 43)).permutation(len(every)))
        own, everyone = (
            batch_squares(
                model, rows, work, batch_size=batch_size, short_last=short_last, clip=clip,
                own_batchnorm=own_batchnorm,
            )
            for rows in (forget, every)
        )  # fmt: skip
    touched = 0
    with torch.no_grad():
        for name, weight in trainable(model).items():
            factor = (dampening * everyone[name] / own[name].clamp(min=1e-30)).clamp(max=1)
            chosen = own[name] > alpha * everyone[name]
            weight.mul_(torch.where(chosen, factor, 1.0))
            touched += int(chosen.sum())
    if not touched:
        limit = f" Above {1 / share:.3g}, with this share of samples to forget, none ever is."
        raise InputError(
            f"ssd: no weight is {alpha:g} times as important to the forget set as to all data; lower alpha."
            + (limit if importance == "per_sample" else "")
        )
    return model
