"""What an experiment on two versions may say: data, targets and settings of both sides, attacks and defences."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from vestige.arguments import Seed
from vestige.config import Config, PlainName
from vestige.data.load import DataConfig
from vestige.errors import every, unknown
from vestige.leaks.attack import choose_models, expect_features
from vestige.leaks.defences import defended as apply_defence
from vestige.leaks.record import PosteriorPairs
from vestige.leaks.settings import Setting
from vestige.leaks.targets import Network, expect_target, hardened

ATTACKS = ("logistic-regression", "decision-tree", "random-forest")
MANY = 10_000
"""Classes with which a defence is asked whether it can be, before the data's are known."""


class ShadowSide(Config):
    """Where the adversary's side differs from the victim's: other data, another target, other counts."""

    data: DataConfig | None = None
    target: str | Network | None = None
    setting: dict[str, Any] = Field(default_factory=dict)

    @field_validator("target")
    @classmethod
    def _is_target(cls, target: str | Network | None) -> str | Network | None:
        if target is not None:
            expect_target(target)
        return target

    @field_validator("setting")
    @classmethod
    def _known(cls, setting: dict[str, Any]) -> dict[str, Any]:
        fields = list(asdict(Setting()))
        for name in setting:
            if name not in fields:
                raise ValueError(unknown("key", name, fields))
        return setting


class LeakConfig(Config):
    """One experiment. The other classes and functions of this package say what the fields may hold."""

    name: PlainName = "leaks"
    title: str | None = None
    data: DataConfig = DataConfig(name="location30")
    target: str | Network = "decision-tree"
    setting: Setting = Setting()
    shadow: ShadowSide = ShadowSide()
    attacks: tuple[str, ...] = ATTACKS
    features: tuple[str, ...] | None = None
    defences: tuple[str, ...] = ()
    seed: Seed = 0

    @field_validator("target")
    @classmethod
    def _is_target(cls, target: str | Network) -> str | Network:
        expect_target(target)
        return target

    @field_validator("attacks")
    @classmethod
    def _some(cls, attacks: tuple[str, ...]) -> tuple[str, ...]:
        choose_models(attacks, 0)
        return attacks or ATTACKS

    @field_validator("features")
    @classmethod
    def _are_features(cls, features: tuple[str, ...] | None) -> tuple[str, ...] | None:
        expect_features(features or ())
        return features

    @field_validator("defences")
    @classmethod
    def _are_defences(cls, defences: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        target = info.data.get("target", "torch:mlp")  # of one that is at fault nothing more is asked
        every("defences", defences, lambda defence: expect_defence(defence, target, MANY))
        return defences


def expect_defence(defence: str, target: Any, classes: int) -> str:
    """Return what of a defence is applied to the answers. Raises `InputError` where the target cannot have it."""
    left = hardened(target, defence)[1]
    blank = np.full((1, classes), 1 / classes)
    apply_defence(PosteriorPairs(blank, blank, np.array(["deleted"])), left)
    return left
