"""A fleet of networks against a plain loop over models, each with its `DataLoader`, to equal accuracy.

    VESTIGE_DATA=FOLDER python -m benchmarks.fleet [MEMBERS [NETWORKS [GPU_NETWORKS]]]

Shadow models as an audit of Location-30 needs them: MLPs of one hidden layer of 128, each on its own 1,000 records, 20
epochs. Digits where Location-30 is not at hand. The baseline trains the first 8 members and is scaled up.

On a GPU: ResNet-18 of width 64 by the recipe "speed" on 25,000 photographs of CIFAR-10 each, a baseline of two members,
and the share that training reaches of the chip's rate at matrix products, which is measured, not read off a data sheet.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

import vestige
from benchmarks.training import tutorial
from vestige.data import Dataset
from vestige.models import build_model, fit_input_scale
from vestige.signals import collect_logits
from vestige.training import Recipe, preset, train, train_fleet

ALONE = 8
CORES = os.cpu_count() or 1


def plain(model, rows, recipe: Recipe, seed: int):
    """The loop of a tutorial."""
    x = torch.from_numpy(rows.x)
    mean, std = x.mean(dim=0), x.std(dim=0)
    data = TensorDataset((x - mean) / torch.where(std > 0, std, 1), torch.from_numpy(rows.y))
    loader = DataLoader(data, recipe.batch_size, shuffle=True, generator=torch.Generator().manual_seed(seed))
    body = torch.nn.Sequential(model.body, model.head)
    tutorial(body, loader, recipe)
    return lambda other: (
        body((torch.from_numpy(other.x) - mean) / torch.where(std > 0, std, 1)).argmax(dim=1).numpy()
    )


def main(members: int = 64) -> None:
    data = vestige.load_dataset("location30" if os.environ.get("VESTIGE_DATA") else "digits")
    order = np.random.default_rng(0).permutation(len(data))
    test, pool = data.take(order[:600]), order[600:]
    rows = [
        data.take(np.random.default_rng((1, k)).choice(pool, 1000, replace=False)) for k in range(members)
    ]
    classes = len(data.classes)
    recipe = Recipe(epochs=20, batch_size=64, lr=0.05)

    def fresh(k: int):
        return build_model("mlp", data.shape, classes, hidden=(128,), seed=k)

    def right(model) -> float:
        return float((collect_logits(model, test).argmax(axis=1) == test.y).mean())

    plain(fresh(0), rows[0], recipe.model_copy(update={"epochs": 1}), 0)
    train_fleet([fresh(0), fresh(1)], rows[:2], recipe.model_copy(update={"epochs": 1}), [0, 1])
    start = time.perf_counter()
    fleet = train_fleet([fresh(k) for k in range(members)], rows, recipe, list(range(members)), workers=CORES)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    some = min(ALONE, members)
    loops = [plain(fresh(k), rows[k], recipe, k) for k in range(some)]
    theirs = (time.perf_counter() - start) * members / some
    start = time.perf_counter()
    alone = [train(fresh(k), rows[k], recipe.model_copy(update={"seed": k})) for k in range(some)]
    single = (time.perf_counter() - start) * members / some
    accuracy = [np.mean([right(m.model) for m in group[:some]]) for group in (fleet, alone)]
    usual = np.mean([(predict(test) == test.y).mean() for predict in loops])
    print(f"{members} MLPs on 1,000 records of {data.name}, 20 epochs: plain loop {theirs:.1f} s, ", end="")
    print(f"one after another {single:.1f} s, fleet {ours:.1f} s: {theirs / ours:.1f}x (wanted: at least 5x)")
    print(f"  test accuracy: plain {100 * usual:.1f} %, alone {100 * accuracy[1]:.1f} %, ", end="")
    print(f"fleet {100 * accuracy[0]:.1f} %")


def networks(count: int = 8) -> None:
    """ResNet-18 of width 16, each on its own 2,000 photographs, 3 epochs; skipped without CIFAR-10."""
    if not os.environ.get("VESTIGE_DATA"):
        print("fleet of ResNet-18: skipped, VESTIGE_DATA is not set")
        return
    data = vestige.load_dataset("cifar10")
    order = np.random.default_rng(0).permutation(len(data))
    test, pool = data.take(order[:1000]), order[1000:]
    rows = [data.take(np.random.default_rng((1, k)).choice(pool, 2000, replace=False)) for k in range(count)]
    recipe = Recipe(epochs=3, batch_size=128, lr=0.1, schedule="cosine")

    def fresh(k: int):
        return build_model("resnet18", data.shape, 10, width=16, seed=k)

    start = time.perf_counter()
    fleet = train_fleet([fresh(k) for k in range(count)], rows, recipe, list(range(count)), workers=CORES)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    loops = [photographs(fresh(k), rows[k], recipe, k) for k in range(2)]
    theirs = (time.perf_counter() - start) * count / 2
    right = [
        float((collect_logits(m, test).argmax(axis=1) == test.y).mean()) for m in (fleet[0].model, loops[0])
    ]
    print(
        f"{count} ResNet-18 of width 16 on 2,000 photographs, 3 epochs: plain loop {theirs:.0f} s, ", end=""
    )
    print(f"fleet {ours:.0f} s: {theirs / ours:.1f}x (wanted: at least 3x)")
    print(f"  test accuracy: plain {100 * right[1]:.1f} %, fleet {100 * right[0]:.1f} %")


def photographs(model, rows, recipe: Recipe, seed: int):
    """The loop of a tutorial on images: a data set that turns one photograph at a time into floats."""

    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(Photographs(rows), recipe.batch_size, shuffle=True, generator=generator)
    return tutorial(model, loader, recipe)


class Photographs(torch.utils.data.Dataset):
    """Photographs, turned into floats one at a time; where wanted, cropped and flipped at random as in training."""

    def __init__(self, rows: Dataset, *, augment: bool = False) -> None:
        self.rows, self.augment = rows, augment

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int):
        x = torch.from_numpy(self.rows.x[i]).float() / 255
        if self.augment:
            (top, left), (height, width) = torch.randint(9, (2,)).tolist(), x.shape[1:]
            x = F.pad(x, (4, 4, 4, 4))[:, top : top + height, left : left + width]
            x = x.flip(-1) if torch.rand(()) < 0.5 else x
        return x, int(self.rows.y[i])


def gpu(count: int = 16) -> None:
    """The part for a GPU; skipped without one, and without CIFAR-10."""
    if not torch.cuda.is_available():
        print("fleet on a GPU: skipped, no GPU")
    elif not os.environ.get("VESTIGE_DATA"):
        print("fleet on a GPU: skipped, VESTIGE_DATA is not set")
    else:
        on_device("cuda", vestige.load_dataset("cifar10"), count)


def on_device(
    device: str, data: Dataset, count: int, *, size: int = 25_000, width: int = 64, epochs: int = 3
) -> None:
    """Shadow models of `size` photographs each, ours against a plain loop, and the share of the measured rate."""
    order = np.random.default_rng(0).permutation(len(data))
    test, pool = data.take(order[: len(data) // 12]), order[len(data) // 12 :]
    rows = [data.take(np.random.default_rng((1, k)).choice(pool, size, replace=False)) for k in range(count)]
    recipe, some = preset("speed", epochs=epochs), min(2, count)

    def fresh(k: int) -> nn.Module:
        return build_model("resnet18", data.shape, 10, width=width, seed=k)

    few, short = rows[0].take(np.arange(min(size, 1024))), preset("speed", epochs=1, lr=0.01)
    train(fresh(0), few, short, device=device)
    plain_on(device, fresh(0), few, short)
    models = [fresh(k) for k in range(count)]
    ours, fleet = timed(device, lambda: train_fleet(models, rows, recipe, range(count), device=device))
    theirs, loops = timed(device, lambda: [plain_on(device, fresh(k), rows[k], recipe) for k in range(some)])
    theirs *= count / some
    right = [
        100
        * np.mean([(collect_logits(m, test, device=device).argmax(axis=1) == test.y).mean() for m in group])
        for group in (loops, [made.model for made in fleet[:some]])
    ]
    print(
        f"{count} ResNet-18 of width {width} on {size:,} photographs, {epochs} epochs, {device}: plain loop "
        f"{theirs:.0f} s, fleet {ours:.0f} s: {theirs / ours:.1f}x (wanted: at least 4x)\n"
        f"  test accuracy: plain {right[0]:.1f} %, fleet {right[1]:.1f} %"
    )
    each, rate = multiply_adds(fresh(0), data.shape), matrix_rate(device)
    reached = count * epochs * size * each / ours
    print(
        f"  {each / 1e9:.3g} billion multiply-adds an image, forward and backward: {reached / 1e12:.3g} of the "
        f"{rate / 1e12:.3g} trillion a second of a bf16 matrix product: {100 * reached / rate:.1f} %"
    )


def plain_on(device: str, model: nn.Module, rows: Dataset, recipe: Recipe) -> nn.Module:
    """A tutorial's loop on a GPU in float32, as torch computes it there: two processes load the photographs."""
    fit_input_scale(model, rows.x)
    loader = DataLoader(
        Photographs(rows, augment=True), recipe.batch_size, shuffle=True, num_workers=2, pin_memory=device != "cpu",
        generator=torch.Generator().manual_seed(recipe.seed),
    )  # fmt: skip
    return tutorial(model, loader, recipe, device)


def synchronised(device: str) -> float:
    """Seconds on the clock once the device has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def timed(device: str, function):
    """Seconds, and what the function returns."""
    start = synchronised(device)
    made = function()
    return synchronised(device) - start, made


def multiply_adds(model: nn.Module, shape: tuple[int, ...]) -> float:
    """Multiply-adds of one sample, forward and backward, as torch counts them: two operations each."""
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, *shape)).sum().backward()
    return counter.get_total_flops() / 2 / 2


def matrix_rate(device: str, *, size: int = 8192, repeats: int = 50) -> float:
    """Multiply-adds a second of a large matrix product in bf16."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    timed(device, lambda: [a @ b for _ in range(3)])
    seconds, _ = timed(device, lambda: [a @ b for _ in range(repeats)])
    return repeats * size**3 / seconds


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
    networks(*map(int, sys.argv[2:3]))
    gpu(*map(int, sys.argv[3:4]))
