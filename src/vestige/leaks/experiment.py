"""The whole experiment as data: pairs of both sides, the attack, every defence against two kinds of attacker.

A defence is judged by an attacker that knows it, whose shadow models have it too (adaptive), and by one that does not.
Defences that act in training (`train_temperature=T`, `dp=EPSILON`) refit the models; the others change what is
published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vestige.arguments import Count, NotNegative, checked
from vestige.config import validated
from vestige.data.source import Source, read_anew
from vestige.errors import InputError
from vestige.files import regular
from vestige.graph import Store, carry_out
from vestige.graph.folder import expect_own, recorded
from vestige.leaks.config import LeakConfig, expect_defence
from vestige.leaks.findings import Findings, attack_pairs
from vestige.leaks.record import PosteriorPairs
from vestige.leaks.settings import PairSet, Setting, pair_sets, read_pairs
from vestige.leaks.targets import hardened
from vestige.store import file_hash, key_of, read_record

Say = Callable[[str], None]


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
        left = expect_defence(defence, config.target, source.classes)
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
