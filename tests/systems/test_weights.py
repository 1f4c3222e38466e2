"""Checkpoints of a user's, whatever wrapped the network when they were written."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file, save_model

from own_networks import Cnn, Own, Tied, pictures
from vestige import InputError
from vestige.systems import networks
from vestige.systems.weights import fill


def network(kind=Cnn, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind()


def prefixed(prefix):
    return {prefix + name: value for name, value in network().state_dict().items()}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (prefixed(""), ()),
        (prefixed("module."), ("module.",)),
        (prefixed("_orig_mod."), ("_orig_mod.",)),
        (prefixed("module._orig_mod."), ("module.", "_orig_mod.")),
        ({"state_dict": prefixed("model."), "epoch": 3, "optimizer_states": []}, ("'state_dict'", "model.")),
        ({"model": prefixed(""), "optimizer": {"lr": 0.1}}, ("'model'",)),
    ],
)
def test_a_checkpoint_is_read_and_what_was_taken_off_is_said(content, said, tmp_path):
    torch.save(content, tmp_path / "model.pt")
    model = network(seed=1)
    notes = fill(model, tmp_path / "model.pt")
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in network().state_dict().items())
    assert len(notes) == len(said) and all(word in note for word, note in zip(said, notes, strict=True))


def test_a_network_that_has_such_a_name_of_its_own_keeps_it(tmp_path):
    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = network()

    torch.save(Outer().state_dict(), tmp_path / "model.pt")
    assert fill(Outer(), tmp_path / "model.pt") == ()


def test_safetensors_with_tied_weights_kept_once(tmp_path):
    save_model(network(Tied), str(tmp_path / "tied.safetensors"))
    model = network(Tied, seed=1)
    fill(model, tmp_path / "tied.safetensors")
    assert torch.equal(model.second.weight, network(Tied).second.weight)


def test_what_does_not_fit_is_refused_and_the_network_stays(tmp_path):
    state = prefixed("")
    model = network(seed=1)
    for name, change, message in (
        (
            "shape",
            {"head.bias": torch.zeros(5)},
            r"'head.bias' is of shape \[5\] in the file and of shape \[3\]",
        ),
        ("more", {"loss.weight": torch.zeros(1)}, "'loss.weight' is of shape .* and missing in the network"),
    ):
        save_file(state | change, tmp_path / f"{name}.safetensors")
        with pytest.raises(InputError, match=message):
            fill(model, tmp_path / f"{name}.safetensors")
    torch.save(network(), tmp_path / "whole.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"state_dict": state, "model": state, "epoch": 1}, tmp_path / "two.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"12345678")
    for name, message in (
        ("whole.pt", "holds more than weights"), ("list.pt", "a state dict, names with tensors, is wanted"), ("two.pt", "under state_dict and model"),
        ("cut.safetensors", "not a readable .safetensors file"), ("gone.pt", "no such file"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            fill(model, tmp_path / name)
    assert torch.equal(model.conv.weight, network(seed=1).conv.weight)


def test_a_checkpoint_is_the_original_and_the_function_the_start(tmp_path):
    torch.save(prefixed("module."), tmp_path / "model.pt")
    data = Own(*pictures())
    system = networks(Cnn, data, checkpoint=tmp_path / "model.pt", unseen=[str(i) for i in range(40)])
    assert torch.equal(system.original.conv.weight, network().conv.weight)
    assert any("DataParallel" in note for note in system.notes)
