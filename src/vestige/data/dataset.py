"""`Dataset`: features, labels, class names, and an id per sample that stays with it up to the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.store import array_hash


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled classification data set in memory.

    name     what it is called in reports
    x        [N, F] float32 features, or [N, C, H, W] uint8 images
    y        [N] int64 labels, 0 .. len(classes) - 1
    ids      [N] text, unique; built from the source (file, row), never from the position in this object
    classes  the class names, in label order
    notes    what the preprocessing did, or could not do, in sentences

    Lists and tensors on the CPU are taken as arrays, whole numbers of any type as labels, and integers as ids, by
    their digits: 7 is "7". `x` is copied only where an axis is reversed, which torch does not take.

    Raises `InputError` where shapes, labels, ids or values do not fit together.
    """

    name: str
    x: NDArray[np.generic]
    y: NDArray[np.int64]
    ids: NDArray[np.str_]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        x = _array(self.x, f"{self.name}: x")
        if any(stride < 0 for stride in x.strides):
            x = np.ascontiguousarray(x)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", _labels(self.y, self.name))
        object.__setattr__(self, "ids", _names(self.ids, self.name))
        object.__setattr__(self, "classes", tuple(self.classes))
        n = len(self.y)
        if self.x.ndim not in (2, 4):
            raise InputError(f"{self.name}: x has shape {self.x.shape}; [N, F] or [N, C, H, W] is wanted.")
        if self.x.dtype != (np.uint8 if self.x.ndim == 4 else np.float32):
            wanted = "uint8 [N, C, H, W]" if self.x.ndim == 4 else "float32 [N, F]"
            raise InputError(f"{self.name}: x is {self.x.dtype}; {wanted} is wanted.")
        if len(self.x) != n or len(self.ids) != n:
            raise InputError(
                f"{self.name}: {len(self.x)} rows, {n} labels and {len(self.ids)} ids; they must be as many."
            )
        if n and not (self.y.min() >= 0 and self.y.max() < len(self.classes)):
            bad = self.y[(self.y < 0) | (self.y >= len(self.classes))][0]
            raise InputError(f"{self.name}: label {bad} is outside 0..{len(self.classes) - 1}.")
        if self.x.dtype == np.float32 and not np.isfinite(self.x).all():
            row = int(np.flatnonzero(~np.isfinite(self.x).all(axis=1))[0])
            raise InputError(
                f"{self.name}: sample {str(self.ids[row])!r} has a feature that is NaN or infinite."
            )
        unique, counts = np.unique(self.ids, return_counts=True)
        if len(unique) != n:
            raise InputError(f"{self.name}: the id {str(unique[counts > 1][0])!r} appears twice.")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def is_image(self) -> bool:
        return self.x.ndim == 4

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample, without the batch axis."""
        return self.x.shape[1:]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over features, labels and ids: the data's part in every cache key."""
        return array_hash(self.x, self.y, self.ids)

    def take(self, positions: NDArray[np.int64]) -> Dataset:
        """Return the samples at `positions`, in that order."""
        return Dataset(
            self.name, self.x[positions], self.y[positions], self.ids[positions], self.classes, self.notes
        )

    def positions(self, ids: Iterable[str], what: str = "ids") -> NDArray[np.int64]:
        """Return where `ids` are, in their order. Raises `InputError` for an unknown or repeated id."""
        where = {str(name): i for i, name in enumerate(self.ids)}
        wanted = [str(name) for name in ids]
        seen: set[str] = set()
        for name in wanted:
            if name not in where:
                raise InputError(
                    f"{what}: {name!r} is not in {self.name}; its ids look like {str(self.ids[0])!r}."
                )
            if name in seen:
                raise InputError(f"{what}: {name!r} appears twice.")
            seen.add(name)
        return np.array([where[name] for name in wanted], dtype=np.int64)


def _array(values: Any, what: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # a ragged list, a tensor on a GPU
        raise InputError(f"{what} cannot be made a NumPy array: {error}") from error


def _labels(y: Any, name: str) -> NDArray[np.int64]:
    """Return labels as int64 [N], from whole numbers of any type."""
    values = _array(y, f"{name}: y")
    if values.ndim != 1:
        raise InputError(f"{name}: y has shape {values.shape}; one label a sample, [N], is wanted.")
    if values.dtype.kind not in "iubf":
        raise InputError(
            f"{name}: y is {values.dtype}; labels are whole numbers from 0, the places of their classes in `classes`."
        )
    if values.dtype.kind == "f" and not (whole := np.isfinite(values) & (values == np.trunc(values))).all():
        raise InputError(f"{name}: label {values[~whole][0]} is not a whole number.")
    return np.ascontiguousarray(values, dtype=np.int64)


def _names(ids: Any, name: str) -> NDArray[np.str_]:
    """Return ids as text [N], from text or integers."""
    values = _array(ids, f"{name}: ids")
    if values.ndim != 1:
        raise InputError(f"{name}: ids have shape {values.shape}; one id a sample, [N], is wanted.")
    if values.dtype.kind == "U":
        return values
    if len(values) and values.dtype.kind in "bfcS":
        raise InputError(f"{name}: ids are {values.dtype}; text or integers are wanted.")
    if values.dtype.kind == "O":
        import pandas as pd

        if pd.isna(values).any():
            raise InputError(f"{name}: the id in row {int(np.flatnonzero(pd.isna(values))[0])} is missing.")
    return np.array([str(value) for value in values.tolist()], dtype=np.str_)
