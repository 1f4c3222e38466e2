"""Validation at the edge: pydantic errors become one sentence that names field, value and what is allowed."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeAlias, TypeVar, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vestige.errors import LONGEST, InputError, nearest, several, shown, told, unknown
from vestige.files import read_text
from vestige.registry import OLD, Registry, new_spelling, spelled
from vestige.values import DIGITS

NUMERAL = re.compile(r"\s*[-+]?[\d_]*\.?[\d_]*([eE][-+]?\d+)?\s*")


class Config(BaseModel):
    """Base of every configuration: frozen, unknown keys forbidden.

    Raises `InputError` with every fault, also where it is made in Python: `Recipe(epochs=-1)`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise several(type(self).__name__, _faults(type(self), error, values)) from None

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_alone(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse True and text where a number is wanted: pydantic takes True for 1, and "5" for 5."""
        if isinstance(value, (bool, str)) and info.field_name in cls.model_fields:
            annotation = cls.model_fields[info.field_name].annotation
            kinds = {annotation, *get_args(annotation)}
            if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
                raise ValueError("a truth value is no number")
            if (
                isinstance(value, str)
                and kinds & {int, float}
                and str not in kinds
                and NUMERAL.fullmatch(value)
            ):
                raise ValueError("a text is no number; write it without quotes")
        return value


# Fields that are configurations are checked by pydantic itself, which knows where in the whole the fault is.
Config.__init__.__dict__["__pydantic_base_init__"] = True


class Named(Config):
    """Something that is registered, by its name, with its options beside it: `iam`, or `{name: iam, family: norm}`.

    Subclasses say where it is registered, and which keys beside the name are no options of it.

    Raises `InputError` for a name that is not registered there, and for options that are not its own.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    REGISTRY: ClassVar[Registry[Any]]

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options that are given."""
        return dict(self.model_extra or {})

    def check(self) -> None:
        """Raise `InputError` as above."""
        self.REGISTRY[self.name].resolve(self.options, getattr(self, "preset", "recommended"))

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        return value if isinstance(value, cls) else spelled(cls.REGISTRY.kind, value)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        self.check()
        return self


def _with_name(spec: str | dict[str, Any]) -> str | dict[str, Any]:
    if "name" not in spelled("measure", spec):
        raise ValueError("its 'name' is missing")
    return spec


Spelled: TypeAlias = Annotated[str | dict[str, Any], AfterValidator(_with_name)]
"""A name, or a mapping with a name and options beside it, kept as it is written; which there are is not looked at."""

C = TypeVar("C", bound=BaseModel)


def plain_name(name: str) -> str:
    """Return a name that is one part of a path on every system, or raise `ValueError`."""
    wanted = "a plain folder name is wanted, without spaces and slashes"
    if not name or len(name) > LONGEST or any(c in name for c in '/\\ :*?"<>|') or not name.isprintable():
        raise ValueError(wanted)
    if name[0] in ".~-" or name[-1] == ".":
        raise ValueError(wanted)
    return name


PlainName: TypeAlias = Annotated[str, AfterValidator(plain_name)]
"""What a folder is named by: one part of a path, so that nothing is written anywhere else."""
YAML_BYTES, YAML_DEPTH, YAML_VALUES = 2**18, 50, 100_000
"""Bytes of a configuration, its levels, and its values with every alias expanded, that are read."""


def validated(model: type[C], values: Mapping[str, Any], where: str) -> C:
    """Build `model` from `values`, or raise `InputError`: every fault, a sentence each.

    `where` names the source for the reader, for example a file name.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: a mapping of keys is wanted; this is of type {type(values).__name__}.")
    _check_plain(values, where)
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise several(where, _faults(model, error, values)) from None
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:  # of a field's own check
        raise InputError(
            f"{where}: a value is of a kind that its key does not take ({told(error)})."
        ) from None


def _check_plain(values: Any, where: str) -> None:
    """Refuse what pydantic would take and no field means: bytes for text, integers of any length, endless nesting."""
    level = [values]
    for _ in range(YAML_DEPTH):
        parts: list[Any] = []
        for value in level:
            if isinstance(value, bytes):
                raise InputError(f"{where}: a value is bytes, {shown(value)}; text is wanted.")
            if isinstance(value, int) and abs(value) >= 10**DIGITS:
                raise InputError(f"{where}: a value is an integer of more than {DIGITS} digits.")
            if isinstance(value, Mapping):
                parts += value.values()
            elif isinstance(value, (list, tuple)):
                parts += value
        if len(parts) > YAML_VALUES:
            raise InputError(f"{where}: it holds more than {YAML_VALUES:,} values.")
        level = parts
    if level:
        raise InputError(f"{where}: it nests deeper than {YAML_DEPTH} levels.")


def _faults(model: type[BaseModel], error: ValidationError, values: Any) -> list[str]:
    """Return a sentence for each fault, unknown keys first; of a value that fits no member of a union, one."""
    faults = [(_place(fault, values), fault) for fault in error.errors(include_url=False)]
    faults.sort(key=lambda pair: pair[1]["type"] not in UNKNOWN)
    strangers = [place for place, fault in faults if fault["type"] in UNKNOWN]
    sentences: dict[tuple[str, ...], list[str]] = {}
    for place, fault in faults:
        deeper = any(len(other) > len(place) and other[: len(place)] == place for other, _ in faults)
        if len(fault["loc"]) > len(place) and deeper:
            continue  # another member of the union fits but for what lies deeper
        alike = [s for s in strangers if s[:-1] == place[:-1] and nearest(s[-1], place[-1:])]
        if fault["type"] == "missing" and alike:
            continue  # it stands there by a wrong name
        sentences.setdefault(place, _sentences(model, place, fault))
    return [sentence for group in sentences.values() for sentence in group]


UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def _place(fault: Any, values: Any) -> tuple[str, ...]:
    """Return the keys that lead to a fault, without what pydantic adds: the members of a union that it tried."""
    path, node = [], values
    for part in fault["loc"]:
        if (isinstance(node, Mapping) and part in node) or (
            isinstance(node, (list, tuple)) and part in range(len(node))
        ):
            node = node[part]
        elif not (part == fault["loc"][-1] and fault["type"] == "missing"):
            continue
        path.append(str(part))
    return tuple(path)


def _sentences(model: type[BaseModel], path: tuple[str, ...], fault: Any) -> list[str]:
    field = ".".join(path)
    if fault["type"] in UNKNOWN and path:
        if path[-1] in OLD:
            return [f"{'.'.join(path[:-1])!r}: {new_spelling(path[-1], fault['input'], {'name': '...'})}"]
        parent = ".".join(path[:-1])
        place = f"In {parent!r} there" if parent else "There"
        return [f"{place}{unknown('key', path[-1], _keys(model, path[:-1])).removeprefix('There')}"]
    if fault["type"] == "missing":
        return [f"{field!r} is missing."]
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, InputError) and cause.faults:
        return [f"{field!r}: {sentence}" for sentence in cause.faults]
    reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
    reason = reason.removeprefix(f"{path[-1]}: ") if path else reason
    reason = f"{reason[:1].lower()}{reason[1:]}."
    if not path:  # of the whole model, which the reader has at hand
        return [reason]
    value = shown(fault["input"])
    bare = isinstance(fault["input"], Mapping) or value.startswith("of type ")
    return [f"{field!r}: {reason}" if bare else f"{field!r} is {value}: {reason}"]


def _keys(model: Any, path: tuple[str, ...]) -> list[str]:
    """Return the known keys of the (possibly nested) model or dataclass that `path` leads to."""
    for part in path:
        fields = model.model_fields if hasattr(model, "model_fields") else {}
        annotation = fields[part].annotation if part in fields else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        inner = [o for o in options if hasattr(o, "model_fields") or dataclasses.is_dataclass(o)]
        model = inner[0] if inner else model
    return list(getattr(model, "model_fields", None) or (f.name for f in dataclasses.fields(model)))


def read_yaml(path: Path | str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the mapping that a YAML file holds, with overrides such as "recipe.epochs=5" applied.

    Raises `InputError` for a file that is missing, is no regular file or cannot be read, and for an override that
    cannot be read; the limits are those of `parse_yaml`.
    """
    text = read_text(path, YAML_BYTES)
    try:
        values = parse_yaml(text)
    except ValueError as error:
        raise InputError(f"{path}: not readable as YAML ({told(error)}).") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: a mapping of keys is wanted, such as 'name:' and 'data:'.")
    return overridden(values, overrides)


class _Loader(yaml.SafeLoader):
    """Reads 1e-5 as the number that YAML 1.2 says it is; the library reads it as text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?|\d*\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def parse_yaml(text: str) -> Any:
    """Return what YAML says.

    Raises `ValueError`, its text a reason in words, for what is no YAML, for a key that stands twice, for more than 50
    levels, for aliases that expand to more than 100,000 values, and for integers of more than 40 digits.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _extent(node, {})
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError(f"it nests deeper than {YAML_DEPTH} levels") from None
    except (yaml.YAMLError, TypeError, OverflowError, AttributeError, KeyError, IndexError) as error:
        raise ValueError(told(error)) from None


def _extent(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Return how many values a node stands for, with every alias in its place, and how many levels."""
    if id(node) in known:
        extent = known[id(node)]
        if extent is None:
            raise ValueError("an alias stands inside what it names")
        return extent
    known[id(node)] = None
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(node)
        parts: list[yaml.Node] = []
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node)
        parts = [part for pair in node.value for part in pair]
    else:
        parts = list(node.value)
    extents = [_extent(part, known) for part in parts]
    values, levels = 1 + sum(e[0] for e in extents), 1 + max((e[1] for e in extents), default=0)
    if values > YAML_VALUES:
        raise ValueError(f"it expands to more than {YAML_VALUES:,} values")
    if levels > YAML_DEPTH:
        raise ValueError(f"it nests deeper than {YAML_DEPTH} levels")
    known[id(node)] = values, levels
    return values, levels


PLAIN_NUMBER = re.compile(
    r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9]+([eE][-+]?[0-9]+)?"
)


def _check_scalar(node: yaml.ScalarNode) -> None:
    """Refuse numbers that YAML 1.1 reads as others than they look: 010 as 8, 12:30 as 750, 1_0 as 10."""
    number = node.tag.endswith((":int", ":float"))
    if number and len(node.value) > DIGITS and node.tag.endswith(":int"):
        raise ValueError(f"an integer of {len(node.value)} characters; at most {DIGITS} are read")
    if number and any(c.isdigit() for c in node.value) and not PLAIN_NUMBER.fullmatch(node.value):
        raise ValueError(
            f"line {node.start_mark.line + 1}: {node.value[:DIGITS]} is not the same number to all readers of YAML; "
            "write it in plain digits, or in quotes where it is a name"
        )
    if any("\ud800" <= character <= "\udfff" for character in node.value):
        raise ValueError("a text holds half a character (a lone surrogate)")


def _check_keys(node: yaml.MappingNode) -> None:
    keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
    twice = [key for key, count in keys.items() if count > 1]
    if twice:
        raise ValueError(f"the key {twice[0]!r} stands twice")


def overridden(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return `values` with overrides such as "recipe.epochs=5" applied, in place. Raises `InputError` as above."""
    for override in overrides:
        _override(values, override)
    return values


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"The override {shown(override)} is not of the form a.b=c.")
    *path, last = key.split(".")
    if len(path) >= YAML_DEPTH:
        raise InputError(f"An override names {len(path) + 1} keys; at most {YAML_DEPTH} are read.")
    for part in path:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"The override {shown(override)}: {shown(part)} holds a value, not keys.")
        values = inner
    values[last] = option_value(text, f"The override {shown(override)}")


def compact(text: str, where: str) -> str | dict[str, Any]:
    """Return a name with options, as a command takes it, as a configuration has it; a bare name as it is.

    "iam:family=norm,steps=100" is {"name": "iam", "family": "norm", "steps": 100}. Values are written as YAML:
    "mlp:hidden=[256, 128],dropout=0.1". Raises `InputError`.
    """
    name, colon, rest = text.partition(":")
    if not colon:
        return name
    values: dict[str, Any] = {"name": name}
    for pair in re.split(r",(?=\s*\w+\s*=)", rest):
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputError(f"{where} {text}: {pair!r} is not of the form option=value.")
        values[key.strip()] = option_value(value, f"{where} {text}")
    return values


def option_value(text: str, where: str) -> Any:
    """Return a value that is written as YAML in an option, such as "5" or "[a, b]". Raises `InputError`."""
    if len(text) > YAML_BYTES:
        raise InputError(f"{where}: it has {len(text):,} characters; at most {YAML_BYTES:,} are read.")
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise InputError(f"{where}: {told(error)}.") from None


def over(values: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with those that are given (not None) put over them, at any depth; a bare name is a mapping.

    What is neither stays as it is, for `validated` to refuse.
    """
    for name, value in given.items():
        if isinstance(value, Mapping):
            old = values.get(name) or {}
            old = {"name": old} if isinstance(old, str) else old
            inner = over(dict(old), value) if isinstance(old, Mapping) else old
            if inner:
                values[name] = inner
        elif value is not None:
            values[name] = value
    return values
