"""Monitoring: every new version of a model line against every open commitment, by one budget that the chain keeps.

A pair of a commitment and a version's digest is decided once. Decision, state of the procedure and re-opening are
written together: whoever is stopped between two pairs goes on with the next, by the budget that is left. What an audit
could not test, for a control of it failed, costs nothing and is tried again by the next call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vestige.errors import InputError
from vestige.ledger.later import Asking
from vestige.ledger.records import Commitment, Version
from vestige.ledger.tables import FACT
from vestige.monitoring import Budget, Decision, Test, budget, decide, start
from vestige.monitoring.control import DEFAULT

if TYPE_CHECKING:
    from vestige.evaluation import Audit
    from vestige.ledger.ledger import Ledger

WATCHED = ("certified", "monitored")
"""States of a commitment in which later versions are audited."""
UNTESTED = Decision("", "", "untested")
AuditOf = Callable[[Commitment, Version], "Audit | Path | str | None"]


@dataclass(frozen=True)
class Watch:
    """What `monitor` did.

    Attributes
    ----------
    decisions : tuple of Decision
        Of this call, in their order; `commitment` is the request's id, `digest` the version's.
    waiting : tuple of (str, str)
        Request and version that no audit was there for, or one that could test nothing.
    budget : Budget
        What is left of the error budget.
    """

    decisions: tuple[Decision, ...]
    waiting: tuple[tuple[str, str], ...]
    budget: Budget

    @property
    def reopened(self) -> tuple[Decision, ...]:
        """The decisions that re-opened a commitment."""
        return tuple(decision for decision in self.decisions if decision.outcome == "reopened")


def pairs(ledger: Ledger, line: str) -> Iterator[tuple[Commitment, Version]]:
    """Yield what is still to be audited: each version with each commitment that is watched and was kept before it came.

    A version that saw the records by its manifest is none of them: when it goes live, it re-opens them unmeasured.
    """
    versions, known = ledger.models.list(line), _known(ledger, line)
    order = {version.id: place for place, version in enumerate(versions)}
    watched = [one for one in ledger.requests.commitments(line) if one.state in WATCHED]
    records = {one.request: ledger.requests.show(one.request).records for one in watched}
    for place, version in enumerate(versions):
        waiting = [
            one
            for one in watched
            if place > order.get(one.version, -1)
            and version.id not in one.saw
            and known.get((one.request, version.digest), UNTESTED).outcome == "untested"
        ]
        if version.state == "retired" or not waiting:
            continue
        manifest = ledger.models.read_manifest(version.id)
        for one in waiting:
            if not manifest.holds(records[one.request]):
                yield one, version


def monitor(
    ledger: Ledger, line: str, audit: AuditOf | None = None, *, system: Any = None, procedure: str = DEFAULT,
    alpha: float = 0.05, by_records: bool = False, **options: Any,
) -> Watch:  # fmt: skip
    """Audit every new version of a model line against every open commitment; re-open what it breaks.

    A pair of commitment and version is decided once. All commitments are asked of a version together, so that it is
    loaded once and its shadow models are fitted once; what was done is in the folder, and is not done again.

    Parameters
    ----------
    ledger
    line : str
        The model line, such as "churn".
    audit : function, optional
        Of a commitment and a version: an audit that was made elsewhere, or its folder; None where there is none yet,
        and the pair waits.
    system
        In its place, how versions are loaded and asked: a `System`, or "file.py:name". It must know the records of the
        commitments; where they are gone from its data, it is a function that takes what was kept of them, {id: bytes},
        and returns the system with these records in it. It also knows at least 40 records that no version saw; some of
        them train shadow models.
    procedure, alpha
        Of the error control over all audits of the line; they count at the first call. See `vestige.monitoring.start`.
    by_records : bool
        Whether a record that stands out in two versions' audits re-opens its commitment; it has no error control.
    options
        Beside a system: supplied, folder, shadows, seed, settings, workers, say; see `vestige.ledger.later.Asking`.

    Returns
    -------
    Watch
        With `decisions`, `reopened`, `waiting` and `budget`.

    Raises
    ------
    InputError
        Where an audit lacks records of its request, where the system does not know the records, where no records are
        left that no version saw, and where the weights of a version are not what was registered.
    """
    if (audit is None) == (system is None) or (options and system is None):
        raise InputError(
            "How are versions audited? Give a system that is asked, or audits that were made, one of them."
        )
    start(procedure, alpha)  # a name that is unknown is refused before any work
    open_pairs = list(pairs(ledger, line))
    asking = None
    if system is not None and open_pairs:
        watched = {one.request: one for one, _ in open_pairs}
        asking = Asking(ledger, line, system, list(watched.values()), **options)
    decisions: list[Decision] = []
    waiting, reopened = [], set[str]()
    for version, group in groupby(open_pairs, lambda pair: pair[1]):
        commitments = [one for one, _ in group if one.request not in reopened]
        commitments = [one for one in commitments if asking is None or asking.watches(one)]
        made = asking.audits(version, commitments) if asking is not None and commitments else {}
        for commitment in commitments:
            result = made.get(commitment.request) if audit is None else audit(commitment, version)
            if result is None:
                waiting.append((commitment.request, version.id))
                continue
            decision = _decided(ledger, commitment, version, result, start(procedure, alpha), by_records)
            if decision is None:
                continue  # by another process, meanwhile
            decisions.append(decision)
            waiting += [(commitment.request, version.id)] if decision.outcome == "untested" else []
            reopened |= {commitment.request} if decision.outcome == "reopened" else set()
    return Watch(tuple(decisions), tuple(waiting), budget_of(ledger, line, procedure, alpha))


def _decided(
    ledger: Ledger, commitment: Commitment, version: Version, result: Audit | Path | str, first: dict[str, Any],
    by_records: bool,
) -> Decision | None:  # fmt: skip
    """Decide on a pair, and write decision, state of the procedure and re-opening together; None where it is decided.

    Parameters
    ----------
    first : dict[str, Any]
        The state of the procedure, where the line has none yet.
    """
    audit, line = _audit(ledger, commitment, version, result), commitment.line
    ids = audit.signals.of_role("forget").names.tolist()
    names = dict(zip(ids, ledger.key.pseudonyms("record", ids), strict=True))
    test = Test.of(audit, commitment.request, version.digest, names)
    with ledger.writing():
        known = _known(ledger, line, commitment.request)
        before = known.pop((test.commitment, test.digest), UNTESTED)
        if before.outcome != "untested":
            return None
        after, (decision,) = decide(_state(ledger, line) or first, [test], known, by_records=by_records)
        if decision == before:
            return decision  # nothing to test once more
        ledger.set_fact(_name(line), after)
        ledger.set_fact(
            _name(line, test.commitment, test.digest), asdict(decision) | {"verdict": _figures(audit)}
        )
        if decision.outcome == "reopened":
            facts = {"by": decision.by, "p": decision.p, "level": decision.level}
            ledger.requests.reopen(commitment.request, line, version.id, "audit", facts)
    return decision


def budget_of(ledger: Ledger, line: str, procedure: str = DEFAULT, alpha: float = 0.05) -> Budget:
    """Return what is left of a line's error budget."""
    return budget(_state(ledger, line) or start(procedure, alpha))


def matrix(ledger: Ledger, line: str) -> dict[str, dict[str, str]]:
    """Return what was decided, by request and version: "kept", "reopened", "untested", or "saw" by its manifest.

    What is open, or came before a commitment's own version, is absent.
    """
    versions, known = ledger.models.list(line), _known(ledger, line)
    rows: dict[str, dict[str, str]] = {}
    for request in ledger.requests.list(line=line):
        commitment = request.commitment(line)
        saw = {version.id: "saw" for version in versions if version.id in commitment.saw}
        decided = {
            v.id: known[request.id, v.digest].outcome for v in versions if (request.id, v.digest) in known
        }
        rows[request.id] = {
            version.id: (saw | decided)[version.id] for version in versions if version.id in saw | decided
        }
    return rows


def history(ledger: Ledger, line: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what each audit said, by request and version: outcome, completeness, low, high, and p.

    Completeness is the share of the records' influence that is gone: 1 where all of it is, noise takes it beyond; None
    where the audit could not say. p is 1 over the e-value where the procedure takes that.
    """
    by_digest = {version.digest: version.id for version in ledger.models.list(line)}
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for (request, digest), body in _bodies(ledger, line).items():
        if digest in by_digest:
            rows.setdefault(request, {})[by_digest[digest]] = {**body["verdict"], "p": body["p"]}
    return rows


def _audit(ledger: Ledger, commitment: Commitment, version: Version, result: Audit | Path | str) -> Audit:
    """Return the audit of a pair. Raises `InputError` where it lacks records that any version saw."""
    from vestige.evaluation import Audit

    audit = result if isinstance(result, Audit) else Audit.load(result)
    names = set(ledger.key.pseudonyms("record", audit.signals.of_role("forget").names.tolist()))
    records = ledger.requests.show(commitment.request).records
    missing = ledger.models.seen_by(commitment.saw, records) - names
    if missing:
        raise InputError(
            f"The audit of {commitment.request} under {version.id} has {len(names)} forget records, and {len(missing)} "
            "of the request are not among them."
        )
    return audit


def _figures(audit: Audit) -> dict[str, Any]:
    """Return what the chain holds of a verdict on a later version."""
    return {
        name: getattr(audit.verdict, name) for name in ("outcome", "completeness", "low", "high", "n", "null")
    }


def _name(*parts: str) -> str:
    return " ".join(("monitor", *parts))


def _state(ledger: Ledger, line: str) -> dict[str, Any]:
    return ledger.fact(_name(line))


def _bodies(ledger: Ledger, line: str, request: str = "") -> dict[tuple[str, str], dict[str, Any]]:
    """Return what was written of every decision on a line, or on one request of it, by request and digest."""
    head = _name(line, request, "") if request else _name(line, "")
    query = sa.select(FACT.c.body).where(FACT.c.name.startswith(head, autoescape=True)).order_by(FACT.c.event)
    with ledger.reading() as connection:
        bodies = [json.loads(body) for body in connection.execute(query).scalars()]
    return {(body["commitment"], body["digest"]): {"verdict": {}, **body} for body in bodies}


def _known(ledger: Ledger, line: str, request: str = "") -> dict[tuple[str, str], Decision]:
    """Return every decision on a line, or on one request of it, by request and digest."""
    names = Decision.__dataclass_fields__
    known = {}
    for pair, body in _bodies(ledger, line, request).items():
        values = {name: body[name] for name in names}
        known[pair] = Decision(**values | {name: tuple(body[name]) for name in ("records", "twice")})
    return known
