"""Private training: the guarantee is opacus', the noise is calibrated, batch norm is replaced, nothing else is read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from digit_rows import digit_images, digits, same_weights

from vestige.errors import InputError
from vestige.models import InputScale, build_model
from vestige.signals import collect_logits
from vestige.training import Recipe, train_private
from vestige.training.private import noise_for

RECIPE = Recipe(epochs=4, batch_size=50, lr=0.5, momentum=0.0, weight_decay=0.0, schedule="constant", seed=2)
ROWS = digits(500)


def test_the_noise_keeps_the_budget():
    from opacus.accountants import PRVAccountant

    noise = noise_for(3.0, 1e-5, 0.1, 4)
    accountant = (
        PRVAccountant()
    )  # another accountant, tighter: what is spent is a little less than what was asked for
    accountant.history = [(noise, 0.1, 40)]
    assert 2.0 < accountant.get_epsilon(1e-5) < 3.0
    assert noise_for(1.0, 1e-5, 0.1, 4) > noise > noise_for(8.0, 1e-5, 0.1, 4)


def test_it_learns_and_leaves_everything_else_alone():
    model = build_model("logistic", ROWS.shape, 10, seed=1)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.random.get_rng_state()
    made = train_private(model, ROWS, RECIPE.model_copy(update={"lr": 0.05, "epochs": 15}), epsilon=8)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert (made.epsilon, made.delta, made.epochs) == (8, 1e-5, 15) and made.noise > 0
    assert (collect_logits(made.model, ROWS).argmax(1) == ROWS.y).mean() > 0.6
    assert not made.model.training and all(
        p.grad is None and not hasattr(p, "grad_sample") for p in made.model.parameters()
    )
    assert type(made.model) is type(model)


def test_the_same_seed_gives_the_same_weights():
    model = build_model("mlp", ROWS.shape, 10, hidden=(16,), seed=1)
    one, two, other = (
        train_private(model, ROWS, RECIPE.model_copy(update={"seed": s}), epsilon=8).model for s in (2, 2, 3)
    )
    assert same_weights(one, two) and not same_weights(one, other)


def test_less_budget_is_less_memory():
    """On labels without meaning, training accuracy is memory."""
    rng = np.random.default_rng(0)
    rows = ROWS.take(np.arange(100))
    rows = type(rows)("noise", rows.x / 16, rng.integers(0, 10, 100), rows.ids, rows.classes)
    recipe = RECIPE.model_copy(update={"epochs": 80, "batch_size": 20, "lr": 1.0})
    model = build_model("mlp", rows.shape, 10, hidden=(64,), seed=0)
    accuracy = [
        (collect_logits(train_private(model, rows, recipe, epsilon=e).model, rows).argmax(1) == rows.y).mean()
        for e in (1.0, 1e3)
    ]
    assert accuracy[0] < 0.4 < accuracy[1]


def test_batch_norm_becomes_group_norm_and_the_scale_is_not_fitted_on_secrets():
    rows = digit_images(200)
    made = train_private(
        build_model("cnn", rows.shape, 10, width=4), rows, RECIPE.model_copy(update={"epochs": 1}), epsilon=8
    )
    kinds = {type(m) for m in made.model.modules()}
    assert torch.nn.GroupNorm in kinds and torch.nn.BatchNorm2d not in kinds
    scale = next(m for m in made.model.modules() if isinstance(m, InputScale))
    assert (scale.mean == 0).all() and (scale.std == 1).all()
    public = digit_images(100)
    told = train_private(
        build_model("cnn", rows.shape, 10, width=4),
        rows,
        RECIPE.model_copy(update={"epochs": 1}),
        epsilon=8,
        public=public,
    )
    assert (next(m for m in told.model.modules() if isinstance(m, InputScale)).mean != 0).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epsilon": 0}, "greater than 0"),
        ({"epsilon": -1}, "greater than 0"),
        ({"epsilon": 1, "delta": 0.01}, "one over the records"),
        ({"epsilon": 1, "delta": 0}, "greater than 0"),
        ({"epsilon": 1, "clip": 0}, "greater than 0"),
        ({"epsilon": 1e-7}, "allow a larger"),
    ],
)
def test_budgets_that_cannot_be(values, message):
    with pytest.raises(InputError, match=message):
        train_private(build_model("logistic", ROWS.shape, 10), ROWS, RECIPE, **values)
