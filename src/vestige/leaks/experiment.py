"""The whole experiment as data: pairs of both sides, the attack, every defence against two kinds of attacker.

A defence is judged by an attacker that knows it, whose shadow models have it too (adaptive), and by one that does not.
Defences that act in training (`train_temperature=T`, `dp=EPSILON`) refit the models; the others change what is
published.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from vestige.arguments import Count, Seed, checked
from vestige.config import Config, PlainName
from vestige.data.load import DataConfig
from vestige.data.source import Source, read_anew
from vestige.errors import unknown
from vestige.graph import Store, carry_out
from vestige.leaks.attack import Leakage, attack, choose_models, three_way
from vestige.leaks.defences import defended as apply_defence
from vestige.leaks.metrics import overfitting
from vestige.leaks.record import PosteriorPairs
from vestige.leaks.settings import PairSet, Setting, pair_sets, read_pairs
from vestige.leaks.targets import Network, hardened
from vestige.store import file_hash, key_of

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

    def save(
        self, folder: Path | str, *, title: str | None = None, known: Mapping[str, Any] | None = None
    ) -> Path:
        """Write `leaks.json` and `report.html`; `known` is what was asked for, such as {"config": ...}."""
        from vestige.leaks import page

        return page.save(self, folder, title=title, known=known)


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


@dataclass(frozen=True, eq=False)
class LeakPlan:
    """The steps of an experiment.

    plain     by side, "shadow" and "target": its sets
    defended  by defence: the sets of both sides, and what of the defence is applied to the answers
    """

    config: LeakConfig
    plain: Mapping[str, tuple[PairSet, ...]]
    defended: Mapping[str, tuple[tuple[PairSet, ...], tuple[PairSet, ...], str]]

    @property
    def key(self) -> str:
        """The hash of how the answers of all sets are attacked."""
        config = self.config
        told = (
            config.attacks,
            config.features,
            config.defences,
            config.seed,
            config.setting.name == "remaining",
        )
        return key_of(told, [step.key for step in self.steps])

    @property
    def steps(self) -> list[PairSet]:
        """All sets, undefended ones first."""
        refitted = [step for shadow, target, _ in self.defended.values() for step in (*shadow, *target)]
        return [*self.plain["shadow"], *self.plain["target"], *refitted]

    def findings(self, store: Store) -> Findings:
        """Attack what the finished steps have kept."""
        config = self.config
        refitted = {
            name: (read_pairs(shadow, store), read_pairs(target, store), left)
            for name, (shadow, target, left) in self.defended.items()
        }
        return attack_pairs(
            read_pairs(self.plain["shadow"], store), read_pairs(self.plain["target"], store),
            positive="remaining" if config.setting.name == "remaining" else "deleted", models=config.attacks,
            features=config.features, defences=config.defences, refitted=refitted, seed=config.seed,
        )  # fmt: skip


def plan_leaks(config: LeakConfig, root: str | None = None) -> LeakPlan:
    """Return the steps of an experiment; `root` is the folder of data sets that name none.

    Raises `InputError` where a name is unknown, or data and setting do not fit.
    """
    source = Source.of(config.data, root)
    sides: dict[str, tuple[Source, Any, Setting]] = {
        "target": (source, config.target, config.setting),
        "shadow": (
            Source.of(config.shadow.data, root) if config.shadow.data else source,
            config.shadow.target or config.target,
            replace(config.setting, **config.shadow.setting),
        ),
    }
    choose_models(config.attacks, config.seed)  # a wrong name is said before anything is fitted

    def sets(side: str, defence: str) -> tuple[PairSet, ...]:
        data, target, setting = sides[side]
        target, _ = hardened(target, defence)
        return tuple(pair_sets(data, target, setting, side=side, seed=config.seed, root=root))

    plain = {side: sets(side, "none") for side in ("shadow", "target")}
    defended: dict[str, tuple[tuple[PairSet, ...], tuple[PairSet, ...], str]] = {}
    for defence in config.defences:
        left = hardened(config.target, defence)[1]
        blank = np.full((1, source.classes), 1 / source.classes)
        apply_defence(PosteriorPairs(blank, blank, np.array(["deleted"])), left)
        if left == defence:  # it acts on what is published; the models are the same
            defended[defence] = (plain["shadow"], plain["target"], left)
        else:
            defended[defence] = (sets("shadow", defence), sets("target", defence), left)
    return LeakPlan(config, plain, defended)


@checked
def run_leaks(
    config: LeakConfig,
    *,
    cache: Path | None = None,
    workers: Count | None = None,
    engine: str | None = None,
    address: str | None = None,
    say: Say = lambda text: None,
) -> Findings:
    """Fit the models of both sides and attack.

    cache    a folder for the models' answers; what is there is not fitted again
    workers  how many sets are fitted at once, each with one thread
    engine   "inline", "local" or "ray", with the `address` of its cluster; default: as `workers` says
    say      is told what is being done

    Raises `InputError` where a name is unknown, or data and setting do not fit.
    """
    read_anew()
    plan = plan_leaks(config)
    with contextlib.ExitStack() as stack:
        store = Store(cache or Path(stack.enter_context(tempfile.TemporaryDirectory())))
        versions = config.setting.deletions + 1
        say(f"{len({step.key for step in plan.steps}):,} sets of {versions:,} models")
        carry_out(
            plan.steps, store, tell=False, name=config.name, engine_name=engine, workers=workers, address=address,
            stop=True,
        )  # fmt: skip
        say("attacking")
        return plan.findings(store)


@checked
def attack_pairs(
    shadow: PosteriorPairs,
    target: PosteriorPairs,
    *,
    positive: str = "deleted",
    models: Sequence[str] = ATTACKS,
    features: Sequence[str] | None = None,
    defences: Sequence[str] = (),
    refitted: Mapping[str, tuple[PosteriorPairs, PosteriorPairs, str]] | None = None,
    seed: Seed = 0,
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


def attack_files(
    shadow: Path | str, target: Path | str, config: LeakConfig
) -> tuple[Findings, dict[str, Any]]:
    """Attack pairs in two files, as `config` names attacks, features and defences; also return the files' hashes."""
    files = {"shadow": Path(shadow), "target": Path(target)}
    pairs = {side: PosteriorPairs.load(path) for side, path in files.items()}
    findings = attack_pairs(
        pairs["shadow"], pairs["target"], models=config.attacks, features=config.features, defences=config.defences,
        seed=config.seed,
    )  # fmt: skip
    return findings, {"pairs": {side: file_hash(path) for side, path in files.items()}}
