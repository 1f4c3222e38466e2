"""The door of the Python API: what a caller passes is checked by the function's own annotations, in one place.

    @checked
    def collect(model: nn.Module, *, batch_size: Count = 512, device: str | None = None) -> ...

Ranges stand in the annotation (`Count`, `Positive`, ...). A number is never made of text or of a truth value, and an
argument of another kind is refused by its name; what an annotation cannot say is left to the function.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import operator
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from vestige.errors import InputError, nearest, shown, told, unknown
from vestige.files import as_path
from vestige.values import DIGITS

P = ParamSpec("P")
R = TypeVar("R")

LARGEST_SEED, LARGEST, MOST_DRAWS = 2**63 - 1, 2**31 - 1, 1_000_000
Count: TypeAlias = Annotated[int, Field(ge=1, le=LARGEST)]
Draws: TypeAlias = Annotated[int, Field(ge=1, le=MOST_DRAWS)]
Whole: TypeAlias = Annotated[int, Field(ge=0, le=LARGEST)]
Seed: TypeAlias = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Weight: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Below1: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
Between: TypeAlias = Annotated[float, Field(gt=0, lt=1)]

OWN_CHECK = "checked by the function itself"
"""Mark of an annotation that is left to the function: `Annotated[..., OWN_CHECK]`."""
Array: TypeAlias = Annotated[ArrayLike, OWN_CHECK]
"""An array, a list or a tensor: `vestige.values` says what is wrong with it."""

PLAIN = (bool, int, float, str, tuple, Path)
FINITE = ConfigDict(allow_inf_nan=False)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check a function's arguments against its annotations before it runs. Raises `InputError`, one sentence.

    Annotations that are imported for the type checker alone are not read; `**options` are left to the function.
    """
    signature, where = inspect.signature(function), function.__qualname__.split("<locals>.")[-1]
    hints: dict[str, Any] = {}

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = bind(where, signature, args, kwargs)
        if not hints:
            hints.update(hints_of(function))
        for name, value in bound.arguments.items():
            if name in hints:
                bound.arguments[name] = fitting(where, name, value, hints[name])
        return function(*bound.args, **bound.kwargs)

    return call


def bind(
    where: str, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> inspect.BoundArguments:
    """Return which parameter gets which argument. Raises `InputError` for one that is missing, or that there is not."""
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        names = [
            name
            for name, p in signature.parameters.items()
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
        strange = [name for name in kwargs if name not in names]
        if strange and not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
            raise InputError(f"{where}: {unknown('argument', strange[0], names)}") from None
        raise InputError(f"{where}: {told(error)}; its arguments are {', '.join(names)}.") from None


def hints_of(owner: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function's parameters, or of a dataclass's fields: those that can be read.

    What is imported for the type checker alone cannot be.
    """
    names = getattr(owner, "__globals__", None) or vars(sys.modules[owner.__module__])
    known = {}
    for p in inspect.signature(owner).parameters.values():
        if p.annotation is p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        only = types.SimpleNamespace(__annotations__={p.name: p.annotation})
        try:
            known[p.name] = get_type_hints(only, names, include_extras=True)[p.name]
        except NameError:  # imported for the type checker alone
            continue
    return known


def check_fields(where: str, record: Any) -> None:
    """Check the fields of a dataclass by their annotations, and keep them as these say. Raises `InputError`."""
    hints = hints_of(type(record))
    for field in dataclasses.fields(record):
        if field.name in hints:
            value = fitting(where, field.name, getattr(record, field.name), hints[field.name])
            object.__setattr__(record, field.name, value)


def fitting(where: str, name: str, value: Any, wanted: Any) -> Any:
    """Return a value as its annotation wants it, or raise `InputError`: which argument, what it is, what is wanted."""
    if _is_own(wanted):
        return value
    parts = _parts(wanted)
    if {Any, object} & set(parts) or (value is None and type(None) in parts):
        return value
    numbers_or_text = [p for p in parts if _is_plain(p)]
    kinds = [k for p in parts if p not in numbers_or_text and isinstance(k := get_origin(p) or p, type)]
    text = isinstance(value, (str, bytes))
    if kinds and isinstance(value, tuple(kinds)) and not text:
        _check_members(where, name, value, parts)
        return value
    if not numbers_or_text:
        raise InputError(f"{where}: {name} is {shown(value)}; {_named(parts)} is wanted.")
    if isinstance(value, int) and abs(value) >= 10**DIGITS:
        raise InputError(f"{where}: {name} is an integer of more than {DIGITS} digits.")
    if isinstance(value, (bool, np.bool_)) and bool not in parts:
        raise InputError(f"{where}: {name} is {value}; a truth value is not wanted here.")
    if text and all(p in (bool, int, float, tuple, type(None)) for p in parts):
        other = "True or False" if set(parts) <= {bool, type(None)} else "a number"
        raise InputError(f"{where}: {name} is {shown(value)}, which is text; {other} is wanted.")
    if Path in parts and isinstance(value, (str, Path)):
        path = as_path(value)
        return value if str in parts else path
    try:
        return _adapter(wanted).validate_python(value)
    except ValidationError as error:
        if set(kinds) - {type(None)}:
            raise InputError(f"{where}: {name} is {shown(value)}; {_named(parts)} is wanted.") from None
        reason = error.errors(include_url=False)[0]["msg"].rstrip(".")
        wanted = reason.removeprefix("Input should be ")
        end = f"; {wanted} is wanted." if wanted != reason else f": {reason[:1].lower()}{reason[1:]}."
        choices = [str(c) for p in parts if get_origin(p) is Literal for c in get_args(p)]
        hint = nearest(value, choices) if text else ""
        raise InputError(f"{where}: {name} is {shown(value)}{end}{hint}") from None


@functools.lru_cache(maxsize=4096)
def _adapter(hint: Any) -> TypeAdapter[Any]:
    """Return pydantic's check of what is plain in a hint; to build one takes longer than to use it."""
    return TypeAdapter(_plain(hint), config=FINITE)


def plain_type(hint: Any) -> Any:
    """Return a hint without the ranges that stand in it: float for `Positive`."""
    origin = get_origin(hint)
    if origin is Annotated:
        return plain_type(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, map(plain_type, get_args(hint)))
    if origin is tuple:
        return types.GenericAlias(tuple, tuple(plain_type(part) for part in get_args(hint)))
    return hint


def _check_members(where: str, name: str, value: Any, parts: list[Any]) -> None:
    """Check what a sequence holds where its annotation says so: `Sequence[Dataset]`."""
    for part in parts:
        if get_origin(part) is Sequence and isinstance(value, Sequence):
            for place, member in enumerate(value):
                fitting(where, f"{name}[{place}]", member, get_args(part)[0])


def _is_own(hint: Any) -> bool:
    """Is a value of this annotation, or of a member of it, left to the function?"""
    if OWN_CHECK in getattr(hint, "__metadata__", ()):
        return True
    return get_origin(hint) in (Union, types.UnionType) and any(map(_is_own, get_args(hint)))


def _named(parts: list[Any]) -> str:
    """Return the names of what is wanted: "Recipe, str or Mapping"."""
    words = {"Iterable": "a list", "Sequence": "a list"}
    names = [(get_origin(p) or p).__name__ for p in parts if p is not type(None)]
    names = [words.get(name, name) for name in names]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _plain(hint: Any) -> Any:
    """Return what pydantic is to check of a hint: a union without its classes, all else as it is."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    members = [m for m in get_args(hint) if any(p is type(None) or _is_plain(p) for p in _parts(m))]
    return functools.reduce(operator.or_, members)


def _is_plain(part: Any) -> bool:
    return part in PLAIN or get_origin(part) in (tuple, Literal)


def _parts(hint: Any) -> list[Any]:
    """Return the members of a union, at any depth; of an annotation with a range, what it annotates."""
    origin = get_origin(hint)
    if isinstance(hint, TypeVar):
        return _parts(hint.__bound__ or Any)
    if origin is Annotated:
        return _parts(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return [part for member in get_args(hint) for part in _parts(member)]
    return [hint]
