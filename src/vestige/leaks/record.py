"""`PosteriorPairs`: what two versions of a model said about the same records. All that the attack reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vestige.errors import InputError, unknown
from vestige.files import as_path, read_npz
from vestige.report.words import plural
from vestige.store import published
from vestige.values import as_array, as_floats, as_rows, check_aligned

STATUSES = ("deleted", "remaining", "outside")
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PosteriorPairs:
    """Posteriors of n records before and after a deletion.

    Attributes
    ----------
    original : float [n, K]
        Class probabilities of the model before.
    unlearned : float [n, K]
        Class probabilities of the model after.
    status : str [n]
        "deleted": in the training set before, not after; "remaining": in both; "outside": in none.
    set_id : int [n]
        Which pair of models a record was queried on, at least which original: rows of one set are not
        independent of each other; 0 where not given.
    labels : int [n]
        True classes, where known: an adversary may have them.

    Raises
    ------
    InputError
        For shapes, probabilities, statuses or labels that do not fit.
    """

    original: Floats
    unlearned: Floats
    status: NDArray[np.str_]
    set_id: NDArray[np.int64] | None = None
    labels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        check_aligned(
            original=self.original, unlearned=self.unlearned, status=self.status, labels=self.labels
        )
        for name in ("original", "unlearned"):
            object.__setattr__(self, name, _posteriors(name, getattr(self, name)))
        if self.original.shape != self.unlearned.shape:
            raise InputError(
                f"original is {list(self.original.shape)} and unlearned {list(self.unlearned.shape)}; both versions "
                "must speak of the same records and classes. A class that vanished gets probability 0."
            )
        n, k = self.original.shape
        object.__setattr__(self, "status", as_array("status", self.status).astype(str))
        if self.status.shape != (n,):
            raise InputError(f"status has shape {list(self.status.shape)}; [{n}] is wanted.")
        strange = self.status[~np.isin(self.status, STATUSES)]
        if len(strange):
            raise InputError(unknown("status", str(strange[0]), STATUSES))
        sets = np.zeros(n, np.int64) if self.set_id is None else as_array("set_id", self.set_id)
        if sets.shape != (n,) or sets.dtype.kind not in "iu":
            raise InputError(f"set_id must be [{n}] whole numbers.")
        object.__setattr__(self, "set_id", sets.astype(np.int64))
        if self.labels is not None:
            labels = as_array("labels", self.labels)
            if labels.shape != (n,) or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= k:
                raise InputError(f"labels must be [{n}] whole numbers from 0 to {k - 1}.")
            object.__setattr__(self, "labels", labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.status)

    def __repr__(self) -> str:
        counts = {name: int((self.status == name).sum()) for name in STATUSES}
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        sets = len(np.unique(self.sets))
        return f"PosteriorPairs({len(self):,} records of {self.classes} classes in {plural(sets, 'set')}: {told})"

    @property
    def classes(self) -> int:
        """K, the number of classes."""
        return int(self.original.shape[1])

    @property
    def sets(self) -> NDArray[np.int64]:
        """[n] the set of every record."""
        assert self.set_id is not None
        return self.set_id

    @cached_property
    def ordered(self) -> tuple[Floats, Floats]:
        """Both posteriors in the order that sorts the original's ascending, ties by class: float [n, K] each."""
        order = np.argsort(self.original, axis=1)
        first = np.take_along_axis(self.original, order, axis=1)
        tied = (first[:, 1:] == first[:, :-1]).any(axis=1)
        if tied.any():  # the fast sort leaves the order of ties open
            order[tied] = np.argsort(self.original[tied], axis=1, kind="stable")
        return first, np.take_along_axis(self.unlearned, order, axis=1)

    def take(self, rows: NDArray[Any]) -> PosteriorPairs:
        """Return the records at `rows` (positions or a mask)."""
        rows = as_rows("The rows", rows, len(self))
        labels = None if self.labels is None else self.labels[rows]
        return PosteriorPairs(
            self.original[rows], self.unlearned[rows], self.status[rows], self.sets[rows], labels
        )

    def of(self, *statuses: str) -> PosteriorPairs:
        """Return the records of these statuses. Raises `InputError` where one has none."""
        for status in statuses:
            if not (self.status == status).any():
                raise InputError(f"No record is {status!r}; the attack needs both kinds.")
        return self.take(np.isin(self.status, statuses))

    def save(self, path: Path | str) -> Path:
        """Write one `.npz` of plain arrays."""
        path = as_path(path)
        arrays: dict[str, Any] = {
            "original": self.original, "unlearned": self.unlearned, "status": self.status, "set_id": self.sets,
        }  # fmt: skip
        if self.labels is not None:
            arrays["labels"] = self.labels
        with published(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
        return path

    @classmethod
    def load(cls, path: Path | str) -> PosteriorPairs:
        """Read an `.npz` with arrays named as the fields."""
        path = as_path(path)
        arrays = read_npz(path)
        for name in ("original", "unlearned", "status"):
            if name not in arrays:
                raise InputError(f"{path}: {unknown('array', name, arrays)}")
        for name in arrays:
            if name not in ("original", "unlearned", "status", "set_id", "labels"):
                raise InputError(f"{path}: {unknown('array', name, ('set_id', 'labels'))}")
        return cls(**arrays)


def joined(parts: list[PosteriorPairs]) -> PosteriorPairs:
    """Return all parts as one; their sets are numbered anew, so that no two parts share one."""
    sets, start = [], 0
    for part in parts:
        _, number = np.unique(part.sets, return_inverse=True)
        sets.append(number + start)
        start += int(number.max()) + 1 if len(number) else 0
    labels = None if any(p.labels is None for p in parts) else np.concatenate([p.labels for p in parts])
    return PosteriorPairs(
        np.concatenate([p.original for p in parts]),
        np.concatenate([p.unlearned for p in parts]),
        np.concatenate([p.status for p in parts]),
        np.concatenate(sets),
        labels,
    )


def normalised(p: Floats) -> Floats:
    """Return rows [n, K] that sum to 1; one of zeros becomes uniform."""
    total = p.sum(axis=1, keepdims=True)
    return np.where(total > 0, p / np.where(total > 0, total, 1), 1 / p.shape[1])


def _posteriors(name: str, value: ArrayLike) -> Floats:
    array = as_floats(name, value).astype(np.float64, copy=False)
    if array.ndim != 2 or not len(array) or array.shape[1] < 2:
        raise InputError(f"{name} has shape {list(array.shape)}; [n, K] with two classes or more is wanted.")
    off = np.abs(array.sum(axis=1) - 1) > 1e-3
    if (array < -1e-9).any() or off.any():
        row = int(np.flatnonzero(off | (array < -1e-9).any(axis=1))[0])
        raise InputError(
            f"{name}: row {row} sums to {array[row].sum():.3g} and its least entry is {array[row].min():.3g}; "
            "probabilities are wanted. Were logits given? Apply a softmax first."
        )
    return array
