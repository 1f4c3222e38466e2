"""A user's own networks and data sets, as tests of systems take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

N, SIDE, CLASSES = 96, 6, 3


def pictures(n: int = N, seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return images float32 [n, 1, 6, 6] of three kinds, and their kinds."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, n)
    kinds = np.random.default_rng(99).normal(size=(CLASSES, 1, SIDE, SIDE))
    return (kinds[y] + noise * rng.normal(size=(n, 1, SIDE, SIDE))).astype(np.float32), y


class Cnn(nn.Module):
    def __init__(self, outputs: int = CLASSES) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(4 * 16, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(torch.relu(self.norm(self.conv(x))).flatten(1)))


class Auxiliary(Cnn):
    """Answers with two heads in training, as GoogLeNet does."""

    def forward(self, x: Tensor) -> Any:
        logits = super().forward(x)
        return (logits, logits * 0.5) if self.training else logits


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image, self.extra = Cnn(), nn.Linear(2, CLASSES)

    def forward(self, pixels: Tensor, extra: Tensor) -> Tensor:
        return self.image(pixels) + self.extra(extra)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(36, 36), nn.Linear(36, 36), nn.Linear(36, CLASSES)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x.flatten(1))))))


class Own(Dataset[Any]):
    """Map-style; each item is what `form` makes of (x, y). It counts what is read of it."""

    def __init__(self, x: np.ndarray, y: np.ndarray, form: str = "tuple", begin: int = 0) -> None:
        self.x, self.y, self.form, self.begin = torch.as_tensor(x), y, form, begin
        self.reads: list[int] = []

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, place: int) -> Any:
        self.reads.append(place)
        x, y = self.x[place], int(self.y[place])
        extra = x.flatten()[:2]
        return {
            "tuple": (x, y), "fields": {"pixels": x, "label": y, "name": f"r{self.begin + place}"}, "several": (x, extra, y),
            "nested": ((x, extra), y), "named": {"pixels": x, "extra": extra, "label": y},
            "text": (x, ("a", "b", "c")[y]), "last": (x.permute(1, 2, 0).repeat(1, 1, 3), y), "first": (y, x),
        }[self.form]  # fmt: skip


class Shaken(Own):
    """Its items are moved at random each time, as augmentation does."""

    def __getitem__(self, place: int) -> Any:
        x, y = super().__getitem__(place)
        return x + 0.1 * float(np.random.rand()) + 0.1 * torch.rand(()), y


def fit(model: nn.Module, dataset: Any, seed: int) -> None:
    """Train as a user does."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    model.train()
    for _ in range(8):
        for x, y in DataLoader(dataset, 16, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
