"""Small networks take few threads; the caller's setting, the network and the random state stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import vestige
from vestige.data import Dataset, make_split
from vestige.models import build_model
from vestige.models.threads import few_threads, multiplications, threads, threads_for
from vestige.training import train_fleet
from vestige.unlearning import unlearn


@pytest.fixture(autouse=True)
def _two_threads():
    with threads(2):
        yield


def test_multiplications_by_hand():
    assert multiplications(nn.Linear(8, 4), torch.zeros(2, 8)) == 2 * 32
    layers = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Flatten(), nn.Linear(5 * 16, 2))
    assert multiplications(layers, torch.zeros(2, 3, 4, 4)) == 2 * (3 * 9 * 5 * 16 + 160)
    grouped = nn.Conv2d(4, 8, 3, groups=4, stride=2)
    assert multiplications(grouped, torch.zeros(1, 4, 9, 9)) == 8 * 9 * 16
    assert multiplications(nn.Linear(9, 4), torch.zeros(2, 8)) == float("inf")


@pytest.mark.parametrize(("batch", "count"), [(1, 1), (400, 1), (1000, 2), (10**6, 2)])
def test_the_rule(batch, count):
    assert (
        threads_for(nn.Linear(250, 400), torch.zeros(2, 250), batch) == count
    )  # 100,000 multiplications a sample


def test_nothing_stays_behind():
    model = build_model("cnn", (1, 8, 8), 3, dropout=0.5).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.random.get_rng_state()
    with few_threads(model, torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)), 4):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2 and model.training and all(m.training for m in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(m._forward_hooks for m in model.modules())


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 4:  # not the first look
            SEEN.append(torch.get_num_threads())
        return self.layer(x)


SEEN: list[int] = []


def test_every_work_on_a_small_network_takes_one_thread():
    rng = np.random.default_rng(0)
    rows = Dataset(
        "d", rng.normal(size=(60, 8)).astype(np.float32), rng.integers(0, 2, 60), np.arange(60), ("a", "b")
    )
    split = make_split(rows, "random", forget=5, train=30, holdout=10, shadow=10)
    recipe = vestige.Recipe(epochs=1, batch_size=16, lr=0.05)
    for work in (
        lambda: vestige.train(Counting(), rows, recipe),
        lambda: unlearn("finetune", Counting(), split, epochs=1),
        lambda: unlearn("scrub", Counting(), split, epochs=1),
        lambda: vestige.collect_logits(Counting(), rows),
        lambda: vestige.collect_sensitivity(Counting(), rows, copies=1),
        lambda: train_fleet([Counting()], [rows], recipe, [0]),
    ):
        SEEN.clear()
        work()
        assert set(SEEN) == {1}
        assert torch.get_num_threads() == 2
