"""Fleets: the same models as alone, whatever is vectorised and whatever is not."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from digit_rows import digit_images, digits, same_weights

from vestige.errors import InputError
from vestige.models import build_model
from vestige.models.sparsity import prune
from vestige.training import Recipe, stackable, train, train_fleet
from vestige.training import fleet as fleet_module

DATA = digits(600)
ROWS = [DATA.take(np.random.default_rng(k).permutation(600)[:230]) for k in range(4)]
SEEDS = [5, 6, 7, 8]


def members(**knobs):
    return [build_model("mlp", DATA.shape, 10, seed=k, **({"hidden": (24, 12)} | knobs)) for k in range(4)]


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(epochs=3, batch_size=50, lr=0.1, schedule="cosine"),
        Recipe(epochs=2, batch_size=46, lr=0.01, optimizer="adamw", schedule="constant", label_smoothing=0.1),
        Recipe(epochs=2, batch_size=229, lr=0.05, schedule="onecycle", nesterov=True),
    ],
)
def test_a_fleet_is_its_members(recipe, monkeypatch):
    """Uneven last batches, schedules, decay, smoothing; every member has its own rows, scale, order and start."""
    models = members()
    assert stackable(models, ROWS, recipe)
    monkeypatch.setattr(fleet_module, "stacking_wins", lambda *given: True)
    monkeypatch.setattr(fleet_module, "TOGETHER", 3)
    fleet = train_fleet(models, ROWS, recipe, SEEDS)
    for model, rows, seed, made in zip(models, ROWS, SEEDS, fleet, strict=True):
        alone = train(model, rows, recipe.model_copy(update={"seed": seed}))
        for name, value in alone.model.state_dict().items():
            assert torch.allclose(made.model.state_dict()[name], value, atol=2e-5, rtol=1e-4), name
        assert made.loss == pytest.approx(alone.loss, rel=1e-4) and made.epochs == alone.epochs
        assert not made.model.training and made.seconds > 0


@pytest.mark.parametrize("wins", [True, False])
def test_the_probe_decides_how_and_not_what(monkeypatch, wins):
    recipe = Recipe(epochs=2, batch_size=64, lr=0.05)
    usual = train_fleet(members(), ROWS, recipe, SEEDS)
    calls = []
    for name in ("_stacked", "_one_by_one"):
        real = getattr(fleet_module, name)

        def spied(*given, real=real, name=name):
            calls.append(name)
            return real(*given)

        monkeypatch.setattr(fleet_module, name, spied)
    monkeypatch.setattr(fleet_module, "stacking_wins", lambda *given: wins)
    made = train_fleet(members(), ROWS, recipe, SEEDS)
    assert calls == (["_stacked"] if wins else ["_one_by_one"])
    for one, other in zip(usual, made, strict=True):
        for name, value in one.model.state_dict().items():
            assert torch.allclose(other.model.state_dict()[name], value, atol=2e-5, rtol=1e-4), name


def test_threads_share_the_stacks(monkeypatch):
    recipe = Recipe(epochs=2, batch_size=64, lr=0.05)
    monkeypatch.setattr(fleet_module, "stacking_wins", lambda *given: True)
    before = torch.get_num_threads()
    made = train_fleet(members(), ROWS, recipe, SEEDS, workers=3, device="cpu")
    assert torch.get_num_threads() == before and len(made) == 4
    for model, rows, seed, one in zip(members(), ROWS, SEEDS, made, strict=True):
        alone = train(model, rows, recipe.model_copy(update={"seed": seed})).model.state_dict()
        for name, value in alone.items():
            assert torch.allclose(one.model.state_dict()[name], value, atol=2e-5, rtol=1e-4), name


class _Here:
    """Processes that are none: what they are given can be pickled, and is done here."""

    def __init__(self, workers, mp_context, initializer):
        assert workers == 2 and mp_context.get_start_method() == "spawn" and callable(initializer)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def map(self, function, *given):
        assert pickle.dumps((function, given))
        return map(function, *given)


@pytest.mark.parametrize("pool", [_Here, pytest.param(ProcessPoolExecutor, marks=pytest.mark.slow)])
def test_processes_share_a_fleet(pool, monkeypatch):
    monkeypatch.setattr(fleet_module, "ProcessPoolExecutor", pool)
    recipe = Recipe(epochs=1, batch_size=64, lr=0.05)
    images = [digit_images(200).take(np.arange(k, 100 + k)) for k in range(3)]
    models = [build_model("cnn", (1, 8, 8), 10, width=4, seed=k) for k in range(3)]
    made = train_fleet(models, images, recipe, SEEDS[:3], workers=2, device="cpu")
    for model, rows, seed, one in zip(models, images, SEEDS, made, strict=False):
        assert same_weights(one.model, train(model, rows, recipe.model_copy(update={"seed": seed})).model)


def test_what_cannot_be_stacked_is_trained_one_after_another():
    recipe = Recipe(epochs=1, batch_size=64, lr=0.1)
    images = [digit_images(200).take(np.arange(k, 100 + k)) for k in range(2)]
    for models, rows in (
        ([build_model("cnn", (1, 8, 8), 10, width=4, seed=k) for k in range(2)], images),
        (members(dropout=0.2)[:2], ROWS[:2]),
        (members()[:2], [ROWS[0], ROWS[1].take(np.arange(100))]),
        ([members()[0], build_model("mlp", DATA.shape, 10, hidden=(5,))], ROWS[:2]),
        ([members()[0], members(dropout=0.2)[1]], ROWS[:2]),
        (members()[:1], ROWS[:1]),
    ):
        assert not stackable(models, rows, recipe)
        fleet = train_fleet(models, rows, recipe, SEEDS[: len(models)])
        alone = train(models[-1], rows[-1], recipe.model_copy(update={"seed": SEEDS[len(models) - 1]}))
        assert same_weights(fleet[-1].model, alone.model)
    assert not stackable(members(), ROWS, Recipe(precision="bf16"))
    frozen = members()
    next(frozen[0].parameters()).requires_grad_(False)
    assert not stackable(frozen, ROWS, recipe)


class Noisy(torch.nn.Module):
    """Draws noise in its forward pass, which torch does not vectorise."""

    def __init__(self, seed):
        super().__init__()
        self.net = build_model("mlp", DATA.shape, 10, hidden=(8,), seed=seed)

    def forward(self, x):
        return self.net(x + 0.01 * torch.randn_like(x)) if self.training else self.net(x)


def test_what_torch_does_not_vectorise_is_trained_one_after_another():
    recipe = Recipe(epochs=1, batch_size=50, lr=0.05)
    fleet = train_fleet([Noisy(k) for k in range(4)], ROWS, recipe, SEEDS)
    for k, made in enumerate(fleet):
        alone = train(Noisy(k), ROWS[k], recipe.model_copy(update={"seed": SEEDS[k]}))
        assert same_weights(made.model, alone.model)


def test_nothing_outside_changes():
    models = members()
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in models]
    state = torch.random.get_rng_state()
    train_fleet(models, ROWS, Recipe(epochs=1, batch_size=64, lr=0.1), SEEDS)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(
        torch.equal(v, b[k]) for m, b in zip(models, before, strict=True) for k, v in m.state_dict().items()
    )
    assert all(p.grad is None for m in models for p in m.parameters())


def test_bad_input():
    recipe = Recipe(epochs=2, batch_size=64, lr=0.1)
    for call, message in (
        (lambda: train_fleet([], [], recipe, []), "one at least"),
        (lambda: train_fleet(members(), ROWS[:3], recipe, SEEDS), "3 sets of rows"),
        (lambda: train_fleet(members(), ROWS, recipe, SEEDS, workers=0), "workers is 0"),
        (lambda: train_fleet(members(), ROWS, recipe, SEEDS, workers=-1), "workers is -1"),
        (lambda: train_fleet(members(), ROWS, recipe.model_copy(update={"lr": 1e30}), SEEDS), "lower lr"),
    ):
        with pytest.raises(InputError, match=message):
            call()


class Fourier(torch.nn.Module):
    """Random features in a plain attribute, which is no parameter and no buffer: each member has its own."""

    def __init__(self, seed):
        super().__init__()
        self.waves = torch.randn(64, 16, generator=torch.Generator().manual_seed(seed))
        self.head = build_model("mlp", (16,), 10, hidden=(8,), seed=seed)

    def forward(self, x):
        return self.head(torch.cos(0.1 * x @ self.waves))


class Counts(torch.nn.Module):
    """Keeps a running mean by putting a new tensor in place of its buffer."""

    def __init__(self, seed):
        super().__init__()
        self.head = build_model("mlp", DATA.shape, 10, hidden=(8,), seed=seed)
        self.register_buffer("mean", torch.zeros(64))

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(dim=0).detach()
        return self.head(x - self.mean)


def test_members_that_a_stack_would_make_alike_are_trained_alone():
    recipe = Recipe(epochs=1, batch_size=50, lr=0.05)
    assert not stackable([Fourier(k) for k in range(4)], ROWS, recipe)
    assert stackable([Fourier(0) for _ in range(4)], ROWS, recipe)
    counting = [Counts(k) for k in range(4)]  # forward passes alone do not show it; the steps of the probe do
    assert stackable(counting, ROWS, recipe)
    ways = fleet_module._one_by_one, fleet_module._stacked
    for models, same in ((counting, False), (members(), True)):
        made = [way(models, ROWS, recipe, SEEDS, torch.device("cpu")) for way in ways]
        assert fleet_module._same(*made) is same


def test_a_fleet_with_one_sparse_member_is_not_stacked():
    models = members()
    prune(models[2], 0.5)
    assert not stackable(models, ROWS, Recipe(epochs=1))
