"""Saliency unlearning (SalUn): random labels, on the weights that the forget samples care about.

Fan, Liu, Zhang, Wei, Wong, Liu: SalUn. ICLR 2024, arXiv 2310.12508.

    mask = |gradient of CE on D_f| in its top half, over all weights together
    random labels (see there), updating masked weights only

10 epochs, learning rate 0.013 (10 % of CIFAR-10), one optimiser through all passes. Momentum and weight decay must
respect the mask too: here every other weight is put back after each step. `paper` may draw the true label,
`recommended` does not. Differs from the authors: their script steps uphill between the batches of which it adds up the
gradients of the mask, here they are all of the original model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vestige.arguments import Share
from vestige.data.split import Split
from vestige.unlearning.gradients import mean_gradient
from vestige.unlearning.random_labels import relabelled
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work, alive_of, trainable

if TYPE_CHECKING:
    from torch import nn


@register(
    "salun",
    needs=("forget", "retain"),
    cites="Fan et al. 2024 (SalUn)",
    steps=Steps(lr=0.013),
    paper={"true_label": True},
    trial=Trial(strong={"lr": 0.05, "batch_size": 32}, repair={"batch_size": 32}),
)
def salun(
    model: nn.Module, split: Split, work: Work, *, share: Share = 0.5, true_label: bool = False
) -> nn.Module:
    """Random labels on the salient weights only.

    share       of the weights that may change, those with the largest gradients on the forget samples
    true_label  may the drawn label be the true one?
    """
    forget, retain = split.rows("forget"), split.rows("retain")
    sizes = {name: g.abs() for name, g in mean_gradient(model, forget, work).items()}
    alive = alive_of(model)
    every = torch.cat(
        [size[alive[name]] if name in alive else size.flatten() for name, size in sizes.items()]
    )
    limit = every.sort(descending=True).values[max(0, round(share * len(every)) - 1)]
    fixed = [(p, sizes[name] < limit, p.detach().clone()) for name, p in trainable(model).items()]

    @torch.no_grad()
    def put_back(lr: float) -> None:
        for p, still, value in fixed:
            p.copy_(torch.where(still.to(p.device), value.to(p.device), p))

    for epoch in range(work.steps.epochs):
        wrong = relabelled(forget, work.seed, epoch, true_label=true_label)
        work.descend(model, wrong, seed=2 * epoch, after_step=put_back, **work.one_epoch(epoch))
        work.descend(model, retain, seed=2 * epoch + 1, after_step=put_back, **work.one_epoch(epoch))
    return model
