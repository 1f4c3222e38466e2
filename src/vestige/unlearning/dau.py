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
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F

from vestige.arguments import Count, NotNegative, Positive, Whole
from vestige.data.dataset import joined
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.models import seeded
from vestige.models.passes import evaluating, hooked
from vestige.models.samia import Samia, all_digits, samia_rows, sensitivity_of
from vestige.training import batch_count
from vestige.training.loop import one_row_normalised, training_mode
from vestige.unlearning.layers import last_linear, trainable
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import FORWARD, Steps, Work, unseen_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vestige.data.dataset import Dataset

TRADE = 5e-3  # lambda of Barlow Twins


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
        quick={"copies": 2, "pretrain": 20}, strong={"lr": 0.01, "batch_size": 32, "epochs": 20}, rise=0.05,
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


@dataclass(frozen=True)
class Rules:
    """What the request decides; the fields are explained as options of `dau`."""

    unseen: str
    label: bool
    pushed: str
    selfsupervised: float
    floor: float


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


@dataclass(eq=False)
class Game:
    """The two parties and their moves; the fields that are not explained here are options of `dau`.

    Attributes
    ----------
    head : nn.Module
        The layer whose inputs are the features.
    every : int
        How often a step is one of the game: each so many, 0 = none.
    """

    model: nn.Module
    work: Work
    rules: Rules
    head: nn.Module
    classes: int
    _: KW_ONLY
    adversarial: float
    copies: int
    sigma: float
    inputs: str
    pairing: str
    own_batchnorm: bool
    bound: float | None
    every: int = 1

    def __post_init__(self) -> None:
        with seeded(self.work.seed, self.work.where):
            self.attacker = Samia(self.classes).to(self.work.where)
        self.optimiser = torch.optim.Adam(self.attacker.parameters(), 1e-3)
        self.noise, self.taken = self.work.generator(31), 0

    def output(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x).float()
        return torch.softmax(logits, dim=1) if self.inputs == "softmax" else logits

    def rows_of(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attacker's rows, and the features of the clean samples."""
        with _features(self.head) as features:
            clean = self.output(x)
        moved = sensitivity_of(
            self.output, x, clean, copies=self.copies, sigma=self.sigma, generator=self.noise,
            at_once=self.own_batchnorm,
        )  # fmt: skip
        return samia_rows(clean, moved, y if self.rules.label else None), features[0]

    def learn(self, members: Dataset, unseen: Dataset, steps: int, fresh: bool) -> None:
        """Train the attacker before the game, against the classifier as it is, and leave that as it is."""
        groups, size = (members, unseen), self.work.steps.batch_size
        cost = (1 + self.copies) * FORWARD
        if fresh:
            augment = self.work.steps.augment
            streams = [
                self.work.endless(rows, augment=augment, purpose=35 + k) for k, rows in enumerate(groups)
            ]
            with _statistics_kept(self.model):
                training_mode(self.model, freeze_batchnorm=not self.own_batchnorm)
                for _ in range(steps):
                    batches = [next(stream) for stream in streams]
                    with torch.no_grad(), all_digits(self.work.where), self.mode():
                        u_f, u_v = (self.rows_of(*batch)[0] for batch in batches)
                    attack(self.attacker, self.optimiser, u_f, u_v)
                    if self.work.spend(cost * (len(u_f) + len(u_v))):
                        break
            return
        with torch.no_grad(), all_digits(self.work.where):
            known = [
                torch.cat([self.rows_of(x, y)[0] for x, y in self.work.once(rows, cost=cost)])
                for rows in groups
            ]
        draw = self.work.generator(32)
        for _ in range(steps):
            drawn = [rows[torch.randint(len(rows), (size,), generator=draw)] for rows in known]
            attack(self.attacker, self.optimiser, *drawn)

    def deal(self, forget: Dataset, unseen: Dataset, augment: str) -> None:
        """Say which samples the game draws from, for ever."""
        self.streams = [
            self.work.endless(rows, augment=augment, purpose=33 + k)
            for k, rows in enumerate((forget, unseen))
        ]

    def objective(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the value that a step on retained samples descends on, with the game in it where it is its turn."""
        self.taken += 1
        if not self.every or self.taken % self.every:
            return F.cross_entropy(self.model(x).float(), y)
        if self.own_batchnorm:  # the authors' order: the statistics of D_r are the last to move
            played, fitted = self.played(), F.cross_entropy(self.model(x).float(), y)
        else:
            fitted, played = F.cross_entropy(self.model(x).float(), y), self.played()
        backward = 1.0 if self.rules.pushed == "both" else FORWARD
        self.work.spend((1 + self.copies) * (1 + backward) * len(x))
        if self.bound is None:
            return fitted + played
        with all_digits(x.device):
            return held_back(
                fitted, played, list(trainable(self.model).values()), self.bound, self.rules.floor
            )

    def played(self) -> Tensor:
        """Take the attacker's step; return lambda L_adv + gamma L_ss."""
        with all_digits(self.work.where):
            with self.mode():
                u_f, z_f = self.rows_of(*next(self.streams[0]))
                with torch.set_grad_enabled(self.rules.pushed == "both"):
                    u_v, z_v = self.rows_of(*next(self.streams[1]))
            attack(self.attacker, self.optimiser, u_f.detach(), u_v.detach())
            self.attacker.train(self.own_batchnorm).requires_grad_(False)
            value = self.adversarial * verdict_loss(self.attacker, u_f, u_v, flipped=True)
            self.attacker.requires_grad_(True)
            if self.rules.selfsupervised:
                value = value + self.rules.selfsupervised * agreement(z_f, z_v, self.pairing)
            return value

    def mode(self) -> AbstractContextManager[None]:
        """Return the mode of the classifier in which attacker's rows are computed."""
        return one_row_normalised(self.model) if self.own_batchnorm else evaluating(self.model)


def held_back(
    first: Tensor, second: Tensor, parameters: list[nn.Parameter], bound: float, floor: float = 0.0
) -> Tensor:
    """Return a value with the gradient of `first` plus that of `second`, the latter at most `bound` times as long.

    A length up to `floor` is left to it in any case: g = g_1 + min(1, max(bound |g_1|, floor) / |g_2|) g_2.
    """
    own, other = (torch.autograd.grad(value, parameters, allow_unused=True) for value in (first, second))
    lengths = [torch.stack([g.norm() for g in part if g is not None]).norm() for part in (own, other)]
    scale = ((bound * lengths[0]).clamp(min=floor) / lengths[1].clamp(min=1e-12)).clamp(max=1.0)
    slope = torch.zeros((), device=first.device)
    for parameter, a, b in zip(parameters, own, other, strict=True):
        for part in (a, None if b is None else scale * b):
            if part is not None:
                slope = slope + (part.detach() * (parameter - parameter.detach())).sum()
    value: Tensor = (first + scale * second).detach() + slope
    return value


def attack(attacker: Samia, optimiser: torch.optim.Optimizer, u_f: Tensor, u_v: Tensor) -> float:
    """Take one step of the attacker; return its loss before it, in nats."""
    attacker.train()
    loss = verdict_loss(attacker, u_f, u_v)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())


def verdict_loss(attacker: nn.Module, u_f: Tensor, u_v: Tensor, *, flipped: bool = False) -> Tensor:
    """Return the attacker's cross-entropy, both groups weighted alike: 1 for forget, 0 for unseen, or flipped."""
    verdict = attacker(torch.cat([u_f, u_v]))
    truth = torch.cat([torch.ones(len(u_f)), torch.zeros(len(u_v))]).long().to(verdict.device)
    each = F.cross_entropy(verdict, 1 - truth if flipped else truth, reduction="none")
    return (each[: len(u_f)].mean() + each[len(u_f) :].mean()) / 2


def agreement(z_f: Tensor, z_v: Tensor, pairing: str) -> Tensor:
    """Return the self-supervised loss of two batches of features [n, d]; 0 = they agree ("moment").

    Parameters
    ----------
    pairing : {"moment", "random"}
        "random" pairs rows by position: sum (1 - C_ii)^2 + 0.005 sum over i != j of C_ij^2, C = z_v' z_f / n of
        centred and scaled features; 0 for a single pair, which has no correlation. "moment" is
        |mean_f - mean_v|^2 + |cov_f - cov_v|^2 / d, of features scaled by the deviation of the unseen.
    """
    z_f, z_v = z_f.float().flatten(1), z_v.float().flatten(1)
    if pairing == "moment":
        centre, spread = z_v.mean(dim=0).detach(), z_v.std(dim=0).detach()
        spread = spread.clamp(min=0.1 * float(spread.mean()) + 1e-6)  # a unit that is almost off has no scale
        f, v = (z_f - centre) / spread, (z_v - centre) / spread
        apart = (f.mean(dim=0) - v.mean(dim=0)).square().sum()
        return apart + (f.T.cov(correction=0) - v.T.cov(correction=0)).square().sum() / f.shape[1]
    n = min(len(z_f), len(z_v))
    if n < 2:
        return torch.zeros((), device=z_f.device)
    f, v = ((z - z.mean(dim=0)) / (z.std(dim=0) + 1e-6) for z in (z_f[:n], z_v[:n]))
    c = v.T @ f / n
    own = torch.diagonal(c)
    return (1 - own).square().sum() + TRADE * (c.square().sum() - own.square().sum())


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    """Put buffers, such as running statistics, back as they were after the block, and the model in evaluation mode."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
        model.eval()


@contextmanager
def _features(head: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what enters the last layer, batch by batch."""
    seen: list[Tensor] = []
    with hooked([head], lambda module, given: seen.append(given[0]), before=True):
        yield seen
