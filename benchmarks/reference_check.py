"""Methods and measures beside plain loops of what their authors do, on digits (docs/labbook/reproduction.md).

    python -m benchmarks.reference_check

An MLP of 64 units, 1,347 samples, means over five seeds. Distances of weights are shares of how far the plain loop,
which has one optimiser of torch's own, moves them. BEFORE holds what this file printed with version 0.2.0.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import vestige
from vestige.data import Dataset
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.evaluation import epsilon
from vestige.signals import Signals, collect_logits
from vestige.training import batch_count, epoch_seeds
from vestige.unlearning import unlearn
from vestige.unlearning.distances import distance
from vestige.unlearning.gradients import mean_gradient
from vestige.unlearning.labels import relabelled
from vestige.unlearning.work import Steps, Work

BEFORE = {
    "`random_labels`, SGD, batches of 256: distance to the loop": "0.9",
    "`random_labels`, SGD, one batch a pass: distance to the loop": "0.8",
    "`random_labels`, SGD, one batch a pass: mean confidence on forget samples": "0.93",
    "`random_labels`, Adam, batches of 256: distance to the loop": "1",
    "`random_labels`, Adam, one batch a pass: distance to the loop": "0.9",
    "`random_labels`, Adam, one batch a pass: mean confidence on forget samples": "0.93",
    "`salun`, SGD, batches of 256: distance to the loop": "0.9",
    "`salun`, SGD, one batch a pass: distance to the loop": "0.8",
    "`salun`, Adam, batches of 256: distance to the loop": "1",
    "`salun`, Adam, one batch a pass: distance to the loop": "0.9",
    "`scrub`, SGD, batches of 256: distance to the loop": "0.7",
    "`scrub`, SGD, one batch a pass: distance to the loop": "0.7",
    "`scrub`, Adam, batches of 256: distance to the loop": "0.4",
    "`scrub`, Adam, one batch a pass: distance to the loop": "0.5",
    "`unsir`, paper, a class: accuracy on forget / retained samples": "1.000 / 0.955",
    "`unsir`, recommended, a class: accuracy on forget / retained samples": "1.000 / 0.955",
    "`ssd`, paper, a class, alpha 5: accuracy on forget / retained samples": "0.000 / 0.925",
    "`ssd`, paper, a tenth at random, alpha 10: weights that change": "all refused",
    "`boundary_shrink`, paper: distance to the loop": "0.002",
    "`fisher_forgetting`, paper, 65 samples: distance to the loop": "0.04",
    "`iam`, ecdf, paper, one output of all models: largest score": "0.44",
    "epsilon-hat, 6 against 6 models: rows of 4,000 that differ": "6",
}
SEEDS = range(5)
EPOCHS = 10
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4},
    "Adam": {"lr": 0.001, "weight_decay": 0.0},
}
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def problem(scenario: str, seed: int, **options: Any) -> tuple[nn.Module, Split]:
    """Return a trained model, and a request."""
    raw = load_digits()
    names = np.arange(len(raw.data)).astype(str)
    x, y = (raw.data / 16).astype(np.float32), raw.target.astype(np.int64)
    data = Dataset("digits", x, y, names, tuple("0123456789"))
    split = vestige.make_split(data, scenario, train=1347, holdout=300, shadow=100, seed=seed, **options)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        start = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    recipe = vestige.Recipe(epochs=30, batch_size=64, lr=0.05)
    return vestige.train(start, data.take(split.train), recipe).model, split


def apart(one: nn.Module, other: nn.Module) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return float(sum((a - b).detach().square().sum() for a, b in pairs)) ** 0.5


def accuracy(model: nn.Module, rows: Dataset) -> float:
    return float((collect_logits(model, rows).argmax(1) == rows.y).mean())


def confidence(model: nn.Module, rows: Dataset) -> float:
    p = torch.softmax(torch.from_numpy(collect_logits(model, rows)), 1).numpy()
    return float(p[np.arange(len(rows)), rows.y].mean())


def batches(rows: Dataset, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one pass in the library's order."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(epoch_seeds(seed, 0)[0]))
    for part in torch.tensor_split(order, batch_count(len(rows), size)):
        yield torch.from_numpy(rows.x[part]), torch.from_numpy(rows.y[part])


def losses(name: str, teacher: nn.Module) -> dict[str, Loss]:
    """Return what is minimised on samples of either role."""
    if name != "scrub":
        return dict.fromkeys(("forget", "retain"), lambda model, x, y: cross_entropy(model(x), y))

    def far(model: nn.Module, x: Tensor) -> Tensor:
        return distance(model(x), teacher(x).detach(), 2.0)

    return {
        "forget": lambda model, x, y: -far(model, x),
        "retain": lambda model, x, y: cross_entropy(model(x), y) + 0.5 * far(model, x),
    }


def salient(model: nn.Module, split: Split) -> list[Tensor]:
    work = Work("salun", Steps(), None, 0, "cpu", False, 1)
    sizes = [g.abs() for g in mean_gradient(model, split.rows("forget"), work).values()]
    every = torch.cat([s.flatten() for s in sizes]).sort(descending=True).values
    return [s >= every[round(0.5 * len(every)) - 1] for s in sizes]


def plain(name: str, model: nn.Module, split: Split, kind: str, size: int) -> nn.Module:
    """Return the model after the method's passes with one optimiser: forget samples, then retained ones."""
    student = copy.deepcopy(model)
    optimizer: torch.optim.Optimizer = (torch.optim.SGD if kind == "SGD" else torch.optim.Adam)(
        student.parameters(), **OPTIMIZERS[kind]
    )
    free, loss = salient(model, split) if name == "salun" else None, losses(name, model)
    for epoch in range(EPOCHS):
        for turn, role in enumerate(("forget", "retain")):
            if name == "scrub" and role == "forget" and epoch >= 3:
                continue
            rows = split.rows(role)  # type: ignore[arg-type]
            if name != "scrub" and role == "forget":
                rows = relabelled(rows, 0, epoch, true_label=True)
            for x, y in batches(rows, size, 1000 * (2 * epoch + turn)):
                optimizer.zero_grad()
                loss[role](student, x, y).backward()
                optimizer.step()
                for p, was, mask in zip(student.parameters(), model.parameters(), free or (), strict=False):
                    p.data = torch.where(mask, p, was).data
    return student


def passes() -> Iterator[tuple[str, str]]:
    for name in ("random_labels", "salun", "scrub"):
        for kind in OPTIMIZERS:
            for size, cut in ((256, "batches of 256"), (2048, "one batch a pass")):
                found = []
                for seed in SEEDS:
                    model, split = problem("random", seed, forget=100)
                    wanted = plain(name, model, split, kind, size)
                    steps = OPTIMIZERS[kind] | {
                        "optimizer": kind.lower(),
                        "batch_size": size,
                        "epochs": EPOCHS,
                    }
                    flat = {"schedule": "constant", "milestones": ()} if name == "scrub" else {}
                    made = unlearn(name, model, split, preset="paper", **steps, **flat).model
                    share = apart(made, wanted) / apart(model, wanted)
                    found.append((share, confidence(made, split.rows("forget"))))
                share, sure = np.mean(found, axis=0)
                yield f"`{name}`, {kind}, {cut}: distance to the loop", f"{share:.1g}"
                if (name, size) == ("random_labels", 2048):
                    yield f"`{name}`, {kind}, {cut}: mean confidence on forget samples", f"{sure:.2f}"


def whole_class() -> Iterator[tuple[str, str]]:
    for preset in ("paper", "recommended"):
        found = []
        for seed in SEEDS:
            model, split = problem("class", seed, label=seed)
            made = unlearn("unsir", model, split, preset=preset).model
            found.append([accuracy(made, split.rows(role)) for role in ("forget", "retain")])
        left, kept = np.mean(found, axis=0)
        yield f"`unsir`, {preset}, a class: accuracy on forget / retained samples", f"{left:.3f} / {kept:.3f}"
    found = []
    for seed in SEEDS:
        model, split = problem("class", seed, label=seed)
        made = unlearn("ssd", model, split, preset="paper", alpha=5.0).model
        found.append([accuracy(made, split.rows(role)) for role in ("forget", "retain")])
    left, kept = np.mean(found, axis=0)
    yield "`ssd`, paper, a class, alpha 5: accuracy on forget / retained samples", f"{left:.3f} / {kept:.3f}"


def random_tenth() -> Iterator[tuple[str, str]]:
    counts = []
    for seed in SEEDS:
        model, split = problem("random", seed, forget=135)
        try:
            made = unlearn("ssd", model, split, preset="paper", alpha=10.0).model
            pairs = zip(made.parameters(), model.parameters(), strict=True)
            counts.append(str(sum(int((a != b).sum()) for a, b in pairs)))
        except InputError:
            counts.append("refused")
    yield "`ssd`, paper, a tenth at random, alpha 10: weights that change", ", ".join(counts)


def shrink() -> Iterator[tuple[str, str]]:
    """Decay is what differs: labels are the library's own, of a rate at which nothing else moves."""
    model, split = problem("random", 0, forget=50)
    x, y = (torch.from_numpy(v) for v in (split.rows("forget").x, split.rows("forget").y))
    moved = x.clone().requires_grad_(True)
    cross_entropy(model(moved), y).backward()
    logits = model((moved + 0.1 * moved.grad.sign()).detach()).detach()  # type: ignore[union-attr]
    logits[torch.arange(len(y)), y] = -torch.inf
    wanted = copy.deepcopy(model)
    optimizer = torch.optim.SGD(wanted.parameters(), 0.01, momentum=0.9)
    for _ in range(10):
        optimizer.zero_grad()
        cross_entropy(wanted(x), logits.argmax(1)).backward()
        optimizer.step()
    made = unlearn("boundary_shrink", model, split, preset="paper", lr=0.01).model
    share = apart(made, wanted) / apart(model, wanted)
    yield "`boundary_shrink`, paper: distance to the loop", f"{share:.1g}"


def fisher() -> Iterator[tuple[str, str]]:
    """The published mean over batches of 32, the last of a single sample, is recovered from the noise."""
    model, split = problem("random", 0, forget=50)
    split = Split(split.data, split.forget, split.retain[:65], split.holdout, split.shadow)
    total = [torch.zeros_like(p) for p in model.parameters()]
    for part in torch.split(torch.from_numpy(split.rows("retain").x), 32):
        logits = model(part)
        for label, p in enumerate(torch.softmax(logits, 1).mean(0).detach()):
            value = cross_entropy(logits, torch.full((len(part),), label))
            for sums, g in zip(
                total, torch.autograd.grad(value, list(model.parameters()), retain_graph=True), strict=True
            ):
                sums += p * g.square() / 3
    wanted = copy.deepcopy(model)
    drawn = Work("f", Steps(), None, 0, "cpu", False, 1).generator()
    for (name, p), f in zip(wanted.named_parameters(), total, strict=True):
        own = name.startswith("2.")
        v = 1e-8 * (1 / (f + 1e-8)).clamp(max=1e2 if own else 1e3)
        v = v.mean(dim=1, keepdim=True).expand_as(p) if v.ndim > 1 else v
        v = 10 * v if own or v.ndim == 1 else v
        p.data += v.sqrt() * torch.randn(p.shape, generator=drawn)
    made = unlearn("fisher_forgetting", model, split, preset="paper").model
    share = apart(made, wanted) / apart(model, wanted)
    yield "`fisher_forgetting`, paper, 65 samples: distance to the loop", f"{share:.1g}"


def measures() -> Iterator[tuple[str, str]]:
    rng = np.random.default_rng(0)
    labels, same = rng.integers(0, 10, 2000), rng.normal(size=(2000, 10))
    signals = Signals(labels, same, same, same[None])
    scores = vestige.measure("iam", signals, preset="paper", family="ecdf")
    yield "`iam`, ecdf, paper, one output of all models: largest score", f"{scores.max():.2f}"

    margins = rng.normal(size=(2, 6, 4000)) + np.array([0.0, 0.5])[:, None, None]
    retrained, unlearned = np.stack([margins, np.zeros_like(margins)], axis=-1)
    ours = epsilon(retrained, unlearned, np.zeros(4000, int), preset="eth2023").values
    slow = np.array([by_ratios(margins[0, :, i], margins[1, :, i]) for i in range(4000)])
    apart_ = ~np.isclose(ours, slow, equal_nan=True)
    yield "epsilon-hat, 6 against 6 models: rows of 4,000 that differ", str(int(apart_.sum()))


def by_ratios(retrained: np.ndarray, unlearned: np.ndarray, delta: float = 0.05) -> float:
    """Return the published epsilon-hat of a sample, its direction by medians of likelihood ratios."""

    def density(x: np.ndarray, group: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * ((x - group.mean()) / group.std()) ** 2) / group.std()

    negative, positive = (density(x, unlearned) / density(x, retrained) for x in (retrained, unlearned))
    if np.median(negative) > np.median(positive):
        negative, positive = positive, negative
    best = -np.inf
    for threshold in np.unique(np.concatenate([negative, positive])):
        fpr, fnr = (negative >= threshold).mean(), (positive < threshold).mean()
        if fpr == fnr == 0:
            return np.inf
        if fpr and fnr:
            best = max(
                best, *(np.log((1 - delta - a) / b) for a, b in ((fpr, fnr), (fnr, fpr)) if a < 1 - delta)
            )
    return best if np.isfinite(best) else np.nan


def main() -> None:
    print("| what | 0.2.0 | now |\n| --- | ---: | ---: |")
    for section in (passes, whole_class, random_tenth, shrink, fisher, measures):
        for name, value in section():
            print(f"| {name} | {BEFORE.get(name, '')} | {value} |", flush=True)


if __name__ == "__main__":
    main()
