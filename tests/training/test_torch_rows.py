"""A torch Dataset of pairs is trained on; anything else is refused in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from vestige.errors import InputError
from vestige.training import Recipe, train, train_sparse

ONCE = Recipe(epochs=1, batch_size=8, lr=0.05)
X, Y = torch.randn(24, 3, generator=torch.Generator().manual_seed(0)), torch.arange(24) % 2


class Made(TorchDataset):  # type: ignore[type-arg]
    def __init__(self, make, n=24) -> None:
        self.make, self.n = make, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> object:
        return self.make(i)


class Stream(IterableDataset):  # type: ignore[type-arg]
    def __iter__(self):
        yield from zip(X, Y, strict=True)


class NoLength(TorchDataset):  # type: ignore[type-arg]
    def __getitem__(self, i: int) -> object:
        return X[i], Y[i]


PAIRS = {
    "tensors": TensorDataset(X, Y),
    "numpy and int": Made(lambda i: (X[i].numpy(), int(Y[i]))),
    "lists": Made(lambda i: [X[i], Y[i]]),
    "labels as floats": Made(lambda i: (X[i], float(Y[i]))),
    "a list": [(X[i], int(Y[i])) for i in range(24)],
}


@pytest.mark.parametrize("kind", PAIRS)
def test_pairs_of_any_kind_train_the_same(kind: str) -> None:
    def start() -> nn.Module:
        layer = nn.Linear(3, 2)
        nn.init.constant_(layer.weight, 0.1)
        nn.init.zeros_(layer.bias)
        return layer

    one, two = (train(start(), rows, ONCE).model.weight for rows in (PAIRS[kind], PAIRS["tensors"]))
    torch.testing.assert_close(one, two)


FAULTS = {
    "of type DataLoader; .* Give the data set that the loader reads": DataLoader(TensorDataset(X, Y)),
    "of type Stream": Stream(),
    "of type NoLength": NoLength(),
    "of type ndarray": np.zeros((3, 3)),
    "of type Tensor": X,
    "of type dict": {"x": X, "y": Y},
    "of type NoneType": None,
    "of type int": 3,
    "a dict of 2; a pair": Made(lambda i: {"x": X[i], "y": Y[i]}),
    "a tuple of 3; a pair": Made(lambda i: (X[i], Y[i], i)),
    "a tuple of 1; a pair": TensorDataset(X),
    "a Tensor; a pair": Made(lambda i: X[i]),
    r"y of the torch Dataset is \[4\] of torch.float64": Made(lambda i: (X[i], i + 0.5)),
    r"y of the torch Dataset is \[4, 2\]": Made(lambda i: (X[i], torch.eye(2)[Y[i]])),
    "the label -1; labels are from 0": Made(lambda i: (X[i], -1)),
    "The model has 2 outputs; a sample has the label": Made(lambda i: (X[i], i)),
    "cannot be put into one batch": Made(lambda i: (X[i, : 1 + i % 2], Y[i])),
    "text.* cannot be put|too many dimensions|cannot be put": Made(lambda i: (X[i], "cat")),
    "x of the torch Dataset is torch.complex64": Made(lambda i: (X[i].to(torch.complex64), Y[i])),
    "no rows": Made(lambda i: (X[i], Y[i]), 0),
}


@pytest.mark.parametrize("message", FAULTS)
def test_anything_else_is_refused(message: str) -> None:
    for call in (
        lambda: train(nn.Linear(3, 2), FAULTS[message], ONCE),
        lambda: train_sparse(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), FAULTS[message], ONCE, 0.5),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
