"""`Forgetting`: a way to forget, by its name and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vestige.errors import InputError, need
from vestige.graph.step import UNNAMED
from vestige.registry import spelled

RETRAIN = "retrain"


@dataclass(frozen=True)
class Forgetting:
    """A way to forget.

    Attributes
    ----------
    name : str
        "retrain", or a method that the system knows.
    options : Mapping[str, Any]
        Its own.
    title : str
        What it is called in reports.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    title: str = field(default="", metadata=UNNAMED)

    @property
    def exact(self) -> bool:
        """Is the result distributed as a model that never saw the records?"""
        return self.name == RETRAIN

    @classmethod
    def of(cls, spec: Any) -> Forgetting:
        """Return a way from "scrub", or from {"name": "scrub", "alpha": 0.5}. Raises `InputError` as its check does."""
        values = spelled("way to forget", spec)
        name, title = str(values.pop("name", "")), values.pop("label", None)
        if not name:
            raise InputError(f"A way to forget is {spec!r}; its 'name' is missing.")
        if name == RETRAIN:
            if values:
                raise InputError(f"retrain takes no options here; {next(iter(values))!r} was given.")
        else:
            need("torch", "torch", f"Forgetting by {name}")
            from vestige.unlearning import MethodConfig

            MethodConfig(name=name, **values)
        return cls(name, values, str(title or name))
