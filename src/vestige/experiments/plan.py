"""A plan: who is forgotten, retained and never seen, which models that takes, and the steps of it all.

Networks on data sets and systems of the user's give the same plan; they differ in who makes the models (`Maker`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.evaluation.calibration import ENOUGH
from vestige.experiments.settings import AuditConfig, ShadowConfig
from vestige.experiments.steps import PROBED, AuditMethod, Collect, ModelStep, References, Rows
from vestige.graph import Environment, Step, Store
from vestige.measures import MEASURES
from vestige.signals.kinds import Outputs
from vestige.signals.simulate import FEWEST_TO_SIMULATE, MOST_EXCHANGED, exchangeable
from vestige.store import key_of

Positions = NDArray[np.int64]
PURPOSES = ("original", "shadow", "membership", "unlearn", "calibration", "exchanged", "features")
MOST_REPRESENTED = 1_000
"""Records of a part of which features are collected."""
USED_UP = (
    "Simulated deletions, which calibrate here or which a measure is trained on, use up two shadow models or more; the "
    "audit is as sharp as with the others alone."
)


@dataclass(frozen=True, eq=False)
class Roles:
    """Positions of the records of each role.

    Attributes
    ----------
    forget, retain : array of int64
        What the original was trained on.
    holdout : array of int64
        What no model sees.
    shadow : array of int64
        What shadow models are trained on, some each.
    aside : array of int64
        Never seen either: a second source of such records.
    """

    forget: Positions
    retain: Positions
    holdout: Positions
    shadow: Positions
    aside: Positions = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def train(self) -> Positions:
        """Sorted positions of what the original was trained on."""
        return np.sort(np.concatenate([self.forget, self.retain]))


class Way(Protocol):
    """A way to forget: its title in reports, and whether it is exact retraining."""

    @property
    def title(self) -> str: ...

    @property
    def exact(self) -> bool: ...


class Maker(Protocol):
    """Who makes the models of a plan.

    `trial` fits a model now, outside of every step, and returns it as a function.

    Attributes
    ----------
    environment : Environment
        What its steps meet.
    config : Mapping[str, Any]
        Of the plan, for its manifest.
    content : Mapping[str, Any]
        What decides its results, for its key; `ways` is left to the plan.
    facts : Mapping[str, Any]
        Of its data, for the manifest: name, samples, classes, sha256, notes.
    represents : bool
        Are there features of its models to collect?
    """

    @property
    def environment(self) -> Environment: ...

    @property
    def config(self) -> Mapping[str, Any]: ...

    @property
    def content(self) -> Mapping[str, Any]: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...

    @property
    def represents(self) -> bool: ...

    def rows(self, positions: Positions) -> Rows: ...

    def original(self, roles: Roles, seed: int) -> ModelStep: ...

    def shadow(self, name: str, positions: Positions, seed: int) -> ModelStep: ...

    def unlearning(self, original: Any, roles: Roles, way: Any, seed: int) -> ModelStep: ...

    def trial(self, positions: Positions, seed: int) -> Callable[[Positions], Outputs]: ...


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is decided before the first step.

    Attributes
    ----------
    key : str
        The hash of all that decides the results.
    base : str
        The same without the ways to forget and the audit, which may be changed until the run is finished.
    behind : str or None
        Where results are shared, see `Store`.
    limits : tuple[str, ...]
        What the reports say besides of what cannot be known.
    copies : str
        In words, which retained records are copies of forgotten ones, and how they were looked for.
    """

    name: str
    folder: Path
    roles: Roles
    maker: Maker
    ways: tuple[Way, ...]
    shadows: ShadowConfig
    audit: AuditConfig
    root_seed: int
    key: str
    base: str
    behind: str | None = None
    limits: tuple[str, ...] = ()
    copies: str = ""

    @functools.cached_property
    def members(self) -> NDArray[np.bool_]:
        """[S, P] which shadow is trained on which record of the pool."""
        size, pool = shadow_size(self.shadows, self.roles), len(self.roles.shadow)
        members = np.zeros((self.shadows.count, pool), bool)
        for number, member in enumerate(members):
            rng = np.random.default_rng(self.seed("membership", number))
            member[rng.permutation(pool)[:size]] = True
        return members

    @functools.cached_property
    def parts(self) -> dict[str, Positions]:
        """Positions of the audited records by where they come from: forget, retain, holdout, pool.

        The pool's part are records that no shadow was trained on: a second source of never-seen ones.
        """
        roles = self.roles
        unseen = roles.shadow[~self.members.any(axis=0)] if self.shadows.count else roles.shadow[:0]
        return {
            "forget": roles.forget, "retain": roles.retain, "holdout": roles.holdout,
            "pool": np.concatenate([roles.aside, unseen]),
        }  # fmt: skip

    @functools.cached_property
    def exchanged(self) -> NDArray[np.int64]:
        """Places in the pool of the shadows' training records that calibrate by exchanged roles.

        None where there are shadows enough to simulate deletions, which calibrate without the audited model's help.
        """
        if not 0 < len(self.members) < FEWEST_TO_SIMULATE:
            return np.zeros(0, np.int64)
        return exchangeable(self.members, MOST_EXCHANGED, np.random.default_rng(self.seed("exchanged")))

    @functools.cached_property
    def simulated(self) -> bool:
        """Are deletions simulated between shadows? The audited records then get the outputs of all but two at most.

        Only where nothing else calibrates, for want of never-seen or retained records, and for measures that are
        trained on such deletions: elsewhere they cost sharpness and buy nothing (docs/labbook/calibration.md).
        """
        if len(self.members) < FEWEST_TO_SIMULATE:
            return False
        never, kept = len(self.parts["holdout"]) + len(self.parts["pool"]), len(self.parts["retain"])
        measures = [MEASURES.chosen(spec)[0] for spec in self.audit.measures]
        return min(never, kept) < ENOUGH or any("calibration" in measure.needs for measure in measures)

    @functools.cached_property
    def represented(self) -> Positions:
        """Positions of the records of which features are collected: of each part some, drawn at random."""
        rng = np.random.default_rng(self.seed("features"))
        some = [np.sort(rng.permutation(part)[:MOST_REPRESENTED]) for part in self.parts.values()]
        return np.concatenate(some)

    @property
    def sources(self) -> NDArray[np.str_]:
        """Where each of the audited records comes from."""
        return np.repeat(list(self.parts), [len(part) for part in self.parts.values()])

    def seed(self, purpose: str, number: int = 0) -> int:
        """A seed of its own for each purpose, from the plan's root seed."""
        spawned = np.random.SeedSequence([self.root_seed, PURPOSES.index(purpose), number])
        return int(spawned.generate_state(1)[0])

    @functools.cached_property
    def steps(self) -> Steps:
        """The steps, each of which is named for people."""
        return _steps(self)

    @functools.cached_property
    def store(self) -> Store:
        """Where the results are: in the plan's folder, under names for people."""
        names: dict[str, str] = {}
        for path, step in self.steps.paths().items():
            if step.key in names:
                one, other = names[step.key].partition("/")[2], path.partition("/")[2]
                raise InputError(
                    f"{one} and {other} are one method with the same options; leave one of them out."
                )
            names[step.key] = path
        return Store(self.folder, self.behind, names)


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of a plan, by the name of the model, or of the way to forget."""

    models: dict[str, ModelStep]
    outputs: dict[str, Collect]
    references: References
    audits: dict[str, AuditMethod]

    def paths(self) -> dict[str, Step]:
        """Return every step by the place of its file in the plan's folder."""
        kinds: dict[str, Mapping[str, Step]] = {
            "models": self.models, "logits": self.outputs, "signals": {"references": self.references},
            "audits": self.audits,
        }  # fmt: skip
        return {f"{kind}/{name}": step for kind, steps in kinds.items() for name, step in steps.items()}


def _steps(plan: Plan) -> Steps:
    roles, maker = plan.roles, plan.maker
    models = {"original": maker.original(roles, plan.seed("original"))}
    shadows = [f"shadow-{number}" for number in range(len(plan.members))]
    for number, (name, member) in enumerate(zip(shadows, plan.members, strict=True)):
        models[name] = maker.shadow(name, roles.shadow[member], plan.seed("shadow", number))
    for way in plan.ways:
        models[way.title] = maker.unlearning(models["original"], roles, way, plan.seed("unlearn"))
    audited, pool = maker.rows(np.concatenate(list(plan.parts.values()))), maker.rows(roles.shadow)
    exchanged = {"exchanged": maker.rows(roles.shadow[plan.exchanged])} if len(plan.exchanged) else {}
    represented = {PROBED: maker.rows(plan.represented)} if maker.represents else {}
    outputs = {
        name: Collect(
            model=model,
            groups={"audited": audited} | ({"pool": pool} if name in shadows else exchanged) | represented,
            label=f"collecting what {name} says",
        )
        for name, model in models.items()
    }  # fmt: skip
    references = References(
        original=outputs["original"], shadows=tuple(outputs[name] for name in shadows),
        retrained=tuple(outputs[way.title] for way in plan.ways if way.exact), audited=audited,
        sources=plan.sources, pool=pool, members=plan.members, exchanged=plan.exchanged, simulated=plan.simulated,
        seed=plan.seed("calibration"),
        label="gathering what the audits share",
    )  # fmt: skip
    audits = {
        way.title: AuditMethod(
            title=way.title, unlearned=outputs[way.title], references=references, config=plan.audit,
            limits=(*plan.limits, *((USED_UP,) if plan.simulated else ())), label=f"auditing {way.title}",
        )
        for way in plan.ways
    }  # fmt: skip
    return Steps(models, outputs, references, audits)


def shadow_size(config: ShadowConfig, roles: Roles) -> int:
    """Return on how many records each shadow is trained: as many as are retained, if the pool allows.

    The shadows stand in for a model that never saw the forget records, so they match its size.
    """
    pool, wanted = len(roles.shadow), config.size or len(roles.retain)
    if not config.count:
        return 0
    if wanted < 2:
        raise InputError(
            "One sample is retained, too few to train a shadow model on as many; forget fewer or set shadows.size."
        )
    if config.size is not None and wanted > pool:
        raise InputError(f"shadows.size is {wanted}; the shadow pool has {pool} samples.")
    if config.count > 1 and wanted > 0.8 * pool:
        # on the same records shadows would be one draw, and leave no record unseen
        wanted = round(0.65 * pool)
    wanted = min(wanted, pool)
    if wanted < 2:
        raise InputError(f"The shadow pool has {pool} samples, too few for {config.count} shadow models.")
    return wanted


def keys_of(content: Mapping[str, Any], free: tuple[str, ...]) -> tuple[str, str]:
    """Return the key of a plan, and that of what may not be changed; `free` are names of its configuration."""
    kept = {name: value for name, value in content["config"].items() if name not in free}
    return key_of(content), key_of({**content, "config": kept})
