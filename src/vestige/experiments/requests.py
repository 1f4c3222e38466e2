"""A request: these records shall leave this system. From its configuration, or from Python, to a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, field_validator, model_validator

from vestige.arguments import Seed
from vestige.config import Config, PlainName
from vestige.data.copies import find_copies
from vestige.errors import InputError
from vestige.evaluation.verdict.evidence import FEWEST_NULL
from vestige.experiments.forgetting import RETRAIN, Forgetting
from vestige.experiments.plan import Plan, Positions, Roles, keys_of, shadow_size
from vestige.experiments.settings import AuditConfig, ShadowConfig, expect_distinct, some
from vestige.experiments.system_steps import Models
from vestige.files import read_ids
from vestige.systems.source import SystemSource


def _spelled_well(spec: str | dict[str, Any]) -> str | dict[str, Any]:
    Forgetting.of(spec)
    return spec


class ForgetIds(Config):
    """Who is forgotten: ids, or a file with one a line."""

    ids: tuple[str, ...] | None = None
    ids_file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> ForgetIds:
        if (self.ids is None) == (self.ids_file is None):
            raise ValueError("ids or ids_file is wanted, one of them")
        return self


class RequestConfig(Config):
    """A request to a system.

    Attributes
    ----------
    system : str
        A Python file and a name in it, such as ./churn.py:system.
    request : ForgetIds
        Who is forgotten.
    how : tuple[str or dict[str, Any], ...]
        Ways to forget; each is audited.
    shadows : ShadowConfig
        Models that are fitted on records that the original never saw.
    """

    name: PlainName = "request"
    title: str | None = None
    system: str
    request: ForgetIds
    how: tuple[Annotated[str | dict[str, Any], AfterValidator(_spelled_well)], ...] = (RETRAIN,)
    shadows: ShadowConfig = ShadowConfig()
    audit: AuditConfig = AuditConfig()
    seed: Seed = 0

    @field_validator("how")
    @classmethod
    def _distinct(cls, how: tuple[Any, ...]) -> tuple[Any, ...]:
        expect_distinct([Forgetting.of(spec).title for spec in some(how)])
        return how


def plan_request(config: RequestConfig, folder: Path, store: str | None = None) -> Plan:
    """Decide everything before the first step. Raises `InputError` where the request does not fit the system."""
    source = SystemSource.of(config.system)
    ids = read_ids(config.request.ids_file) if config.request.ids_file else list(config.request.ids or ())
    settings = config.model_dump(mode="json") | {"request": {"ids": ids}}
    return plan_system(
        source, ids, settings, folder, ways=[Forgetting.of(spec) for spec in config.how], shadows=config.shadows,
        audit=config.audit, seed=config.seed, store=store,
    )  # fmt: skip


def plan_ids(
    source: SystemSource,
    ids: Sequence[str],
    folder: Path,
    *,
    name: str,
    title: str,
    ways: Sequence[Forgetting],
    shadows: int,
    audit: AuditConfig,
    seed: int,
) -> Plan:
    """Return the plan of a request that is made in Python; its manifest says it as a configuration would."""
    config = ShadowConfig(count=shadows)
    settings = {
        "name": name, "title": title, "system": source.place, "request": {"ids": ids},
        "how": [{"name": way.name, **way.options} for way in ways], "shadows": {"count": shadows},
        "audit": audit.model_dump(mode="json"), "seed": seed,
    }  # fmt: skip
    return plan_system(source, ids, settings, folder, ways=ways, shadows=config, audit=audit, seed=seed)


def plan_system(
    source: SystemSource,
    ids: Sequence[str],
    settings: Mapping[str, Any],
    folder: Path,
    *,
    ways: Sequence[Forgetting],
    shadows: ShadowConfig,
    audit: AuditConfig,
    seed: int,
    store: str | None = None,
    maker: Models | None = None,
) -> Plan:
    """Return the plan of a request to a system; `settings` are what its manifest says of it.

    Parameters
    ----------
    maker : Models or None
        Who makes the models, where not all of them are fitted.
    """
    roles = roles_of(source, ids, shadows, seed)
    shadow_size(shadows, roles)
    maker = maker or Models(source, settings)
    copies, limit = copies_of(source, roles)
    plan = Plan(
        str(settings.get("name", "request")), folder, roles, maker, tuple(ways), shadows,
        audit, seed, *keys_of(maker.content, ("how", "audit")), store,
        (*limits_of(source, roles, shadows), *limit), copies,
    )  # fmt: skip
    _ = plan.store  # ways that are one are refused before any work
    return plan


def roles_of(source: SystemSource, ids: Sequence[str], shadows: ShadowConfig, seed: int) -> Roles:
    """Return who is forgotten, retained, held out, and what shadow models are fitted on.

    Of the records that the original never saw, some are kept from every model: two fifths, or fewer where that leaves
    a shadow as many records as are retained; twenty at least, without which there is no verdict, where there are forty.

    Raises `InputError` for ids that the system does not know or that its original never saw, and where nothing is left.
    """
    system = source.load()
    records, seen = system.records, np.sort(system.seen)
    forget = np.sort(records.positions(ids, "The request", seen))
    if not len(forget):
        raise InputError("The request names no record; at least one id is wanted.")
    stranger = forget[~np.isin(forget, seen)]
    if len(stranger):
        raise InputError(
            f"The original never saw {len(stranger):,} of the records that shall be forgotten, among them "
            f"{str(records.ids[stranger[0]])!r}; leave them out, or add them to the system's `seen`."
        )
    retain = seen[~np.isin(seen, forget)]
    if not len(retain):
        raise InputError("The request names every record that the original saw; nothing is left to retain.")
    return split(forget, retain, np.setdiff1d(np.arange(len(records)), seen), shadows, seed)


def split(forget: Positions, retain: Positions, unseen: Positions, shadows: ShadowConfig, seed: int) -> Roles:
    """Return which of the records that the original never saw are held out, and what shadow models are fitted on."""
    order = np.random.default_rng(np.random.SeedSequence([seed, 7])).permutation(unseen)
    if not shadows.count:
        held, aside, pool = order[: len(order) // 2], order[len(order) // 2 :], order[:0]
        return Roles(forget, retain, np.sort(held), pool, np.sort(aside))
    spare = min(round(0.4 * len(order)), max(round(0.2 * len(order)), 4 * len(forget), 1_000))
    spare = max(spare, min(FEWEST_NULL, len(order) // 2))
    size = shadows.size or len(retain)
    pool_size = len(order) - spare
    if shadows.count == 1:
        pool_size = min(pool_size if shadows.size is None else len(order), size)
    rest = (len(order) - pool_size) // 2
    pool, aside, held = np.split(order, [pool_size, pool_size + rest])
    return Roles(forget, retain, np.sort(held), np.sort(pool), np.sort(aside))


def copies_of(source: SystemSource, roles: Roles) -> tuple[str, tuple[str, ...]]:
    """Return which retained records are copies of forgotten ones: for the plan, and for the limits of the audit."""
    system, rows = source.load(), np.concatenate([roles.forget, roles.retain])
    features = system.features(rows) if hasattr(system, "features") else None
    if features is None:
        unsought = (
            "Copies of forgotten records were not looked for: the system does not show what its records hold."
        )
        return unsought, (unsought,)
    places, count = np.arange(len(rows)), len(roles.forget)
    copies = find_copies(features, places[:count], places[count:], ids=system.records.ids[rows])
    return copies.sentence, (copies.limit,) if copies.limit else ()


def limits_of(source: SystemSource, roles: Roles, shadows: ShadowConfig) -> tuple[str, ...]:
    """Return what a report says of a request besides: what was converted, and shadows that are smaller than wanted."""
    limits = list(source.load().notes)
    if shadows.count:
        size = shadow_size(shadows, roles)
        if size != len(roles.retain):
            limits.append(
                f"Each shadow model is trained on {size:,} records, the audited model on {len(roles.retain):,}: a "
                "model of another size may be less or more sure of records that it never saw."
            )
    return tuple(limits)
