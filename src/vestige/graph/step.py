"""`Step`: a piece of work that is named by everything that decides its result.

A kind of step is a frozen dataclass. Its fields are what decides the result: parameters, data, and the steps whose
results it reads. Its key is the hash of its kind, of these fields, and of vestige's version: the same network on the
same records with the same seed has one key, whoever asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel

import vestige
from vestige.store import array_hash, key_of

if TYPE_CHECKING:
    from vestige.graph.store import Store

Facts = dict[str, Any]
UNNAMED = {"named": False}
"""Metadata of a dataclass field that does not decide the result."""


@dataclass(frozen=True)
class Environment:
    """What a step meets where it is done; nothing of it decides the result.

    Attributes
    ----------
    root : str or None
        The folder of data sets; None: VESTIGE_DATA.
    device : str
        "auto", "cpu", "cuda", ...
    progress : bool
        Show a bar.
    threads : int or None
        How many threads a step may compute with; None: as the network's size says.
    """

    root: str | None = None
    device: str = "auto"
    progress: bool = False
    threads: int | None = None


@dataclass(frozen=True)
class Job:
    """What a step is given when it is done: where to write, where its inputs are, and the environment."""

    path: Path
    store: Store
    environment: Environment
    key: str

    def file(self, step: Step) -> Path:
        """Return where the result of an input is."""
        return self.store.path(step)

    def record(self, step: Step) -> Facts:
        """Return what is known of an input: key, hash, seconds, facts."""
        return self.store.record(step)

    @property
    def unfinished(self) -> Path:
        """A file that a long step may keep and go on from; it is removed when the step is done."""
        return self.store.unfinished(self.key)


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One piece of work; the base of every kind.

    `suffix` is that of the result's file; "" where the result is a folder. `network` says whether such steps run a
    network.

    Attributes
    ----------
    label : str
        What it is, for people.
    """

    label: str = field(default="", metadata=UNNAMED)

    suffix: ClassVar[str] = ".safetensors"
    network: ClassVar[bool] = False

    def make(self, job: Job) -> Facts | None:
        """Write the result to `job.path`; return facts to keep beside it, such as accuracies."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """The name of the class as a folder is named."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    @cached_property
    def key(self) -> str:
        """The hash of everything that decides the result."""
        return key_of(self.kind, _named_fields(self), vestige.__version__)

    @property
    def runs_network(self) -> bool:
        """Does it run a network, and may be given a share of a GPU?"""
        return self.network

    @cached_property
    def inputs(self) -> tuple[Step, ...]:
        """The steps whose results it reads, in the order of its fields."""
        return tuple(_steps_in(getattr(self, item.name) for item in fields(self)))

    @property
    def file(self) -> str:
        """The place of the result in a store."""
        return f"{self.kind}/{self.key}{self.suffix}"

    @property
    def size(self) -> float:
        """About how many bytes the result takes."""
        return 1e5

    @property
    def alike(self) -> str:
        """What the time of a step is guessed from: steps of which this is the same take about as long."""
        return self.kind


def _named_fields(value: Any) -> dict[str, Any]:
    return {
        item.name: _name_of(getattr(value, item.name))
        for item in fields(value)
        if item.metadata.get("named", True)
    }


def _name_of(value: Any) -> Any:
    """Return what stands for a value in a key: plain JSON."""
    if isinstance(value, type) or value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Step) or hasattr(type(value), "key"):
        return value.key
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, np.ndarray):
        return array_hash(value)
    if isinstance(value, Mapping):
        return {str(name): _name_of(inner) for name, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_name_of(inner) for inner in value]
    if is_dataclass(value):
        return _named_fields(value)
    raise TypeError(f"a step's key cannot name a {type(value).__name__}")


def _steps_in(values: Iterable[Any]) -> Iterable[Step]:
    for value in values:
        if isinstance(value, Step):
            yield value
        elif isinstance(value, Mapping):
            yield from _steps_in(value.values())
        elif isinstance(value, (tuple, list)):
            yield from _steps_in(value)


def ordered(wanted: Iterable[Step]) -> list[Step]:
    """Return the steps and all that they read, each once (by key), inputs first."""
    steps: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.key not in steps:
            for other in step.inputs:
                visit(other)
            steps[step.key] = step

    for step in wanted:
        visit(step)
    return list(steps.values())
