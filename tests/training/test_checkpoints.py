"""Finished models on disk: what is written comes back, and nothing else is taken for it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from digit_rows import same_weights
from safetensors.torch import save_file

from vestige.errors import ArtefactError, InputError
from vestige.models import build_model
from vestige.store import make_once, read_json, sidecar
from vestige.training import load_model, save_model, write_weights


def test_round_trip(tmp_path: Path) -> None:
    model = build_model("cnn", (1, 8, 8), 3, seed=4)
    path = tmp_path / "models" / "a.safetensors"
    save_model(path, model, architecture="cnn", shape=(1, 8, 8), classes=3)
    other = build_model("cnn", (1, 8, 8), 3, seed=5).train()
    loaded = load_model(path, other)
    assert loaded is other and not loaded.training and same_weights(loaded, model)
    assert read_json(sidecar(path))["architecture"] == "cnn"
    assert read_json(sidecar(path))["shape"] == [1, 8, 8]
    save_model(path, other, architecture="cnn")  # again, over it
    load_model(path, model)


def test_tied_and_channels_last_weights(tmp_path: Path) -> None:
    model = build_model("cnn", (3, 8, 8), 3).to(memory_format=torch.channels_last)
    save_model(tmp_path / "a.safetensors", model)
    assert same_weights(
        load_model(tmp_path / "a.safetensors", build_model("cnn", (3, 8, 8), 3, seed=1)), model
    )
    tied = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    save_model(tmp_path / "b.safetensors", tied)
    assert same_weights(load_model(tmp_path / "b.safetensors", copy.deepcopy(tied)), tied)


def test_a_step_of_the_store_makes_a_loadable_model(tmp_path: Path) -> None:
    model, path = build_model("logistic", (4,), 2), tmp_path / "a.safetensors"
    make_once(path, "key", lambda temporary: write_weights(temporary, model))
    assert same_weights(load_model(path, build_model("logistic", (4,), 2, seed=1)), model)


def test_a_model_that_does_not_fit_is_one_sentence_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_model(path, build_model("mlp", (64,), 10))
    narrow = build_model("mlp", (64,), 10, hidden=(256, 64), seed=1)
    kept = copy.deepcopy(narrow)
    message = r"'body.3.weight' is of shape \[128, 256\] in the file and of shape \[64, 256\] in the model"
    with pytest.raises(ArtefactError, match=message):
        load_model(path, narrow)
    assert same_weights(narrow, kept)
    save_model(path, build_model("mlp", (64,), 10, hidden=(8, 8)))
    with pytest.raises(
        ArtefactError, match=r"'body.3.bias' is of shape \[8\] in the file and missing in the model"
    ):
        load_model(path, build_model("mlp", (64,), 10, hidden=(8,)))


def test_damage_is_noticed(tmp_path: Path) -> None:
    path, model = tmp_path / "a.safetensors", build_model("logistic", (4,), 2)
    save_model(path, model)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArtefactError, match=r"differs from the hash in a\.safetensors\.json"):
        load_model(path, model)
    path.write_bytes(whole[:-3])
    with pytest.raises(ArtefactError, match="not a safetensors file, or cut off"):
        load_model(path, model, verify=False)
    path.unlink()
    with pytest.raises(ArtefactError, match="no such file"):
        load_model(path, model)


def test_weights_of_others_need_a_word(tmp_path: Path) -> None:
    path, model = tmp_path / "a.safetensors", build_model("logistic", (4,), 2)
    save_file(model.state_dict(), path)
    with pytest.raises(ArtefactError, match=r"no manifest a\.safetensors\.json.*verify=False"):
        load_model(path, model)
    assert load_model(path, build_model("logistic", (4,), 2, seed=1), verify=False).head.weight.equal(
        model.head.weight
    )


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pkl"])
def test_pickles_are_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x80\x04.")
    with pytest.raises(ArtefactError, match=r"is a pickle.*vestige convert model\.p\w+ model\.safetensors"):
        load_model(path, build_model("logistic", (4,), 2))


class Extra(torch.nn.Linear):
    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 3}

    def set_extra_state(self, state: dict[str, int]) -> None: ...


def test_a_state_that_is_no_tensor_is_refused_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match="'_extra_state', of type dict; a file keeps tensors only"):
        save_model(path, Extra(3, 2))
    assert not path.exists()
    save_model(path, torch.nn.Linear(3, 2))
    with pytest.raises(InputError, match="'_extra_state'"):
        load_model(path, Extra(3, 2))
