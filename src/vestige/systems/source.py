"""A system as the steps of a plan name it: by its fingerprint, from a file of the user's or from memory."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vestige.data.source import Truth
from vestige.errors import InputError, told, unknown
from vestige.files import regular
from vestige.store import array_hash, file_hash, key_of
from vestige.systems.base import Positions, System, expect_system, fingerprint_of

Content = Mapping[str, bytes]
"""What records hold, by id."""


@dataclass(frozen=True, eq=False)
class SystemSource:
    """A system.

    Attributes
    ----------
    fingerprint : str
        What it must be.
    place : str or None
        "churn.py:system", a Python file and a name in it; None: the system is held in memory.
    held : System or None
        The system itself; other processes read the file instead, where there is one.
    content : Content or None
        What the function of that name is given; None: it takes nothing.
    """

    fingerprint: str
    place: str | None = None
    held: System | None = field(default=None, repr=False)
    content: Content | None = field(default=None, repr=False)

    @classmethod
    def of(cls, system: Any, content: Callable[[], Content] = dict) -> SystemSource:
        """Return the source of a system, or of "file.py:name", whose code runs: name files of your own alone.

        The file, and what it reads, are taken as they are now, whatever was read of them before. Either may be a
        function of the records that are in the system's data no more, {id: bytes}; it is given what `content` returns.
        Raises `InputError` where there is no system.
        """
        if isinstance(system, SystemSource):
            return system
        if not isinstance(system, str):
            held = _built(system, "the system", content()) if takes_content(system) else system
            return cls(fingerprint_of(expect_system(held)), None, held)
        place = _absolute(system)
        file, _, name = place.rpartition(":")
        digest = file_hash(regular(Path(file)))
        value, kept = _value(file, name, digest), None
        if takes_content(value):
            kept = dict(content())
            held = _built(value, place, kept)
        else:
            held = _system_of(value, file, name)
        return cls(key_of(fingerprint_of(held), digest), place, held, kept)

    @property
    def key(self) -> str:
        return self.fingerprint

    def load(self) -> System:
        """Return the system. Raises `InputError` where the file does not give that of the plan."""
        if self.held is not None:
            return self.held
        if self.fingerprint not in _READ:
            again = self.of(self.place, lambda: self.content or {})
            if again.fingerprint != self.fingerprint:
                raise InputError(
                    f"{self.place}: the system is not the one that this step was planned with. Give every machine the "
                    "same files, and run the command again."
                )
            _READ.clear()
            _READ[self.fingerprint] = again.load()
        return _READ[self.fingerprint]

    def __getstate__(self) -> dict[str, Any]:
        kept = dict(self.__dict__)
        return kept if self.place is None else kept | {"held": None}


@dataclass(frozen=True, eq=False)
class SystemRows:
    """Some records of a system, in an order."""

    source: SystemSource
    positions: Positions

    @property
    def key(self) -> list[str]:
        return [self.source.key, array_hash(self.positions)]

    def __len__(self) -> int:
        return len(self.positions)

    def truth(self, root: str | None = None) -> Truth:
        """Return what is known of the records."""
        return self.source.load().records.take(np.asarray(self.positions))


_READ: dict[str, System] = {}
"""The system that a worker process has read for the steps that it was given, by its fingerprint."""


def _system_of(value: Any, file: str, name: str) -> System:
    """Return the system that has a name in a file, or that the function of that name returns."""
    with _own_code(file), _importing(file):
        value = value() if callable(value) and not hasattr(value, "records") else value
    return expect_system(value, f"{file}:{name}")


def _value(file: str, name: str, digest: str) -> Any:
    """Import a file, whose content has this digest, and return what has a name in it."""
    module_name = f"vestige_system_{digest[:16]}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file}: a Python file, such as system.py:system, is wanted.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    with _own_code(file), _importing(file):
        # not by the loader: compiled code that is kept is known by second and size, and a file may change within them
        exec(compile(Path(file).read_bytes(), file, "exec", dont_inherit=True), vars(module))
    if not hasattr(module, name):
        names = [known for known in vars(module) if not known.startswith("_")]
        raise InputError(f"{file}: {unknown('name', name, names)}")
    return getattr(module, name)


def takes_content(value: Any) -> bool:
    """Is it a function of what was kept of records, and no system itself?"""
    if not callable(value) or hasattr(value, "records"):
        return False
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):  # a function that does not say what it takes
        return False
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len([one for one in parameters if one.kind in plain and one.default is one.empty]) == 1


def _built(function: Callable[[Content], Any], where: str, content: Content) -> System:
    with _own_code(where):
        system = function(content)
    return expect_system(system, where)


@contextlib.contextmanager
def _importing(file: str) -> Iterator[None]:
    """Let the file import what lies beside it."""
    sys.path.insert(0, str(Path(file).parent))
    try:
        yield
    finally:
        sys.path.remove(str(Path(file).parent))


@contextlib.contextmanager
def _own_code(where: str) -> Iterator[None]:
    """Raise what the user's own code raises as `InputError`: it is a fault of that file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{where}{_line_of(where, error)}: {type(error).__name__}: {told(error)}."
        ) from error


def _line_of(where: str, error: BaseException) -> str:
    """Return the last line of the user's file that was at work when it failed; "" where none was."""
    file = where if where.endswith(".py") else where.rpartition(":")[0]
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == file]
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == file else None
    line = lines[-1] if lines else line
    return "" if line is None else f", line {line}"


def _absolute(place: str) -> str:
    file, colon, name = place.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise InputError(f"The system {place!r} is no file and name; such as ./churn.py:system is wanted.")
    return f"{Path(file).resolve()}:{name}"
