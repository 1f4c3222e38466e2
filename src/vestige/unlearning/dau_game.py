"""The game of `dau`: an attacker that tells forget from unseen samples, the classifier's answer, and their losses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from vestige.models import seeded
from vestige.models.passes import evaluating, hooked
from vestige.models.samia import Samia, all_digits, samia_rows, sensitivity_of
from vestige.training.loop import one_row_normalised, training_mode
from vestige.unlearning.layers import trainable
from vestige.unlearning.work import FORWARD, Work

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vestige.data.dataset import Dataset

TRADE = 5e-3  # lambda of Barlow Twins


@dataclass(frozen=True)
class Rules:
    """What the request decides; the fields are explained as options of `dau`."""

    unseen: str
    label: bool
    pushed: str
    selfsupervised: float
    floor: float


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
