"""Validation at the edge: pydantic errors become one sentence that names field, value and what is allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from vestige.errors import LONGEST, InputError, shown, told, unknown
from vestige.files import read_text
from vestige.values import DIGITS


class Config(BaseModel):
    """Base of every configuration: frozen, unknown keys forbidden.

    Raises `InputError`, the first fault as one sentence, also where it is made in Python: `Recipe(epochs=-1)`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(f"{type(self).__name__}: {_sentence(type(self), error)}") from None

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse True where a number is wanted: pydantic takes it for 1."""
        if isinstance(value, bool) and info.field_name in cls.model_fields:
            annotation = cls.model_fields[info.field_name].annotation
            kinds = {annotation, *get_args(annotation)}
            if kinds & {int, float} and bool not in kinds:
                raise ValueError("a truth value is no number")
        return value


# Fields that are configurations are checked by pydantic itself, which knows where in the whole the fault is.
Config.__init__.__dict__["__pydantic_base_init__"] = True


class DataConfig(Config):
    """Which data set; further keys of `options` go to its loader."""

    name: str
    root: Path | None = None
    options: dict[str, Any] = Field(default_factory=dict)


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


def bare_names(methods: Any) -> Any:
    """Allow a bare name for a method without settings: for fields that are lists of them."""
    if isinstance(methods, (list, tuple)):
        return [{"name": m} if isinstance(m, str) else m for m in methods]
    return methods


def validated(model: type[C], values: Mapping[str, Any], where: str) -> C:
    """Build `model` from `values`, or raise `InputError`: the first fault, as one sentence.

    `where` names the source for the reader, for example a file name.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: a mapping of keys is wanted; this is of type {type(values).__name__}.")
    _check_plain(values, where)
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(f"{where}: {_sentence(model, error)}") from None
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


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    faults = error.errors(include_url=False)
    fault = next(
        (f for f in faults if f["type"] == "extra_forbidden"), faults[0]
    )  # a wrong name leaves the right out
    path = [str(part) for part in fault["loc"]]
    field = ".".join(path)
    if fault["type"] == "extra_forbidden":
        parent = ".".join(path[:-1])
        place = f" in {parent!r}" if parent else ""
        return unknown(f"key{place}", path[-1], _keys(model, path[:-1]))
    if fault["type"] == "missing":
        return f"{field!r} is missing."
    reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
    reason = f"{reason[:1].lower()}{reason[1:]}."
    if not path:  # of the whole model, which the reader has at hand
        return reason
    value = shown(fault["input"])
    return f"{field!r}: {reason}" if value.startswith("of type ") else f"{field!r} is {value}: {reason}"


def _keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the known keys of the (possibly nested) model that `path` leads to."""
    for part in path:
        field = model.model_fields.get(part)
        options = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        if inner:
            model = inner[0]
    return list(model.model_fields)


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


def parse_yaml(text: str) -> Any:
    """Return what YAML says.

    Raises `ValueError`, its text a reason in words, for what is no YAML, for a key that stands twice, for more than 50
    levels, for aliases that expand to more than 100,000 values, and for integers of more than 40 digits.
    """
    try:
        loader = yaml.SafeLoader(text)
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


def _check_scalar(node: yaml.ScalarNode) -> None:
    if node.tag.endswith(":int") and len(node.value) > DIGITS:
        raise ValueError(f"an integer of {len(node.value)} characters; at most {DIGITS} are read")
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


def option_value(text: str, where: str) -> Any:
    """Return a value that is written as YAML in an option, such as "5" or "[a, b]". Raises `InputError`."""
    if len(text) > YAML_BYTES:
        raise InputError(f"{where}: it has {len(text):,} characters; at most {YAML_BYTES:,} are read.")
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise InputError(f"{where}: {told(error)}.") from None


def over(values: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with those that are given (not None) put over them, at any depth."""
    for name, value in given.items():
        if isinstance(value, Mapping):
            inner = over(dict(values.get(name) or {}), value)
            if inner:
                values[name] = inner
        elif value is not None:
            values[name] = value
    return values
