"""Checkpoints of torch made safetensors: weights alone, read without running code of the file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vestige.arguments import checked
from vestige.errors import ArtefactError, InputError, shown, told, unknown
from vestige.files import as_path, looked_at, reading, regular, size_of
from vestige.store import file_hash, published, sidecar, write_json
from vestige.training.checkpoints import ties_of

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and Lightning put before the name of every weight."""
GLOBAL = re.compile(r"GLOBAL ([\w.<>]+)")
NAMED = 3


@dataclass(frozen=True)
class Conversion:
    """What became of a checkpoint.

    Attributes
    ----------
    path : Path
        The safetensors file; its hash stands in a JSON file beside it, so that `load_model` takes it.
    weights : int
        How many tensors it holds, of how many `bytes`.
    types : tuple[str, ...]
        Their types, such as ("bfloat16",).
    key : str or None
        The part of the checkpoint that they come from; None where it was the weights alone.
    prefix : str
        What every name still begins with that wrappers of modules put there; "" where there is nothing.
    stripped : str
        What was taken off every name.
    tied : Mapping[str, str]
        Weights that share their memory with another, which is kept once: {left out: kept}.
    """

    path: Path
    weights: int
    bytes: int
    types: tuple[str, ...]
    key: str | None
    prefix: str
    stripped: str
    tied: Mapping[str, str]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was done, and what may be left to do."""
        weights = f"{self.weights:,} weight{'' if self.weights == 1 else 's'} ({', '.join(self.types)})"
        source = "" if self.key is None else f", from {self.key!r} of the checkpoint"
        said = [f"{self.path}: {weights}, {size_of(self.bytes)}{source}."]
        if self.stripped:
            said.append(f"{self.stripped!r} was taken off every name.")
        if self.prefix:
            said.append(
                f"Every name begins with {self.prefix!r}, as of a wrapped model; --strip-prefix {self.prefix} takes "
                "it off."
            )
        if self.tied:
            pairs = [f"{name!r} is {kept!r}" for name, kept in list(self.tied.items())[:NAMED]]
            more = f" and {len(self.tied) - NAMED} more" if len(self.tied) > NAMED else ""
            said.append(f"Tied weights are kept once: {', '.join(pairs)}{more}.")
        return tuple(said)


@checked
def convert(before: Path, after: Path, *, strip_prefix: str = "", key: str | None = None) -> Conversion:
    """Write the weights of a checkpoint as safetensors, without running any code that the checkpoint holds.

    Parameters
    ----------
    before : path
        A file of `torch.save`, read with `weights_only=True`, or a safetensors file.
    after : path
        A new `.safetensors` file.
    strip_prefix : str
        What is taken off every name, such as "module." of DataParallel; a full stop at its end may be left out.
    key : str, optional
        The part of the checkpoint that holds the weights, such as "state_dict"; with full stops for parts of parts.

    Returns
    -------
    Conversion
        Types stay as they are, bfloat16 and float16 too. Tied weights are kept once, under their first name.

    Raises
    ------
    ArtefactError
        For a file that is missing, cut off, or holds more than weights, such as a whole model.
    InputError
        Where the weights are a part of the file and `key` names none, for a prefix that not every name has, for what is
        no dense tensor, and where `after` exists.

    Examples
    --------
    >>> import tempfile, torch
    >>> from vestige.training import convert
    >>> folder = Path(tempfile.mkdtemp())
    >>> torch.save({"state_dict": {"module.weight": torch.ones(2, 2)}}, folder / "before.pt")
    >>> made = convert(folder / "before.pt", folder / "after.safetensors", key="state_dict", strip_prefix="module.")
    >>> made.weights, made.stripped
    (1, 'module.')
    """
    before, after = as_path(before), as_path(after)
    if after.suffix != ".safetensors":
        raise InputError(f"{after}: the name of a .safetensors file is wanted.")
    if looked_at(after) is not None:
        raise InputError(f"{after} exists, and is not written over; name another file, or delete it.")
    weights, key = _weights(before, read_checkpoint(before), key)
    weights, stripped = _stripped(before, weights, strip_prefix)
    tied = ties_of(weights)
    kept = {name: value.contiguous().clone() for name, value in weights.items() if name not in tied}
    with published(after) as temporary:
        with reading(before, "its weights cannot be kept as safetensors", "."):
            save_file(kept, temporary, metadata={"format": "pt", **tied})
        digest = file_hash(temporary)
    facts = {
        "sha256": digest,
        "converted_from": before.name,
        "sha256_before": file_hash(before),
        "tied": tied,
    }
    write_json(sidecar(after), facts)
    return Conversion(
        path=after,
        weights=len(kept),
        bytes=sum(value.nbytes for value in kept.values()),
        types=tuple(sorted({str(value.dtype).removeprefix("torch.") for value in kept.values()})),
        key=key,
        prefix=_prefix_of(weights),
        stripped=stripped,
        tied=tied,
    )


def read_checkpoint(path: Path) -> Any:
    """Return what a checkpoint holds, read without running its code. Raises `ArtefactError` where that cannot be."""
    regular(path)
    if path.suffix == ".safetensors":
        with reading(path, "not a readable .safetensors file"):
            return load_file(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of files that other programs wrote
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises errors of many kinds for what it cannot read
        name = GLOBAL.search(str(error))
        if name is None:
            raise ArtefactError(
                f"{path} is no checkpoint that torch.save wrote ({_reason(error)})."
            ) from None
        raise ArtefactError(
            f"{path} holds more than weights: an object of {name[1]}, whose code would run when it is read. In the "
            "program that wrote it, save the weights alone, torch.save(model.state_dict(), 'weights.pt'), and convert "
            "that file."
        ) from None


def _reason(error: Exception) -> str:
    return told(error).split(". ")[0][:120]


def _weights(path: Path, content: Any, key: str | None) -> tuple[dict[str, Tensor], str | None]:
    """Return the weights by name, and the key that they stand under."""
    if isinstance(content, Tensor):
        raise InputError(f"{path} holds one tensor without a name; save a state dict, {{name: tensor}}.")
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds {shown(content)}; a state dict, {{name: tensor}}, is wanted.")
    parts = parts_of(content)
    if key is not None:
        if key not in parts:
            raise InputError(
                f"{path}: {unknown('part with weights', key, parts) if parts else _nothing(content)}"
            )
        return _dense(path, parts[key]), key
    if are_weights(content):
        return _dense(path, content), None
    if parts:
        names = " or ".join(f"--key {name} (tensors: {len(part):,})" for name, part in parts.items())
        raise InputError(
            f"{path} is a checkpoint that holds more than weights; name the part to convert: {names}."
        )
    raise InputError(f"{path}: {_nothing(content)}")


def parts_of(content: Mapping[Any, Any], depth: int = 2) -> dict[str, Mapping[str, Any]]:
    """Return the parts of a checkpoint that are weights, by the way to them: "state_dict", or "model.ema"."""
    parts = {}
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, Mapping):
            if are_weights(value):
                parts[name] = value
            elif depth > 1:
                parts |= {f"{name}.{inner}": part for inner, part in parts_of(value, depth - 1).items()}
    return parts


def are_weights(content: Mapping[Any, Any]) -> bool:
    """Is it a state dict itself?"""
    return any(isinstance(value, Tensor) for value in content.values()) and not any(
        isinstance(value, Mapping) for value in content.values()
    )


def _nothing(content: Mapping[Any, Any]) -> str:
    names = ", ".join(repr(str(name)[:40]) for name in list(content)[:10])
    return f"It holds no weights, a state dict of tensors by name; its parts are {names or 'none'}."


def _dense(path: Path, weights: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Return weights that safetensors can keep; say which cannot be."""
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            raise InputError(
                f"{path}: {shown(name)} is of type {type(value).__name__}; safetensors keep tensors only, save the "
                "weights without it."
            )
        if (
            not isinstance(name, str)
            or value.layout is not torch.strided
            or value.is_quantized
            or value.is_meta
        ):
            kind = (
                "quantised"
                if value.is_quantized
                else "without values"
                if value.is_meta
                else str(value.layout)
            )
            what = f"{kind}; dense tensors are" if isinstance(name, str) else "no name; text is"
            raise InputError(f"{path}: the weight {shown(name)} is {what} wanted.")
    return dict(weights)


def _prefix_of(names: Mapping[str, Any]) -> str:
    """Return what wrappers of modules put before every name; several may stand in a row."""
    prefix = ""
    while True:
        longer = [prefix + one for one in PREFIXES if all(name.startswith(prefix + one) for name in names)]
        if not longer:
            return prefix
        prefix = longer[0]


def _stripped(path: Path, weights: dict[str, Tensor], prefix: str) -> tuple[dict[str, Tensor], str]:
    if not prefix:
        return weights, ""
    prefix = prefix if prefix.endswith(".") else f"{prefix}."
    for name in weights:
        if not name.startswith(prefix) or name == prefix:
            shared = _prefix_of(weights)
            hint = f"all begin with {shared!r}" if shared else "they share none that a wrapper puts there"
            raise InputError(f"{path}: the weight {name!r} does not begin with {prefix!r}; {hint}.")
    return {name.removeprefix(prefix): value for name, value in weights.items()}, prefix
