"""What a data set is to vestige: a name, where it comes from, and a function that reads a local folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vestige.data.dataset import Dataset
from vestige.registry import Registry, knobs_of


@dataclass(frozen=True)
class Download:
    """One file at its public home. `digest` is its published MD5; None: the first download is recorded."""

    url: str
    file: str
    digest: str | None = None


@dataclass(frozen=True)
class Source:
    """A registered data set.

    home       where it is given out, and under which terms
    read       reads a folder: `(root, *, options) -> Dataset`
    downloads  what to fetch where there is no local folder; empty: it cannot be fetched, and `home` says why
    embedded   it comes with an installed package; no folder is read
    """

    name: str
    description: str
    home: str
    read: Callable[..., Dataset]
    downloads: tuple[Download, ...] = ()
    embedded: bool = False

    @property
    def options(self) -> dict[str, Any]:
        return knobs_of(self.read)


DATASETS: Registry[Source] = Registry("data set", "vestige.data", "vestige.datasets")
Reader = Callable[..., Dataset]


def register(
    name: str,
    description: str,
    home: str,
    downloads: tuple[Download, ...] = (),
    *,
    embedded: bool = False,
) -> Callable[[Reader], Reader]:
    """Register a function `(root, *, options) -> Dataset` as the reader of the data set `name`."""

    def keep(read: Reader) -> Reader:
        DATASETS.add(name, Source(name, description, home, read, downloads, embedded))
        return read

    return keep
