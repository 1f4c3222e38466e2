"""Monitoring: every new version of a model line against every open commitment, by one budget that the chain keeps.

A pair of a commitment and a version's digest is decided once. Decision, state of the procedure and re-opening are
written together: whoever is stopped between two pairs goes on with the next, by the budget that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.errors import InputError
from vestige.ledger.records import Commitment, Version
from vestige.monitoring import Budget, Decision, Test, budget, decide, start
from vestige.monitoring.control import DEFAULT

if TYPE_CHECKING:
    from vestige.evaluation import Audit
    from vestige.ledger.ledger import Ledger

WATCHED = ("certified", "monitored")
"""States of a commitment in which later versions are audited."""
AuditOf = Callable[[Commitment, Version], "Audit | Path | str | None"]


@dataclass(frozen=True)
class Watch:
    """What `monitor` did.

    Attributes
    ----------
    decisions : tuple of Decision
        Of this call, in their order; `commitment` is the request's id, `digest` the version's.
    waiting : tuple of (str, str)
        Request and version that no audit was there for.
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
    """Yield what is still to be audited: each commitment that is watched, with each version that came after its own.

    A version that saw the records by its manifest is none of them: when it goes live, it re-opens them unmeasured.
    """
    versions = ledger.models.list(line)
    known = _known(ledger, line)
    order = {version.id: place for place, version in enumerate(versions)}
    for commitment in ledger.requests.commitments(line):
        if commitment.state not in WATCHED:
            continue
        for version in versions[order.get(commitment.version, -1) + 1 :]:
            decided = (commitment.request, version.digest) in known
            if version.state != "retired" and version.id not in commitment.saw and not decided:
                yield commitment, version


def monitor(
    ledger: Ledger, line: str, audit: AuditOf, *, procedure: str = DEFAULT, alpha: float = 0.05,
    by_records: bool = False,
) -> Watch:  # fmt: skip
    """Decide on every pair that is still open, and re-open the commitments that a version breaks.

    Parameters
    ----------
    ledger, line
    audit : function
        Of a commitment and a version: the audit of the commitment's records under that version, or its folder; None
        where there is none yet, and the pair waits.
    procedure, alpha
        Of the error control; they count at the first call for a line, and stay. See `vestige.monitoring.start`.
    by_records : bool
        Whether a record that stands out in two versions' audits re-opens its commitment; it has no error control.

    Returns
    -------
    Watch

    Raises
    ------
    InputError
        Where an audit lacks records of its request.
    """
    decisions: list[Decision] = []
    waiting = []
    for commitment, version in list(pairs(ledger, line)):
        if any(one.commitment == commitment.request and one.outcome == "reopened" for one in decisions):
            continue
        result = audit(commitment, version)
        if result is None:
            waiting.append((commitment.request, version.id))
            continue
        test = _test(ledger, commitment, version, result)
        with ledger.writing():
            known = _known(ledger, line)
            if (test.commitment, test.digest) in known:
                continue  # by another process, meanwhile
            state = _state(ledger, line) or start(procedure, alpha)
            after, (decision,) = decide(state, [test], known, by_records=by_records)
            ledger.set_fact(_name(line), after)
            ledger.set_fact(_name(line, test.commitment, test.digest), asdict(decision))
            if decision.outcome == "reopened":
                facts = {"by": decision.by, "p": decision.p, "level": decision.level}
                ledger.requests.reopen(commitment.request, line, version.id, "audit", facts)
        decisions.append(decision)
    return Watch(tuple(decisions), tuple(waiting), budget_of(ledger, line, procedure, alpha))


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


def _test(ledger: Ledger, commitment: Commitment, version: Version, result: Audit | Path | str) -> Test:
    from vestige.evaluation import Audit

    audit = result if isinstance(result, Audit) else Audit.load(result)
    ids = audit.signals.of_role("forget").names.tolist()
    names = dict(zip(ids, ledger.key.pseudonyms("record", ids), strict=True))
    missing = set(ledger.requests.show(commitment.request).records) - set(names.values())
    if missing:
        raise InputError(
            f"The audit of {commitment.request} under {version.id} has {len(ids)} forget records, and {len(missing)} "
            "of the request are not among them."
        )
    return Test.of(audit, commitment.request, version.digest, names)


def _name(*parts: str) -> str:
    return " ".join(("monitor", *parts))


def _state(ledger: Ledger, line: str) -> dict[str, Any]:
    return ledger.fact(_name(line))


def _known(ledger: Ledger, line: str) -> dict[tuple[str, str], Decision]:
    """Return every decision on a line, by request and digest."""
    known: dict[tuple[str, str], Decision] = {}
    head = _name(line, "")
    for event in ledger.events("fact.set"):
        if event.about.startswith(head):
            body: dict[str, Any] = dict(event.body)
            decision = Decision(**body | {name: tuple(body[name]) for name in ("records", "twice")})
            known[decision.commitment, decision.digest] = decision
    return known
