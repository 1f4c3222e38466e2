"""The checkpoint of a run under way: weights, optimiser state and the finished epochs, in one file.

Unlike finished files it has no sidecar: its checksum is inside, so that one rename publishes it and a kill
at any instant leaves either the old or the new state.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vestige.data.dataset import Dataset
from vestige.errors import InputError
from vestige.files import looked_at
from vestige.store import key_of, published
from vestige.training.batches import Rows, row_count
from vestige.training.checkpoints import tensors_of
from vestige.training.recipe import Recipe

SECONDS_BETWEEN_WRITES = 5.0

Facts = dict[str, str]


def facts_of(recipe: Recipe, model: nn.Module, rows: Rows) -> Facts:
    """Return what a checkpoint must share with the run that continues it. Call before training starts.

    A torch `Dataset` is known by its type and length only.
    """
    state = tensors_of(model)
    return {
        "recipe": recipe.key,
        "architecture": key_of(
            [(name, list(value.shape), str(value.dtype)) for name, value in state.items()]
        ),
        "data": rows.fingerprint
        if isinstance(rows, Dataset)
        else f"{type(rows).__name__} of {row_count(rows)}",
        "starting weights": _digest(state, ""),
    }


class Checkpoint:
    """The file `path`, which belongs to the run that `facts` describe.

    After every epoch the state is copied in memory; it is written at most every five seconds, so that short
    epochs are not slowed down, and by `flush` when training ends or is interrupted.
    """

    def __init__(self, path: Path, facts: Facts) -> None:
        self.path, self.facts = Path(path), facts
        self._pending: tuple[dict[str, Tensor], dict[str, Any]] | None = None
        self._written = time.monotonic()

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[list[float], float]:
        """Bring model and optimiser to the state in the file; return the epochs' losses and the seconds taken.

        No file: nothing happens. A damaged one: a warning, and training starts afresh. Raises `InputError`
        where the file belongs to another run.
        """
        if looked_at(self.path) is None:
            return [], 0.0
        try:
            tensors, record = _read(self.path)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            warnings.warn(f"{self.path} is damaged ({error}); training starts afresh.", stacklevel=3)
            return [], 0.0
        for what, value in self.facts.items():
            if record["facts"].get(what) != value:
                raise InputError(
                    f"{self.path} is the checkpoint of another run: it has other {what}. "
                    "Delete it, or name another file."
                )
        model.load_state_dict(_under("model.", tensors))
        _load_optimizer(optimizer, _under("optimizer.", tensors))
        return list(record["losses"]), float(record["seconds"])

    def keep(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float], seconds: float
    ) -> None:
        """Remember the state after an epoch, and write it if the last writing is long enough ago."""
        tensors = {f"model.{name}": value for name, value in tensors_of(model).items()}
        for i, state in enumerate(_states(optimizer)):
            tensors |= {f"optimizer.{i}.{name}": v for name, v in state.items() if isinstance(v, Tensor)}
        copies = {
            name: value.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)
            for name, value in tensors.items()
        }
        self._pending = copies, {"facts": self.facts, "losses": list(losses), "seconds": seconds}
        if time.monotonic() - self._written >= SECONDS_BETWEEN_WRITES:
            self.flush()

    def flush(self) -> None:
        """Write what is remembered and not yet written."""
        if self._pending is None:
            return
        tensors, record = self._pending
        text = json.dumps(record)
        with published(self.path) as temporary:
            save_file(tensors, temporary, metadata={"record": text, "sha256": _digest(tensors, text)})
        self._pending, self._written = None, time.monotonic()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    if _digest(tensors, metadata["record"]) != metadata["sha256"]:
        raise ValueError("its checksum does not agree")
    return tensors, json.loads(metadata["record"])


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _states(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    return [optimizer.state[p] for group in optimizer.param_groups for p in group["params"]]


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        # fused kernels walk the memory of both side by side: a buffer needs its parameter's layout
        like = torch.empty_like(parameter, dtype=value.dtype) if value.shape == parameter.shape else None
        restored = value.to(parameter.device) if like is None else like.copy_(value)
        optimizer.state[parameter][name] = restored.detach()
