"""Random labels (RL), poison, poison full and hybrid: teach the forget samples labels that are not theirs.

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

from vestige.arguments import Positive
from vestige.data.dataset import joined
from vestige.data.split import Split
from vestige.unlearning.forget_with_precision import CITES, ETH
from vestige.unlearning.labels import relabelled
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work

if TYPE_CHECKING:
    from torch import nn

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
    r"""Fit wrong labels on the forget samples and true ones on the retained, epoch by epoch.

    Parameters
    ----------
    true_label : bool
        May the drawn label be the true one?

    Notes
    -----
    .. math::

        \min_\theta \; \mathrm{CE}(f_\theta(x), \tilde y) \;\; \mathrm{on} \; D_f, \quad \mathrm{then} \quad
        \min_\theta \; \mathrm{CE}(f_\theta(x), y) \;\; \mathrm{on} \; D_r, \quad \mathrm{each \; epoch}

    The labels with a tilde are drawn anew in every epoch, of the other classes.

    **When to use.** Where a class goes and both sets are at hand: 88.6 % of it look unlearned to the
    published attack, 11.8 points from retraining (lab book, results).

    **When it fails.** A wrong label is a trace of its own: what was taught to be wrong does not look like
    what was never seen. On a random request the completeness was 0.29 and the retained accuracy rose above
    that of retraining (lab book, results; measured before all passes had one optimiser).

    **Cost.** Ten passes over all samples: 11 over the retained ones where a tenth is forgotten.

    References
    ----------
    Random labels as in SalUn's code family (Fan et al. 2024, arXiv 2310.12508), after Graves et al., Amnesiac
    Machine Learning, AAAI 2021; poison, poison full and hybrid as in Krähenmann et al., Forget with Precision,
    ETH Zurich 2023.
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
    r"""Fit random labels on the forget samples; reads nothing else.

    Parameters
    ----------
    true_label : bool
        May the drawn label be the true one?

    Notes
    -----
    .. math::

        \min_\theta \; \frac{1}{|D_f|} \sum_{x \in D_f} \mathrm{CE}(f_\theta(x), \tilde y)

    One epoch at a rate of 0.0007. The labels with a tilde are random ones of the other classes.

    **When to use.** As a cheap baseline where the forget samples are all that is at hand.

    **When it fails.** One epoch changes little: 27.1 points from retraining on a class of CIFAR-10,
    completeness -0.10 on a random request, and an epsilon-hat on Location-30 as far from retraining as 20
    models can show (lab book, results). What it does change it takes from the retained samples (85 %
    accuracy, retraining 91).

    **Cost.** One pass over the forget samples: a tenth of a pass over the retained ones, or less.

    References
    ----------
    Random labels as in SalUn's code family (Fan et al. 2024, arXiv 2310.12508), after Graves et al., Amnesiac
    Machine Learning, AAAI 2021; poison, poison full and hybrid as in Krähenmann et al., Forget with Precision,
    ETH Zurich 2023.
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
    r"""Fit random labels on the forget samples and true ones on the retained, in one set.

    Parameters
    ----------
    true_label : bool
        May the drawn label be the true one?

    Notes
    -----
    .. math::

        \min_\theta \; \frac{1}{|D|} \left( \sum_{(x, y) \in D_r} \mathrm{CE}(f_\theta(x), y) + \sum_{x \in
        D_f} \mathrm{CE}(f_\theta(x), \tilde y) \right)

    Five epochs over one shuffled set. The labels with a tilde are random ones of the other classes.

    **When to use.** Where a class goes: 2.4 points from retraining on CIFAR-10 in 5.6 passes. On a random
    request its completeness of 0.45 was second only to `selective_pruning` (lab book, results).

    **When it fails.** By epsilon-hat its models are told from retrained ones as easily as 20 models can show,
    on Location-30 and in the paper (lab book, results; reproduction, Forget with Precision): wrong labels are
    a trace of their own.

    **Cost.** Five passes over all samples.

    References
    ----------
    Random labels as in SalUn's code family (Fan et al. 2024, arXiv 2310.12508), after Graves et al., Amnesiac
    Machine Learning, AAAI 2021; poison, poison full and hybrid as in Krähenmann et al., Forget with Precision,
    ETH Zurich 2023.
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
    r"""Poison with a large step, then repair on the retained samples.

    Parameters
    ----------
    true_label : bool
        May the drawn label be the true one?
    poison_lr : float
        Learning rate of the first stage.

    Notes
    -----
    .. math::

        \min_\theta \; \mathrm{CE}(f_\theta(x), \tilde y) \;\; \mathrm{on} \; D_f \;\; (\mathrm{1 \;
        epoch}), \quad \mathrm{then} \quad \min_\theta \; \mathrm{CE}(f_\theta(x), y) \;\; \mathrm{on} \;
        D_r \;\; (\mathrm{5 \; epochs})

    The labels with a tilde are random ones of the other classes.

    **When to use.** Where the model must come out with its accuracy unharmed: the repair has the last word.

    **When it fails.** The repair undoes the poison. On a class of CIFAR-10 it ended where it began (47.4
    points from retraining, the original 49.0), on a random request its completeness was 0.07 (lab book,
    results).

    **Cost.** One pass over the forget samples and five over the retained ones.

    References
    ----------
    Random labels as in SalUn's code family (Fan et al. 2024, arXiv 2310.12508), after Graves et al., Amnesiac
    Machine Learning, AAAI 2021; poison, poison full and hybrid as in Krähenmann et al., Forget with Precision,
    ETH Zurich 2023.
    """
    wrong = relabelled(split.rows("forget"), work.seed, true_label=true_label)
    work.descend(model, wrong, epochs=1, lr=poison_lr)
    work.descend(model, split.rows("retain"), seed=1, fresh=True)
    return model
