"""Unlearning methods against straightforward implementations of the same steps, on real CIFAR-10 where it is at hand.

Per-sample gradients (Fisher forgetting, SSD, L-CODEC): vectorised against a loop over samples. Methods that descend:
against a plain loop over a `DataLoader` in float32, with the same batches, steps and settings. SISA: slices trained
after a deletion against all of them.
"""

from __future__ import annotations

import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import vestige
from benchmarks.timing import medians
from vestige.models import to_float
from vestige.training import Recipe
from vestige.unlearning.gradients import fisher_diagonal, sample_gradients
from vestige.unlearning.sisa import train_sisa
from vestige.unlearning.work import Steps, Work

SAMPLES, BATCH = 256, 64


def rows():
    if os.environ.get("VESTIGE_DATA"):
        return vestige.load_dataset("cifar10").take(np.arange(3000))
    return vestige.load_dataset("digits")


def looped_fisher(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    """Squared gradients of one sample after another."""
    total = [torch.zeros_like(p) for p in model.parameters()]
    for one, label in zip(x, y, strict=True):
        gradients = torch.autograd.grad(
            F.cross_entropy(model(one[None]), label[None]), list(model.parameters())
        )
        for sum_, g in zip(total, gradients, strict=True):
            sum_ += g.square()
    return [t / len(x) for t in total]


def batched(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    """One plain pass forward and back over batches, all samples' gradients in one: what cannot be saved."""
    for part, labels in zip(x.split(BATCH), y.split(BATCH), strict=True):
        torch.autograd.grad(F.cross_entropy(model(part), labels), list(model.parameters()))


def plain_loop(model: nn.Module, data, forget=None, *, lr: float, epochs: int, alpha: float = 1.0) -> None:
    """Finetuning, or NegGrad+ with forget samples, as one would write it."""
    images = TensorDataset(torch.from_numpy(data.x), torch.from_numpy(data.y))
    other = None
    if forget is not None:
        other = TensorDataset(torch.from_numpy(forget.x), torch.from_numpy(forget.y))
    optimiser = torch.optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=5e-4)
    model.train()
    for _ in range(epochs):
        gone = iter(DataLoader(other, 256, shuffle=True)) if other is not None else None
        for x, y in DataLoader(images, 256, shuffle=True):
            loss = alpha * F.cross_entropy(model(to_float(x)), y)
            if gone is not None:
                try:
                    u, v = next(gone)
                except StopIteration:
                    gone = iter(DataLoader(other, 256, shuffle=True))
                    u, v = next(gone)
                loss = loss - (1 - alpha) * F.cross_entropy(model(to_float(u)), v)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def main() -> None:
    data = rows()
    name, knobs = (
        ("resnet18", {"width": 16}) if data.is_image and data.shape[0] == 3 else ("cnn", {"width": 16})
    )
    split = vestige.make_split(data, forget=200, train=len(data) - 300, holdout=150, shadow=150)
    model = vestige.train(
        vestige.build_model(name, data.shape, 10, **knobs), data.take(split.train), Recipe(epochs=1, lr=0.1)
    ).model
    few = split.rows("retain").take(np.arange(SAMPLES))
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
    loop, ours = medians(
        2, lambda: looped_fisher(model.eval(), x, y),
        lambda: fisher_diagonal(model, few, work, labels="true", batch_size=BATCH),
    )  # fmt: skip
    print(f"{data.name}, {name}, {SAMPLES} samples; largest difference of gradients {difference:.1e}")
    whole = medians(2, lambda: batched(model, x, y))[0]
    print(
        f"per-sample gradients: loop {loop:.2f} s, ours {ours:.2f} s: {loop / ours:.1f}x (wanted: at least 10x); "
        f"plain batched passes {whole:.2f} s: more than {loop / whole:.1f}x is not to be had on this machine"
    )
    small = vestige.build_model("mlp", data.shape, 10, hidden=(64,))
    loop, ours = medians(
        2, lambda: looped_fisher(small, x, y),
        lambda: fisher_diagonal(small, few, work, labels="true", batch_size=BATCH),
    )  # fmt: skip
    print(f"the same on a small MLP: loop {loop:.2f} s, ours {ours:.3f} s: {loop / ours:.1f}x")
    kept, gone = split.rows("retain"), split.rows("forget")
    import copy

    settings = {"epochs": 1, "lr": 0.01, "augment": "none"}
    loop, ours = medians(
        2, lambda: plain_loop(copy.deepcopy(model), kept, lr=0.01, epochs=1),
        lambda: vestige.unlearn("finetune", model, split, **settings),
    )  # fmt: skip
    print(
        f"finetune, 1 epoch: plain loop {loop:.2f} s, ours {ours:.2f} s: {loop / ours:.2f}x (wanted: at least 1x)"
    )
    loop, ours = medians(
        2, lambda: plain_loop(copy.deepcopy(model), kept, gone, lr=0.01, epochs=1, alpha=0.95),
        lambda: vestige.unlearn("negative_gradient_plus", model, split, **settings),
    )  # fmt: skip
    print(
        f"negative_gradient_plus: plain loop {loop:.2f} s, ours {ours:.2f} s: {loop / ours:.2f}x (wanted: at least 1x)"
    )
    start = vestige.build_model("logistic", data.shape, 10)
    ensemble = train_sisa(start, data.take(split.train), Recipe(epochs=3), shards=5, slices=4)
    one = vestige.make_split(
        data, "ids", ids=[str(data.ids[split.train[0]])], train=len(split.train), holdout=100, shadow=100
    )
    retrained = vestige.unlearn("sisa", ensemble, one).model.slices_trained
    print(f"sisa, 5 shards of 4 slices: {retrained} of 20 slices trained after one deletion")


if __name__ == "__main__":
    main()
