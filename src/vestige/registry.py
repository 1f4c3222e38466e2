"""The whole plug-in system: a dictionary that finds its own entries.

A registry reads every module of its package once, when it is first asked, and then the entry points of
other installed packages. Adding an entry is adding a file; nothing else is edited.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.metadata import entry_points
from types import SimpleNamespace, UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from vestige.errors import InputError, unknown

T = TypeVar("T")
PRESETS = ("recommended", "paper")


def summary_of(function: Callable[..., Any]) -> str:
    """Return the first line of a function's docstring."""
    return (inspect.getdoc(function) or "").split("\n", 1)[0]


def knobs_of(function: Callable[..., Any], hidden: Collection[str] = ()) -> dict[str, Any]:
    """Return the keyword-only options of a function with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in hidden}


def resolved(
    name: str,
    knobs: dict[str, Any],
    paper: Mapping[str, Any],
    preset: str,
    options: Mapping[str, Any],
    types: Mapping[str, Any],
) -> dict[str, Any]:
    """Return every knob's value: recommended, then the preset's, then what the caller changed.

    types  what the caller's values must be, where that is known; see `types_of`

    Raises `InputError` for an unknown preset or option, and for a value of another type or outside its range.
    """
    if preset not in PRESETS:
        raise InputError(unknown("preset", preset, PRESETS))
    for option in options:
        if option not in knobs:
            raise InputError(f"{name}: {unknown('option', option, knobs)}")
    given = {k: _of_type(name, k, v, types[k]) if k in types else v for k, v in options.items()}
    return knobs | (dict(paper) if preset == "paper" else {}) | given


def types_of(owner: Callable[..., Any]) -> dict[str, Any]:
    """Return the plain types (numbers, texts, truth values, tuples of them) of a function's keyword-only options, or of
    a dataclass's fields, with their ranges where they are annotated by `Count`, `Positive` or `NotNegative`. Names to
    choose from are left to whoever knows them: the message is better there.
    """
    names = getattr(owner, "__globals__", None) or vars(sys.modules[owner.__module__])
    found = {}
    for p in inspect.signature(owner).parameters.values():
        only = SimpleNamespace(__annotations__={p.name: p.annotation})
        try:
            hint = get_type_hints(only, names, include_extras=True)[p.name]
        except NameError:  # imported for the type checker alone
            continue
        if _parts(hint) & {bool, int, float, str, tuple}:
            found[p.name] = hint
    return found


def _parts(hint: Any) -> set[Any]:
    """Return the types that a value of this type may have."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _parts(get_args(hint)[0])
    if origin in (Union, UnionType):
        return {part for choice in get_args(hint) for part in _parts(choice)}
    return {origin or hint}


def _of_type(name: str, option: str, value: Any, wanted: Any) -> Any:
    try:
        return TypeAdapter(wanted, config=ConfigDict(allow_inf_nan=False)).validate_python(value)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise InputError(f"{name}: {option!r} is {value!r}: {reason[:1].lower()}{reason[1:]}.") from None


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


class Part(Mapping[str, T]):
    """The entries of a registry that something holds for, such as the measures that texts can be asked by."""

    def __init__(self, registry: Registry[T], kind: str, belongs: Callable[[T], bool]) -> None:
        self.registry, self.kind, self.belongs = registry, kind, belongs

    def __getitem__(self, name: str) -> T:
        if name not in self.registry or not self.belongs(self.registry[name]):
            raise InputError(unknown(self.kind, name, list(self)))
        return self.registry[name]

    def __contains__(self, name: object) -> bool:
        return name in self.registry and self.belongs(self.registry[str(name)])

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.registry if self.belongs(self.registry[name]))

    def __len__(self) -> int:
        return sum(1 for _ in self)
