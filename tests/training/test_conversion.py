"""Checkpoints of torch made safetensors: what comes out is what went in, and no code of a file runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from digit_rows import same_weights
from safetensors.torch import load_file
from torch import nn

from vestige.errors import ArtefactError, InputError
from vestige.training import convert, load_model


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_weights_come_back_and_a_shared_prefix_is_named_and_stripped_when_told(
    tmp_path: Path, prefix: str
) -> None:
    model = network()
    torch.save({prefix + name: value for name, value in model.state_dict().items()}, tmp_path / "a.pt")
    known = convert(tmp_path / "a.pt", tmp_path / "a.safetensors")
    assert known.prefix == prefix and known.stripped == "" and known.weights == 7
    assert (f"--strip-prefix {prefix} " in " ".join(known.sentences)) == bool(prefix)
    assert set(load_file(tmp_path / "a.safetensors")) == {prefix + name for name in model.state_dict()}
    known = convert(tmp_path / "a.pt", tmp_path / "b.safetensors", strip_prefix=prefix.removesuffix("."))
    assert known.prefix == "" and known.stripped == prefix
    assert same_weights(load_model(tmp_path / "b.safetensors", network(1)), model)


def test_a_prefix_of_some_weights_is_not_stripped(tmp_path: Path) -> None:
    torch.save({"model.a": torch.ones(2), "head.b": torch.ones(2)}, tmp_path / "a.pt")
    assert convert(tmp_path / "a.pt", tmp_path / "a.safetensors").prefix == ""
    with pytest.raises(InputError, match=r"'head\.b' does not begin with 'model\.'; they share none"):
        convert(tmp_path / "a.pt", tmp_path / "b.safetensors", strip_prefix="model.")
    assert not (tmp_path / "b.safetensors").exists()


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight


def test_tied_weights_are_kept_once_and_fill_a_tied_model(tmp_path: Path) -> None:
    model = Tied()
    torch.save(model.state_dict(), tmp_path / "a.pt")
    known = convert(tmp_path / "a.pt", tmp_path / "a.safetensors")
    assert known.tied == {"head.weight": "embed.weight"} and known.weights == 1
    assert "Tied weights are kept once: 'head.weight' is 'embed.weight'." in known.sentences
    assert same_weights(load_model(tmp_path / "a.safetensors", Tied()), model)
    loose = nn.ModuleDict({"embed": nn.Embedding(5, 4), "head": nn.Linear(4, 5, bias=False)})
    with pytest.raises(ArtefactError, match=r"'head\.weight' is missing in the file"):
        load_model(tmp_path / "a.safetensors", loose)


def test_parts_of_one_memory_are_weights_of_their_own(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save({"top": whole[:1], "turned": whole.T, "low": whole[1:]}, tmp_path / "a.pt")
    known = convert(tmp_path / "a.pt", tmp_path / "a.safetensors")
    state = load_file(tmp_path / "a.safetensors")
    assert known.tied == {} and state["turned"].equal(whole.T) and state["low"].equal(whole[1:])


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, torch.int8])
def test_types_stay_as_they_are(tmp_path: Path, kind: torch.dtype) -> None:
    value = torch.arange(6).to(kind)
    torch.save({"w": value}, tmp_path / "a.pt")
    known = convert(tmp_path / "a.pt", tmp_path / "a.safetensors")
    kept = load_file(tmp_path / "a.safetensors")["w"]
    assert kept.dtype == kind and kept.equal(value) and known.types == (str(kind).removeprefix("torch."),)


def test_the_part_of_a_checkpoint_is_chosen_by_its_key(tmp_path: Path) -> None:
    model, path = network(), tmp_path / "a.ckpt"
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    torch.save(
        {"epoch": 3, "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(),
         "ema": {"decay": 0.9, "shadow": model.state_dict()}}, path,
    )  # fmt: skip
    with pytest.raises(
        InputError, match=r"--key state_dict \(tensors: 7\) or --key ema\.shadow \(tensors: 7\)"
    ):
        convert(path, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="no part with weights 'stat_dict'. Did you mean 'state_dict'"):
        convert(path, tmp_path / "a.safetensors", key="stat_dict")
    assert convert(path, tmp_path / "a.safetensors", key="state_dict").key == "state_dict"
    assert same_weights(load_model(tmp_path / "a.safetensors", network(1)), model)
    convert(path, tmp_path / "b.safetensors", key="ema.shadow")


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this code ran",))


def test_a_whole_model_is_refused_with_the_remedy_and_no_code_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(network(), tmp_path / "model.pt")
    with pytest.raises(
        ArtefactError, match=r"object of torch\.nn\.\S*Sequential.*torch\.save\(model\.state_dict\(\)"
    ):
        convert(tmp_path / "model.pt", tmp_path / "a.safetensors")
    torch.save({"w": torch.ones(1), "x": Trap()}, tmp_path / "trap.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Trap()))
    for name in ("trap.pt", "plain.pt"):
        with pytest.raises(ArtefactError):
            convert(tmp_path / name, tmp_path / "a.safetensors")
    assert "this code ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.ones(3), "one tensor without a name"),
        ([torch.ones(3)], "a state dict, {name: tensor}, is wanted"),
        ({}, "holds no weights"),
        ({"epoch": 3, "config": {"a": 1}}, "its parts are 'epoch', 'config'"),
        ({"w": torch.ones(2), "calls": 3}, "'calls' is of type int; safetensors keep tensors only"),
        ({"w": torch.eye(2).to_sparse()}, "'w' is torch.sparse_coo; dense tensors are wanted"),
        ({1: torch.ones(2)}, "the weight 1 is no name; text is wanted"),
    ],
)  # fmt: skip
def test_what_holds_no_weights_is_refused(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(InputError, match=message):
        convert(tmp_path / "a.pt", tmp_path / "a.safetensors")


def test_damage_and_wrong_places_are_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1000)}, tmp_path / "a.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:1500])
    (tmp_path / "text.pt").write_text("no weights")
    for name in ("cut.pt", "text.pt"):
        with pytest.raises(ArtefactError, match="no checkpoint that torch.save wrote"):
            convert(tmp_path / name, tmp_path / "b.safetensors")
    with pytest.raises(ArtefactError, match="no such file"):
        convert(tmp_path / "none.pt", tmp_path / "b.safetensors")
    with pytest.raises(InputError, match=r"a \.safetensors file is wanted"):
        convert(tmp_path / "a.pt", tmp_path / "b.pt")
    convert(tmp_path / "a.pt", tmp_path / "b.safetensors")
    with pytest.raises(InputError, match="exists, and is not written over"):
        convert(tmp_path / "a.pt", tmp_path / "b.safetensors")
