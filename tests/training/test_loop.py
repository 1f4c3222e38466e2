"""The training loop: it learns, it changes nothing it should not, and it says what goes wrong."""

from __future__ import annotations

import copy
import shutil
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from digit_rows import digit_images, digits, same_weights
from torch import nn

from vestige.data.dataset import Dataset
from vestige.errors import InputError
from vestige.models import build_model, reinitialise
from vestige.training import Recipe, descend, epoch_seeds, learning_rate, make_optimizer, train, training_mode
from vestige.training.loop import one_row_normalised

SHORT = Recipe(epochs=2, batch_size=64, lr=0.05)


def accuracy(model: nn.Module, rows: Dataset) -> float:
    x = torch.from_numpy(rows.x)
    with torch.no_grad():
        logits = model(x.float() / 255 if rows.is_image else x)
    return float((logits.argmax(1).numpy() == rows.y).mean())


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_learns_digits(name: str) -> None:
    rows = digit_images() if name == "cnn" else digits()
    fit, test = rows.take(np.arange(1400)), rows.take(np.arange(1400, 1797))
    result = train(build_model(name, rows.shape, 10), fit, Recipe(epochs=10, batch_size=64, lr=0.1))
    assert result.epochs == 10 and result.loss[-1] < result.loss[0] / 5 and result.seconds > 0
    assert accuracy(result.model, test) > 0.9


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_is_the_plain_loop_of_the_textbook(optimizer: str) -> None:
    """Against ten lines without any of the fast paths; dropout and augmentation are tested elsewhere."""
    rows = digits(200)
    recipe = Recipe(epochs=2, batch_size=32, optimizer=optimizer, lr=0.01, nesterov=optimizer == "sgd")
    result = train(build_model("mlp", (64,), 10), rows, recipe)

    model = build_model("mlp", (64,), 10)
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)
    model.scale.mean.copy_(x.mean(0))
    std = x.std(0, correction=0)
    model.scale.std.copy_(torch.where(std > 0, std, 1.0))
    settings: dict[str, Any] = {"weight_decay": 5e-4}
    if optimizer == "sgd":
        settings |= {"momentum": 0.9, "nesterov": True}
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    plain = kinds[optimizer](model.parameters(), lr=0.01, **settings)
    for epoch in range(2):
        order = torch.randperm(200, generator=torch.Generator().manual_seed(epoch_seeds(0, epoch)[0]))
        parts = order.tensor_split(7)  # 28 or 29 of 200 each: seven batches of at most 32, of one size
        for step, part in enumerate(parts):
            plain.param_groups[0]["lr"] = learning_rate(recipe, epoch, step, len(parts))
            plain.zero_grad()
            F.cross_entropy(model(x[part]), y[part]).backward()
            plain.step()
    torch.testing.assert_close(result.model.state_dict(), model.state_dict(), rtol=1e-3, atol=1e-4)


def test_bf16_follows_fp32() -> None:
    rows = digit_images(300)
    model = build_model("cnn", rows.shape, 10)
    losses = [
        train(model, rows, SHORT.model_copy(update={"precision": precision})).loss
        for precision in ("bf16", "fp32")
    ]
    np.testing.assert_allclose(*losses, rtol=0.05)


def test_the_given_model_and_the_global_random_state_stay() -> None:
    rows = digit_images(130)
    model = build_model("cnn", rows.shape, 10, dropout=0.5).train()
    kept = copy.deepcopy(model.state_dict())
    torch.manual_seed(3)
    np.random.seed(3)
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    result = train(model, rows, SHORT.model_copy(update={"augment": "crop_flip"}))
    assert torch.equal(before, torch.random.get_rng_state())
    assert (numpy_before == np.random.get_state()[1]).all()
    assert all(torch.equal(kept[key], value) for key, value in model.state_dict().items())
    assert model.training and not result.model.training
    assert all(p.is_contiguous() for p in result.model.parameters())


def test_the_same_seed_gives_the_same_model_whatever_the_global_state() -> None:
    rows = digit_images(130)
    model = build_model("cnn", rows.shape, 10, dropout=0.5)
    augmenting = SHORT.model_copy(update={"augment": "crop_flip"})
    one = train(model, rows, augmenting).model
    torch.rand(5)
    two = train(model, rows, augmenting).model
    other = train(model, rows, augmenting.model_copy(update={"seed": 1})).model
    assert same_weights(one, two) and not same_weights(one, other)


class Streamed(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """A torch data set that draws from the global generator, as torchvision's transforms do."""

    def __init__(self, rows: Dataset, noise: float = 0.0) -> None:
        self.rows, self.noise = rows, noise

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.rows.x[i]) + self.noise * torch.rand(()), int(self.rows.y[i])


def test_a_torch_dataset_trains_to_the_same_model() -> None:
    rows, model = digits(150), build_model("mlp", (64,), 10)
    one, two = train(model, rows, SHORT).model, train(model, Streamed(rows), SHORT).model
    torch.testing.assert_close(one.state_dict(), two.state_dict(), rtol=1e-4, atol=1e-5)
    before = torch.random.get_rng_state()
    noisy = [train(model, Streamed(rows, 1.0), SHORT).model for _ in range(2)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert same_weights(*noisy)


def test_the_input_scale_is_that_of_the_training_rows_and_stays_when_fine_tuned() -> None:
    rows = digits()
    fit = rows.take(np.arange(100))
    model = train(build_model("mlp", (64,), 10), fit, SHORT).model
    torch.testing.assert_close(model.scale.mean, torch.from_numpy(fit.x.mean(0)))
    scale = model.scale.mean.clone()
    descend(model, rows.take(np.arange(500, 900)), SHORT)
    assert torch.equal(scale, model.scale.mean)


def test_descend_minimises_any_loss_in_place() -> None:
    rows = digits(300)
    model = train(build_model("mlp", (64,), 10), rows, Recipe(epochs=5, batch_size=64, lr=0.1)).model
    result = descend(
        model,
        rows,
        Recipe(epochs=3, lr=0.01, schedule="constant"),
        loss=lambda logits, y: -F.cross_entropy(logits, y),
    )
    assert result.model is model
    assert result.loss[-1] < result.loss[0] < 0


def test_freezing_batch_normalisation_keeps_its_statistics() -> None:
    rows = digit_images(100)
    model = build_model("cnn", rows.shape, 10)
    frozen = copy.deepcopy(model)
    descend(frozen, rows, SHORT, freeze_batchnorm=True)
    kept = [(name, value) for name, value in model.state_dict().items() if "running" in name]
    assert kept and all(torch.equal(value, frozen.state_dict()[name]) for name, value in kept)
    assert not same_weights(model, frozen)
    descend(model, rows, SHORT)
    assert not torch.equal(dict(kept)["body.1.running_mean"], torch.zeros(32))


def test_one_row_and_a_last_batch_of_one_train() -> None:
    """8x8 images leave 1x1 before the last batch norms: a batch of one has no variance there."""
    model = build_model("resnet18", (1, 8, 8), 10, width=4)
    for n, size in ((1, 64), (33, 32)):
        result = train(model, digit_images(n), SHORT.model_copy(update={"batch_size": size}))
        assert all(torch.isfinite(p).all() for p in result.model.parameters())


def test_frozen_parameters_stay() -> None:
    model = build_model("mlp", (64,), 10)
    model.body.requires_grad_(False)
    result = train(model, digits(100), SHORT)
    assert same_weights(model.body, result.model.body) and not same_weights(model.head, result.model.head)
    with pytest.raises(InputError, match="nothing to train"):
        make_optimizer(SHORT, model.requires_grad_(False).parameters())


def test_on_epoch_sees_every_epoch_and_may_stop() -> None:
    seen: list[tuple[int, float]] = []

    def stop_after_two(epoch: int, loss: float) -> bool:
        seen.append((epoch, loss))
        return epoch == 2

    result = train(build_model("mlp", (64,), 10), digits(100), Recipe(epochs=9), on_epoch=stop_after_two)
    assert [epoch for epoch, _ in seen] == [1, 2] and [loss for _, loss in seen] == result.loss


def test_training_mode_comes_back_after_on_epoch_evaluates() -> None:
    rows = digit_images(100)
    model = build_model("cnn", rows.shape, 10)
    work = copy.deepcopy(model)
    evaluated = descend(work, rows, SHORT, on_epoch=lambda *_: bool(work.eval() is None))
    assert same_weights(evaluated.model, descend(model, rows, SHORT).model)


def test_training_mode_spares_batch_norm() -> None:
    model = build_model("cnn", (1, 8, 8), 2)
    training_mode(model, freeze_batchnorm=True)
    flags = {type(m): m.training for m in model.modules()}
    assert flags[nn.Dropout] and not flags[nn.BatchNorm2d]


def test_a_frozen_layer_keeps_its_statistics_in_training_and_when_weights_are_drawn_anew() -> None:
    """As a pretrained backbone has them: what no training changed holds nothing of its samples."""
    rows = digit_images(100)
    model = train(build_model("cnn", rows.shape, 10), rows, SHORT).model
    first, second, *_ = (m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    first.requires_grad_(False)
    kept, moved = (copy.deepcopy(m.running_mean) for m in (first, second))
    descend(model, rows, SHORT)
    assert torch.equal(first.running_mean, kept) and not torch.equal(second.running_mean, moved)
    drawn = [m for m in reinitialise(model, 0).modules() if isinstance(m, nn.BatchNorm2d)]
    assert torch.equal(drawn[0].running_mean, kept) and torch.equal(drawn[0].weight, first.weight)
    assert not drawn[1].running_mean.any()


def test_what_goes_wrong_is_said() -> None:
    rows = digits(100)
    with pytest.raises(InputError, match=r"loss became (nan|inf) in epoch \d; lower lr \(now 1e\+30\)"):
        train(build_model("mlp", (64,), 10), rows, Recipe(lr=1e30))
    with pytest.raises(InputError, match="The model has 3 outputs; digits has 10 classes"):
        train(build_model("mlp", (64,), 3), rows, SHORT)
    with pytest.raises(InputError, match="takes 7 channels; the data has 64"):
        train(build_model("mlp", (7,), 10), rows, SHORT)
    with pytest.raises(InputError, match="no rows"):
        train(build_model("mlp", (64,), 10), rows.take(np.arange(0)), SHORT)
    with pytest.raises(InputError, match=r"returns \[4, 64, 1\] .*logits \[N, C\]"):
        descend(nn.Sequential(nn.Linear(64, 64), nn.Unflatten(1, (64, 1))), rows, SHORT)


def test_progress_bar_runs(capsys: pytest.CaptureFixture[str]) -> None:
    train(build_model("logistic", (64,), 10), digits(50), SHORT)
    assert capsys.readouterr().out == ""
    train(build_model("logistic", (64,), 10), digits(50), SHORT, progress=True)


def test_what_is_compiled_is_the_model_in_the_mode_that_is_asked_for(monkeypatch) -> None:
    modes = []

    def uncompiled(model, *, mode):
        modes.append(mode)
        return model.forward

    monkeypatch.setattr(torch, "compile", uncompiled)
    rows = digits(100)
    model = build_model("mlp", rows.shape, 10, hidden=(16,), seed=0)
    plain, fast = (
        train(model, rows, Recipe(epochs=2, lr=0.05, compile=how)).model for how in ("no", "max-autotune")
    )
    assert modes == ["max-autotune"] and same_weights(plain, fast)


@pytest.mark.slow  # a compiler runs; which model is compiled, and how, is tested above
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler here")
def test_a_compiled_model_is_trained_to_the_same_weights() -> None:
    rows = digits(100)
    model = build_model("mlp", rows.shape, 10, hidden=(16,), seed=0)
    plain, fast = (
        train(model, rows, Recipe(epochs=2, lr=0.05, compile=how)).model for how in ("no", "default")
    )
    for name, own in fast.state_dict().items():
        assert torch.allclose(own, plain.state_dict()[name], atol=1e-5), name


def test_what_cannot_be_compiled_is_said() -> None:
    from torch._inductor import config

    torch.compiler.reset()
    rows = digits(100)
    model = build_model("mlp", rows.shape, 10, hidden=(16,), seed=0)
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}),
        pytest.raises(InputError, match="torch.compile failed .*compile='no'"),
    ):
        train(model, rows, Recipe(epochs=1, compile="default"))


def test_lazy_layers_draw_from_the_seed_and_not_from_the_global_generator() -> None:
    rows = digit_images(60)
    before = torch.random.get_rng_state()
    one, two = (
        train(nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(10)), rows, SHORT).model
        for _ in range(2)
    )
    assert torch.equal(before, torch.random.get_rng_state()) and same_weights(one, two)
    assert not same_weights(
        one,
        train(
            nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(10)),
            rows,
            SHORT.model_copy(update={"seed": 1}),
        ).model,
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(63, 10), r"not take samples of shape \[64\] and type torch.float32.*cannot be multiplied"),
        (nn.Linear(64, 10).double(), r"weights of torch.float64; call model.float\(\) first"),
        (nn.Linear(64, 10).half(), r"weights of torch.float16; call model.float\(\) first"),
        (nn.BatchNorm2d(64), r"shape \[64\].*expected 4D input"),
        (nn.Bilinear(64, 64, 10), r"shape \[64\].*missing 1 required positional argument"),
    ],
)
def test_a_model_that_does_not_take_the_samples_is_said(model: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(model, digits(60), SHORT)


class Elsewhere(nn.Module):
    """Its forward pass goes by way of an attribute that a copy of the model still has of the original."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)
        self.run = lambda x: self.head(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.run(x)
        return logits


def test_training_that_cannot_change_the_model_is_said() -> None:
    rows = digits(60)
    with pytest.raises(InputError, match="Training cannot change the model.*such as a lambda"):
        train(Elsewhere(), rows, SHORT)
    with pytest.raises(InputError, match="Training cannot change the model"):
        descend(nn.Linear(64, 10), rows, SHORT, objective=lambda x, y: x.sum())


def test_a_recipe_has_a_name_or_fields() -> None:
    rows, model = digits(60), build_model("logistic", (64,), 10)
    fields = SHORT.model_dump()
    assert same_weights(train(model, rows, fields).model, train(model, rows, SHORT).model)
    seen: list[int] = []
    train(model, rows, "iam_purchase", on_epoch=lambda epoch, _: bool(seen.append(epoch) is None))
    assert seen == [1]
    for recipe, message in (
        ("sped", "no recipe 'sped'. Did you mean 'speed'"),
        ({"lr": -1}, "lr"),
        (3, r"recipe is 3; Recipe, str or Mapping is wanted"),
    ):
        with pytest.raises(InputError, match=message):
            train(model, rows, recipe)


def test_one_row_is_normalised_by_the_running_statistics() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3)).train()
    model[1].eval()
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    plain = copy.deepcopy(model)
    with one_row_normalised(model):
        assert torch.equal(model(x), plain(x))  # more rows: as without
        kept = copy.deepcopy(model.state_dict())
        assert torch.equal(model(x[:1]), copy.deepcopy(plain).eval()(x[:1]))
    assert all(torch.equal(kept[name], value) for name, value in model.state_dict().items())
    assert [m.training for m in model] == [True, False] and not model[0]._forward_pre_hooks
