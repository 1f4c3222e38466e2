"""`Dataset`: features, labels, class names, and an id per sample that stays with it up to the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.store import array_hash
from vestige.values import as_array, as_ids, as_rows, check_aligned, id_list


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled classification data set in memory.

    Lists and tensors on the CPU are taken as arrays, whole numbers of any type as labels, and integers as ids, by
    their digits: 7 is "7". `x` is copied only where an axis is reversed, which torch does not take.

    Attributes
    ----------
    name : str
        What it is called in reports.
    x : array [N, F]
        float32 features, or [N, C, H, W] images: uint8, which networks are given as numbers from 0 to 1, or
        float32, which they are given as they are.
    y : int64 [N]
        int64 labels, 0 .. len(classes) - 1.
    ids : text [N]
        Text, unique; built from the source (file, row), never from the position in this object.
    classes : tuple[str, ...]
        The class names, in label order.
    notes : tuple[str, ...]
        What the preprocessing did, or could not do, in sentences.
    features : tuple[str, ...]
        The names of the F features, where a table gave them: "age", "city=Bern".

    Raises
    ------
    InputError
        Where shapes, labels, ids or values do not fit together, and for images with channels last.
    """

    name: str
    x: NDArray[np.generic]
    y: NDArray[np.int64]
    ids: NDArray[np.str_]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_aligned(x=self.x, y=self.y, ids=self.ids)
        x = as_array(f"{self.name}: x", self.x)
        if any(stride < 0 for stride in x.strides):
            x = np.ascontiguousarray(x)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", _labels(self.y, self.name))
        object.__setattr__(self, "ids", as_ids(f"{self.name}: ids", self.ids))
        object.__setattr__(self, "classes", _classes(self.classes, self.name))
        object.__setattr__(self, "features", tuple(self.features))
        n = len(self.y)
        if self.x.ndim not in (2, 4):
            raise InputError(f"{self.name}: x has shape {self.x.shape}; [N, F] or [N, C, H, W] is wanted.")
        if self.x.dtype != np.float32 and not (self.x.ndim == 4 and self.x.dtype == np.uint8):
            wanted = "uint8 or float32 [N, C, H, W]" if self.x.ndim == 4 else "float32 [N, F]"
            raise InputError(f"{self.name}: x is {self.x.dtype}; {wanted} is wanted.")
        _check_channels(self.x, self.name)
        if self.features and len(self.features) != self.x.shape[1]:
            raise InputError(f"{self.name}: {self.x.shape[1]} features have {len(self.features)} names.")
        if len(self.x) != n or len(self.ids) != n:
            raise InputError(
                f"{self.name}: {len(self.x)} rows, {n} labels and {len(self.ids)} ids; they must be as many."
            )
        if n and not (self.y.min() >= 0 and self.y.max() < len(self.classes)):
            bad = self.y[(self.y < 0) | (self.y >= len(self.classes))][0]
            raise InputError(f"{self.name}: label {bad} is outside 0..{len(self.classes) - 1}.")
        if self.x.dtype == np.float32 and not np.isfinite(self.x).all():
            row = int(np.argwhere(~np.isfinite(self.x))[0][0])
            raise InputError(
                f"{self.name}: sample {str(self.ids[row])!r} has a feature that is NaN or infinite."
            )

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
        """Return the samples at `positions`, in that order. Raises `InputError` for a position that is not there."""
        rows = as_rows(f"{self.name}: the positions", positions, len(self))
        return dataclasses.replace(self, x=self.x[rows], y=self.y[rows], ids=self.ids[rows])

    def positions(self, ids: Iterable[str], what: str = "ids") -> NDArray[np.int64]:
        """Return where `ids` are, in their order.

        Raises `InputError` for an id that is unknown, repeated, missing or a float, and for one text, not a list.
        """
        wanted = id_list(what, ids).tolist()
        where = {name: i for i, name in enumerate(self.ids.tolist())}
        for name in wanted:
            if name not in where:
                like = f"; its ids look like {str(self.ids[0])!r}" if len(self) else ""
                raise InputError(f"{what}: {name!r} is not in {self.name}{like}.")
        return np.array([where[name] for name in wanted], dtype=np.int64)


def numbered(stem: str, count: int) -> NDArray[np.str_]:
    """Return ids of samples that have none of their own: "digits/0000", "digits/0001", ..."""
    width = len(str(max(count - 1, 0)))
    return np.array([f"{stem}/{place:0{width}d}" for place in range(count)])


def joined(*parts: Dataset) -> Dataset:
    """Return sets of samples of the same classes as one; all else is as in the first. Raises `InputError` otherwise."""
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts[1:]:
        if part.classes != first.classes:
            raise InputError(
                f"{part.name} has the classes {part.classes}, and {first.name} {first.classes}; one order is wanted."
            )
    x, y, ids = (np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y", "ids"))
    return dataclasses.replace(first, x=x, y=y, ids=ids)


def _labels(y: Any, name: str) -> NDArray[np.int64]:
    """Return labels as int64 [N], from whole numbers of any type."""
    values = as_array(f"{name}: y", y)
    if values.ndim != 1:
        raise InputError(f"{name}: y has shape {values.shape}; one label a sample, [N], is wanted.")
    if values.dtype.kind not in "iubf":
        raise InputError(
            f"{name}: y is {values.dtype}; labels are whole numbers from 0, the places of their classes in `classes`."
        )
    if values.dtype.kind == "f" and not (whole := np.isfinite(values) & (values == np.trunc(values))).all():
        raise InputError(f"{name}: label {values[~whole][0]} is not a whole number.")
    if values.dtype.kind in "uf" and values.size and values.max() >= 2**63:
        raise InputError(f"{name}: label {values.max()} is too large to be a class.")
    return np.ascontiguousarray(values, dtype=np.int64)


def _classes(classes: Any, name: str) -> tuple[str, ...]:
    """Return the class names as they are: text, or whole numbers, each once."""
    if isinstance(classes, (str, bytes)):
        raise InputError(f"{name}: classes is the one text {classes!r}; a list of class names is wanted.")
    try:
        names = tuple(classes)
    except TypeError:
        kind = type(classes).__name__
        raise InputError(f"{name}: classes is of type {kind}; a list of class names is wanted.") from None
    as_ids(f"{name}: classes", np.asarray(names) if isinstance(classes, np.ndarray) else list(names))
    return names


def _check_channels(x: NDArray[np.generic], name: str) -> None:
    known = x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4)
    square = x.ndim == 4 and x.shape[1] == x.shape[2] > max(4, x.shape[3])
    if known or square:
        raise InputError(
            f"{name}: x has shape {x.shape}, with channels last; [N, C, H, W] is wanted: move the channels by "
            "np.moveaxis(x, -1, 1)."
        )
