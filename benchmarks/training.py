"""The training loop against a plain `DataLoader` loop in float32, to equal accuracy, ResNet-18 of width 16.

Both train the same network by the same recipe on the same images with the same augmentation; the baseline is
what a tutorial would write, its images decoded into tensors beforehand.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from vestige.data import Dataset
from vestige.models import build_model
from vestige.signals import collect_logits
from vestige.training import Recipe, learning_rate, train

TRAIN, EPOCHS, BATCH, LR = 1_280, 4, 128, 0.1


def rows() -> tuple[Dataset, Dataset]:
    """Real digits, enlarged to 32 x 32 in three channels, so that the network does the work it does on CIFAR-10."""
    digits = load_digits()
    pixels = np.kron(digits.images * (255 / 16), np.ones((4, 4))).round().astype(np.uint8)
    images = np.repeat(pixels[:, None], 3, axis=1)
    ids = np.arange(len(images)).astype(str)
    data = Dataset("digits", images, digits.target.astype(np.int64), ids, tuple("0123456789"))
    order = np.random.default_rng(0).permutation(len(data))
    return data.take(order[:TRAIN]), data.take(order[TRAIN:])


def plain(model, data: Dataset, recipe: Recipe):
    """The loop of a tutorial: DataLoader, float32, contiguous tensors."""
    images, labels = torch.from_numpy(data.x).float() / 255, torch.from_numpy(data.y)
    loader = DataLoader(TensorDataset(images, labels), BATCH, shuffle=True)
    return tutorial(model, loader, recipe)


def tutorial(model, loader: DataLoader, recipe: Recipe, device: str = "cpu"):
    """Descend by SGD over the batches of a loader, at the recipe's rates, on a device; return the model."""
    model.to(device)
    optimizer = torch.optim.SGD(
        model.parameters(),
        recipe.lr,
        momentum=0.9,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )
    model.train()
    for epoch in range(recipe.epochs):
        for step, (x, y) in enumerate(loader):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, epoch, step, len(loader))
            optimizer.zero_grad()
            functional.cross_entropy(model(x.to(device)), y.to(device)).backward()
            optimizer.step()
    return model.eval()


def accuracy(model, data: Dataset) -> float:
    return float((collect_logits(model, data).argmax(axis=1) == data.y).mean())


def main() -> None:
    data, test = rows()
    recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, lr=LR, schedule="onecycle")
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    reached: dict[str, list[float]] = {"plain": [], "ours": []}
    for seed in range(3):
        start = time.perf_counter()
        slow = plain(build_model("resnet18", data.shape, 10, width=16, seed=seed), data, recipe)
        seconds["plain"].append(time.perf_counter() - start)
        reached["plain"].append(accuracy(slow, test))
        fresh = build_model("resnet18", data.shape, 10, width=16, seed=seed)
        start = time.perf_counter()
        fast = train(fresh, data, recipe.model_copy(update={"seed": seed})).model
        seconds["ours"].append(time.perf_counter() - start)
        reached["ours"].append(accuracy(fast, test))
    ratio = np.median(np.array(seconds["plain"]) / np.array(seconds["ours"]))
    for name in seconds:
        each = ", ".join(f"{a:.3f}" for a in reached[name])
        print(
            f"{name:5s} {np.median(seconds[name]):6.2f} s for {EPOCHS} epochs of {TRAIN} images; test accuracy {each}"
        )
    print(f"ratio of time, median over three seeds: {ratio:.2f}x (wanted: at least 2x at equal accuracy)")
