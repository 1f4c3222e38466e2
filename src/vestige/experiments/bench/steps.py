"""Steps: pieces of work that are named by everything that decides their result, and the store that keeps it.

A step's key is the hash of its function's name, what it is told, the keys of the steps it reads, and vestige's version.
Its result is one file. Two runners on one store do not disturb each other: files are published whole, and what is
there with the right hash is not made again.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import vestige
from vestige.data.download import cache_folder
from vestige.errors import InputError, MissingExtra, need
from vestige.store import is_done, key_of, published, read_json, sidecar, step


@dataclass(frozen=True, eq=False)
class Step:
    """One piece of work.

    call    "module:function" of `(Job) -> facts or None`; it writes the result to `job.path`
    what    everything, besides `inputs`, that decides the result: plain JSON
    inputs  the steps whose results it reads
    label   for people
    suffix  of the result's file
    needs   CPU cores and GPUs, for engines that place steps
    """

    call: str
    what: dict[str, Any]
    inputs: tuple[Step, ...] = ()
    label: str = ""
    suffix: str = ".safetensors"
    needs: dict[str, float] = dataclasses.field(default_factory=lambda: {"CPU": 1.0})

    @cached_property
    def key(self) -> str:
        return key_of(self.call, self.what, [s.key for s in self.inputs], vestige.__version__)

    @property
    def kind(self) -> str:
        """The function's name."""
        return self.call.partition(":")[2]

    @property
    def file(self) -> str:
        """Its place in a store."""
        return f"{self.kind}/{self.key}{self.suffix}"


@dataclass(frozen=True)
class Job:
    """What a step's function is given: what it is told, its inputs' files, where to write, where the data are."""

    what: dict[str, Any]
    inputs: list[Path]
    path: Path
    root: str | None


class Store:
    """Results by key: in a folder, or behind an fsspec URL (`s3://...`) with a folder as its local copy."""

    def __init__(self, place: str | Path, local: Path | None = None) -> None:
        self.place, self._prefix = str(place), ""
        self._remote: Any = None
        if "://" in self.place:
            self._remote, self._prefix = _opened(self.place)
            self.folder = local or cache_folder() / "bench" / key_of(self.place)
        else:
            self.folder = Path(place)

    def path(self, step_: Step) -> Path:
        return self.folder / step_.file

    def done(self, step_: Step) -> bool:
        """Is the step's result there and whole? Fetched first where the store is remote."""
        path = self.path(step_)
        if is_done(path, step_.key):
            return True
        if self._remote is None:
            return False
        if not self._remote.exists(f"{self._prefix}/{step_.file}.json"):
            return False
        for name in (step_.file, f"{step_.file}.json"):
            self._get(name)
        return is_done(path, step_.key)

    def record(self, step_: Step) -> dict[str, Any]:
        """Return what is known of a finished step: key, hash, seconds, facts."""
        return dict(read_json(sidecar(self.path(step_))))

    def keep(self, step_: Step) -> None:
        """Publish a finished step's file and then its record, where the store is remote."""
        for name in (step_.file, f"{step_.file}.json"):
            self.publish(name)

    def publish(self, name: str) -> None:
        """Publish a file of the folder, where the store is remote."""
        if self._remote is None:
            return
        there = f"{self._prefix}/{name}"
        self._remote.makedirs(there.rpartition("/")[0], exist_ok=True)
        self._remote.put_file(str(self.folder / name), f"{there}.part")
        self._remote.mv(f"{there}.part", there)

    def fetch(self, name: str) -> Path:
        """Return a file's place in the folder, as it was last published where the store is remote."""
        if self._remote is not None and self._remote.exists(f"{self._prefix}/{name}"):
            self._get(name)
        return self.folder / name

    def _get(self, name: str) -> None:
        with published(self.folder / name) as temporary:
            self._remote.get_file(f"{self._prefix}/{name}", str(temporary))


def _opened(place: str) -> tuple[Any, str]:
    """Return the file system behind a URL, and the path in it."""
    fsspec = need("fsspec", "ray", "a store behind a URL")
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(place)
    except ImportError as error:
        raise MissingExtra(f"The store {place} needs another package: {error}.") from None
    except ValueError as error:
        raise InputError(
            f"The store {place} cannot be opened: {error}. A folder is wanted, or a URL such as s3://bucket/bench."
        ) from None
    return found


def perform(one: Step, place: str, root: str | None) -> dict[str, Any]:
    """Do a step, unless its result is there; return its record. Its inputs must be done.

    A step computes with one thread: its result does not depend on how many run beside it.
    """
    from vestige.models.threads import threads

    store = Store(place)
    if store.done(one):
        return store.record(one)
    missing = [s.label or s.kind for s in one.inputs if not store.done(s)]
    if missing:
        raise InputError(f"{one.label}: its input {missing[0]!r} is not there.")
    inputs = [store.path(s) for s in one.inputs]
    function = called(one.call)
    with threads(1):
        record = step(store.path(one), one.key, lambda path: function(Job(one.what, inputs, path, root)))
    store.keep(one)
    return record


def called(call: str) -> Callable[[Job], dict[str, Any] | None]:
    """Return the function that a step names."""
    module, _, name = call.partition(":")
    function: Callable[[Job], dict[str, Any] | None] = getattr(importlib.import_module(module), name)
    return function


def ordered(wanted: Iterable[Step]) -> list[Step]:
    """Return the steps and all that they read, each once (by key), inputs first."""
    found: dict[str, Step] = {}

    def visit(one: Step) -> None:
        if one.key not in found:
            for other in one.inputs:
                visit(other)
            found[one.key] = one

    for one in wanted:
        visit(one)
    return list(found.values())
