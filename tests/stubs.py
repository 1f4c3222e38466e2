"""The stubs that tell editors and type checkers the options of every method and measure, and the lists of the command
line: python tests/stubs.py.

They are written from the registries. What a stub does not know yet is any callable, so that adding a method or a measure
is adding its file; `make stubs` then lets editors complete its options too.
"""

from __future__ import annotations

import inspect
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import vestige
from vestige.arguments import hints_of, plain_type
from vestige.listing import WRITTEN
from vestige.listing import written as written_lists
from vestige.measures import MEASURES, Measure
from vestige.registry import Entry
from vestige.unlearning import METHODS
from vestige.unlearning.work import Steps

HEAD = """# Written by tests/stubs.py from the registry; do not edit: make stubs
from collections.abc import Callable
from typing import Any, Literal, TypedDict, Unpack

"""
METHOD = """from vestige.data import Split
from vestige.unlearning import Unlearned

class Settings(TypedDict, total=False):
    preset: str
    recipe: Any
    seed: int
    device: str
    progress: bool
    max_epochs: float | None
    max_seconds: float | None
    on_epoch: Callable[[Any], bool | None] | None

class Steps(Settings, total=False):
"""
MEASURE = """from vestige.measures.registry import MEASURES as MEASURES
from vestige.measures.registry import Measure as Measure
from vestige.measures.registry import Scores
from vestige.measures.registry import measure as measure
from vestige.measures.registry import register as register
from vestige.signals import Signals

"""


def written(hint: Any) -> str:
    """Return a type as it is written in code."""
    origin = get_origin(hint)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, get_args(hint)))}]".replace("'", '"')
    if origin in (Union, types.UnionType):
        return " | ".join(map(written, get_args(hint)))
    if origin is tuple:
        return f"tuple[{', '.join('...' if part is ... else written(part) for part in get_args(hint))}]"
    if hint is type(None):
        return "None"
    return "Any" if hint is Any else hint.__name__


def options(entry: Entry) -> str:
    """Return the function's own options as they are written in a signature."""
    return "".join(
        f", {name}: {written(plain_type(entry.hints[name]))} = {default!r}".replace("'", '"')
        for name, default in entry.own_options.items()
    )


def function(entry: Entry, first: str, rest: str, returns: str) -> str:
    """Return an entry's signature and its docstring, up to the notes: these are for `help()` and the site."""
    star = "" if first.startswith("*") or (rest.startswith(", **") and not entry.own_options) else ", *"
    what = (inspect.getdoc(entry.function) or "").partition("\n\nNotes\n")[0]
    docstring = textwrap.indent(f'"""{what}\n"""', "    ")
    return f"def {entry.name}({first}{star}{options(entry)}{rest}) -> {returns}:\n{docstring}\n\n"


def fallback(returns: str) -> str:
    return f"def __getattr__(name: str) -> Callable[..., {returns}]: ...\n"


def methods() -> str:
    steps = "".join(f"    {name}: {written(plain_type(hint))}\n" for name, hint in hints_of(Steps).items())
    lines = [
        function(
            m,
            "model: Any, split: Split",
            f", **settings: Unpack[{'Settings' if m.steps is None else 'Steps'}]",
            "Unlearned",
        )
        for m in METHODS.entries()
    ]
    return HEAD + METHOD + steps + "\n" + "".join(lines) + fallback("Unlearned")


def _arrays(measure: Measure) -> str:
    """Return what a measure reads: signals, or the arrays of texts that it needs."""
    if measure.of_samples:
        return "signals: Signals"
    return "*, " + ", ".join(f"{array}: Any" for array in measure.texts)


def measures() -> str:
    lines = [function(m, _arrays(m), ", preset: str = ...", "Scores") for m in MEASURES.entries()]
    return HEAD + MEASURE + "".join(lines) + fallback("Scores")


FOLDER = Path(vestige.__file__).parent
STUBS: dict[Path, Callable[[], str]] = {
    FOLDER / "methods.pyi": methods,
    FOLDER / "measures" / "__init__.pyi": measures,
    WRITTEN: written_lists,
}

if __name__ == "__main__":
    for path, make in STUBS.items():
        path.write_text(make(), encoding="utf-8")
