"""Validation at the edge: pydantic errors become one sentence that names field, value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vestige.errors import InputError, unknown


class Config(BaseModel):
    """Base of every configuration: frozen, unknown keys forbidden."""

    model_config = ConfigDict(frozen=True, extra="forbid")


C = TypeVar("C", bound=BaseModel)


def validated(model: type[C], values: Mapping[str, Any], where: str) -> C:
    """Build `model` from `values`, or raise `InputError`: the first fault, as one sentence.

    `where` names the source for the reader, for example a file name.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(f"{where}: {_sentence(model, error)}") from None


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    path = [str(part) for part in fault["loc"]]
    field = ".".join(path) or "the configuration"
    if fault["type"] == "extra_forbidden":
        parent = ".".join(path[:-1])
        place = f" in {parent!r}" if parent else ""
        return unknown(f"key{place}", path[-1], _keys(model, path[:-1]))
    if fault["type"] == "missing":
        return f"{field!r} is missing."
    reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{field!r} is {fault['input']!r}: {reason[:1].lower()}{reason[1:]}."


def _keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the known keys of the (possibly nested) model that `path` leads to."""
    for part in path:
        field = model.model_fields.get(part)
        options = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        if inner:
            model = inner[0]
    return list(model.model_fields)
