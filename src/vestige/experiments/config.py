"""The configuration of a run: what a YAML file may say, with every default."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from vestige.arguments import Seed
from vestige.config import Config, PlainName, read_yaml, validated
from vestige.data import DataConfig
from vestige.experiments.settings import AuditConfig, ShadowConfig, expect_distinct, some
from vestige.models import ModelConfig
from vestige.training import RecipeFields
from vestige.unlearning import MethodConfig


class SplitConfig(Config):
    """Which samples are forgotten, retained, held out, and in the shadow pool; see `make_split`."""

    scenario: Literal["random", "class", "partial_class", "ids"] = "random"
    forget: int | float | None = None
    label: str | int | float | bool | None = None
    ids_file: Path | None = None
    train: int | None = Field(default=None, ge=2)
    holdout: int | float = Field(default=0.2, ge=0)
    shadow: int | float = Field(default=0.4, ge=0)
    seed: int = Field(default=0, ge=0)


class RunConfig(Config):
    """A whole run. `recipe`: fields of `vestige.Recipe`, or the name of a published one."""

    name: PlainName
    title: str | None = None
    data: DataConfig
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    recipe: RecipeFields = Field(default_factory=dict)
    shadows: ShadowConfig = ShadowConfig()
    methods: tuple[MethodConfig, ...]
    audit: AuditConfig = AuditConfig()
    seed: Seed = 0
    device: str = "auto"

    @field_validator("methods")
    @classmethod
    def _distinct(cls, methods: tuple[MethodConfig, ...]) -> tuple[MethodConfig, ...]:
        titles = [method.title for method in distinct(some(methods))]
        for title in titles:
            _check_title(title)
            inside = [other for other in titles if other.startswith(f"{title}/") or other == f"{title}.json"]
            if inside:
                raise ValueError(
                    f"the files of {inside[0]!r} would lie among those of {title!r}; choose another label"
                )
        return methods


def distinct(methods: tuple[MethodConfig, ...]) -> tuple[MethodConfig, ...]:
    """Return methods no two of which have one title, or raise `ValueError`."""
    expect_distinct([method.title for method in methods])
    return methods


OWN = re.compile(r"(original|shadow-\d+)(\.partial)?", re.IGNORECASE)
"""Names of a run's own files beside those of its methods."""


def _check_title(title: str) -> None:
    """Refuse a method's title that is no file name inside the run's folder, or the name of a file of the run's own."""
    if OWN.fullmatch(title):
        raise ValueError(
            f"a method cannot be labelled {title!r}, the run has a model of that name; choose another label"
        )
    if any(c in title for c in "\\\0") or any(part in ("", ".", "..") for part in title.split("/")):
        raise ValueError(
            f"the label {title!r} cannot be a file name; choose a plain name, such as 'a' or 'a/b'"
        )


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a run's YAML file and apply overrides such as "recipe.epochs=5".

    Raises `InputError` for a missing or unreadable file, an unknown key (with the nearest known one), or a
    value that is not allowed.
    """
    return validated(RunConfig, read_yaml(path, overrides), str(path))
