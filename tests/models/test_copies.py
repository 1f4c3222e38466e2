"""Copies of networks: they share nothing, whatever a forward pass has left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vestige.errors import InputError
from vestige.models import copied


class Remembers(nn.Module):
    """Keeps the features of its last batch, as networks that are looked into do."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.features = self.body(x)
        found: Tensor = self.head(self.features)
        return found


def test_features_that_a_forward_pass_left_are_copied_without_their_graph() -> None:
    model = Remembers()
    model(torch.ones(5, 3))
    made = copied(model)
    assert torch.equal(made.features, model.features) and made.features.is_leaf and not model.features.is_leaf
    made.body.weight.data.zero_()
    made.features.zero_()
    assert model.body.weight.any() and model.features.any()


def test_tied_weights_stay_tied() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    made = copied(model)
    assert made[1].weight is made[0].weight and made[0].weight is not model[0].weight


def test_what_cannot_be_copied_is_said(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    with (
        (tmp_path / "log.txt").open("w") as model.log,
        pytest.raises(InputError, match="such as an open file"),
    ):
        copied(model)
