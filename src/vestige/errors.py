"""What vestige raises. Every message names the thing, the value it had and what is allowed."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

MESSAGE, LONGEST = 1_500, 100
"""Characters of a message at most, and of a value that one repeats; of a longer one it names the type alone."""


class InputError(ValueError):
    """The user's input cannot be used as it is: a file, a field, a value. The CLI exits with 2.

    Its text is one line that can be printed, of at most 1,500 characters, whatever it repeats: of a longer one the
    middle is left out.
    """

    def __init__(self, message: str = "") -> None:
        line = " ".join(map(str.strip, message.splitlines())).encode("utf-8", "backslashreplace").decode()
        if len(line) > MESSAGE:
            line = f"{line[: MESSAGE - 505]} ... {line[-500:]}"
        super().__init__(line)


class ArtefactError(InputError):
    """A file that vestige or the user wrote is missing, truncated or changed since it was written."""


class MissingArray(InputError):
    """A measure needs an array that this `Signals` does not hold; the message says how to get it."""


class MissingExtra(ImportError):
    """An optional dependency is not installed; the message is the command that installs it."""


def unknown(kind: str, got: object, allowed: Iterable[str]) -> str:
    """Return the sentence for an unknown name: what was got, the nearest known one, and all of them."""
    names = sorted(allowed)
    near = difflib.get_close_matches(got[:LONGEST], names, n=1, cutoff=0.5) if isinstance(got, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no {kind} {shown(got)}.{hint} Known: {', '.join(names)}."


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
