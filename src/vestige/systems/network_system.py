"""`Networks`: the system of a torch network; how it is fitted, asked, kept and told from others."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vestige.data.dataset import Dataset
from vestige.data.split import Split
from vestige.errors import InputError, told
from vestige.files import memory, size_of
from vestige.models.copies import copied
from vestige.models.device import device_of, pick_device
from vestige.models.features import last_input
from vestige.models.initial import reinitialise
from vestige.models.passes import evaluating
from vestige.models.threads import few_threads
from vestige.signals.kinds import Outputs
from vestige.store import key_of
from vestige.systems.answers import KINDS, OneInput, numbers_of, readable
from vestige.systems.base import Positions, Records, System, probe, ways
from vestige.systems.descent import train_streaming
from vestige.systems.items import Batch, Items, part_of
from vestige.systems.seeding import all_seeded
from vestige.systems.weights import keep, read, unwrapped
from vestige.training.loop import train
from vestige.training.recipe import Recipe
from vestige.unlearning import unlearn

Fit = Callable[[nn.Module, Any, int], nn.Module | None]
Start = Callable[[], nn.Module]
WEIGHTS = "model.safetensors"
MOST_HELD = 500_000_000
"""Bytes of records that are held at once, to look for copies among them."""


class Networks(System):
    """A torch network on a user's data; build it by `networks`."""

    def __init__(
        self,
        records: Records,
        seen: Positions,
        items: Items,
        structure: nn.Module,
        *,
        original: nn.Module | None,
        start: Start | None,
        fit: Fit | None,
        recipe: Recipe | None,
        task: str,
        width: int,
        name: str,
        batch_size: int,
        device: str,
        notes: tuple[str, ...],
    ) -> None:
        self.records, self.seen, self.items, self.structure = records, seen, items, structure
        self.original, self.start, self.train_by, self.recipe = original, start, fit, recipe
        self.task, self.width, self.name, self.notes = task, width, name, notes
        self.batch_size, self.device = batch_size, device

    def fit(self, rows: Positions, seed: int) -> nn.Module:
        """Train a fresh network on the records at `rows`, by the user's own function or by the recipe."""
        model = self.fresh(seed)
        if self.train_by is not None:
            return self._by_hand(model, rows, seed)
        if self.recipe is None:
            raise InputError(
                "How the network is trained is not said, and a model must be fitted here: give fit=, a function of "
                "(model, dataset, seed), or recipe=, a vestige.Recipe."
            )
        recipe = self.recipe.model_copy(update={"seed": seed})
        return self.descend(model, rows, recipe)

    def fresh(self, seed: int) -> nn.Module:
        """Return the network that a fit begins with."""
        if self.start is None:
            try:
                return reinitialise(self.structure, seed)
            except InputError as error:
                raise InputError(
                    f"{error} Or give start=, a function that returns an untrained network."
                ) from None
        with all_seeded(seed):
            return network_in(called(self.start, "start"))

    def _by_hand(self, model: nn.Module, rows: Positions, seed: int) -> nn.Module:
        dataset = part_of(self.items.data, rows)
        try:
            with all_seeded(seed):
                result = cast(Fit, self.train_by)(model, dataset, seed)
        except (InputError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # the user's own code: whatever it raises
            raise InputError(f"fit: {type(error).__name__}: {told(error)}.") from error
        if result is not None and not isinstance(result, nn.Module):
            raise InputError(
                f"fit returns {type(result).__name__}; the network is wanted, or None where it trained the one it was "
                "given."
            )
        return unwrapped(model if result is None else result).eval()

    def descend(self, model: nn.Module, rows: Positions, recipe: Recipe) -> nn.Module:
        """Train a network by a recipe: in memory where the data are a `vestige.Dataset`, else batch by batch."""
        data = getattr(self.items.data, "whole", None)
        if data is not None and self.task == "classification" and self.width > 1:
            return train(model, data.take(rows), recipe, device=self.device).model
        return train_streaming(model, self.items, rows, recipe, self.task, self.device)

    def outputs(self, model: nn.Module, rows: Positions) -> Outputs:
        """Return logits, or predictions, in evaluation mode; the network and the random state stay as they are."""

        def read(network: nn.Module, batch: Batch) -> Tensor:
            values = numbers_of(network, batch)
            if values.shape[1] != self.width:
                raise InputError(f"The network has {values.shape[1]} outputs; {self.width} are wanted.")
            return values

        result = self._passed(model, rows, read)
        if result is None:  # of no records
            return Outputs(np.empty((0, self.width), np.float32), KINDS[self.task])
        wrong = ~np.isfinite(result).all(axis=1)
        if wrong.any():
            name = str(self.records.ids[rows[int(wrong.argmax())]])
            raise InputError(f"The network gives a NaN or infinite output for record {name!r}.")
        return Outputs(result, KINDS[self.task])

    def representations(self, model: nn.Module, rows: Positions) -> NDArray[np.float32] | None:
        """Return what the linear layer that runs last reads, [n, D]; None where none runs, or on another form."""

        def read(network: nn.Module, batch: Batch) -> Tensor | None:
            with last_input(network) as reader:
                numbers_of(network, batch)
            value = reader.value
            return value if value is not None and value.ndim == 2 and len(value) == len(batch) else None

        return self._passed(model, rows, read)

    def _passed(
        self, model: nn.Module, rows: Positions, read: Callable[[nn.Module, Batch], Tensor | None]
    ) -> NDArray[np.float32] | None:
        """Return what `read` takes of each batch, [n, ...], one behind the other; None where it finds nothing."""
        where, home = pick_device(self.device), device_of(model)
        result, at = None, 0
        with evaluating(model), all_seeded(0):
            first = self.items.first(rows).to(where)
            network = readable(model.to(where), first)
            try:
                with (
                    few_threads(OneInput(network, first), first.main, self.batch_size),
                    torch.inference_mode(),
                ):
                    for batch in self.items.batches(rows, self.batch_size):
                        values = read(network, batch.to(where))
                        if values is None:
                            return None
                        if result is None:
                            result = np.empty((len(rows), *values.shape[1:]), np.float32)
                        result[at : at + len(batch)] = values.float().cpu().numpy()
                        at += len(batch)
            finally:
                model.to(home)
        return result

    def unlearn(
        self, method: str, model: Any, forget: Positions, retain: Positions, *, seed: int, **options: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Run one of `vestige.methods` on the network. Raises `InputError` where it or the data are of another kind."""
        self.expect_method(method)
        data = self.in_memory(np.concatenate([forget, retain]))
        n, none = len(forget), np.zeros(0, np.int64)
        split = Split(data, np.arange(n), np.arange(n, len(data)), none, none)
        options.pop("label", None)
        result = unlearn(method, model, split, recipe=self.recipe, seed=seed, device=self.device, **options)
        return result.model, {
            "method": method, "options": result.options, "retrain_epochs": result.epochs,
            "gradient_steps": result.gradient_steps, "stopped": result.stopped, "decided": result.decided,
        }  # fmt: skip

    def expect_method(self, method: str) -> None:
        """Raise `InputError` for a method that does not work on this network or on its records."""
        from vestige.unlearning.registry import methods_on, refusal

        unfit = self._unfit(self.seen)
        reason = refusal(method, self.structure, unseen=False) or (unfit and f"{method}: {unfit}")
        if reason:
            raise InputError(
                f"{reason} {ways(self.name, [] if unfit else methods_on(self.structure, unseen=False))}"
            )

    def _unfit(self, rows: Positions) -> str:
        """Return why no unlearning method takes this kind of network, or these records; "" where they do."""
        if self.task != "classification" or self.width < 2:
            return "unlearning methods work on networks with an output a class; this one is of another kind."
        if getattr(self.items.data, "whole", None) is not None:
            return ""
        inputs, need = self._inputs(rows)
        if inputs != 1:
            return (
                f"unlearning methods take features [N, F] or images [N, C, H, W]; these records have {inputs} inputs, "
                "or one of another form."
            )
        if need > memory() / 2:
            return (
                f"unlearning methods hold the records in memory, {size_of(need)} here; this machine has "
                f"{size_of(memory())}. Retraining reads them batch by batch."
            )
        return ""

    def in_memory(self, rows: Positions) -> Dataset:
        """Return records as a `vestige.Dataset`."""
        held = getattr(self.items.data, "whole", None)
        if held is not None:
            return cast(Dataset, held.take(rows))
        labels = self.records.labels
        assert labels is not None
        return Dataset(
            self.name, self._read(rows), labels[rows], self.records.ids[rows], self.records.classes
        )

    def features(self, rows: Positions) -> Any:
        """Return what some records hold, [n, F] or [n, C, H, W], to look for copies; None where that cannot be held."""
        inputs, need = self._inputs(rows)
        if inputs != 1 or need > MOST_HELD or self.items.wavers(rows):
            return None
        return self._read(rows)

    def _inputs(self, rows: Positions) -> tuple[int, int]:
        """Return how many inputs a record has, 0 where one is of another form, and the bytes of all as float32."""
        first = self.items.first(rows)
        inputs = len(first.args) + len(first.kwargs)
        plain = inputs != 1 or (first.main.ndim in (2, 4) and first.main.is_floating_point())
        return inputs if plain else 0, first.main[0].numel() * 4 * len(rows)

    def _read(self, rows: Positions) -> NDArray[np.float32]:
        """Return the input of some records, of those that have one."""
        x = np.empty((len(rows), *self.items.first(rows).main.shape[1:]), np.float32)
        at = 0
        with all_seeded(0):
            for batch in self.items.batches(rows, self.batch_size):
                x[at : at + len(batch)] = batch.main.numpy()
                at += len(batch)
        return x

    def save(self, model: Any, folder: Path) -> None:
        keep(model, self.structure, folder / WEIGHTS)

    def load(self, folder: Path) -> nn.Module:
        return read(copied(self.structure), folder / WEIGHTS)

    def fingerprint(self) -> str:
        weights = [(name, tuple(value.shape)) for name, value in self.structure.state_dict().items()]
        return key_of(
            "networks", str(self.structure), self.records.fingerprint, self.items.hash(probe(len(self.records))),
            weights, source(type(self.structure)), source(self.start), source(self.train_by),
            None if self.recipe is None else self.recipe.key, self.task,
        )  # fmt: skip


def called(start: Start, what: str) -> Any:
    """Return what a user's function of no arguments returns. Raises `InputError` where it raises."""
    try:
        return start()
    except (InputError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the user's own code: whatever it raises
        raise InputError(
            f"{what}, called without arguments: {type(error).__name__}: {told(error)}; a function that returns a "
            "torch.nn.Module is wanted, such as lambda: Net(...)."
        ) from error


def network_in(value: Any) -> nn.Module:
    if not isinstance(value, nn.Module):
        raise InputError(f"The function returns {type(value).__name__}; a torch.nn.Module is wanted.")
    return unwrapped(value)


def source(thing: Any) -> str | None:
    """Return the source of a function or class, or what it is made of where there is none."""
    if thing is None:
        return None
    thing = getattr(thing, "func", thing) if hasattr(thing, "keywords") else thing
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        code = getattr(thing, "__code__", None)
        return (
            getattr(thing, "__qualname__", type(thing).__qualname__) if code is None else code.co_code.hex()
        )
