"""Finished models on disk: weights as safetensors, and beside them a JSON manifest with their hash."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vestige.arguments import checked
from vestige.errors import ArtefactError, InputError
from vestige.files import as_path
from vestige.models.sparsity import expect_masks
from vestige.store import file_hash, published, read_json, sidecar, write_json

Module = TypeVar("Module", bound=nn.Module)
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")


def write_weights(path: Path, model: nn.Module) -> None:
    """Write parameters and buffers as safetensors, nothing else; the `make` of a `store.step`."""
    state = tensors_of(model)
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in state.items()}, path)


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict. Raises `InputError` where it holds what is no tensor, which safetensors cannot keep."""
    state = model.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise InputError(
                f"The state dict has {name!r}, of type {type(value).__name__}; a file keeps tensors only. Let "
                "get_extra_state() return a tensor, or go without a file (train without checkpoint=)."
            )
    return dict(state)


def ties_of(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return which tensors are the same memory as an earlier one: {name: the first name of that memory}."""
    first: dict[Any, str] = {}
    ties = {}
    for name, value in tensors.items():
        place = (
            value.untyped_storage().data_ptr(),
            value.storage_offset(),
            value.shape,
            value.stride(),
            value.dtype,
        )
        if value.numel() and first.setdefault(place, name) != name:
            ties[name] = first[place]
    return ties


@checked
def save_model(path: Path, model: nn.Module, **facts: Any) -> None:
    """Write a model to `path` (`.safetensors`) and its manifest to `<path>.json`.

    Parameters
    ----------
    facts : Any
        What to keep in the manifest besides the hash: architecture, options, shape, classes, recipe, ...
    """
    path = as_path(path)
    sidecar(path).unlink(missing_ok=True)
    with published(path) as temporary:
        write_weights(temporary, model)
        digest = file_hash(temporary)
    write_json(sidecar(path), {"sha256": digest, **facts})


@checked
def load_model(path: Path, model: Module, *, verify: bool = True) -> Module:
    """Fill `model` with the weights at `path`; return it, in evaluation mode.

    Parameters
    ----------
    verify : bool
        Compare the file with the hash in its manifest; False for weights that vestige did not write.

    Raises
    ------
    ArtefactError
        Where the file is missing, is a pickle, differs from its manifest, or does not fit the model; the
        model then keeps the weights it had.
    """
    path = as_path(path)
    if path.suffix in _PICKLES:
        raise ArtefactError(_convert(path))
    if not path.is_file():
        raise ArtefactError(f"{path}: no such file.")
    if verify:
        _verify(path)
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise ArtefactError(f"{path}: not a safetensors file, or cut off ({error}).") from None
    expect_masks(model, state)
    own = tensors_of(model)
    for name, kept in ties_of(own).items():  # a file may hold one of them, under either name
        one, other = (kept, name) if kept in state else (name, kept)
        if one in state:
            state.setdefault(other, state[one])
    wanted = {name: tuple(value.shape) for name, value in own.items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise ArtefactError(
                f"{path} does not fit the model: {name!r} is {_shape(found, name)} in the file and "
                f"{_shape(wanted, name)} in the model."
            )
    model.load_state_dict(state)
    model.eval()
    return model


def _verify(path: Path) -> None:
    if not sidecar(path).is_file():
        raise ArtefactError(
            f"{path} has no manifest {sidecar(path).name}, so nothing tells whether it is whole; "
            "pass verify=False for weights that vestige did not write."
        )
    record = read_json(sidecar(path))
    if not isinstance(record, dict) or record.get("sha256") != file_hash(path):
        raise ArtefactError(
            f"{path} differs from the hash in {sidecar(path).name}; it was changed or cut off."
        )


def _shape(shapes: dict[str, tuple[int, ...]], name: str) -> str:
    return f"of shape {list(shapes[name])}" if name in shapes else "missing"


def _convert(path: Path) -> str:
    return (
        f"{path} is a pickle, which can run any code when it is opened; vestige reads safetensors. Convert it once: "
        f"vestige convert {path.name} {path.with_suffix('.safetensors').name}"
    )
