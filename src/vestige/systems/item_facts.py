"""What is known of a user's items beside what a network reads: their truth, the names of classes, ids and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset

from vestige.errors import InputError
from vestige.systems.base import probe
from vestige.systems.items import LABELS, Items, Pairs
from vestige.systems.seeding import all_seeded
from vestige.values import as_ids


def truth_of(items: Items, size: int) -> NDArray[Any]:
    """Return the truth of every item: where the data set lists it, of that, else in one pass over all."""
    listed = listed_truth(items.data, items.label)
    if listed is not None and len(listed) == len(items):
        some = probe(len(items), 64)
        with all_seeded(0):
            read = np.concatenate(
                [_numbers(batch.truth) for batch in replace(items, processes=0).batches(some)]
            )
        if listed[some].shape == read.shape and np.array_equal(listed[some], read):
            return listed
    with all_seeded(0):
        return np.concatenate([_numbers(batch.truth) for batch in items.batches(np.arange(len(items)), size)])


def listed_truth(data: Any, label: str | int | None = None) -> NDArray[Any] | None:
    """Return the labels that a data set lists beside its items; None where it lists none."""
    if isinstance(data, Subset):
        whole = listed_truth(data.dataset, label)
        return None if whole is None else whole[np.asarray(data.indices)]
    if isinstance(data, ConcatDataset):
        parts = [listed_truth(part, label) for part in data.datasets]
        return (
            None
            if any(part is None for part in parts)
            else np.concatenate([p for p in parts if p is not None])
        )
    if isinstance(data, Pairs):
        return _numbers(data.y)
    names = (label,) if isinstance(label, str) else ("targets", "labels")
    if hasattr(data, "column_names"):
        name = next((one for one in (names[0], *LABELS) if one in data.column_names), None)
        return None if name is None else np.asarray(data.with_format(None)[name][:])
    values = next((getattr(data, name) for name in names if hasattr(data, name)), None)
    if not isinstance(values, (Tensor, np.ndarray, list, tuple)):
        return None
    try:
        return _numbers(values)
    except (InputError, ValueError, TypeError):
        return None


def class_names(data: Any, label: str | int | None = None) -> tuple[str, ...] | None:
    """Return the names that a data set, or what it is a part of, keeps for its classes."""
    if isinstance(data, Pairs):
        data = data.whole
    features = getattr(data, "features", None)
    if isinstance(features, Mapping):  # of Hugging Face
        fields = (label,) if label is not None else LABELS
        data = next((features[name] for name in fields if name in features), None)
    for attribute in ("classes", "names"):
        names = getattr(data, attribute, None)
        if isinstance(names, (list, tuple)):
            return tuple(map(str, names))
    inner = next(iter(getattr(data, "datasets", ())), getattr(data, "dataset", None))
    return None if inner is None else class_names(inner, label)


def _numbers(values: Any) -> NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def named_by(source: Any, items: Items, what: str) -> NDArray[np.str_]:
    """Return a text an item, from a list, the name of a field, or a function of the place. Raises `InputError`."""
    n = len(items)
    if isinstance(source, str):
        values: Sequence[Any] = _field(items.data, source, what)
    elif callable(source):
        values = [source(place) for place in range(n)]
    else:
        values = source.tolist() if hasattr(source, "tolist") else list(source)
    if len(values) != n:
        raise InputError(f"{what} names {len(values)} of {n} items; one each is wanted.")
    return as_ids(what, values, distinct=False)


def _field(data: Any, name: str, what: str) -> list[Any]:
    if hasattr(data, "column_names"):
        if name not in data.column_names:
            raise InputError(
                f"{what}: there is no column {name!r}; there are {', '.join(data.column_names)}."
            )
        return list(data.with_format(None)[name])
    with all_seeded(0):
        first = data[0]
        if not isinstance(first, Mapping) or name not in first:
            raise InputError(
                f"{what}: items have no field {name!r}; give a list, or a function of the place."
            )
        values = [data[place][name] for place in range(len(data))]
    return [value.item() if hasattr(value, "item") else value for value in values]
