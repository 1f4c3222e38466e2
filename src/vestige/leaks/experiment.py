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
from pydantic import Field, ValidationInfo, field_validator

from vestige.arguments import Count, NotNegative, Seed, checked
from vestige.config import Config, PlainName, validated
from vestige.data.load import DataConfig
from vestige.data.source import Source, read_anew
from vestige.errors import InputError, every, unknown
from vestige.files import regular
from vestige.graph import Store, carry_out
from vestige.graph.folder import expect_own, recorded
from vestige.leaks.attack import Leakage, attack, choose_models, expect_features, three_way
from vestige.leaks.defences import defended as apply_defence
from vestige.leaks.metrics import overfitting
from vestige.leaks.record import PosteriorPairs
from vestige.leaks.settings import PairSet, Setting, pair_sets, read_pairs
from vestige.leaks.targets import Network, expect_target, hardened
from vestige.store import file_hash, key_of, read_record

ATTACKS = ("logistic-regression", "decision-tree", "random-forest")
MANY = 10_000
"""Classes with which a defence is asked whether it can be, before the data's are known."""
Say = Callable[[str], None]


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
        every("defences", defences, lambda defence: _expect_defence(defence, target, MANY))
        return defences


@dataclass(frozen=True)
class Defended:
    """A defence against an attacker that knows it, and against one that does not."""

    adaptive: Leakage
    unaware: Leakage


@dataclass(frozen=True, eq=False)
class Findings:
    """What an experiment found.

    Attributes
    ----------
    positive : str
        The status that is looked for: "deleted" or "remaining".
    undefended : Leakage
        The attack on what the target says.
    defences : dict[str, Defended]
        The same under each defence.
    three_way : dict[str, float] or None
        AUC of telling each status from the two others; None where one is missing.
    overfitting : float or None
        Accuracy of the target's originals on their training records minus that on others; None without
        labels.
    rows, sets : int
        Of the target's side that the attack is judged on.
    """

    positive: str
    undefended: Leakage
    defences: dict[str, Defended]
    three_way: dict[str, float] | None
    overfitting: float | None
    rows: int
    sets: int

    @property
    def sentence(self) -> str:
        """What was found, in plain words: the first sentence of the report."""
        from vestige.leaks import page

        return page.headline(self)

    def __repr__(self) -> str:
        return f"Findings: {self.sentence}"

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

    Attributes
    ----------
    plain : Mapping[str, tuple[PairSet, ...]]
        By side, "shadow" and "target": its sets.
    defended : Mapping[str, tuple[tuple[PairSet, ...], tuple[PairSet, ...], str]]
        By defence: the sets of both sides, and what of the defence is applied to the answers.
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

    def sets(side: str, defence: str) -> tuple[PairSet, ...]:
        data, target, setting = sides[side]
        target, _ = hardened(target, defence)
        return tuple(pair_sets(data, target, setting, side=side, seed=config.seed, root=root))

    plain = {side: sets(side, "none") for side in ("shadow", "target")}
    defended: dict[str, tuple[tuple[PairSet, ...], tuple[PairSet, ...], str]] = {}
    for defence in config.defences:
        left = _expect_defence(defence, config.target, source.classes)
        if left == defence:  # it acts on what is published; the models are the same
            defended[defence] = (plain["shadow"], plain["target"], left)
        else:
            defended[defence] = (sets("shadow", defence), sets("target", defence), left)
    return LeakPlan(config, plain, defended)


def _expect_defence(defence: str, target: Any, classes: int) -> str:
    """Return what of a defence is applied to the answers. Raises `InputError` where the target cannot have it."""
    left = hardened(target, defence)[1]
    blank = np.full((1, classes), 1 / classes)
    apply_defence(PosteriorPairs(blank, blank, np.array(["deleted"])), left)
    return left


@checked
def run_leaks(
    config: LeakConfig,
    *,
    cache: Path | None = None,
    workers: Count | None = None,
    engine: str | None = None,
    address: str | None = None,
    gpu: NotNegative = 0.0,
    store: str | None = None,
    kept_only: bool = False,
    say: Say = lambda text: None,
) -> Findings:
    """Fit the models of both sides and attack.

    Parameters
    ----------
    cache : Path or None
        A folder for the models' answers; what is there is not fitted again.
    workers : int or None
        How many sets are fitted at once, each with one thread.
    engine : str or None
        "inline", "local" or "ray", with the `address` of its cluster and the share of a `gpu` that each set
        of networks asks for; default: as `workers` says.
    store : str or None
        A folder or fsspec URL of answers that runs share.
    kept_only : bool
        Raise where the answers of a set are not in the folder, rather than fit it.
    say : Say
        Is told what is being done.

    Raises
    ------
    InputError
        Where a name is unknown, or data and setting do not fit.
    """
    read_anew()
    plan = plan_leaks(config)
    with Store.opened(cache, store) as results:
        versions = config.setting.deletions + 1
        say(f"{len({step.key for step in plan.steps}):,} sets of {versions:,} models")
        carry_out(
            plan.steps, results, tell=False, name=config.name, engine_name=engine, workers=workers, address=address,
            gpu=gpu, stop=True, kept_only=kept_only,
        )  # fmt: skip
        say("attacking")
        return plan.findings(results)


def report_again(folder: Path, say: Say = lambda text: None) -> Findings:
    """Write the report of a finished experiment again: the answers that its folder keeps are attacked as before.

    Raises `InputError` where a set is not there any more, and where the pairs were the user's own files.
    """
    if "pairs" in read_record(folder / "leaks.json"):
        raise InputError(
            f"{folder} holds an attack on your own files; run vestige leaks --pairs with them again."
        )
    config = validated(LeakConfig, recorded(folder, "leaks"), str(folder / "leaks.json"))
    return run_into(folder, config, kept_only=True, say=say)


def run_into(
    folder: Path, config: LeakConfig, pairs: tuple[Path, Path] | None = None, **where: Any
) -> Findings:
    """Run an experiment, or attack the pairs in two files, and save what was found into a folder that is its own.

    Parameters
    ----------
    where : Any
        The arguments of `run_leaks`.
    """
    known = _digests(*pairs) if pairs else {"config": config.model_dump(mode="json")}
    for of, record in known.items():
        expect_own(folder, "leaks", record, of)
    findings = attack_files(*pairs, config)[0] if pairs else run_leaks(config, cache=folder, **where)
    findings.save(folder, title=config.title, known=known)
    return findings


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

    Parameters
    ----------
    refitted : Mapping[str, tuple[PosteriorPairs, PosteriorPairs, str]] or None
        For a defence: the pairs of shadow and target models that have it, and what of it is still to be
        applied.

    Raises
    ------
    InputError
        As `attack` does.
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
    pairs = [PosteriorPairs.load(path) for path in (shadow, target)]
    findings = attack_pairs(
        *pairs, models=config.attacks, features=config.features, defences=config.defences, seed=config.seed
    )
    return findings, _digests(shadow, target)


def _digests(shadow: Path | str, target: Path | str) -> dict[str, Any]:
    """Return what the record says of two files: the hash of each."""
    return {"pairs": {"shadow": file_hash(regular(shadow)), "target": file_hash(regular(target))}}
