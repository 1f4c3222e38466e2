"""A fleet of networks against a plain loop over models, each with its `DataLoader`, to equal accuracy.

    VESTIGE_DATA=FOLDER python -m benchmarks.fleet [MEMBERS [NETWORKS]]

Shadow models as an audit of Location-30 needs them: MLPs of one hidden layer of 128, each on its own 1,000 records, 20
epochs. Digits where Location-30 is not at hand. The baseline trains the first 8 members and is scaled up.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

import vestige
from benchmarks.training import tutorial
from vestige.models import build_model
from vestige.signals import collect_logits
from vestige.training import Recipe, train, train_fleet

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

    class Photographs(torch.utils.data.Dataset):
        def __len__(self):
            return len(rows)

        def __getitem__(self, i):
            return torch.from_numpy(rows.x[i]).float() / 255, int(rows.y[i])

    loader = DataLoader(
        Photographs(), recipe.batch_size, shuffle=True, generator=torch.Generator().manual_seed(seed)
    )
    return tutorial(model, loader, recipe)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
    networks(*map(int, sys.argv[2:3]))
