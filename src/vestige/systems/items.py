"""A user's data for networks, whatever their form, as a map-style torch data set: inputs, truth, and an id an item."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, default_collate
from torch.utils.data import Dataset as TorchDataset

from vestige.data.dataset import Dataset, joined
from vestige.errors import InputError, told
from vestige.models.scale import to_float
from vestige.systems.seeding import all_seeded
from vestige.values import as_array, check_aligned

LABELS = ("labels", "label", "targets", "target", "y")
"""Fields of a dictionary that hold the truth, where nothing else is said."""
LOOK = 8
"""Items that are looked at first."""
Collate = Callable[[list[Any]], Any]


@dataclass(frozen=True, eq=False)
class Batch:
    """What a network is given, and what is true of it.

    Attributes
    ----------
    args, kwargs
        The call: network(*args, **kwargs).
    truth : Tensor
        Labels [n], or targets [n] or [n, D].
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    truth: Tensor

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def main(self) -> Tensor:
        """The first input that is a tensor, of floats where there is one."""
        tensors = [value for value in (*self.args, *self.kwargs.values()) if isinstance(value, Tensor)]
        if not tensors:
            raise InputError("An item holds no tensor for the network; let the data set return tensors.")
        return next((value for value in tensors if value.is_floating_point()), tensors[0])

    def with_main(self, value: Tensor) -> Batch:
        """Return the batch with another tensor in the place of the main one."""
        main = self.main
        args = tuple(value if one is main else one for one in self.args)
        return replace(self, args=args, kwargs={k: value if v is main else v for k, v in self.kwargs.items()})

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(_moved(self.args, device), _moved(self.kwargs, device), self.truth.to(device))


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Mapping):
        return {name: _moved(inner, device) for name, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_moved(inner, device) for inner in value)
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


class Pairs(TorchDataset[Any]):
    """Arrays as a data set of (x, y); images of bytes are given as numbers from 0 to 1.

    Parameters
    ----------
    whole : Dataset or None
        The `vestige.Dataset` that they are of, if they are of one.
    """

    def __init__(
        self, x: NDArray[Any] | Tensor, y: NDArray[Any] | Tensor, whole: Dataset | None = None
    ) -> None:
        self.x, self.y, self.whole = x, y, whole

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, place: int) -> tuple[Tensor, Any]:
        value = self.x[place]
        x = value if isinstance(value, Tensor) else torch.from_numpy(np.array(value))
        x = to_float(x) if x.dtype == torch.uint8 and x.ndim == 3 else x
        return (x.float() if x.dtype == torch.float64 else x), self.y[place]


@dataclass(frozen=True, eq=False)
class Items:
    """A data set, and how its items become a batch.

    Attributes
    ----------
    label : str or int or None
        The field of a dictionary, or the place in a tuple, that holds the truth; None: the only known name,
        or the last place.
    accepts : frozenset[str] or None
        The names that the network takes; None: any.
    """

    data: Any
    collate: Collate = default_collate
    label: str | int | None = None
    accepts: frozenset[str] | None = field(default=None)
    processes: int = 0

    def __len__(self) -> int:
        return len(self.data)

    def batches(self, rows: NDArray[np.int64] | list[list[int]], size: int = 64) -> Iterator[Batch]:
        """Yield the items at `rows`, in their order, or batches as they are listed, as the loader brings them."""
        parts = (
            rows
            if isinstance(rows, list)
            else [rows[at : at + size].tolist() for at in range(0, len(rows), size)]
        )
        loader = DataLoader(
            self.data, batch_sampler=parts, collate_fn=self.collate, num_workers=self.processes,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        try:
            for content, part in zip(loader, parts, strict=True):
                batch = self.split(content)
                if len(batch) != len(part):
                    raise InputError(
                        f"collate_fn makes a batch of {len(batch)} of {len(part)} items; all are wanted."
                    )
                yield batch
        except InputError:
            raise
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # of the data set's own code
            raise InputError(
                f"{type(self.data).__name__} does not give its items as batches of tensors: {type(error).__name__}, "
                f"{told(error)}. Let each item be tensors of one shape, or give a DataLoader with its collate_fn."
            ) from error

    def split(self, content: Any) -> Batch:
        """Return inputs and truth of what the loader brings. Raises `InputError` where they cannot be told apart."""
        if isinstance(content, Mapping):
            return self._split_fields(dict(content))
        if not isinstance(content, (tuple, list)) or len(content) < 2:
            raise InputError(
                f"A batch is a {type(content).__name__}; inputs with their labels, (x, y) or a dictionary, are wanted."
            )
        place = -1 if self.label is None else self.label
        if not isinstance(place, int) or not -len(content) <= place < len(content):
            raise InputError(
                f"label is {place!r}; an item is a tuple of {len(content)}: a place in it is wanted."
            )
        truth = content[place]
        rest = [value for at, value in enumerate(content) if at != place % len(content)]
        if len(rest) == 1 and isinstance(rest[0], Mapping):
            return Batch((), self._taken(dict(rest[0])), _tensor(truth))
        if len(rest) == 1 and isinstance(rest[0], (tuple, list)):
            rest = list(rest[0])
        return Batch(tuple(rest), {}, _tensor(truth))

    def _split_fields(self, fields: dict[str, Any]) -> Batch:
        names = [self.label] if self.label is not None else [name for name in LABELS if name in fields]
        if len(names) != 1 or names[0] not in fields:
            which = " and ".join(map(repr, names)) or "none of them is a label by its name"
            raise InputError(
                f"Items have the fields {', '.join(map(str, fields))} ({which}); name the label, label=."
            )
        truth = _tensor(fields.pop(names[0]))
        inputs = self._taken({name: value for name, value in fields.items() if isinstance(value, Tensor)})
        if len(inputs) == 1 and self.accepts is not None and not inputs.keys() & self.accepts:
            return Batch(tuple(inputs.values()), {}, truth)
        return Batch((), inputs, truth)

    def _taken(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return those fields that the network takes, or all where it names none of them."""
        if self.accepts is None or not inputs.keys() & self.accepts:
            return inputs
        return {name: value for name, value in inputs.items() if name in self.accepts}

    def first(self, rows: NDArray[np.int64]) -> Batch:
        """Return the first items as a batch, read in this process."""
        with all_seeded(0):
            return next(replace(self, processes=0).batches(rows[:LOOK]))

    def hash(self, rows: NDArray[np.int64]) -> str:
        """Return the hash of some items, as numbers."""
        digest = hashlib.sha256()
        with all_seeded(0):
            for batch in self.batches(rows):
                for value in _leaves((batch.args, batch.kwargs, batch.truth)):
                    digest.update(_bytes(value))
        return digest.hexdigest()

    def wavers(self, rows: NDArray[np.int64]) -> bool:
        """Is an item another one each time it is read, as random augmentation makes it?"""
        hashes = set()
        for seed in (0, 1):
            with all_seeded(seed):
                batch = next(replace(self, processes=0).batches(rows[:LOOK]))
            hashes.add(b"".join(_bytes(value) for value in _leaves((batch.args, batch.kwargs))))
        return len(hashes) > 1


def accepted(model: nn.Module) -> frozenset[str] | None:
    """Return the names that a network takes, None where it takes any."""
    base = getattr(model, "get_base_model", None)  # adapters hide the signature of what they adapt
    forward = (base() if base is not None else model).forward
    parameters = inspect.signature(forward).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters) and len(parameters) < 3:
        return None
    return frozenset(one.name for one in parameters)


def items_of(data: Any, label: Any = None) -> tuple[Items, tuple[str, ...]]:
    """Return a user's data as items, and notes of what was done to them.

    Raises `InputError` for data that have no length, cannot be asked by place, or are of no kind that is known.
    """
    place = label if isinstance(label, (str, int)) and not isinstance(label, bool) else None
    if isinstance(data, DataLoader):
        if isinstance(data.dataset, IterableDataset):
            raise InputError(
                "The DataLoader reads a stream; records must be asked by place: a map-style Dataset is wanted."
            )
        collate = default_collate if data.collate_fn is None else data.collate_fn
        items, notes = items_of(data.dataset, label)
        from torch.utils.data._utils.collate import default_collate as usual

        collate = items.collate if collate is usual else collate
        return replace(items, collate=collate, processes=data.num_workers), notes
    if isinstance(data, Dataset):
        return Items(Pairs(data.x, data.y, data)), ()
    if isinstance(data, (tuple, list)) and len(data) == 2 and all(hasattr(part, "shape") for part in data):
        return _of_arrays(*data)
    if hasattr(data, "with_format") and hasattr(data, "column_names"):  # of Hugging Face
        typed = data if data.format["type"] is not None else data.with_format("torch")
        return Items(typed, label=place), ()
    if (
        isinstance(data, (IterableDataset, Mapping, str))
        or hasattr(data, "iloc")
        or not isinstance(data, Sized)
    ):
        raise InputError(
            f"data are of type {type(data).__name__}; a map-style torch Dataset, a DataLoader of one, arrays (x, y), a "
            "vestige.Dataset or a datasets.Dataset is wanted."
        )
    if not hasattr(data, "__getitem__"):
        raise InputError(
            f"{type(data).__name__} has no __getitem__; records must be asked by their place, 0 to N - 1."
        )
    return Items(data, label=place), ()


def _of_arrays(x: Any, y: Any) -> tuple[Items, tuple[str, ...]]:
    check_aligned(x=x, y=y)
    x = x.detach().cpu() if isinstance(x, Tensor) else as_array("x", x)
    y = y.detach().cpu() if isinstance(y, Tensor) else as_array("y", y)
    if not x.ndim or not y.ndim or len(x) != len(y):
        raise InputError(f"x has shape {list(x.shape)} and y {list(y.shape)}; one y a row of x is wanted.")
    if isinstance(y, np.ndarray) and y.dtype.kind == "u" and y.size and y.max() < 2**63:
        y = y.astype(np.int64)  # torch has no others of more than 8 bits
    is_bytes = x.ndim == 4 and x.dtype in (np.uint8, torch.uint8)
    notes = ("Images of bytes were given to the network as numbers from 0 to 1.",) if is_bytes else ()
    return Items(Pairs(x, y)), notes


def joined_items(first: Items, second: Items) -> Items:
    """Return both as one data set."""
    both = (first.data, second.data)
    if all(hasattr(part, "with_format") for part in both):
        import datasets

        return replace(first, data=datasets.concatenate_datasets(list(both)))
    if all(isinstance(part, Pairs) and part.whole is not None for part in both):
        whole = joined(*(part.whole for part in both))
        return replace(first, data=Pairs(whole.x, whole.y, whole))
    return replace(first, data=ConcatDataset(both))


def part_of(data: Any, rows: NDArray[np.int64]) -> Any:
    """Return some items as a data set of their own."""
    if hasattr(data, "with_format"):
        return data.select(rows)
    return Subset(data, rows.tolist())


def _tensor(truth: Any) -> Tensor:
    if isinstance(truth, (list, tuple)) and truth and isinstance(truth[0], str):
        raise InputError(
            f"Labels are text, such as {truth[0]!r}; a network's are places of classes: give numbers from 0, and the "
            "names as classes=."
        )
    try:
        return truth if isinstance(truth, Tensor) else torch.as_tensor(truth)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"Labels of a batch are of type {type(truth).__name__}; numbers are wanted ({told(error)})."
        ) from None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for name in sorted(value):
            yield from _leaves(value[name])
    elif isinstance(value, (tuple, list)):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, Tensor):
        return str(value).encode()
    plain = value.detach().cpu().contiguous()
    return (
        f"{plain.dtype}{tuple(plain.shape)}".encode() + plain.reshape(-1).view(torch.uint8).numpy().tobytes()
    )
