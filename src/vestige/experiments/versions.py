"""Several requests, one model: it is asked once about all of their records, and audited once for each.

    model, original, shadows ─▶ what they say ─▶ references ─▶ one audit for each request

So a version that came later is asked about every open request, and one retraining without the records of many is
audited for each of them. Nothing is trained but shadow models, which all requests share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.experiments.forgetting import Forgetting
from vestige.experiments.plan import Plan, Positions
from vestige.experiments.requests import copies_of, limits_of, split
from vestige.experiments.settings import AuditConfig, ShadowConfig
from vestige.experiments.steps import AuditMethod
from vestige.experiments.system_steps import Existing, SystemStep
from vestige.graph import Store, carry_out
from vestige.graph.step import UNNAMED, Facts, Job
from vestige.signals import Signals
from vestige.systems.source import SystemSource

AFTER = "after"
UNSEEN = 40
"""Fewest records that no version saw: half of them are held out, which is what a verdict takes at least."""
NO_ORIGINAL = (
    "No model that saw the records was asked: how much of their influence is left is not known, and that a trace would "
    "have been seen rests on the retained records alone."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Stored(SystemStep):
    """A model that lies in a folder already; `digest` is of its files."""

    digest: str
    place: str = field(metadata=UNNAMED)

    def make(self, job: Job) -> Facts:
        job.path.mkdir()
        return {}

    def model(self, job: Job) -> object:
        return self.source.load().load(Path(self.place))


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditPart(AuditMethod):
    """Audit one of several requests: the forget records of the others are left out.

    Attributes
    ----------
    part : array of int64
        Places among the audited records that stay.
    original : bool
        Did the original of the references see the records? Else it is left out.
    report : bool
        Is a page written, with figures, or is it scores and verdict alone?
    """

    part: NDArray[np.int64]
    original: bool = True
    report: bool = False

    @property
    def described(self) -> bool:
        return self.report

    def make(self, job: Job) -> None:
        audit = self.audited(job)
        audit.save(job.path) if self.report else audit.write(job.path)

    def signals(self, job: Job) -> Signals:
        signals = super().signals(job)
        return (signals if self.original else signals.without("original", "shadow_train")).take(self.part)


@dataclass(frozen=True, eq=False)
class AuditedRequest:
    """A request that a model is audited for.

    Attributes
    ----------
    name : str
        Of the request.
    rows : array of int64
        Positions of its records.
    before : Stored or None
        A model that saw them; None where none is left.
    seen : array of int64
        Positions of what that model was trained on.
    """

    name: str
    rows: Positions
    before: Stored | None
    seen: Positions


def part_of(plan: Plan, rows: Positions, seen: Positions | None = None) -> NDArray[np.int64]:
    """Return the places, among the audited records of a plan, of a request's records and of all that are compared.

    Retained records that the model before did not see (`seen`) are left out: it cannot show what they taught.
    """
    audited, sources = np.concatenate(list(plan.parts.values())), plan.sources
    keep = (sources != "forget") | np.isin(audited, rows)
    if seen is not None:
        keep &= (sources != "retain") | np.isin(audited, seen)
    return np.flatnonzero(keep)


def audit_version(
    source: SystemSource,
    after: Stored,
    seen: Positions,
    requests: Sequence[AuditedRequest],
    unseen: Positions,
    store: Store,
    *,
    shadows: int = 1,
    audit: AuditConfig,
    seed: int = 0,
    names: Callable[[str], str],
    workers: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Path]:
    """Ask a model about the records of every request, and return the folders of the audits by request.

    Parameters
    ----------
    source
        The system: it knows all of these records, loads the models, and fits shadow models.
    after, seen
        The model that is audited, and positions of what it was trained on.
    requests
        Whose records it must not bear.
    unseen
        Positions of records that no model saw: some train shadow models, with the others a verdict compares.
    store
        Where everything is kept; what is there is not done again.
    names
        From a request's name to the place of its audit in the store.

    Raises
    ------
    InputError
        For fewer than 40 records that no model saw.
    """
    forget = np.unique(np.concatenate([one.rows for one in requests]))
    unseen = np.setdiff1d(unseen, forget)
    if len(unseen) < UNSEEN:
        raise InputError(
            f"The system knows {len(unseen):,} records that no version saw, and a verdict compares with at least "
            f"{UNSEEN}; keep some from every training."
        )
    config = ShadowConfig(count=shadows)
    roles = split(forget, np.setdiff1d(seen, forget), unseen, config, seed)
    copies, limit = copies_of(source, roles)
    say(copies)
    limits = (*limits_of(source, roles, config), *limit)
    audits = {}
    for before in _distinct(one.before for one in requests):
        maker = Existing(source, {"name": "monitor"}, before or after, after)
        ways, where = (Forgetting(AFTER, title=AFTER),), store.folder
        plan = Plan("monitor", where, roles, maker, ways, config, audit, seed, "", "", store.behind)
        for one in requests:
            if _key(one.before) != _key(before):
                continue
            audits[one.name] = AuditPart(
                title=one.name, unlearned=plan.steps.outputs[AFTER], references=plan.steps.references, config=audit,
                limits=limits if before is not None else (*limits, NO_ORIGINAL),
                part=part_of(plan, one.rows, one.seen if before is not None else None),
                original=before is not None, label=f"auditing the model for {one.name}",
            )  # fmt: skip
    return audit_parts(audits, store, names, workers=workers, say=say)


def audit_request(
    plan: Plan,
    way: str,
    request: str,
    rows: Positions,
    *,
    workers: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Audit one of the requests that leave together by a plan; `rows` are positions of its records."""
    whole = plan.steps.audits[way]
    step = AuditPart(
        title=way, unlearned=whole.unlearned, references=whole.references, config=plan.audit, limits=plan.limits,
        part=part_of(plan, rows), report=True, label=f"auditing {way} for {request}",
    )  # fmt: skip
    return audit_parts({request: step}, plan.store, lambda name: f"audits/{name}", workers=workers, say=say)[
        request
    ]


def audit_parts(
    audits: Mapping[str, AuditPart],
    store: Store,
    names: Callable[[str], str],
    *,
    workers: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Path]:
    """Do the audits of several requests, and return their folders."""
    named = replace(store, names={**store.names, **{step.key: names(name) for name, step in audits.items()}})
    carry_out(audits.values(), named, name="monitor", workers=workers, say=say, stop=True)
    return {name: named.path(step) for name, step in audits.items()}


def _key(step: Stored | None) -> str:
    return "" if step is None else step.key


def _distinct(steps: Iterable[Stored | None]) -> list[Stored | None]:
    return list({_key(step): step for step in steps}.values())
