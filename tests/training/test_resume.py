"""Runs that are stopped and continued: bit for bit the same, and only ever from their own, whole checkpoint."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from digit_rows import digit_images, digits, same_weights

from vestige.errors import InputError
from vestige.models import build_model
from vestige.training import Recipe, resume, train

RECIPE = Recipe(epochs=4, batch_size=32, lr=0.05, augment="crop_flip")


def interrupt_after(epochs: int) -> Any:
    def on_epoch(epoch: int, _: float) -> None:
        if epoch == epochs:
            raise KeyboardInterrupt

    return on_epoch


@pytest.mark.parametrize(
    "changes",
    [{}, {"nesterov": True, "precision": "fp32"}, {"optimizer": "adam", "lr": 0.001}, {"momentum": 0.0}],
)
def test_a_stopped_run_continues_bit_for_bit(tmp_path: Path, changes: dict[str, Any]) -> None:
    """With batch norm, dropout, augmentation, channels_last weights and the optimiser's state."""
    rows, recipe = digit_images(100), RECIPE.model_copy(update=changes)
    model = build_model("cnn", rows.shape, 10, dropout=0.3)
    path = tmp_path / "part.safetensors"
    whole = train(model, rows, recipe)
    with pytest.raises(KeyboardInterrupt):
        train(model, rows, recipe, checkpoint=path, on_epoch=interrupt_after(2))
    rest = train(model, rows, recipe, checkpoint=path)
    assert rest.resumed == 2 and rest.epochs == 4
    assert rest.loss == whole.loss
    assert same_weights(rest.model, whole.model)
    again = train(model, rows, recipe, checkpoint=path)
    assert again.resumed == 4 and same_weights(again.model, whole.model)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_resnet_continues_bit_for_bit(tmp_path: Path) -> None:
    rows = digit_images(70)
    model = build_model("resnet18", rows.shape, 10, width=8)
    path = tmp_path / "part.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(model, rows, RECIPE, checkpoint=path, on_epoch=interrupt_after(2))
    assert same_weights(train(model, rows, RECIPE, checkpoint=path).model, train(model, rows, RECIPE).model)


def test_an_interrupt_within_an_epoch_leaves_the_state_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, model = digits(100), build_model("mlp", (64,), 10)
    recipe = Recipe(epochs=3, batch_size=25, lr=0.05)
    path = tmp_path / "part.safetensors"
    from vestige.training import loop

    steps = iter(range(6))  # four steps an epoch: the interrupt comes in the second
    real = loop.set_learning_rate

    def interrupting(optimizer: Any, lr: float) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        real(optimizer, lr)

    monkeypatch.setattr(loop, "set_learning_rate", interrupting)
    with pytest.raises(KeyboardInterrupt):
        train(model, rows, recipe, checkpoint=path)
    monkeypatch.setattr(loop, "set_learning_rate", real)
    rest = train(model, rows, recipe, checkpoint=path)
    assert rest.resumed == 1
    assert same_weights(rest.model, train(model, rows, recipe).model)


def test_long_epochs_are_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "SECONDS_BETWEEN_WRITES", 0.0)
    path = tmp_path / "part.safetensors"
    there = []
    train(
        build_model("logistic", (64,), 10), digits(50), Recipe(epochs=2), checkpoint=path,
        on_epoch=lambda *_: there.append(path.exists()),
    )  # fmt: skip
    assert there == [True, True]


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    rows, model = digits(60), build_model("mlp", (64,), 10)
    recipe = Recipe(epochs=2)
    path = tmp_path / "part.safetensors"
    train(model, rows, recipe, checkpoint=path)
    others = {
        "recipe": (model, rows, Recipe(epochs=3)),
        "data": (model, digits(61), recipe),
        "architecture": (build_model("mlp", (64,), 10, hidden=(8,)), rows, recipe),
        "starting weights": (build_model("mlp", (64,), 10, seed=1), rows, recipe),
    }
    content = path.read_bytes()
    for what, (other, data, chosen) in others.items():
        message = rf"part\.safetensors is the checkpoint of another run: it has other {what}\."
        with pytest.raises(InputError, match=message):
            train(other, data, chosen, checkpoint=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", ["cut off", "one bit", "empty", "another file"])
def test_a_damaged_checkpoint_is_noticed_and_training_starts_afresh(tmp_path: Path, damage: str) -> None:
    rows, model, recipe = digits(60), build_model("mlp", (64,), 10), Recipe(epochs=2)
    path = tmp_path / "part.safetensors"
    wanted = train(model, rows, recipe, checkpoint=path)
    content = bytearray(path.read_bytes())
    if damage == "one bit":
        content[-100] ^= 1
    changed = {
        "cut off": content[:-50],
        "one bit": content,
        "empty": b"",
        "another file": b"not a checkpoint",
    }
    path.write_bytes(bytes(changed[damage]))
    with pytest.warns(UserWarning, match=r"part\.safetensors is damaged .*; training starts afresh"):
        result = train(model, rows, recipe, checkpoint=path)
    assert result.resumed == 0 and same_weights(result.model, wanted.model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert train(model, rows, recipe, checkpoint=path).resumed == 2


def test_a_changed_record_is_damage_too(tmp_path: Path) -> None:
    rows, model, recipe = digits(60), build_model("mlp", (64,), 10), Recipe(epochs=2)
    path = tmp_path / "part.safetensors"
    train(model, rows, recipe, checkpoint=path)
    path.write_bytes(path.read_bytes().replace(b"losses", b"lossed"))
    with pytest.warns(UserWarning, match="damaged"):
        assert train(model, rows, recipe, checkpoint=path).resumed == 0


class Extra(torch.nn.Linear):
    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 3}

    def set_extra_state(self, state: dict[str, int]) -> None: ...


def test_a_state_that_is_no_tensor_trains_without_a_checkpoint_alone(tmp_path: Path) -> None:
    rows, path = digits(60), tmp_path / "part.safetensors"
    assert train(Extra(64, 10), rows, Recipe(epochs=1)).epochs == 1
    with pytest.raises(InputError, match="'_extra_state', of type dict; .*train without checkpoint="):
        train(Extra(64, 10), rows, Recipe(epochs=1), checkpoint=path)
    assert not path.exists()
