"""What vestige raises. Every message names the thing, the value it had and what is allowed."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeVar

V = TypeVar("V")
R = TypeVar("R")
SENTENCE, LONGEST = 1_500, 100
"""Characters of a sentence at most, and of a value that one repeats; of a longer one it names the type alone."""
BULLET = "\n  - "
"""What stands before each of several faults that are told together."""


class InputError(ValueError):
    """The user's input cannot be used as it is: a file, a field, a value. The CLI exits with 2.

    Its text can be printed, whatever it repeats: one line, or one for each fault, of at most 1,500 characters; of a
    longer one the middle is left out.

    Attributes
    ----------
    faults : tuple[str, ...]
        Each by itself, where several are told together; else empty.
    """

    faults: tuple[str, ...] = ()

    def __init__(self, message: str = "") -> None:
        super().__init__(BULLET.join(map(_line, message.split(BULLET))))


def _line(text: str) -> str:
    line = " ".join(map(str.strip, text.splitlines())).encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= SENTENCE else f"{line[: SENTENCE - 505]} ... {line[-500:]}"


MOST_FAULTS = 20
"""Faults that one message tells; of more it says how many there are."""


def several(where: str, faults: Sequence[str]) -> InputError:
    """Return the error that tells all faults: one in a sentence, more in a list of a line each."""
    faults = tuple(dict.fromkeys(faults))
    if len(faults) == 1:
        error = InputError(f"{where}: {faults[0]}")
    else:
        more = [f"and {len(faults) - MOST_FAULTS} more."] if len(faults) > MOST_FAULTS else []
        lines = [f"{where}: {len(faults)} faults.", *faults[:MOST_FAULTS], *more]
        error = InputError(BULLET.join(lines))
    error.faults = faults
    return error


def every(where: str, values: Iterable[V], read: Callable[[V], R]) -> list[R]:
    """Return what `read` makes of each value; where it refuses some, raise the faults of all together."""
    results, errors = [], []
    for value in values:
        try:
            results.append(read(value))
        except InputError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise several(where, [fault for error in errors for fault in error.faults or (str(error),)])
    return results


class ArtefactError(InputError):
    """A file that vestige or the user wrote is missing, truncated or changed since it was written."""


class MissingArray(InputError):
    """A measure needs an array that this `Signals` does not hold; the message says how to get it."""


class MissingExtra(ImportError):
    """An optional dependency is not installed; the message is the command that installs it."""


def unknown(kind: str, got: object, allowed: Iterable[str]) -> str:
    """Return the sentence for an unknown name: what was got, the nearest known one, and all of them."""
    names = sorted(allowed)
    return f"There is no {kind} {shown(got)}.{nearest(got, names)} Known: {', '.join(names)}."


def nearest(got: object, names: Sequence[str]) -> str:
    """Return the question whether the known name that is most like it was meant, or nothing where none is like it."""
    near = difflib.get_close_matches(got[:LONGEST], names, n=1, cutoff=0.5) if isinstance(got, str) else []
    return f" Did you mean {near[0]!r}?" if near else ""


def need(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional `module`, or raise `MissingExtra` with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f"{purpose} needs {module}: pip install 'vestige[{extra}]'") from error


def told(error: BaseException, most: int = 200) -> str:
    """Return what an error says, on one line, short, printable, and without its full stop."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else f"{text[:most]}..."


PLAIN = (str, bytes, bool, int, float, complex, tuple, list, dict, set, Path, type(None))


def shown(value: object) -> str:
    """Return a plain value as a message repeats it; of one that is long, an object, or cannot be written, its type."""
    number = hasattr(value, "item") and not getattr(value, "shape", (1,))  # of NumPy
    try:
        text = repr(value) if isinstance(value, PLAIN) or number else ""
    except Exception:  # an integer of more digits than Python writes, a list that holds itself
        text = ""
    return text if text and len(text) <= LONGEST and "\n" not in text else f"of type {type(value).__name__}"
