"""Discriminative adversarial unlearning (DAU): a game against an attacker that tells forget from unseen samples.

lambda = 0.9, gamma = 0.001; sensitivity over 10 copies with noise 1e-3; SGD 0.01, three passes over D_r, 477 steps.
Where a whole class is forgotten, beta is 0 after 30 steps: finetuning at 0.01 from then on. These are the authors' for
CIFAR-10; by their scripts CIFAR-100 has five passes and finetuning at 0.02, and at 95 % sparsity the rate is 0.03 on
CIFAR-10 and the game ends after 20 steps (`epochs`, `class_steps`, `switch_lr`, `lr`, `switch_after`). Unseen samples
D_v come from the split's shadow pool: they are trained on, and nothing may be judged on them.

The request decides. It is for whole classes where D_r has no sample of a class of D_f, and for samples otherwise;
the result says which (`decided`). What is forgotten depends on what D_f is compared with. With D_v of the same
classes, seen and unseen are answered alike: on samples of classes that stay this is forgetting; on a whole class
retraining does so too, by never naming it, but the original as well, after a little regularising, and there the
game ends. With D_v of all classes, the label in u tells the groups of a class apart, and no classifier moves a
label: the attacker is never fooled (authors; what forgets is 30 steps without a bound and 447 to repair them). With
D_v of the other classes and no label in u, the class is answered as an unseen sample of a known class is: what
retraining does.

`recommended`, samples: D_v has D_f's classes; the game's gradient is at most half as long as that of the loss on D_r.
`recommended`, whole classes: D_v has the other classes, u no label; D_f alone is pushed, for D_v has nothing to forget;
gamma is 0; the bound on the game's gradient has a floor of 1.5, for the loss on D_r of a memorised model has next to no
gradient, nor then would the game; finetuning has its passes whole after the game, by a rate that falls to 0, and plays
one step of the game in five, or it would undo the game. Both: softmax; attacker's rows in evaluation mode, so that
batch statistics do not tell the groups apart; pre-trained on D_f against D_v; features matched in mean and covariance;
the attacker frozen, in evaluation mode, in the classifier's step; batch normalisation frozen, or the loss on D_r, by
batch statistics, does not see what the game does to the classifier in use.

`paper`: logits as output; D_v of all classes, the label in u, both groups pushed; every forward pass of the game in
training mode, in the authors' order, D_r last, all noisy copies as one batch; the attacker pre-trained on batches of
all of D against D_v, drawn and augmented anew, of the original in training mode, 1000 steps that cost more than
retraining on few data (the authors train one attacker for all requests); features paired at random by
cross-correlation, which in expectation is a constant and carries no signal; no bound; where a whole class is
forgotten, SGD 0.02 for 30 steps of 477, however many an epoch has.

Differs from the authors in both: the game's terms are skipped, not weighted by zero, once beta is 0, so that D_f and
D_v then leave the running statistics alone; augmented as the original was, where `recipe` tells; a single forget sample
is normalised by running statistics wherever it has one value per channel, and is not paired.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np

from vestige.arguments import Count, NotNegative, Positive, Whole
from vestige.data.dataset import joined
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.training import batch_count
from vestige.unlearning.dau_game import Game, Rules
from vestige.unlearning.layers import last_linear
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Steps, Work, unseen_rows

if TYPE_CHECKING:
    from torch import nn

    from vestige.data.dataset import Dataset


@register(
    "dau",
    needs=("forget", "retain", "shadow"),
    cites="Sharma et al. 2024 (DAU)",
    steps=Steps(epochs=3, freeze_batchnorm=True),
    paper={"inputs": "logits", "pairing": "random", "own_batchnorm": True, "match_classes": False, "pretrain": 1000,
           "pretrain_on": "train", "fresh_rows": True, "bound": None, "class_unseen": "all", "class_label": True,
           "class_pushed": "both", "class_selfsupervised": 1e-3, "class_floor": 0.0, "class_lr": 0.02,
           "class_steps": 477, "switch_schedule": "constant", "switch_every": 0, "freeze_batchnorm": False},
    trial=Trial(
        quick={"copies": 2, "pretrain": 8}, strong={"lr": 0.01, "batch_size": 32, "epochs": 20}, rise=0.05,
        alike={"flipped": "attacker and model are flipped both, and so they still play against each other"},
    ),
)  # fmt: skip
def dau(
    model: nn.Module,
    split: Split,
    work: Work,
    *,
    adversarial: NotNegative = 0.9,
    selfsupervised: NotNegative = 1e-3,
    copies: Count = 10,
    sigma: Positive = 1e-3,
    inputs: Literal["softmax", "logits"] = "softmax",
    pairing: Literal["moment", "random"] = "moment",
    own_batchnorm: bool = False,
    match_classes: bool = True,
    pretrain: Whole = 300,
    pretrain_on: Literal["forget", "train"] = "forget",
    fresh_rows: bool = False,
    bound: Positive | None = 0.5,
    class_unseen: Literal["others", "same", "all"] = "others",
    class_label: bool = False,
    class_pushed: Literal["forget", "both"] = "forget",
    class_selfsupervised: NotNegative = 0.0,
    class_floor: NotNegative = 1.5,
    class_lr: Positive = 0.01,
    class_steps: Count | None = None,
    switch_after: Whole = 30,
    switch_lr: Positive = 0.01,
    switch_schedule: Literal["cosine", "constant"] = "cosine",
    switch_every: Whole = 5,
) -> nn.Module:
    r"""Train against an attacker until forget samples look to it like samples never seen.

    Where whole classes are forgotten, which the request decides, there is a game and then finetuning:

    Parameters
    ----------
    adversarial : float
        lambda, weight of the attacker's verdict.
    selfsupervised : float
        gamma, weight of the features' agreement.
    copies, sigma
        Noisy copies for the sensitivity, and their noise; the cost grows with the copies.
    inputs : {"softmax", "logits"}
        What the attacker sees of an output: "softmax" or "logits".
    pairing : {"moment", "random"}
        Of features: "moment" matches mean and covariance, "random" pairs rows at random.
    own_batchnorm : bool
        Run attacker batches in training mode, by their own batch statistics.
    match_classes : bool
        Take unseen samples of the forget samples' classes only.
    pretrain : int
        Steps that the attacker is trained before the game.
    pretrain_on : {"forget", "train"}
        Its members: "forget" samples, or the whole "train" set.
    fresh_rows : bool
        Draw, augment and answer each batch of it anew, in the mode of the game's; else each sample once, as
        it is, in evaluation mode.
    bound : float or None
        Largest length of the game's gradient, as a share of that of the retained samples' loss: below 1 that
        loss still falls with every step; None: no bound.
    class_unseen : {"others", "same", "all"}
        In place of `match_classes`: unseen samples of the "others", of the "same" classes, or of "all".
    class_label : bool
        Whether the attacker's rows show the label, as they do otherwise.
    class_pushed : {"forget", "both"}
        Whom the classifier's step moves, "forget" samples or "both" groups, as it does otherwise.
    class_selfsupervised : float
        In place of `selfsupervised`.
    class_floor : float
        Length up to which the game's gradient is not cut by `bound`; 0 otherwise.
    class_lr : float
        Learning rate of the game, in place of `lr` and its schedule.
    class_steps : int or None
        Steps in all, the game's among them, in place of `epochs`; None: the game, and then `epochs` passes.
    switch_after : int
        Steps of the game.
    switch_lr : float
        Learning rate of the finetuning, the highest of the schedule.
    switch_schedule : {"cosine", "constant"}
        Of the finetuning: "cosine" down to 0, or "constant".
    switch_every : int
        How often a step of the finetuning is one of the game too: each fifth; 0: none is.

    Notes
    -----
    .. math::

        \min_\phi \; \tfrac{1}{2} \left( \mathrm{CE}(A_\phi(u_f), 1) + \mathrm{CE}(A_\phi(u_v), 0) \right)

    .. math::

        \min_\theta \; \mathrm{CE}(f_\theta(x_r), y_r) + \beta \left( \lambda \, L_{\mathrm{adv}} + \gamma
        \, L_{\mathrm{ss}} \right),
        \qquad L_{\mathrm{adv}} = \tfrac{1}{2} \left( \mathrm{CE}(A_\phi(u_f), 0) + \mathrm{CE}(A_\phi(u_v),
        1) \right)

    The attacker A, the SAMIA transformer, tells forget samples from unseen ones of the shadow pool by u:
    output, sensitivity of the output, label. The classifier, in turn, answers so that the attacker is wrong.
    The self-supervised term brings the features of both groups together.

    **When to use.** On a whole class, where everything may be paid that eleven passes cost: over nine cells
    it ended 0.63 points from retraining, where 0.67 is published (lab book, results: DAU on a whole class).
    On random requests it comes nearest of the methods of its paper together with `influence` (9.0 and 8.1
    points; finetuning 12.7), and by epsilon-hat nearest of the five on CIFAR-10.

    **When it fails.** On random requests a record stays far from unlearned (completeness 0.12), and its term
    of self-supervision does not help (reproduction, DAU Table 2). The samples that it plays with are trained
    on: judge nothing on the shadow pool. `preset="paper"` cannot forget a class by its game alone; in 0.2.0,
    whose game compared the class with itself, it was 18 to 35 points away.

    **Cost.** Three passes over the retained samples, 10 noisy copies for each forget sample, and 300 steps of
    the attacker: 22 passes on a random tenth of CIFAR-10, three times the seconds of retraining for 12 epochs
    (lab book, results).

    References
    ----------
    Sharma, Zhou, Ji, Chen: Discriminative Adversarial Unlearning. 2024, arXiv 2402.06864.
    """
    if class_steps is not None and class_steps < switch_after:
        raise InputError(
            f"dau: class_steps is {class_steps}; {switch_after}, the steps of the game, or more are wanted."
        )
    forget, retain = split.rows("forget"), split.rows("retain")
    whole_class = not np.isin(forget.y, retain.y).any()
    if whole_class:
        rules = Rules(class_unseen, class_label, class_pushed, class_selfsupervised, class_floor)
    else:
        rules = Rules("same" if match_classes else "all", True, "both", selfsupervised, 0.0)
    work.decided |= {"request": "whole class" if whole_class else "samples"} | dataclasses.asdict(rules)
    unseen = compared(split, rules.unseen, work)
    model.to(work.where).eval()
    game = Game(
        model, work, rules, last_linear(model, split.data, work.method), len(retain.classes), adversarial=adversarial,
        copies=copies, sigma=sigma, inputs=inputs, pairing=pairing, own_batchnorm=own_batchnorm, bound=bound,
    )  # fmt: skip
    game.learn(forget if pretrain_on == "forget" else joined(forget, retain), unseen, pretrain, fresh_rows)
    game.deal(forget, unseen, augment=work.steps.augment if whole_class else "none")
    if not whole_class:
        work.descend(model, retain, objective=game.objective)
        return model
    a_pass = batch_count(len(retain), work.steps.batch_size)
    left = work.steps.epochs * a_pass if class_steps is None else class_steps - switch_after
    phases = ((switch_after, class_lr, "constant", 1), (left, switch_lr, switch_schedule, switch_every))
    for number, (steps, lr, schedule, every) in enumerate(phases):
        game.every = every
        if steps:
            work.descend(
                model, retain, objective=game.objective, max_steps=steps, epochs=-(-steps // a_pass), lr=lr,
                schedule=schedule, milestones=(), seed=number,
            )  # fmt: skip
    return model


def compared(split: Split, which: str, work: Work) -> Dataset:
    """Return the unseen samples that forget samples are compared with. Raises `InputError` for fewer than two."""
    unseen = unseen_rows(split, work.method)
    of_forget = np.isin(unseen.y, split.rows("forget").y)
    rows = {"same": of_forget, "others": ~of_forget, "all": np.ones_like(of_forget)}[which]
    count = int(rows.sum())
    if min(count, work.steps.batch_size) < 2:
        whose = {"same": " of the forget samples' classes", "others": " of the other classes", "all": ""}[
            which
        ]
        raise InputError(
            f"dau takes the deviation of unseen samples: at least 2, in batches of 2, are wanted, and here are "
            f"{count}{whose} in batches of {work.steps.batch_size}; make the split with a larger shadow=, or raise "
            "batch_size."
        )
    return unseen.take(np.flatnonzero(rows))
