"""What holds for every registered method, and the two mutants that must not pass."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional

from vestige.data import Dataset, make_split
from vestige.errors import InputError
from vestige.models import build_model
from vestige.signals import collect_logits
from vestige.signals.transforms import loss
from vestige.training import Recipe, train
from vestige.unlearning import METHODS, unlearn

RECIPE = Recipe(epochs=60, batch_size=32, lr=0.05, weight_decay=0.0)


class Untouchable(Dataset):
    """A data set whose rows may not be read."""

    def take(self, positions):
        raise AssertionError("the method read samples that it says it does not need")


def blobs(n=240, classes=4, seed=0):
    """Noisy clusters with 25 % wrong labels: what is fitted beyond the clusters is memorised."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = (rng.normal(size=(classes, 12))[y] + rng.normal(size=(n, 12))).astype(np.float32)
    wrong = rng.random(n) < 0.25
    y = np.where(wrong, rng.integers(0, classes, n), y)
    return Dataset("blobs", x, y.astype(np.int64), np.arange(n).astype(str), tuple("abcd"))


class Norm(nn.Module):
    """A network with batch normalisation and dropout, on features."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(12, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 4)
        )

    def forward(self, x):
        return self.body(x)


@pytest.fixture(scope="module", params=["mlp", "norm"])
def case(request):
    split = make_split(blobs(), forget=30, train=160, holdout=40, shadow=40, seed=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        start = build_model("mlp", split.data.shape, 4, hidden=(256,)) if request.param == "mlp" else Norm()
    return train(start, split.data.take(split.train), RECIPE).model, split


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def forget_loss(model, split):
    rows = split.rows("forget")
    return loss(collect_logits(model, rows), rows.y).mean()


TORCH = [name for name in METHODS if "torch" in METHODS[name].worlds]


@pytest.mark.parametrize("preset", ["recommended", "paper"])
@pytest.mark.parametrize("name", TORCH)
def test_contract(name, preset, case):
    model, split = case
    before, state, x = weights(model), torch.get_rng_state(), split.data.x.copy()
    model.train()
    first = unlearn(name, model, split, preset=preset, recipe=RECIPE, seed=3)
    second = unlearn(name, model, split, preset=preset, recipe=RECIPE, seed=3)
    assert model.training and equal(weights(model), before) and np.array_equal(split.data.x, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert equal(weights(first.model), weights(second.model)), "the same seed must give the same weights"
    assert not equal(weights(first.model), before), "the method must do something"
    assert all(v.isfinite().all() for v in first.model.state_dict().values())
    assert not first.model.training and first.seconds > 0 and first.method == name


@pytest.mark.parametrize("name", TORCH)
def test_only_declared_samples_are_read(name, case):
    model, split = case

    class Guarded(type(split)):
        def rows(self, role):
            assert role in METHODS[name].needs, f"{name} reads {role} but does not declare it"
            return super().rows(role)

    untouchable = Untouchable(*(getattr(split.data, f.name) for f in dataclasses.fields(Dataset)))
    guarded = Guarded(split.data, split.forget, split.retain, split.holdout, split.shadow)
    unlearn(name, model, guarded, recipe=RECIPE)
    with pytest.raises(AssertionError):
        unlearn(name, model, dataclasses.replace(split, data=untouchable), recipe=RECIPE)


@pytest.mark.parametrize("name", TORCH)
def test_measuring_changes_nothing(name, case):
    model, split = case
    result = unlearn(name, model, split, recipe=RECIPE).model
    result.train()
    before, state = weights(result), torch.get_rng_state()
    collect_logits(result, split.data)
    assert equal(weights(result), before) and result.training and torch.equal(torch.get_rng_state(), state)


# How much the loss on the forget samples must rise: the one thing all methods promise. A retain-only method
# cannot raise it by more than retraining does.
RAISES = {"retrain": 0.5, "finetune": 0.03, "gradient_ascent": 0.5}
KNOBS = {"finetune": {"lr": 0.05, "epochs": 20}, "gradient_ascent": {"lr": 0.2, "epochs": 20}}


def passes(name, model, split):
    result = unlearn(name, model, split, recipe=RECIPE, **KNOBS.get(name, {})).model
    return forget_loss(result, split) - forget_loss(model, split) > RAISES[name]


@pytest.mark.parametrize("name", TORCH)
def test_the_forget_samples_are_fitted_less(name, case):
    assert passes(name, *case)


@pytest.mark.parametrize("name", TORCH)
def test_mutant_with_forget_and_retain_swapped_fails(name, case):
    model, split = case
    swapped = dataclasses.replace(split, forget=split.retain, retain=split.forget)
    result = unlearn(name, model, swapped, recipe=RECIPE, **KNOBS.get(name, {})).model
    raised = forget_loss(result, split) - forget_loss(model, split)
    kept = split.rows("retain")
    hurt = (collect_logits(result, kept).argmax(1) == kept.y).mean() < (
        collect_logits(model, kept).argmax(1) == kept.y
    ).mean() - 0.1
    assert raised < RAISES[name] or hurt


@pytest.mark.parametrize("name", TORCH)
def test_mutant_with_the_loss_flipped_fails(name, case, monkeypatch):
    model, split = case
    import vestige.training.loop as loop

    real = loop.descend

    def flipped(model, rows, recipe, *, loss=None, **options):
        plain = loss or functional.cross_entropy
        return real(model, rows, recipe, loss=lambda v, y: -plain(v, y).clamp(-20, 20), **options)

    monkeypatch.setattr("vestige.training.loop.descend", flipped)
    monkeypatch.setattr("vestige.training.descend", flipped)
    result = unlearn(name, model, split, recipe=RECIPE, **KNOBS.get(name, {})).model
    kept = split.rows("retain")
    wrecked = (collect_logits(result, kept).argmax(1) == kept.y).mean() < 0.6
    assert wrecked or forget_loss(result, split) - forget_loss(model, split) < RAISES[name]


def test_scikit_learn_models():
    split = make_split(blobs(), forget=30, train=160, holdout=40, shadow=40)
    rows = split.data.take(split.train)
    model = LogisticRegression(max_iter=500).fit(rows.x, rows.y)
    before = copy.deepcopy(model.coef_)
    result = unlearn("retrain", model, split).model
    alone = LogisticRegression(max_iter=500).fit(split.rows("retain").x, split.rows("retain").y)
    assert np.allclose(result.coef_, alone.coef_) and np.array_equal(model.coef_, before)
    with pytest.raises(InputError, match="methods that do: retrain"):
        unlearn("gradient_ascent", model, split)


def test_requests_that_cannot_be_met(case):
    model, split = case
    for options, message in (
        ({"name": "retrian", "recipe": RECIPE}, "Did you mean 'retrain'"),
        ({"name": "retrain"}, "needs `recipe=`"),
        ({"name": "finetune", "epoch": 3}, "Did you mean 'epochs'"),
        ({"name": "finetune", "epochs": 0}, "finetune: 'epochs' is 0"),
        ({"name": "finetune", "preset": "papr"}, "Did you mean 'paper'"),
    ):
        with pytest.raises(InputError, match=message):
            unlearn(options.pop("name"), model, split, **options)
