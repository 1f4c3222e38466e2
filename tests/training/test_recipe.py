"""Recipes: presets, messages, and learning rates against closed forms and torch's schedulers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from vestige.config import validated
from vestige.errors import InputError
from vestige.training import PRESETS, Recipe, learning_rate, preset


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "There is no key 'epoch'. Did you mean 'epochs'"),
        ({"epochs": 0}, "'epochs' is 0: .* greater than or equal to 1"),
        ({"lr": -1.0}, "'lr' is -1.0: .* greater than 0"),
        ({"lr": float("inf")}, "'lr' is inf: .*finite"),
        ({"optimizer": "lion"}, "'optimizer' is 'lion': .*'sgd', 'adam' or 'adamw'"),
        ({"momentum": 1.0}, "'momentum' is 1.0: .* less than 1"),
        ({"seed": -1}, "'seed' is -1"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov needs"),
        ({"nesterov": True, "optimizer": "adam"}, "nesterov needs"),
        ({"milestones": [3]}, "milestones and schedule 'multistep' go together"),
        ({"schedule": "multistep"}, "milestones and schedule 'multistep' go together"),
        ({"schedule": "multistep", "milestones": [5, 3]}, r"milestones must rise, got \[5, 3\]"),
        ({"schedule": "constant", "horizon": 9}, "horizon belongs to"),
        ({"schedule": "onecycle", "warmup_epochs": 1}, "its own warm-up"),
        ({"epochs": 2, "warmup_epochs": 2}, "leaves nothing of 2 epochs"),
    ],
)
def test_a_wrong_field_is_one_sentence(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        validated(Recipe, values, "run.yaml")


def test_the_key_depends_on_every_field_and_on_nothing_else() -> None:
    assert Recipe().key == Recipe(epochs=30).key
    changed = [
        Recipe(epochs=31), Recipe(lr=0.2), Recipe(seed=1), Recipe(augment="flip"), Recipe(precision="fp32"),
        Recipe(schedule="multistep", milestones=(3,)), Recipe(schedule="multistep", milestones=(4,)),
    ]  # fmt: skip
    assert len({recipe.key for recipe in [Recipe(), *changed]}) == len(changed) + 1


def torch_rates(recipe: Recipe, make: Any) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], recipe.lr)
    scheduler = make(optimizer)
    rates = []
    for _ in range(recipe.epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_cosine_and_multistep_by_epoch_are_those_of_torch() -> None:
    iam = preset("iam_cifar10")
    wanted = torch_rates(iam, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 200))
    assert [learning_rate(iam, e, 5, 10) for e in range(201)] == pytest.approx(wanted, abs=1e-12)
    assert learning_rate(iam, 200) == 0
    sparse = preset("unlearn_sparse")
    wanted = torch_rates(sparse, lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [91, 136], 0.1))
    assert [learning_rate(sparse, e, 9, 10) for e in range(182)] == pytest.approx(wanted)


def test_cosine_by_step() -> None:
    recipe = Recipe(epochs=4, lr=2.0)
    for epoch, step in ((0, 0), (1, 3), (3, 9)):
        wanted = 1 + math.cos(math.pi * (epoch + step / 10) / 4)
        assert learning_rate(recipe, epoch, step, 10) == pytest.approx(wanted)


def test_purchase_ends_half_annealed() -> None:
    purchase = preset("iam_purchase")
    assert learning_rate(purchase, 100) == pytest.approx(0.005)


def test_constant_and_warmup() -> None:
    recipe = Recipe(epochs=5, lr=1.0, schedule="constant", warmup_epochs=2)
    assert learning_rate(recipe, 0, 0, 4) == pytest.approx(1 / 8)  # the first step is not lost
    assert learning_rate(recipe, 1, 3, 4) == pytest.approx(1.0)
    assert learning_rate(recipe, 4, 3, 4) == 1.0
    warm = Recipe(epochs=6, lr=1.0, warmup_epochs=2)
    assert learning_rate(warm, 2) == 1.0
    assert learning_rate(warm, 4) == pytest.approx(0.5)


def test_onecycle_is_torchs_at_its_corners() -> None:
    recipe = Recipe(epochs=10, lr=0.5, schedule="onecycle")
    assert learning_rate(recipe, 0) == pytest.approx(0.5 / 25)
    assert learning_rate(recipe, 3) == pytest.approx(0.5)
    assert learning_rate(recipe, 9, 9999, 10000) == pytest.approx(0.5 / 25e4, rel=1e-2)
    make = torch.optim.lr_scheduler.OneCycleLR
    steps = recipe.model_copy(update={"epochs": 1000})
    wanted = torch_rates(steps, lambda o: make(o, 0.5, total_steps=1001, cycle_momentum=False))
    ours = [learning_rate(recipe, i // 100, i % 100, 100) for i in range(1000)]
    assert ours == pytest.approx(wanted, abs=2e-3)


def test_presets() -> None:
    assert all(isinstance(preset(name), Recipe) for name in PRESETS)
    assert preset("iam_cifar10", epochs=2).epochs == 2
    with pytest.raises(InputError, match="Did you mean 'iam_cifar10'"):
        preset("iam_cifar1")
    with pytest.raises(InputError, match="Did you mean 'epochs'"):
        preset("iam_cifar10", epoch=2)
