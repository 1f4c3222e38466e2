"""What an architecture is, how it is registered, and how a model is built from its name.

An architecture is a plain function `(shape, classes, *, knobs) -> Classifier`. Its knobs are keyword-only;
their annotations are what values are checked against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import create_model
from torch import nn

from vestige.arguments import Count, Seed, checked
from vestige.config import Config, validated
from vestige.errors import InputError, told
from vestige.models.initial import seeded
from vestige.registry import Registry, knobs_of, summary_of


@dataclass(frozen=True)
class Architecture:
    """A registered architecture."""

    name: str
    build: Callable[..., nn.Module]
    cites: str

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return summary_of(self.build)

    @property
    def knobs(self) -> dict[str, Any]:
        """The options with their default values."""
        return knobs_of(self.build)

    def resolve(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return every knob's value. Raises `InputError` for an unknown knob or a value it cannot have."""
        hints = get_type_hints(self.build, include_extras=True)
        fields: dict[str, Any] = {name: (hints[name], default) for name, default in self.knobs.items()}
        checked = validated(create_model(self.name, __base__=Config, **fields), options, self.name)
        return {name: getattr(checked, name) for name in fields}


MODELS: Registry[Architecture] = Registry("model", "vestige.models", "vestige.models")


def register(name: str, *, cites: str = "") -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Register a function as the architecture `name`; the function stays a plain function."""

    def keep(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        MODELS.add(name, Architecture(name, build, cites))
        return build

    return keep


@checked
def build_model(
    name: str, shape: tuple[Count, ...], classes: Count, *, seed: Seed = 0, **knobs: Any
) -> nn.Module:
    """Build an untrained model on the CPU, in evaluation mode.

    name     a registered architecture, see `vestige list models`
    shape    of one sample: (C, H, W) or (F,), as `Dataset.shape`
    classes  how many logits
    seed     of the first weights; the same seed gives the same model, and no global state is touched
    knobs    the architecture's own, for example `width=16` for "resnet18"

    Raises `InputError` for an unknown name or knob, and for a shape the architecture cannot take.
    """
    architecture = MODELS[name]
    if not shape:
        raise InputError("build_model: shape is empty; (C, H, W) or (F,) is wanted, as `Dataset.shape`.")
    options = architecture.resolve(knobs)
    with seeded(seed):
        try:
            return architecture.build(tuple(shape), classes, **options).eval()
        except (MemoryError, RuntimeError) as error:  # torch has no exception of its own for either
            raise InputError(
                f"{name} cannot be built for samples of shape {list(shape)}: {told(error)}."
            ) from error
