"""What every plan may be asked: how many shadow models, and what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

from pydantic import Field, field_validator

from vestige.config import Config
from vestige.evaluation.audits import DEFAULT_MEASURES
from vestige.evaluation.verdict import LEAST_ALPHA
from vestige.measures.registry import MeasureConfig

V = TypeVar("V")


def some(values: tuple[V, ...]) -> tuple[V, ...]:
    """Return values of which there is one at least, or raise `ValueError`."""
    if not values:
        raise ValueError("at least one is wanted")
    return values


def expect_distinct(titles: Sequence[str]) -> None:
    """Raise `ValueError` where two have one title."""
    twice = [title for title in titles if titles.count(title) > 1]
    if twice:
        raise ValueError(f"{twice[0]} is named twice; give one a label")


class ShadowConfig(Config):
    """How many shadow models, and on how many samples each; default: as many as are retained."""

    count: int = Field(default=1, ge=0)
    size: int | None = Field(default=None, ge=2)


class AuditConfig(Config):
    """What is measured, at which error rate, and how much of the influence may be left for "unlearned"."""

    measures: tuple[MeasureConfig, ...] = DEFAULT_MEASURES
    preset: Literal["recommended", "paper"] = "recommended"
    alpha: float = Field(default=0.05, ge=LEAST_ALPHA, lt=1)
    tolerance: float = Field(default=0.1, gt=0, lt=1)

    _some = field_validator("measures")(some)
