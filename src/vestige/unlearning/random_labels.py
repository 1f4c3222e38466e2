"""Random labels (RL), poison, poison full and hybrid: teach the forget samples labels that are not theirs.

Random labels as in SalUn's code family (Fan et al. 2024, arXiv 2310.12508), after Graves et al., Amnesiac Machine
Learning, AAAI 2021; poison, poison full and hybrid as in Krähenmann et al., Forget with Precision, ETH Zurich 2023.

    random_labels  every epoch: one pass over D_f with fresh random labels, one over D_r with its own
    poison         one epoch over D_f with random labels, lr 0.0007; D_r is not read
    poison_full    five epochs over D_r and relabelled D_f together, lr 0.002
    hybrid         one epoch over relabelled D_f, lr 0.01, then five over D_r, lr 0.001

Published labels are uniform over all classes, the true one included, so that one in C samples is taught its own label:
`paper`. `recommended` draws from the others. Krähenmann's settings: SGD with Nesterov momentum 0.9, weight decay 5e-4,
batch 128, no augmentation, a constant rate; their code's poison_full decays it by a cosine, once an epoch, as does
`paper`. Differs from the authors: they shuffle the retained samples in their finetuning alone, so that the relabelled
ones end every epoch of poison_full and hybrid repairs in one fixed order; here everything is shuffled, in both presets.
SalUn's code draws new labels for every batch, here they are drawn for an epoch, which is the same; for CIFAR-100 it
shuffles both sets into one, as poison_full does. All passes of random labels have one optimiser, as there; the two
stages of hybrid are trainings of their own, with an optimiser each, as with Krähenmann et al.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from vestige.arguments import Positive
from vestige.data.dataset import Dataset
from vestige.data.split import Split
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work

if TYPE_CHECKING:
    from torch import nn

ETH = Steps(epochs=5, lr=0.001, nesterov=True, batch_size=128, augment="none")
CITES = "Krähenmann et al. 2023 (Forget with Precision)"
PAPER = {"true_label": True}


@register(
    "random_labels",
    needs=("forget", "retain"),
    cites="Graves et al. 2021; Fan et al. 2024 (SalUn)",
    steps=Steps(),
    paper=PAPER,
    trial=Trial(strong={"lr": 0.05, "batch_size": 32}, repair={"batch_size": 32}),
)
def random_labels(model: nn.Module, split: Split, work: Work, *, true_label: bool = False) -> nn.Module:
    """Fit wrong labels on the forget samples and true ones on the retained, epoch by epoch.

    true_label  may the drawn label be the true one?
    """
    forget, retain = split.rows("forget"), split.rows("retain")
    for epoch in range(work.steps.epochs):
        wrong = relabelled(forget, work.seed, epoch, true_label=true_label)
        work.descend(model, wrong, seed=2 * epoch, **work.one_epoch(epoch))
        work.descend(model, retain, seed=2 * epoch + 1, **work.one_epoch(epoch))
    return model


@register(
    "poison",
    needs=("forget",),
    cites=CITES,
    steps=dataclasses.replace(ETH, epochs=1, lr=0.0007),
    paper=PAPER,
    trial=Trial(strong={"lr": 0.05, "batch_size": 16, "epochs": 5}),
)
def poison(model: nn.Module, split: Split, work: Work, *, true_label: bool = False) -> nn.Module:
    """Fit random labels on the forget samples; reads nothing else.

    true_label  may the drawn label be the true one?
    """
    work.descend(model, relabelled(split.rows("forget"), work.seed, true_label=true_label))
    return model


@register(
    "poison_full",
    needs=("forget", "retain"),
    cites=CITES,
    steps=dataclasses.replace(ETH, lr=0.002),
    paper=PAPER | {"schedule": "cosine", "anneal": "epoch"},
    trial=Trial(strong={"lr": 0.05, "batch_size": 32, "epochs": 20}),
)
def poison_full(model: nn.Module, split: Split, work: Work, *, true_label: bool = False) -> nn.Module:
    """Fit random labels on the forget samples and true ones on the retained, in one set.

    true_label  may the drawn label be the true one?
    """
    wrong = relabelled(split.rows("forget"), work.seed, true_label=true_label)
    work.descend(model, joined(split.rows("retain"), wrong))
    return model


@register(
    "hybrid",
    needs=("forget", "retain"),
    cites=CITES,
    steps=ETH,
    paper=PAPER,
    trial=Trial(strong={"poison_lr": 0.05, "batch_size": 16}),
)
def hybrid(
    model: nn.Module, split: Split, work: Work, *, true_label: bool = False, poison_lr: Positive = 0.01
) -> nn.Module:
    """Poison with a large step, then repair on the retained samples.

    true_label  may the drawn label be the true one?
    poison_lr   learning rate of the first stage
    """
    wrong = relabelled(split.rows("forget"), work.seed, true_label=true_label)
    work.descend(model, wrong, epochs=1, lr=poison_lr)
    work.descend(model, split.rows("retain"), seed=1, fresh=True)
    return model


def relabelled(rows: Dataset, seed: int, epoch: int = 0, *, true_label: bool = False) -> Dataset:
    """Return the samples with labels drawn uniformly, from the other classes unless `true_label`."""
    rng, classes = np.random.default_rng((seed, 11, epoch)), len(rows.classes)
    drawn = rng.integers(0, classes, len(rows)) if true_label else (
        rows.y + rng.integers(1, max(classes, 2), len(rows))
    ) % classes  # fmt: skip
    return dataclasses.replace(rows, y=drawn.astype(np.int64))


def joined(first: Dataset, second: Dataset) -> Dataset:
    """Return both sets of samples as one."""
    x, y, ids = (np.concatenate([getattr(first, f), getattr(second, f)]) for f in ("x", "y", "ids"))
    return dataclasses.replace(first, x=x, y=y, ids=ids)
