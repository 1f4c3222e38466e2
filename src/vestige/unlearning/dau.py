"""Discriminative adversarial unlearning (DAU): a game against an attacker that tells forget from unseen samples.

Sharma, Zhou, Ji, Chen: Discriminative Adversarial Unlearning. 2024, arXiv 2402.06864. Settings from the authors' code.

    attacker A  the SAMIA transformer on u = (output D(x), sensitivity of D at x, one-hot label); 1 = forget
                minimise (CE(A(u_f), 1) + CE(A(u_v), 0)) / 2, Adam 1e-3; one step for each of the classifier's
    classifier  minimise CE(D(x_r), y_r) + beta (lambda L_adv + gamma L_ss)
                L_adv = (CE(A(u_f), 0) + CE(A(u_v), 1)) / 2: the flipped labels of a GAN's generator
                L_ss  brings the features of forget and unseen samples together

lambda = 0.9, gamma = 0.001; sensitivity over 10 copies with noise 1e-3; SGD 0.01, three passes over D_r. Where a whole
class is forgotten, beta is 0 after 30 steps: finetuning at 0.01 from then on. These are the authors' for CIFAR-10; by
their scripts CIFAR-100 has five passes and finetuning at 0.02, and at 95 % sparsity the rate is 0.03 on CIFAR-10 and
the game ends after 20 steps (`epochs`, `switch_lr`, `lr`, `switch_after`). Unseen samples D_v come from the split's
shadow pool: they are trained on, and nothing may be judged on them.

`paper`: logits as output, every forward pass of the game in training mode, the attacker pre-trained on all of D against
D_v, features paired at random by cross-correlation, which in expectation is a constant and carries no signal; SGD 0.02
where a whole class is forgotten, and the game's steps are among the passes. `recommended`: finetuning has its passes
whole after the game, which on few data would take them all (24 steps on 2,000 images, 477 in the paper); softmax;
attacker's rows in evaluation mode, so that batch statistics do not tell the groups apart; pre-trained on D_f against
D_v; D_v restricted to the classes of D_f, or the label alone would tell; features matched in mean and covariance; the
attacker frozen, in evaluation mode, in the classifier's step; batch normalisation frozen, or the loss on D_r, by batch
statistics, does not see what the game does to the classifier in use (0.02 is then too fast: 2,000 images of CIFAR-10
end in NaN); the game's gradient at most half as long as that loss's. Differs from the authors in both: rows for
pre-training are computed once, in evaluation mode; the game's terms are skipped, not weighted by zero, once beta is 0,
and momentum starts anew there; a single forget sample is normalised by running statistics wherever it has one value per
channel, and is not paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F

from vestige.data.split import Split
from vestige.errors import InputError, unknown
from vestige.models import seeded
from vestige.models.samia import Samia, all_digits, samia_rows, sensitivity_of
from vestige.signals.collect import evaluating
from vestige.training import batch_count
from vestige.training.loop import one_row_normalised
from vestige.unlearning.random_labels import joined
from vestige.unlearning.registry import register
from vestige.unlearning.work import FORWARD, Steps, Work, last_linear, trainable, unseen_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

INPUTS = ("softmax", "logits")
PAIRINGS = ("moment", "random")
TRADE = 5e-3  # lambda of Barlow Twins


@register(
    "dau",
    needs=("forget", "retain", "shadow"),
    cites="Sharma et al. 2024 (DAU)",
    steps=Steps(epochs=3, freeze_batchnorm=True),
    paper={"inputs": "logits", "pairing": "random", "own_batchnorm": True, "match_classes": False, "pretrain": 1000,
           "pretrain_on": "train", "bound": None, "class_lr": 0.02, "game_counts": True, "freeze_batchnorm": False},
)  # fmt: skip
def dau(
    model: nn.Module,
    split: Split,
    work: Work,
    *,
    adversarial: float = 0.9,
    selfsupervised: float = 1e-3,
    copies: int = 10,
    sigma: float = 1e-3,
    inputs: Literal["softmax", "logits"] = "softmax",
    pairing: Literal["moment", "random"] = "moment",
    own_batchnorm: bool = False,
    match_classes: bool = True,
    pretrain: int = 300,
    pretrain_on: Literal["forget", "train"] = "forget",
    class_lr: float = 0.01,
    switch_after: int = 30,
    switch_lr: float = 0.01,
    game_counts: bool = False,
    bound: float | None = 0.5,
) -> nn.Module:
    """Train against an attacker until forget samples look to it like samples never seen.

    adversarial     lambda, weight of the attacker's verdict
    selfsupervised  gamma, weight of the features' agreement
    copies, sigma   noisy copies for the sensitivity, and their noise; the cost grows with the copies
    inputs          what the attacker sees of an output: "softmax" or "logits"
    pairing         of features: "moment" matches mean and covariance, "random" pairs rows at random
    own_batchnorm   run attacker batches in training mode, by their own batch statistics
    match_classes   take unseen samples of the forget samples' classes only
    pretrain        steps that the attacker is trained before the game
    pretrain_on     its members: "forget" samples, or the whole "train" set
    class_lr        learning rate in place of `lr` where a whole class is forgotten
    switch_after    steps after which the game ends there
    switch_lr       learning rate from then on
    game_counts     take the game's steps out of the passes that finetuning has then
    bound           largest length of the game's gradient, as a share of that of the retained samples' loss: below 1
                    that loss still falls with every step; None: no bound
    """
    for kind, value, allowed in (
        ("inputs", inputs, INPUTS),
        ("pairing", pairing, PAIRINGS),
        ("pretrain_on", pretrain_on, ("forget", "train")),
    ):
        if value not in allowed:
            raise InputError(f"dau: {unknown(kind, value, allowed)}")
    if bound is not None and not bound > 0:
        raise InputError(f"dau: bound is {bound}; above 0, or None, is wanted.")
    if copies < 1 or not sigma > 0 or pretrain < 0:
        raise InputError(
            f"dau: copies {copies}, sigma {sigma}, pretrain {pretrain}; from 1, above 0 and from 0 are wanted."
        )
    forget, retain, unseen = split.rows("forget"), split.rows("retain"), unseen_rows(split, work.method)
    of_class = unseen.take(np.flatnonzero(np.isin(unseen.y, forget.y)))
    if match_classes and len(of_class) >= 2:
        unseen = of_class
    if min(len(unseen), work.steps.batch_size) < 2:
        raise InputError(
            f"dau takes the deviation of unseen samples: at least 2, in batches of 2, are wanted, and here are "
            f"{len(unseen)} in batches of {work.steps.batch_size}; make the split with a larger shadow=, or raise "
            "batch_size."
        )
    whole_class = not np.isin(forget.y, retain.y).any()
    noise, head = work.generator(31), last_linear(model, split.data, work.method)

    def output(x: Tensor) -> Tensor:
        logits: Tensor = model(x).float()
        return torch.softmax(logits, dim=1) if inputs == "softmax" else logits

    def rows_of(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The attacker's rows, and the features of the clean samples."""
        with _features(head) as features:
            clean = output(x)
        moved = sensitivity_of(output, x, clean, copies=copies, sigma=sigma, generator=noise)
        return samia_rows(clean, moved, y), features[0]

    with seeded(work.seed, work.where):
        attacker = Samia(len(retain.classes)).to(work.where)
    optimiser = torch.optim.Adam(attacker.parameters(), 1e-3)
    model.to(work.where).eval()
    members = forget if pretrain_on == "forget" else joined(forget, retain)
    with torch.no_grad(), all_digits(work.where):
        known = [
            torch.cat([rows_of(x, y)[0] for x, y in work.once(rows, cost=(1 + copies) * FORWARD)])
            for rows in (members, unseen)
        ]
    draw = work.generator(32)
    for _ in range(pretrain):
        batch = [rows[torch.randint(len(rows), (work.steps.batch_size,), generator=draw)] for rows in known]
        attack(attacker, optimiser, *batch)
    streams = [
        work.endless(rows, augment=work.steps.augment if whole_class else "none", purpose=33 + k)
        for k, rows in enumerate((forget, unseen))
    ]

    def objective(x: Tensor, y: Tensor) -> Tensor:
        fitted = F.cross_entropy(model(x).float(), y)
        with all_digits(x.device):
            played = game()
            if bound is None:
                return fitted + played
            return held_back(fitted, played, list(trainable(model).values()), bound)

    def game() -> Tensor:
        with one_row_normalised(model) if own_batchnorm else evaluating(model):
            (u_f, z_f), (u_v, z_v) = (rows_of(*next(stream)) for stream in streams)
        attack(attacker, optimiser, u_f.detach(), u_v.detach())
        attacker.train(own_batchnorm).requires_grad_(False)
        fooled = verdict_loss(attacker, u_f, u_v, flipped=True)
        attacker.requires_grad_(True)
        return adversarial * fooled + selfsupervised * agreement(z_f, z_v, pairing)

    cost = 1 + 2 * (1 + copies)
    if not whole_class:
        work.descend(model, retain, objective=objective, cost=cost)
        return model
    total = work.steps.epochs * batch_count(len(retain), work.steps.batch_size)
    left = total - switch_after if game_counts else total
    work.descend(model, retain, objective=objective, cost=cost, max_steps=switch_after, lr=class_lr)
    if left > 0:
        work.descend(model, retain, lr=switch_lr, seed=1, max_steps=left)
    return model


def held_back(first: Tensor, second: Tensor, parameters: list[nn.Parameter], bound: float) -> Tensor:
    """Return a value with the gradient of `first` plus that of `second`, the latter at most `bound` times as long."""
    own, other = (torch.autograd.grad(value, parameters, allow_unused=True) for value in (first, second))
    lengths = [torch.stack([g.norm() for g in part if g is not None]).norm() for part in (own, other)]
    scale = (bound * lengths[0] / lengths[1].clamp(min=1e-12)).clamp(max=1.0)
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

    random  rows paired by position: sum (1 - C_ii)^2 + 0.005 sum over i != j of C_ij^2, C = z_v' z_f / n of centred
            and scaled features; 0 for a single pair, which has no correlation
    moment  |mean_f - mean_v|^2 + |cov_f - cov_v|^2 / d, of features scaled by the deviation of the unseen
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
def _features(head: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what enters the last layer, batch by batch."""
    seen: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        handle.remove()
