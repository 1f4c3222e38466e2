"""What the steps of a run read: a data set, some of its samples, a split of them.

Each is named by content: the data set by the fingerprint that it must have, samples by their positions. So two requests
for the same records are one step, and a step on another machine refuses data that its key does not name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.data.dataset import Dataset
from vestige.data.load import DataConfig, load_dataset
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.store import array_hash


@lru_cache(maxsize=4)
def _loaded(name: str, root: str | None, options: str) -> Dataset:
    return load_dataset(name, root=root, **json.loads(options))


def read_anew() -> None:
    """Forget the data sets that were loaded: a plan names data as they are now."""
    _loaded.cache_clear()


@dataclass(frozen=True, eq=False)
class Source:
    """A data set.

    Attributes
    ----------
    config : DataConfig or None
        How it is loaded; its root, or else the environment's, is the folder.
    fingerprint : str
        What its content must be.
    classes : int
        How many.
    held : Dataset or None
        The data themselves, where they cannot be loaded by name.
    """

    config: DataConfig | None
    fingerprint: str
    classes: int
    shape: tuple[int, ...]
    held: Dataset | None = field(default=None, repr=False)

    @classmethod
    def of(cls, config: DataConfig, root: str | None = None) -> Source:
        """Load a data set and return its source."""
        data = _read(config, root)
        return cls(config, data.fingerprint, len(data.classes), data.shape)

    @classmethod
    def holding(cls, data: Dataset) -> Source:
        """Return the source of a data set that is in memory."""
        return cls(None, data.fingerprint, len(data.classes), data.shape, data)

    @property
    def key(self) -> str:
        return f"{self.fingerprint}-{self.classes}"

    def load(self, root: str | None = None) -> Dataset:
        """Return the data, loaded once in a process. Raises `InputError` where they are not those of the plan."""
        if self.held is not None:
            return self.held
        assert self.config is not None
        data = _read(self.config, root)
        if data.fingerprint != self.fingerprint:
            raise InputError(
                f"{data.name}: the data that this step reads are not those that it was planned with. Give every "
                "machine the same files, and run the command again."
            )
        return data


def _read(config: DataConfig, root: str | None) -> Dataset:
    folder = root if config.root is None else str(Path(config.root))
    return _loaded(config.name, folder, json.dumps(config.options, sort_keys=True))


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of n records beside their features.

    Attributes
    ----------
    ids : text [n]
    values : array
        What a model should say: labels [n], or targets [n] or [n, D].
    cluster : text [n]
        Which of them belong together; None where nothing is known of that.
    """

    ids: NDArray[np.str_]
    values: NDArray[Any]
    cluster: NDArray[np.str_] | None = None


@dataclass(frozen=True, eq=False)
class Samples:
    """Some samples of a data set, in an order."""

    source: Source
    positions: NDArray[np.int64]

    @cached_property
    def key(self) -> list[str]:
        return [self.source.key, array_hash(self.positions)]

    def load(self, root: str | None = None) -> Dataset:
        """Return the samples."""
        return self.source.load(root).take(self.positions)

    def truth(self, root: str | None = None) -> Truth:
        """Return what is known of the samples."""
        data = self.source.load(root)
        return Truth(data.ids[self.positions], data.y[self.positions])

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, eq=False)
class Parts:
    """A split of a data set, as a step keeps it: positions of each role."""

    source: Source
    forget: NDArray[np.int64]
    retain: NDArray[np.int64]
    holdout: NDArray[np.int64]
    shadow: NDArray[np.int64]

    @classmethod
    def of(cls, source: Source, split: Split) -> Parts:
        """Return the parts of a split."""
        return cls(source, split.forget, split.retain, split.holdout, split.shadow)

    def load(self, root: str | None = None) -> Split:
        """Return the split, with its data."""
        return Split(self.source.load(root), self.forget, self.retain, self.holdout, self.shadow)

    def samples(self, role: str) -> Samples:
        """Return the samples of a role, or of "train"."""
        if role == "train":
            return Samples(self.source, np.sort(np.concatenate([self.forget, self.retain])))
        return Samples(self.source, getattr(self, role))
