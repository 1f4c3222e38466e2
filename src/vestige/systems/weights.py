"""Weights of a user's network: a checkpoint of theirs, whatever wrapped the network when it was written, and our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_model
from torch import Tensor, nn

from vestige.errors import ArtefactError, InputError, told
from vestige.files import regular
from vestige.training.checkpoints import tensors_of

PREFIXES = {
    "module.": "DataParallel", "_orig_mod.": "torch.compile", "model.": "a Lightning module",
}  # fmt: skip
"""What wrappers put before the name of every weight."""
WITHIN = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Where a checkpoint that holds more than weights has them."""


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the network that `DataParallel` or `torch.compile` has wrapped, or the network itself."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(
            model, (nn.DataParallel, nn.parallel.DistributedDataParallel)
        ):
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
    path = regular(Path(path))
    state, notes = _plain(_read(path), tensors_of(model), path)
    model.load_state_dict(state)
    return notes


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ArtefactError(f"{path}: not a safetensors file, or cut off ({told(error)}).") from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of an unpickler: whatever the bytes lead it to
        raise ArtefactError(
            f"{path} cannot be read as plain weights ({told(error)}); where it holds a whole network, write "
            "torch.save(model.state_dict(), path) of it: opening such a file would run its code."
        ) from None
    if not isinstance(content, Mapping):
        raise ArtefactError(f"{path} holds a {type(content).__name__}; a state dict is wanted.")
    return content


def _plain(
    content: Mapping[str, Any], wanted: Mapping[str, Tensor], path: Path
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the weights under the network's own names, and what was done for it."""
    notes: list[str] = []
    inside = [name for name in WITHIN if isinstance(content.get(name), Mapping)]
    if inside and not all(isinstance(value, Tensor) for value in content.values()):
        if len(inside) > 1:
            raise InputError(f"{path} holds weights under {' and '.join(inside)}; write one of them to a file.")
        content = content[inside[0]]
        notes.append(f"The weights were read from {inside[0]!r} of {path.name}.")
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise ArtefactError(f"{path} holds no weights; a state dict, names with tensors, is wanted.")
    while state.keys() != wanted.keys():
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None)
        if prefix is None or all(name.startswith(prefix) for name in wanted):
            break
        state = {name.removeprefix(prefix): value for name, value in state.items()}
        notes.append(
            f"The names in {path.name} begin with {prefix!r}, of {PREFIXES[prefix]}, which was taken off."
        )
    for name, own in wanted.items():
        if name not in state and (twin := _twin(name, wanted, state)) is not None:
            state[name] = state[twin]
    for name in [*wanted, *state]:
        theirs, own = state.get(name), wanted.get(name)
        if theirs is None or own is None or theirs.shape != own.shape:
            raise InputError(
                f"{path} does not fit the network: {name!r} is {_shape(theirs)} in the file and {_shape(own)} in the "
                "network."
            )
    return state, tuple(notes)


def _twin(name: str, wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str | None:
    """Return the name in the file of a weight that is tied to the one of that name; files keep it once."""
    place, shape = wanted[name].data_ptr(), wanted[name].shape
    same = (other for other, value in wanted.items() if value.data_ptr() == place and value.shape == shape)
    return next((other for other in same if other in state), None)


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
