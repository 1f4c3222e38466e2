"""Fuzzing the door of networks, seeded and bounded: what a user's module answers, in either mode, is logits or is refused.

Whatever it answers, training, unlearning and reading give finite numbers, or one sentence.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

import vestige
from vestige.errors import InputError
from vestige.training import train_fleet, train_sparse

RNG = np.random.default_rng(0)
N, C = 40, 3
ROWS = vestige.Dataset(
    "d", RNG.normal(size=(N, 6)).astype(np.float32), np.resize(np.arange(C), N), np.arange(N), tuple("abc")
)
SPLIT = vestige.make_split(ROWS, "random", forget=5, train=20, holdout=8, shadow=8)
ONCE = vestige.Recipe(epochs=1, batch_size=8, lr=0.05)
Pair = namedtuple("Pair", "logits other")

STEPS: dict[str, Callable[[Any], Any]] = {
    "as it is": lambda z: z, "softmax": lambda z: z.softmax(dim=-1), "log-softmax": lambda z: z.log_softmax(dim=-1), "sigmoid": lambda z: z.sigmoid(),
    "relu": lambda z: z.relu(), "a clamp": lambda z: z.clamp(0, 1), "NaN": lambda z: z * float("nan"), "one NaN": lambda z: torch.where(z > z.max() - 1e-9, torch.nan, z),
    "infinite": lambda z: z * float("inf"), "nothing": lambda z: 0 * z, "huge": lambda z: z * 1e38, "detached": lambda z: z.detach(), "narrow": lambda z: z[:, :-1],
    "wide": lambda z: torch.cat([z, z], dim=1), "one column": lambda z: z[:, :1], "no column": lambda z: z[:, :0], "fewer rows": lambda z: z[:1], "more rows": lambda z: torch.cat([z, z]),
    "three axes": lambda z: z[:, :, None], "one axis": lambda z: z.sum(dim=-1), "a number": lambda z: z.sum(), "transposed": lambda z: z.T, "half": lambda z: z.half(),
    "double": lambda z: z.double(), "whole numbers": lambda z: z.long(), "truth": lambda z: z > 0, "complex": lambda z: z + 1j, "places": lambda z: z.argmax(dim=-1),
    "a tuple": lambda z: (z, z), "a list": lambda z: [z], "a mapping": lambda z: {"logits": z}, "an output": lambda z: SimpleNamespace(logits=z), "a named tuple": lambda z: Pair(z, z),
    "None": lambda z: None, "text": lambda z: "logits", "an array": lambda z: z.detach().numpy(), "a list of numbers": lambda z: z.tolist(), "itself": lambda z: z.__class__,
    "sparse": lambda z: z.to_sparse(), "on the meta device": lambda z: z.to("meta"), "in place": lambda z: z.relu_(), "dropout": lambda z: nn.functional.dropout(z, 0.5, True),
    "an error": lambda z: z["logits"], "another error": lambda z: 1 / 0, "stop": lambda z: next(iter(())), "an assertion": lambda z: nn.functional.one_hot(z.long(), 2),
}  # fmt: skip


class Answering(nn.Module):
    """A linear layer, and behind it steps that are taken in training mode, in evaluation mode, or always."""

    def __init__(self, steps: list[str], when: str, frozen: bool) -> None:
        super().__init__()
        self.layer, self.steps, self.when = nn.Linear(6, C), steps, when
        self.layer.bias.requires_grad_(not frozen)

    def forward(self, x: torch.Tensor) -> Any:
        z = self.layer(x)
        if self.when == "always" or self.training == (self.when == "in training"):
            for step in self.steps:
                z = STEPS[step](z)
        return z


def read(model: nn.Module) -> None:
    logits = vestige.collect_logits(model, ROWS)
    assert logits.shape == (N, C) and np.isfinite(logits).all()


def trained(model: nn.Module) -> None:
    weights = vestige.train(model, ROWS, ONCE).model.state_dict().values()
    assert all(torch.isfinite(w).all() for w in weights)


def unlearned(model: nn.Module) -> None:
    weights = vestige.unlearn("finetune", model, SPLIT, epochs=1).model.state_dict().values()
    assert all(torch.isfinite(w).all() for w in weights)


WORK: dict[str, Callable[[nn.Module], Any]] = {
    "read": read, "trained": trained, "unlearned": unlearned,
    "ascent": lambda model: vestige.unlearn("gradient_ascent", model, SPLIT),
    "sensitivity": lambda model: vestige.collect_sensitivity(model, ROWS, copies=1),
    "fleet": lambda model: train_fleet([model, model], [ROWS, ROWS], ONCE, [0, 1]),
    "sparse": lambda model: train_sparse(model, ROWS, ONCE, 0.5),
}  # fmt: skip


@settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(
    steps=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=2),
    when=st.sampled_from(["always", "in training", "in evaluation"]),
    work=st.sampled_from(sorted(WORK)),
    frozen=st.booleans(),
)
@example(steps=["softmax"], when="always", work="trained", frozen=False)
@example(steps=["one NaN"], when="in training", work="trained", frozen=False)
@example(steps=["a tuple"], when="in training", work="unlearned", frozen=False)
@pytest.mark.filterwarnings("ignore")
def test_whatever_a_network_answers(steps, when, work, frozen):
    torch.manual_seed(0)
    model = Answering(steps, when, frozen)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        WORK[work](model)
    except InputError as error:
        assert str(error) and "\n" not in str(error) and len(str(error)) <= 1_500
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
