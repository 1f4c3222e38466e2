"""Validation at the edge: pydantic errors become one sentence that names field, value and what is allowed."""

from __future__ import annotations

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

from vestige.errors import InputError, unknown


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

LONGEST = 100
"""Characters of a value that a message repeats; of a longer one it names the field alone."""


def bare_names(methods: Any) -> Any:
    """Allow a bare name for a method without settings: for fields that are lists of them."""
    if isinstance(methods, (list, tuple)):
        return [{"name": m} if isinstance(m, str) else m for m in methods]
    return methods


def named_recipe(recipe: Any) -> Any:
    """Allow the name of one of `training.PRESETS` for a recipe, alone or as `preset` among changes to it."""
    if isinstance(recipe, str):
        recipe = {"preset": recipe}
    if not isinstance(recipe, dict) or "preset" not in recipe:
        return recipe
    from vestige.training import preset

    fields = {key: value for key, value in recipe.items() if key != "preset"}
    return preset(str(recipe["preset"]), **fields).model_dump(mode="json", exclude_unset=True)


def validated(model: type[C], values: Mapping[str, Any], where: str) -> C:
    """Build `model` from `values`, or raise `InputError`: the first fault, as one sentence.

    `where` names the source for the reader, for example a file name.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(f"{where}: {_sentence(model, error)}") from None


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
    given = repr(fault["input"])
    return f"{field!r} is {given}: {reason}" if len(given) <= LONGEST else f"{field!r}: {reason}"


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

    Raises `InputError` for a missing or unreadable file, and for an override that cannot be read.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: not readable as YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: a mapping of keys is wanted, such as 'name:' and 'data:'.")
    return overridden(values, overrides)


def overridden(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return `values` with overrides such as "recipe.epochs=5" applied, in place. Raises `InputError` as above."""
    for override in overrides:
        _override(values, override)
    return values


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"The override {override!r} is not of the form a.b=c.")
    *path, last = key.split(".")
    for part in path:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"The override {override!r}: {part!r} holds a value, not keys.")
        values = inner
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"The override {override!r}: {' '.join(str(error).split())}") from None
