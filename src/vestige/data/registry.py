"""What a data set is to vestige: a name, where it comes from, and a function that reads a local folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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
    """

    name: str
    description: str
    home: str
    read: Callable[..., Dataset]
    downloads: tuple[Download, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        return knobs_of(self.read)


DATASETS: Registry[Source] = Registry("data set", "vestige.data", "vestige.datasets")


def register(
    name: str, description: str, home: str, downloads: tuple[Download, ...] = ()
) -> Callable[[Callable[..., Dataset]], Callable[..., Dataset]]:
    """Register a function `(root, *, options) -> Dataset` as the reader of the data set `name`."""

    def keep(read: Callable[..., Dataset]) -> Callable[..., Dataset]:
        DATASETS.add(name, Source(name, description, home, read, downloads))
        return read

    return keep


def present(root: Path, *names: str) -> Path | None:
    """Return the first of `names` (globs allowed) that lies in `root` or one folder below, or None."""
    for name in names:
        for pattern in (name, f"*/{name}"):
            found = sorted(root.glob(pattern))
            if found:
                return found[0]
    return None
