"""Unlearning methods against straightforward implementations of the same steps, on real CIFAR-10 where it is at hand.

Per-sample gradients (Fisher forgetting, SSD, L-CODEC): vectorised against a loop over samples. Methods that descend:
against a plain loop over a `DataLoader` in float32, with the same passes, batch sizes, rates and frozen batch norm.
Influence: against Gauss-Newton products by a double backward pass. SISA: slices trained after a deletion against all
of them. Settings are the recommended ones; of epochs, iterations and copies there are fewer, and no augmentation.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import vestige
from benchmarks.timing import medians
from vestige.data import Dataset, Split
from vestige.data.dataset import joined
from vestige.models import to_float
from vestige.models.samia import Samia, samia_rows
from vestige.training import Recipe
from vestige.unlearning.dau_game import agreement, verdict_loss
from vestige.unlearning.gradients import fisher_diagonal, sample_gradients
from vestige.unlearning.labels import relabelled
from vestige.unlearning.sisa import train_sisa
from vestige.unlearning.work import Steps, Work

SAMPLES, BATCH = 128, 64


def rows() -> Dataset:
    if os.environ.get("VESTIGE_DATA"):
        return vestige.load_dataset("cifar10").take(np.arange(2000))
    return vestige.load_dataset("digits")


def plain_batches(data: Dataset, size: int, *, shuffle: bool = True) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of batches from a `DataLoader`, inputs as floats."""
    images = TensorDataset(torch.from_numpy(data.x), torch.from_numpy(data.y))
    return ((to_float(x), y) for x, y in DataLoader(images, size, shuffle=shuffle))


def endless(data: Dataset, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches for ever."""
    return chain.from_iterable(plain_batches(data, size) for _ in repeat(None))


def sgd(model: nn.Module, lr: float, **options: bool) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=5e-4, **options)


def epoch(
    optimiser: torch.optim.Optimizer, data: Dataset, size: int, loss: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """Descend once over the batches of `data`."""
    for x, y in plain_batches(data, size):
        optimiser.zero_grad()
        loss(x, y).backward()
        optimiser.step()


def fitted(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y)


def plain_finetune(model: nn.Module, split: Split) -> None:
    epoch(sgd(model.train(), 0.01), split.rows("retain"), 256, lambda x, y: fitted(model, x, y))


def plain_negative_gradient_plus(model: nn.Module, split: Split, alpha: float = 0.95) -> None:
    forget = endless(split.rows("forget"), 256)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        u, v = next(forget)
        gone = F.cross_entropy(model(u), v, reduction="none").clamp(max=10)
        return alpha * fitted(model, x, y) - (1 - alpha) * gone.mean()

    epoch(sgd(model.eval(), 0.01), split.rows("retain"), 256, loss)


def plain_gradient_ascent(model: nn.Module, split: Split, epochs: int) -> None:
    optimiser = sgd(model.eval(), 1e-4)
    for _ in range(epochs):
        epoch(optimiser, split.rows("forget"), 256, lambda x, y: -fitted(model, x, y))


def plain_random_labels(model: nn.Module, split: Split) -> None:
    optimizer = sgd(model.train(), 0.01)
    for data in (relabelled(split.rows("forget"), 0), split.rows("retain")):
        epoch(optimizer, data, 256, lambda x, y: fitted(model, x, y))


def plain_poison_full(model: nn.Module, split: Split) -> None:
    data = joined(split.rows("retain"), relabelled(split.rows("forget"), 0))
    epoch(sgd(model.train(), 0.002, nesterov=True), data, 128, lambda x, y: fitted(model, x, y))


def divergence(student: Tensor, teacher: Tensor, t: float) -> Tensor:
    """KL(teacher || student) at a temperature, times its square."""
    own, taught = (student / t).log_softmax(dim=1), (teacher / t).softmax(dim=1)
    return F.kl_div(own, taught, reduction="batchmean") * t**2


def plain_scrub(model: nn.Module, split: Split) -> None:
    teacher = copy.deepcopy(model.eval())

    def apart(x: Tensor, logits: Tensor) -> Tensor:
        with torch.no_grad():
            taught = teacher(x)
        return divergence(logits, taught, 2.0)

    def stay(x: Tensor, y: Tensor) -> Tensor:
        logits = model(x)
        return F.cross_entropy(logits, y) + 0.5 * apart(x, logits)

    optimizer = sgd(model, 5e-4)
    epoch(optimizer, split.rows("forget"), 64, lambda x, y: -apart(x, model(x)))
    epoch(optimizer, split.rows("retain"), 64, stay)


def plain_bad_teacher(model: nn.Module, split: Split) -> None:
    good, bad = copy.deepcopy(model).eval(), vestige.models.reinitialise(model, 0).eval()
    forget, retain = split.rows("forget"), split.rows("retain")
    data = joined(
        forget, retain.take(np.random.default_rng(0).permutation(len(retain))[: round(0.3 * len(retain))])
    )
    data = dataclasses.replace(data, y=(np.arange(len(data)) < len(forget)).astype(np.int64))

    def loss(x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            taught = torch.where(y[:, None] == 1, bad(x), good(x))
        return divergence(model(x), taught, 1.0)

    epoch(torch.optim.Adam(model.eval().parameters(), 1e-4), data, 256, loss)


def flat(parts: Any) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def plain_gradient(model: nn.Module, data: Dataset) -> Tensor:
    """Gradient of the mean loss, as one vector."""
    total = 0.0
    for x, y in plain_batches(data, 256, shuffle=False):
        total += flat(torch.autograd.grad(fitted(model, x, y), list(model.parameters()))) * len(x) / len(data)
    return total


def gauss_newton(model: nn.Module, data: Dataset, vector: Tensor) -> Tensor:
    """The Gauss-Newton matrix times a vector: J v is the slope of J' u in u, taken by a double backward pass."""
    parameters, total = list(model.parameters()), 0.0
    for x, _ in plain_batches(data, 256, shuffle=False):
        logits = model(x)
        u = torch.zeros_like(logits, requires_grad=True)
        back = flat(torch.autograd.grad(logits, parameters, u, create_graph=True))
        (moved,) = torch.autograd.grad(back, u, vector, retain_graph=True)
        p = logits.detach().softmax(dim=1)
        turned = p * (moved - (p * moved).sum(dim=1, keepdim=True))
        total += flat(torch.autograd.grad(logits, parameters, turned)) / len(data)
    return total


def plain_influence(model: nn.Module, split: Split, iterations: int) -> None:
    forget, retain = split.rows("forget"), split.rows("retain")
    model.eval()
    r = (plain_gradient(model, forget) - plain_gradient(model, retain)) * len(forget) / len(split.train)
    direction, solved = r, torch.zeros_like(r)
    for _ in range(iterations):
        image = gauss_newton(model, retain, direction) + 1e-2 * direction
        length = r @ r / (direction @ image)
        solved, old, r = solved + length * direction, r, r - length * image
        direction = r + (r @ r) / (old @ old) * direction
    theta = nn.utils.parameters_to_vector(model.parameters()).detach()
    step = solved * min(1.0, float(0.1 * theta.norm() / solved.norm()))
    nn.utils.vector_to_parameters(theta + step, model.parameters())


def looped_fisher(model: nn.Module, data: Dataset, *, drawn: bool = False) -> list[Tensor]:
    """Mean squared gradients, one sample after another; labels drawn from the model or true."""
    parameters = list(model.eval().parameters())
    total = [torch.zeros_like(p) for p in parameters]
    for x, y in plain_batches(data, 1, shuffle=False):
        logits = model(x)
        label = torch.multinomial(logits.detach().softmax(dim=1), 1)[:, 0] if drawn else y
        for sum_, g in zip(
            total, torch.autograd.grad(F.cross_entropy(logits, label), parameters), strict=True
        ):
            sum_ += g.square()
    return [t / len(data) for t in total]


@torch.no_grad()
def plain_fisher_forgetting(model: nn.Module, split: Split) -> None:
    with torch.enable_grad():
        fisher = looped_fisher(model, split.rows("retain"), drawn=True)
    head = {id(p) for p in model.head.parameters()}
    for weight, f in zip(model.parameters(), fisher, strict=True):
        own = id(weight) in head
        v = 1e-8 * (1 / (f + 1e-8)).clamp(max=1e2 if own else 1e3)
        v = v.mean(dim=1, keepdim=True) if v.ndim > 1 else v
        weight += (v * (10 if own or v.ndim == 1 else 1)).sqrt() * torch.randn_like(weight)


@torch.no_grad()
def plain_ssd(model: nn.Module, split: Split, alpha: float) -> None:
    with torch.enable_grad():
        own, rest = (looped_fisher(model, split.rows(role)) for role in ("forget", "retain"))
    share = len(split.forget) / len(split.train)
    for weight, f, r in zip(model.parameters(), own, rest, strict=True):
        everyone = share * f + (1 - share) * r
        weight *= torch.where(f > alpha * everyone, (everyone / f.clamp(min=1e-30)).clamp(max=1), 1.0)


def attacker_rows(model: nn.Module, x: Tensor, y: Tensor, copies: int) -> tuple[Tensor, Tensor]:
    """The attacker's rows and the features: probabilities, how much noise of 1e-3 moves them, label."""
    features = model.features(x)
    clean = model.head(features).softmax(dim=1)
    moved = [(model(x + 1e-3 * torch.randn_like(x)).softmax(1) - clean).abs() / 1e-3 for _ in range(copies)]
    return samia_rows(clean, sum(moved) / copies, y), features


def attack(attacker: Samia, adam: torch.optim.Optimizer, u_f: Tensor, u_v: Tensor) -> None:
    adam.zero_grad()
    verdict_loss(attacker.train(), u_f.detach(), u_v.detach()).backward()
    adam.step()


def plain_dau(model: nn.Module, split: Split, copies: int, pretrain: int, size: int) -> None:
    attacker, parties = Samia(10), [split.rows(role) for role in ("forget", "shadow")]
    adam, optimiser = torch.optim.Adam(attacker.parameters(), 1e-3), sgd(model.eval(), 0.01)
    with torch.no_grad():
        known = [[attacker_rows(model, *b, copies)[0] for b in plain_batches(d, size)] for d in parties]
    for _ in range(pretrain):
        attack(attacker, adam, *(torch.cat(u)[torch.randint(sum(map(len, u)), (size,))] for u in known))
    streams = [endless(data, size) for data in parties]
    for x, y in plain_batches(split.rows("retain"), size):
        (u_f, z_f), (u_v, z_v) = (attacker_rows(model, *next(stream), copies) for stream in streams)
        attack(attacker, adam, u_f, u_v)
        game = 0.9 * verdict_loss(attacker.eval(), u_f, u_v, flipped=True)
        bounded_step(model, optimiser, fitted(model, x, y), game + 1e-3 * agreement(z_f, z_v, "moment"))


def bounded_step(model: nn.Module, optimiser: torch.optim.Optimizer, first: Tensor, second: Tensor) -> None:
    """Step along both gradients, the second at most half as long as the first."""
    parameters = list(model.parameters())
    own, other = (torch.autograd.grad(value, parameters) for value in (first, second))
    scale = (0.5 * flat(own).norm() / flat(other).norm()).clamp(max=1.0)
    for p, a, b in zip(parameters, own, other, strict=True):
        p.grad = a + scale * b
    optimiser.step()


def batched(model: nn.Module, x: Tensor, y: Tensor) -> None:
    """One plain pass forward and back over batches, all samples' gradients in one: what cannot be saved."""
    for part, labels in zip(x.split(BATCH), y.split(BATCH), strict=True):
        torch.autograd.grad(F.cross_entropy(model(part), labels), list(model.parameters()))


def per_sample(model: nn.Module, few: Dataset) -> None:
    x, y = to_float(torch.from_numpy(few.x)), torch.from_numpy(few.y)
    work = Work("bench", Steps(batch_size=BATCH), None, 0, "cpu", False, len(few))
    each = sample_gradients(model, x[:8], y[:8])
    single = [
        torch.autograd.grad(F.cross_entropy(model(x[i : i + 1]), y[i : i + 1]), list(model.parameters()))
        for i in range(8)
    ]
    difference = max(
        float((a - torch.stack(b)).abs().max())
        for a, b in zip(each.values(), zip(*single, strict=True), strict=True)
    )
    print(f"{len(few)} samples of {few.name}; largest difference of per-sample gradients {difference:.1e}")
    small = vestige.build_model("mlp", few.shape, 10, hidden=(64,))
    for title, network in (("the network", model), ("a small MLP", small)):
        loop, ours, whole = medians(
            2, lambda network=network: looped_fisher(network, few),
            lambda network=network: fisher_diagonal(network, few, work, labels="true", batch_size=BATCH),
            lambda network=network: batched(network, x, y),
        )  # fmt: skip
        print(
            f"per-sample gradients of {title}: loop {loop:.2f} s, ours {ours:.3f} s: {loop / ours:.1f}x (wanted: at "
            f"least 10x); plain batched passes {whole:.3f} s: {loop / whole:.1f}x"
        )


def compare(
    name: str, model: nn.Module, split: Split, plain: Callable[..., None], given: dict, **options: object
) -> None:
    """Time a method both ways and print one line; `given` goes to the plain loop, `options` to ours."""
    loop, ours = medians(
        2, lambda: plain(copy.deepcopy(model), split, **given),
        lambda: vestige.unlearn(name, model, split, device="cpu", **options),
    )  # fmt: skip
    print(
        f"{name:22s} plain {loop:6.2f} s, ours {ours:6.2f} s: {loop / ours:.2f}x (wanted: at least 1x)",
        flush=True,
    )


def methods(model: nn.Module, split: Split, few: Split) -> None:
    """Each method once, those that cost most on a smaller split."""
    one = {"epochs": 1, "augment": "none"}
    compare("finetune", model, split, plain_finetune, {}, **one, lr=0.01)
    compare("negative_gradient_plus", model, split, plain_negative_gradient_plus, {}, **one, lr=0.01)
    ascent = {"epochs": 3, "augment": "none", "stop_at_uniform": False}
    compare("gradient_ascent", model, split, plain_gradient_ascent, {"epochs": 3}, **ascent)
    compare("random_labels", model, split, plain_random_labels, {}, **one)
    compare("poison_full", model, split, plain_poison_full, {}, **one)
    compare("scrub", model, split, plain_scrub, {}, **one, msteps=1)
    compare("bad_teacher", model, split, plain_bad_teacher, {}, **one)
    compare("influence", model, few, plain_influence, {"iterations": 3}, iterations=3)
    compare("fisher_forgetting", model, few, plain_fisher_forgetting, {})
    compare("ssd", model, few, plain_ssd, {"alpha": 1.5}, alpha=1.5)
    game = {"copies": 2, "pretrain": 10}
    compare("dau", model, few, plain_dau, game | {"size": 64}, **one, **game, batch_size=64)


def sisa(data: Dataset, split: Split) -> None:
    start = vestige.build_model("logistic", data.shape, 10)
    ensemble = train_sisa(start, data.take(split.train), Recipe(epochs=3), shards=5, slices=4)
    one = vestige.make_split(
        data, "ids", ids=[str(data.ids[split.train[0]])], train=len(split.train), holdout=100, shadow=100
    )
    retrained = vestige.unlearn("sisa", ensemble, one).model.slices_trained
    print(f"sisa, 5 shards of 4 slices: {retrained} of 20 slices trained after one deletion")


def main() -> None:
    data = rows()
    name = "resnet18" if data.shape[0] == 3 else "cnn"
    split = vestige.make_split(data, forget=64, train=576, holdout=64, shadow=64)
    few = vestige.make_split(data, forget=64, train=192, holdout=64, shadow=64)
    model = vestige.train(
        vestige.build_model(name, data.shape, 10, width=16), data.take(split.train), Recipe(epochs=2, lr=0.1)
    ).model
    print(f"{name} of width 16 on {data.name}")
    per_sample(model, split.rows("retain").take(np.arange(SAMPLES)))
    methods(model, split, few)
    sisa(data, split)


if __name__ == "__main__":
    main()
