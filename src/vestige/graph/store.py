"""`Store`: the results of steps by key, in a folder, or behind a URL with a folder as its local copy.

Two runners on one store do not disturb each other: files are published whole, and what is there with the right hash is
not made again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from vestige.errors import InputError, MissingExtra, need
from vestige.graph.step import Environment, Facts, Job, Step
from vestige.store import cache_folder, is_done, key_of, make_once, published, read_json, sidecar


@dataclass(frozen=True)
class Store:
    """Results of steps.

    Attributes
    ----------
    folder : Path
        Where they are, or their local copy.
    behind : str or None
        An fsspec URL, such as s3://bucket/results, or a folder, that other runners share; None: nothing is
        shared.
    names : Mapping[str, str]
        Files that are called otherwise than by their key, for people: {key: path in the folder, without
        suffix}.
    """

    folder: Path
    behind: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (
            self.behind is not None and "://" not in self.behind
        ):  # wherever a worker is, it is the same folder
            object.__setattr__(self, "behind", str(Path(self.behind).absolute()))

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path | str | None, behind: str | None = None) -> Iterator[Store]:
        """Give the store in a folder; None: in one that is removed at the end."""
        with contextlib.ExitStack() as stack:
            place = stack.enter_context(tempfile.TemporaryDirectory()) if folder is None else folder
            yield cls(Path(place), behind)

    @classmethod
    def at(cls, place: str | Path) -> Store:
        """Return the store in a folder, or behind a URL with a local copy in the cache."""
        if "://" in str(place):
            _opened(str(place))
            return cls(_copy_of(str(place)), str(place))
        return cls(Path(place))

    def elsewhere(self) -> Store:
        """Return the same store as another machine sees it."""
        return self if self.behind is None else Store(_copy_of(self.behind), self.behind)

    def path(self, step: Step) -> Path:
        """Return where the result of a step is."""
        name = self.names.get(step.key)
        return self.folder / (step.file if name is None else f"{name}{step.suffix}")

    def unfinished(self, key: str) -> Path:
        """Return where a step may keep what it goes on from when it is interrupted."""
        return self.folder / "unfinished" / f"{key}.safetensors"

    def done(self, step: Step) -> bool:
        """Is the result there and whole? It is fetched first where the store is shared."""
        path = self.path(step)
        if is_done(path, step.key):
            return True
        if self.behind is None or not self._there(f"{step.file}.json"):
            return False
        try:
            self._get(step.file, path)
            self._get(f"{step.file}.json", sidecar(path))
        except FileNotFoundError:  # lost, or another runner is just replacing it
            return False
        return is_done(path, step.key)

    def record(self, step: Step) -> Facts:
        """Return what is known of a finished step: key, hash, seconds, facts."""
        return dict(read_json(sidecar(self.path(step))))

    def perform(self, step: Step, environment: Environment) -> Facts:
        """Do a step, unless its result is there; return its record. Its inputs must be done."""
        if self.done(step):
            return self.record(step)
        missing = [other.label or other.kind for other in step.inputs if not self.done(other)]
        if missing:
            raise InputError(f"{step.label}: its input {missing[0]!r} is not there.")
        path = self.path(step)
        record = make_once(
            path, step.key, lambda temporary: step.make(Job(temporary, self, environment, step.key))
        )
        for leftover in (self.unfinished(step.key), sidecar(self.unfinished(step.key))):
            leftover.unlink(missing_ok=True)
        self._put_result(step)
        return record

    def share(self, step: Step) -> None:
        """Publish the result of a step that is done here, where the store is shared and does not have it."""
        if self.behind is None or self._there(f"{step.file}.json"):
            return
        if is_done(self.path(step), step.key):
            self._put_result(step)

    def _put_result(self, step: Step) -> None:
        path = self.path(step)
        self._put(path, step.file)
        self._put(sidecar(path), f"{step.file}.json")

    def publish(self, name: str) -> None:
        """Publish a file of the folder, where the store is shared."""
        self._put(self.folder / name, name)

    def fetch(self, name: str) -> Path:
        """Return where a file is, as it was last published where the store is shared."""
        if self.behind is not None and self._there(name):
            self._get(name, self.folder / name)
        return self.folder / name

    def _shared(self) -> tuple[Any, str]:
        return _opened(str(self.behind))

    def _there(self, name: str) -> bool:
        system, prefix = self._shared()
        return bool(system.exists(f"{prefix}/{name}"))

    def _get(self, name: str, path: Path) -> None:
        system, prefix = self._shared()
        with published(path) as temporary:
            system.get(f"{prefix}/{name}", str(temporary), recursive=system.isdir(f"{prefix}/{name}"))

    def _put(self, path: Path, name: str) -> None:
        if self.behind is None:
            return
        system, prefix = self._shared()
        there = f"{prefix}/{name}"
        if "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)):
            with published(Path(there)) as temporary:
                shutil.copytree(path, temporary) if path.is_dir() else shutil.copyfile(path, temporary)
            return
        part = f"{there}.{os.getpid()}-{secrets.token_hex(4)}.part"
        system.makedirs(there.rpartition("/")[0], exist_ok=True)
        system.put(str(path), part, recursive=path.is_dir())
        if path.is_dir() and system.exists(there):
            with contextlib.suppress(FileNotFoundError):  # another runner has just removed it
                system.rm(there, recursive=True)
        system.mv(part, there, recursive=path.is_dir())


def _copy_of(place: str) -> Path:
    return cache_folder() / "store" / key_of(place)


@lru_cache(maxsize=8)
def _opened(place: str) -> tuple[Any, str]:
    """Return the file system behind a URL, and the path in it."""
    fsspec = need("fsspec", "ray", "a store behind a URL")
    try:
        system: tuple[Any, str] = fsspec.core.url_to_fs(place)
    except ImportError as error:
        raise MissingExtra(f"The store {place} needs another package: {error}.") from None
    except ValueError as error:
        raise InputError(
            f"The store {place} cannot be opened: {error}. A folder is wanted, or a URL such as s3://bucket/results."
        ) from None
    return system
