"""The whole experiment as data: pairs of both sides, the attack, every defence against two kinds of attacker.

A defence is judged by an attacker that knows it, whose shadow models have it too (adaptive), and by one that does not.
Defences that act in training (`train_temperature=T`, `dp=EPSILON`) refit the models; the others change what is
published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from vestige.arguments import Seed
from vestige.config import Config, PlainName
from vestige.data import DataConfig
from vestige.errors import unknown
from vestige.leaks.attack import Leakage, attack, choose_models, three_way
from vestige.leaks.defences import defended
from vestige.leaks.metrics import overfitting
from vestige.leaks.record import PosteriorPairs
from vestige.leaks.settings import Setting, make_pairs
from vestige.leaks.targets import Network, hardened

ATTACKS = ("logistic-regression", "decision-tree", "random-forest")
Say = Callable[[str], None]


class ShadowSide(Config):
    """Where the adversary's side differs from the victim's: other data, another target, other counts."""

    data: DataConfig | None = None
    target: str | Network | None = None
    setting: dict[str, Any] = Field(default_factory=dict)

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

    @field_validator("attacks")
    @classmethod
    def _some(cls, attacks: tuple[str, ...]) -> tuple[str, ...]:
        return attacks or ATTACKS


@dataclass(frozen=True)
class Defended:
    """A defence against an attacker that knows it, and against one that does not."""

    adaptive: Leakage
    unaware: Leakage


@dataclass(frozen=True, eq=False)
class Findings:
    """What an experiment found.

    positive     the status that is looked for: "deleted" or "remaining"
    undefended   the attack on what the target says
    defences     the same under each defence
    three_way    AUC of telling each status from the two others; None where one is missing
    overfitting  accuracy of the target's originals on their training records minus that on others; None without labels
    rows, sets   of the target's side that the attack is judged on
    """

    positive: str
    undefended: Leakage
    defences: dict[str, Defended]
    three_way: dict[str, float] | None
    overfitting: float | None
    rows: int
    sets: int

    def record(self) -> dict[str, Any]:
        """Return everything but the scores, for JSON."""
        return {
            "positive": self.positive, "rows": self.rows, "sets": self.sets, "overfitting": self.overfitting,
            "three_way": self.three_way, "summary": summary(self.undefended),
            "attacks": self.undefended.table(),
            "defences": {
                name: {"adaptive": summary(found.adaptive), "unaware": summary(found.unaware)}
                for name, found in self.defences.items()
            },
        }  # fmt: skip


def summary(found: Leakage) -> dict[str, Any]:
    """Return the chosen attack and the best one on one version as one flat row."""
    best, baseline = found.best, found.baseline
    return {
        "best": best.feature, "attack": best.model, "auc": best.target.auc, "low": best.target.low,
        "high": best.target.high, "tpr_1%": best.target.tpr_1, "tpr_0.1%": best.target.tpr_01,
        "baseline": baseline.feature, "baseline_attack": baseline.model, "baseline_auc": baseline.target.auc,
        "baseline_tpr_1%": baseline.target.tpr_1,
        "gain": found.gain, "gain_low": found.gain_low, "gain_high": found.gain_high,
    }  # fmt: skip


def run_leaks(
    config: LeakConfig, *, cache: Path | None = None, workers: int = 1, say: Say = lambda text: None
) -> Findings:
    """Fit the models of both sides and attack.

    cache    a folder for the models' answers; what is there is not fitted again
    workers  processes that fit models
    say      is told what is being done

    Raises `InputError` where a name is unknown, or data and setting do not fit.
    """
    from vestige.data import load_dataset

    def load(data: DataConfig) -> Any:
        return load_dataset(data.name, root=data.root, **data.options)

    data = load(config.data)
    sides: dict[str, tuple[Any, Any, Setting]] = {
        "target": (data, config.target, config.setting),
        "shadow": (
            load(config.shadow.data) if config.shadow.data else data,
            config.shadow.target or config.target,
            replace(config.setting, **config.shadow.setting),
        ),
    }

    choose_models(config.attacks, config.seed)  # a wrong name is said before anything is fitted
    for defence in config.defences:
        blank = np.full((1, len(data.classes)), 1 / len(data.classes))
        defended(PosteriorPairs(blank, blank, np.array(["deleted"])), hardened(config.target, defence)[1])

    def pairs(side: str, defence: str) -> tuple[PosteriorPairs, str]:
        rows, target, setting = sides[side]
        target, left = hardened(target, defence)
        models = setting.sets * (setting.deletions + 1)
        say(f"{models:,} models of the {side} side{'' if defence == 'none' else f' under {defence}'}")
        options: dict[str, Any] = {"seed": config.seed, "workers": workers, "cache": cache}
        return make_pairs(rows, target, setting, side=side, **options), left

    plain = {side: pairs(side, "none")[0] for side in ("shadow", "target")}
    found: dict[str, tuple[PosteriorPairs, PosteriorPairs, str]] = {}
    for defence in config.defences:
        left = hardened(config.target, defence)[1]
        if left == defence:  # it acts on what is published; the models are the same
            found[defence] = (plain["shadow"], plain["target"], left)
        else:
            found[defence] = (pairs("shadow", defence)[0], pairs("target", defence)[0], left)
    say("attacking")
    return attack_pairs(
        plain["shadow"],
        plain["target"],
        positive="remaining" if config.setting.name == "remaining" else "deleted",
        models=config.attacks,
        features=config.features,
        defences=config.defences,
        refitted=found,
        seed=config.seed,
    )


def attack_pairs(
    shadow: PosteriorPairs,
    target: PosteriorPairs,
    *,
    positive: str = "deleted",
    models: Sequence[str] = ATTACKS,
    features: Sequence[str] | None = None,
    defences: Sequence[str] = (),
    refitted: Mapping[str, tuple[PosteriorPairs, PosteriorPairs, str]] | None = None,
    seed: int = 0,
) -> Findings:
    """Attack pairs that are at hand, undefended and under each defence.

    refitted  for a defence: the pairs of shadow and target models that have it, and what of it is still to be applied

    Raises `InputError` as `attack` does.
    """
    options: dict[str, Any] = {"positive": positive, "models": models, "features": features, "seed": seed}
    found = {}
    for name in defences:
        known, asked, left = (refitted or {}).get(name, (shadow, target, name))
        found[name] = Defended(
            attack(known, asked, defence=left, **options),
            attack(shadow, asked, defence=left, adaptive=False, **options),
        )
    statuses = [set(side.status) for side in (shadow, target)]
    whole = all(len(s) == 3 for s in statuses) and shadow.classes == target.classes
    asked = target.of(positive, "outside")
    return Findings(
        positive,
        attack(shadow, target, **options),
        found,
        three_way(shadow, target, seed=seed) if whole else None,
        overfitting(target),
        len(asked),
        len(set(asked.sets.tolist())),
    )
