"""Can a system be handed to worker processes? They are started anew, and find code by its name in a module."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vestige.errors import InputError
from vestige.systems.base import System

DEEPEST, MOST = 8, 50_000
"""How far into a system is looked, and at how many parts of it."""


def expect_portable(system: System) -> None:
    """Raise `InputError` for a function or class that a worker process could not find: one made inside a function.

    In a notebook nothing that is written there can be found either, for there is no file to read it from.
    """
    in_file = hasattr(sys.modules["__main__"], "__file__")
    for thing in _code_in(system):
        name = thing.__qualname__
        if "<locals>" in name or "<lambda>" in name:
            raise InputError(
                f"{name!r} is defined inside a function, so that worker processes cannot find it; define it in a "
                "module of its own, or leave workers out."
            )
        if thing.__module__ == "__main__" and not in_file:
            raise InputError(
                f"{name!r} is defined in a notebook or a prompt, so that worker processes cannot find it; put it into "
                "a file that you import, or leave workers out."
            )


def expect_guarded() -> None:
    """Raise `InputError` where worker processes would run the user's script once more, for it is not guarded."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None or not Path(file).is_file():
        return
    if b"__name__" not in Path(file).read_bytes():
        raise InputError(
            f"{Path(file).name} would be run again by every worker process, which imports it: put what it does under "
            "if __name__ == '__main__':, or leave workers out."
        )


def _code_in(root: Any) -> Iterator[Any]:
    """Yield the functions of a system, and the classes of what it holds."""
    waiting: list[tuple[Any, int]] = [(root, 0)]
    known: set[int] = set()
    while waiting and len(known) < MOST:
        value, depth = waiting.pop()
        if id(value) in known:
            continue
        known.add(id(value))
        function = getattr(value, "func", value)  # of functools.partial
        if hasattr(function, "__qualname__") and hasattr(function, "__module__"):
            yield function
            continue
        kind = type(value)
        if kind.__module__.partition(".")[0] not in ("builtins", "numpy", "pandas"):
            yield kind
        if depth < DEEPEST:
            waiting += [(part, depth + 1) for part in _parts(value)]


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (list, tuple)):
        return list(value[:100])
    if type(value).__module__.partition(".")[0] in ("builtins", "numpy", "pandas"):
        return []
    return list(getattr(value, "__dict__", {}).values())
