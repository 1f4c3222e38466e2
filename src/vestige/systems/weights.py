"""Weights of a user's network: a checkpoint of theirs, whatever wrapped the network then, and our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from vestige.errors import ArtefactError, InputError, shown, told
from vestige.files import as_path
from vestige.training.checkpoints import tensors_of, ties_of
from vestige.training.conversion import are_weights, parts_of, read_checkpoint

PREFIXES = {
    "module.": "DataParallel", "_orig_mod.": "torch.compile", "model.": "a Lightning module",
}  # fmt: skip
"""What wrappers put before the name of every weight."""


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the network that `DataParallel` or `torch.compile` has wrapped, or the network itself."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def fill(model: nn.Module, path: Path | str) -> tuple[str, ...]:
    """Fill a network with the weights of a checkpoint, in place; return what was stripped on the way, in sentences.

    Parameters
    ----------
    path
        A safetensors file, or what `torch.save` wrote of a state dict, alone or among others. Nothing in it is run.

    Raises
    ------
    ArtefactError
        Where it is missing, cannot be read without running its code, or holds no weights.
    InputError
        Where the weights do not fit the network; it then keeps those that it had.
    """
    path = as_path(path)
    state, notes = _plain(read_checkpoint(path), tensors_of(model), path)
    model.load_state_dict(state)
    return notes


def _plain(
    content: Any, wanted: Mapping[str, Tensor], path: Path
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the weights under the network's own names, and what was done for it."""
    notes: list[str] = []
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds {shown(content)}; a state dict, names with tensors, is wanted.")
    if not are_weights(content):
        parts = parts_of(content)
        if len(parts) != 1:
            several = f"weights under {' and '.join(parts)}" if parts else "no weights"
            raise InputError(
                f"{path} holds {several}; give a file of one state dict, such as vestige convert makes."
            )
        name, content = next(iter(parts.items()))
        notes.append(f"The weights were read from {name!r} of {path.name}.")
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    while state.keys() != wanted.keys():
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None)
        if prefix is None or all(name.startswith(prefix) for name in wanted):
            break
        state = {name.removeprefix(prefix): value for name, value in state.items()}
        notes.append(
            f"The names in {path.name} begin with {prefix!r}, of {PREFIXES[prefix]}, which was taken off."
        )
    for name, first in ties_of(wanted).items():  # files keep a tied weight once, under one of its names
        if (name in state) != (first in state):
            state[name] = state[first] = state[name if name in state else first]
    for name in [*wanted, *state]:
        theirs, own = state.get(name), wanted.get(name)
        if theirs is None or own is None or theirs.shape != own.shape:
            raise InputError(
                f"{path} does not fit the network: {name!r} is {_shape(theirs)} in the file and {_shape(own)} in the "
                "network."
            )
    return state, tuple(notes)


def _shape(value: Tensor | None) -> str:
    return "missing" if value is None else f"of shape {list(value.shape)}"


def keep(model: nn.Module, structure: nn.Module, path: Path) -> None:
    """Write weights as safetensors, tied ones once.

    Raises `InputError` where the network is of another structure than `structure`, into which it could not be read.
    """
    own, wanted = tensors_of(model), tensors_of(structure)
    for name in [*own, *wanted]:
        one, other = own.get(name), wanted.get(name)
        if one is None or other is None or one.shape != other.shape:
            raise InputError(
                f"The fitted network has another structure than the one that was given: {name!r} is {_shape(one)} in "
                f"the one and {_shape(other)} in the other. Let fit train the network that it is given."
            )
    save_model(model, str(path), metadata={"format": "pt"})  # what Hugging Face asks for


def read(structure: nn.Module, path: Path) -> nn.Module:
    """Fill `structure` with what `keep` wrote, and return it in evaluation mode. Raises `ArtefactError`."""
    if not path.is_file():
        raise ArtefactError(f"{path}: no such file.")
    try:
        load_model(structure, str(path))
    except (SafetensorError, RuntimeError) as error:
        raise ArtefactError(f"{path} cannot be read into the network ({told(error)}).") from None
    return structure.eval()
