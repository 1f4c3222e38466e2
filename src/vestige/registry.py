"""The whole plug-in system: a dictionary that finds its own entries.

A registry reads every module of its package once, when it is first asked, and then the entry points of
other installed packages. Adding an entry is adding a file; nothing else is edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from vestige.errors import InputError, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to entries of one kind (`measure`, `method`, `model`, `data set`).

    Modules of `package` register their entries on import; installed packages may add more through the
    entry-point group `group`, each entry point naming a module that registers on import.
    """

    def __init__(self, kind: str, package: str, group: str) -> None:
        self.kind, self.package, self.group = kind, package, group
        self._entries: dict[str, T] = {}
        self._complete = False

    def add(self, name: str, entry: T) -> T:
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> T:
        self._discover()
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise InputError(unknown(self.kind, name, self._entries)) from None

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def __len__(self) -> int:
        self._discover()
        return len(self._entries)

    def _discover(self) -> None:
        if self._complete:
            return
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        for point in entry_points(group=self.group):
            point.load()
        self._complete = True
