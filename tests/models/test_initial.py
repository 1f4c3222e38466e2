"""Fresh weights: deterministic, complete, and without a trace in the global random state."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from vestige.errors import InputError
from vestige.models import MODELS, build_model, fit_input_scale, reinitialise, seeded


@pytest.mark.parametrize("name", list(MODELS))
def test_a_reinitialised_model_is_the_one_built_from_that_seed(name: str) -> None:
    model = build_model(name, (1, 8, 8), 3, seed=1)
    with torch.no_grad():
        for value in model.state_dict().values():  # weights and statistics alike
            value.fill_(7)
    kept = copy.deepcopy(model.state_dict())
    state = torch.random.get_rng_state()
    fresh = reinitialise(model, seed=2)
    assert torch.equal(state, torch.random.get_rng_state())
    wanted = build_model(name, (1, 8, 8), 3, seed=2).state_dict()
    assert all(torch.equal(wanted[key], value) for key, value in fresh.state_dict().items())
    assert all(torch.equal(kept[key], value) for key, value in model.state_dict().items())


def test_nothing_of_the_input_scale_is_left() -> None:
    model = build_model("logistic", (2,), 2)
    fit_input_scale(model, np.array([[1, 2], [3, 5]], np.float32))
    assert reinitialise(model, 0).scale.mean.tolist() == [0, 0]


class Token(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.token = nn.Parameter(torch.zeros(2))


class SelfMade(Token):
    """Decides about its parts: its own `reset_parameters` has the last word."""

    def reset_parameters(self) -> None:
        nn.init.constant_(self.token, 4)
        nn.init.constant_(self.inner.weight, 5)


def test_a_parameter_nobody_draws_is_named() -> None:
    with pytest.raises(InputError, match=r"'1.token' cannot be drawn anew"):
        reinitialise(nn.Sequential(nn.Linear(2, 2), Token()), 0)


def test_an_outer_reset_parameters_covers_its_parts() -> None:
    fresh = reinitialise(nn.Sequential(SelfMade()), 0)[0]
    assert fresh.token.tolist() == [4, 4] and fresh.inner.weight[0, 0] == 5


def test_attention_is_drawn_too() -> None:
    one, two = (reinitialise(nn.MultiheadAttention(4, 2), seed) for seed in (0, 1))
    assert not torch.equal(one.in_proj_weight, two.in_proj_weight)


def test_seeded_restores_the_global_state_also_after_an_error() -> None:
    state = torch.random.get_rng_state()
    with seeded(3):
        first = torch.rand(2)
    with pytest.raises(KeyError), seeded(3):
        assert torch.equal(first, torch.rand(2))
        raise KeyError
    assert torch.equal(state, torch.random.get_rng_state())


class Adapted(nn.Linear):
    """A low-rank adapter beside the weight, which the inherited `reset_parameters` does not know."""

    def __init__(self) -> None:
        super().__init__(3, 4)
        self.a, self.b = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(4, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + x @ self.a.t() @ self.b.t()


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)),
        lambda: nn.utils.parametrizations.orthogonal(nn.Linear(3, 4)),
        Adapted,
    ],
)
def test_weights_that_would_be_kept_are_refused(layer: Callable[[], nn.Module]) -> None:
    """A fresh model must hold nothing of the trained one; these would keep all of it, silently."""
    with pytest.raises(InputError, match="cannot be drawn anew"):
        reinitialise(nn.Sequential(layer()), 0)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.LSTM(3, 4), lambda: nn.GRU(3, 4), lambda: nn.TransformerEncoderLayer(4, 2),
        lambda: nn.Embedding(3, 4), lambda: nn.GroupNorm(2, 4), lambda: nn.LayerNorm(4), lambda: nn.PReLU(),
        lambda: nn.ConvTranspose2d(3, 4, 2), lambda: nn.Bilinear(2, 3, 4), lambda: nn.InstanceNorm2d(3, affine=True),
    ],
)  # fmt: skip
def test_the_layers_of_torch_can_be_drawn(layer: Callable[[], nn.Module]) -> None:
    assert all(torch.isfinite(p).all() for p in reinitialise(nn.Sequential(layer()), 0).parameters())


def test_a_weight_norm_is_drawn_through_its_parts() -> None:
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Linear(4, 2))
    plain = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    before = normed[0].weight.clone()
    one, two = (reinitialise(model, 3) for model in (normed, plain))
    assert torch.equal(normed[0].weight, before) and nn.utils.parametrize.is_parametrized(normed[0], "weight")
    assert torch.allclose(one[0].weight, two[0].weight) and torch.equal(one[0].bias, two[0].bias)
    assert one[0].parametrizations.weight.original1.requires_grad and torch.equal(
        one[1].weight, two[1].weight
    )
