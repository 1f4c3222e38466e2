"""`networks`: a torch network of the user's, on data of any form, as a system."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vestige.data.dataset import Dataset
from vestige.data.split import Split
from vestige.errors import InputError, told
from vestige.files import memory, size_of
from vestige.models.copies import copied
from vestige.models.device import device_of, pick_device
from vestige.models.initial import reinitialise
from vestige.models.threads import few_threads
from vestige.signals.collect import evaluating
from vestige.signals.kinds import Outputs
from vestige.store import key_of
from vestige.systems.answers import KINDS, Asked, look, numbers_of, readable
from vestige.systems.base import PROBE, Positions, Records, System
from vestige.systems.descent import train_streaming
from vestige.systems.items import Items, accepted, class_names, items_of, joined, named_by, part_of, truth_of
from vestige.systems.seeding import all_seeded
from vestige.systems.unseen import is_data, seen_rows
from vestige.systems.weights import fill, keep, read, unwrapped
from vestige.training.loop import recipe_of, train
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
            return _network(self.start())

    def _by_hand(self, model: nn.Module, rows: Positions, seed: int) -> nn.Module:
        dataset = part_of(self.items.data, rows)
        try:
            with all_seeded(seed):
                result = self.train_by(model, dataset, seed)  # type: ignore[misc]
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
        where = pick_device(self.device)
        result = np.empty((len(rows), self.width), np.float32)
        home, at = device_of(model), 0
        with evaluating(model), all_seeded(0):
            first = self.items.first(rows).to(where)
            network = readable(model.to(where), first)
            try:
                with few_threads(Asked(network, first), first.main, self.batch_size), torch.inference_mode():
                    for batch in self.items.batches(rows, self.batch_size):
                        values = numbers_of(network, batch.to(where))
                        if values.shape[1] != self.width:
                            raise InputError(
                                f"The network has {values.shape[1]} outputs; {self.width} are wanted."
                            )
                        result[at : at + len(batch)] = values.float().cpu().numpy()
                        at += len(batch)
            finally:
                model.to(home)
        wrong = ~np.isfinite(result).all(axis=1)
        if wrong.any():
            name = str(self.records.ids[rows[int(wrong.argmax())]])
            raise InputError(f"The network gives a NaN or infinite output for record {name!r}.")
        return Outputs(result, KINDS[self.task])

    def unlearn(
        self, method: str, model: Any, forget: Positions, retain: Positions, *, seed: int, **options: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Run one of `vestige.methods` on the network. Raises `InputError` where it or the data are of another kind."""
        if self.task != "classification" or self.width < 2:
            raise InputError(
                f"{method} works on networks with an output a class; this one has another kind: use 'retrain'."
            )
        data = self.in_memory(np.concatenate([forget, retain]))
        n, none = len(forget), np.zeros(0, np.int64)
        split = Split(data, np.arange(n), np.arange(n, len(data)), none, none)
        options.pop("label", None)
        result = unlearn(method, model, split, recipe=self.recipe, seed=seed, device=self.device, **options)
        return result.model, {
            "method": method, "options": result.options, "retrain_epochs": result.epochs,
            "gradient_steps": result.gradient_steps, "stopped": result.stopped, "decided": result.decided,
        }  # fmt: skip

    def in_memory(self, rows: Positions) -> Dataset:
        """Return records as a `vestige.Dataset`. Raises `InputError` where they are too many, or of another form."""
        held = getattr(self.items.data, "whole", None)
        if held is not None:
            return held.take(rows)  # type: ignore[no-any-return]
        inputs, need = self._inputs(rows)
        if inputs != 1:
            raise InputError(
                f"Unlearning methods take features [N, F] or images [N, C, H, W]; these records have {inputs} inputs, "
                "or one of another form: use 'retrain'."
            )
        if need > memory() / 2:
            raise InputError(
                f"Unlearning methods hold the records in memory, {size_of(need)} here; this machine has "
                f"{size_of(memory())}: use 'retrain', which reads them batch by batch."
            )
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
        rows = np.sort(np.random.default_rng(0).permutation(len(self.records))[:PROBE])
        weights = [(name, tuple(value.shape)) for name, value in self.structure.state_dict().items()]
        return key_of(
            "networks", str(self.structure), self.records.fingerprint, self.items.hash(rows), weights,
            source(type(self.structure)), source(self.start), source(self.train_by),
            None if self.recipe is None else self.recipe.key, self.task,
        )  # fmt: skip


def networks(
    model: nn.Module | Start,
    data: Any,
    *,
    unseen: Any = None,
    id: Any = None,
    label: Any = None,
    cluster: Any = None,
    classes: Iterable[str] | None = None,
    task: str | None = None,
    fit: Fit | None = None,
    recipe: Recipe | str | Mapping[str, Any] | None = None,
    start: Start | None = None,
    checkpoint: Path | str | None = None,
    batch_size: int = 512,
    device: str = "auto",
    name: str | None = None,
    forget: Iterable[str] = (),
    build: type[Networks] = Networks,
) -> Networks:
    """Return a torch network and its data as a system. Data are read batch by batch, and never held as a whole.

    Parameters
    ----------
    model
        A trained network, which is the original; or a function that returns an untrained one.
    data
        What it was trained on: a map-style torch Dataset or a DataLoader of one (its collate_fn is kept), a
        TensorDataset, arrays (x, y), a `vestige.Dataset`, or a Hugging Face data set. Items are tuples (x, y), of
        several inputs as (x1, x2, y), or dictionaries, whose fields are given to the network by name.
    unseen
        Records that the network never saw: data of the same form, ids among `data`, or a share of it. Where the network
        is trained it is needed; else one half is kept from it, which is said.
    id, cluster
        Names of the records, and which of them are one person's: a list, the field of a dictionary, or a function of
        the place. Default: places, as text, and "unseen-" before those of `unseen`.
    label
        The field of a dictionary, or the place in a tuple, that holds the truth; default: the last of a tuple.
    classes
        Names of the classes, in the order of the outputs.
    task
        "classification", "multilabel" or "regression"; default: as the labels say.
    fit
        Your own training, a function of (model, dataset, seed): it trains the fresh network on the records of
        `dataset`, and on no other, and returns it. `dataset` is a torch Subset, or a Hugging Face data set.
    recipe
        In place of `fit`: a `vestige.Recipe` to train by.
    start
        A function that returns the network a fit begins with, such as a pretrained one; default: that of `model`, or
        its layers drawn anew.
    checkpoint
        A file with the weights of the original: safetensors, or a state dict that torch.save wrote.
    batch_size
        Records that are read at once, to measure.
    device
        "auto", "cpu", "cuda", ...
    name
        What it is called in reports.
    forget
        Ids that will be forgotten: a network that is yet to be trained shall see them.
    build
        `Networks`, or a class of your own that is derived from it.

    Returns
    -------
    Networks
        With logits [n, C] as outputs; [n, 1] of a network with one output for two classes; predictions [n, D] of a
        regression, and logits of several labels [n, L].

    Raises
    ------
    InputError
        Where data, labels or ids cannot be understood, where the network does not take them or ends in a softmax,
        where a checkpoint does not fit, and where a trained network comes without records that it never saw.

    Examples
    --------
    >>> import numpy as np, torch, vestige
    >>> from vestige.systems import networks
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 4)).astype(np.float32)
    >>> system = networks(lambda: torch.nn.Linear(4, 2), (x, (x[:, 0] > 0).astype(int)), recipe={"epochs": 2})
    >>> system.outputs(system.fit(system.seen, 0), np.arange(3)).values.shape
    (3, 2)
    """
    structure, original, start, notes = _models(
        model, start, checkpoint, fit is not None or recipe is not None
    )
    items, more = items_of(data, label)
    notes = [*notes, *more]
    count = len(items)
    other = None
    if is_data(unseen):
        other, _ = items_of(unseen, label)
        items = joined(items, replace(other, collate=items.collate))
    items = replace(items, accepts=accepted(structure))
    if not count or len(items) < 2:
        raise InputError("data hold no records.")
    _check_repeats(items, count, notes)
    truth = _truth(items, batch_size)
    first = items.first(np.arange(len(items)))
    with all_seeded(0), evaluating(original or structure):
        task, width, said = look(
            original or structure, first.to(device_of(original or structure)), truth, task
        )
    records = _records(items, truth, task, width, classes, _names(id, items, count, data, unseen), cluster)
    seen, kept = seen_rows(records, count, unseen, original is not None, forget=forget)
    recipe = None if recipe is None else recipe_of(recipe)
    _check_fit(fit, recipe)
    return build(
        records, seen, items, structure, original=original, start=start, fit=fit, recipe=recipe, task=task, width=width,
        name=name or type(structure).__name__, batch_size=batch_size, device=device, notes=(*notes, *said, *kept),
    )  # fmt: skip


def _network(value: Any) -> nn.Module:
    if not isinstance(value, nn.Module):
        raise InputError(f"The function returns {type(value).__name__}; a torch.nn.Module is wanted.")
    return unwrapped(value)


def _models(
    model: Any, start: Start | None, checkpoint: Path | str | None, fits: bool
) -> tuple[nn.Module, nn.Module | None, Start | None, list[str]]:
    """Return structure, original, start of a fit, and notes."""
    if isinstance(model, nn.Module):
        structure = original = unwrapped(model)
    elif callable(model):
        start = start or model
        with all_seeded(0):
            structure, original = _network(model()), None
    else:
        raise InputError(
            f"model is of type {type(model).__name__}; a torch.nn.Module, or a function that returns one, is wanted."
        )
    if start is None and is_pretrained(structure):
        start = _start_of(structure, fits)
    if checkpoint is None:
        return structure, original, start, []
    original = copied(structure)
    return structure, original, start, list(fill(original, checkpoint))


def is_pretrained(model: Any) -> bool:
    """Is it a model of Hugging Face, which its configuration builds anew?"""
    transformers = sys.modules.get("transformers")  # who has made one has imported it
    return transformers is not None and isinstance(model, transformers.PreTrainedModel)


def _start_of(structure: Any, fits: bool) -> Start:
    if structure.name_or_path and fits:
        raise InputError(
            f"The model was read from {structure.name_or_path!r}, and what its training began with is not said: give "
            "start=, a function that returns the pretrained model, or one that builds it from its configuration."
        )
    kind: Any = type(structure)
    return functools.partial(kind, structure.config)


def _truth(items: Items, batch_size: int) -> NDArray[Any]:
    truth = truth_of(items, batch_size)
    if truth.dtype.kind not in "iufb" or truth.ndim not in (1, 2):
        raise InputError(
            f"Labels are {truth.dtype} of shape {list(truth.shape)}; numbers, one or a row of them a record, are "
            "wanted."
        )
    if not np.isfinite(truth).all():
        raise InputError("Labels hold a NaN or an infinity.")
    return truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth


def _names(id: Any, items: Items, count: int, data: Any, unseen: Any) -> NDArray[np.str_]:
    if id is not None and not (hasattr(id, "__len__") and not isinstance(id, str) and len(id) == count):
        return named_by(id, items, "id")
    parts = [(count, data, ""), (len(items) - count, unseen, "unseen-")]
    names = [] if id is None else [named_by(id, replace(items, data=range(count)), "id")]
    for size, part, prefix in parts[len(names) :]:
        own = part.ids if isinstance(part, Dataset) else None
        names.append(np.array([f"{prefix}{place}" for place in range(size)]) if own is None else own)
    return np.concatenate([one for one in names if len(one)])


def _records(
    items: Items,
    truth: NDArray[Any],
    task: str,
    width: int,
    classes: Any,
    ids: NDArray[np.str_],
    cluster: Any,
) -> Records:
    groups = None if cluster is None else named_by(cluster, items, "cluster")
    if task != "classification":
        return Records(ids, targets=truth, cluster=groups)
    number = max(width, 2)
    names = tuple(map(str, classes)) if classes is not None else _class_names(items, number)
    if len(names) != number:
        raise InputError(f"The network has {number} classes, and classes= names {len(names)}.")
    return Records(ids, truth.astype(np.int64), names, cluster=groups)


def _class_names(items: Items, number: int) -> tuple[str, ...]:
    """Return the names that a data set keeps for its classes, or their places."""
    names = class_names(items.data, items.label)
    return names if names is not None and len(names) == number else tuple(map(str, range(number)))


def _check_fit(fit: Any, recipe: Any) -> None:
    if fit is not None and recipe is not None:
        raise InputError("fit= and recipe= are two ways to train; give one of them.")
    if fit is None:
        return
    try:
        inspect.signature(fit).bind(None, None, 0)
    except TypeError:
        raise InputError(
            "fit takes other arguments; a function of (model, dataset, seed) is wanted."
        ) from None
    except ValueError:  # a builtin without a signature
        return


def _check_repeats(items: Items, count: int, notes: list[str]) -> None:
    """Refuse a data set with random items beside one without; say it where all items are random."""
    random = items.wavers(np.arange(count))
    if len(items) > count and items.wavers(np.arange(count, len(items))) != random:
        which, other = ("data", "unseen") if random else ("unseen", "data")
        raise InputError(
            f"The items of {which} change each time they are read, by random augmentation, and those of {other} do "
            "not: shadow models are trained on unseen records as the network was on its own. Give both the same "
            "transforms."
        )
    if random:
        notes.append(
            "Items change each time they are read, by random augmentation; all models were asked about the same draw."
        )


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
