"""What takes a system: finding who saw the records, and forgetting them.

A step that fails is in the ledger as failed, and the same verb tries it again; what was trained is not trained again.
The ledger knows pseudonyms alone: the ids are found again among those of the system.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vestige.errors import InputError
from vestige.files import as_path
from vestige.ledger import chain
from vestige.ledger.plans import Say, commitments_of, planned, records_of, source_of, title_of
from vestige.ledger.records import Commitment, Request, Version, as_date

if TYPE_CHECKING:
    from vestige.experiments.plan import Plan
    from vestige.ledger.ledger import Ledger

READY = ("scoped", "re-opened", "audited")
OPEN_STATES = ("received", "scoped", "re-opened", "executed", "audited", "certified", "monitored")
RETIRE, WAIT = "retire", "wait"


def scope(ledger: Ledger, request: str, system: Any = None) -> Request:
    """Find which versions of which models saw which records: by their training manifests.

    Parameters
    ----------
    ledger, request
        The ledger, and the request's id.
    system
        Wanted where the request names no records: those of the subject are the ones of its cluster in the system.

    Returns
    -------
    Request
        "scoped", with a commitment for each line; "not_found" where no version saw any of the records.

    Raises
    ------
    InputError
        Where no version is registered, and where the records are not known.
    """
    versions = ledger.models.list()
    if not versions:
        raise InputError("No model version is registered, so that none can be asked; vestige model add.")
    with ledger.writing() as transaction:
        row = ledger.requests._open(transaction, request, "scope", OPEN_STATES)
        records = json.loads(row["records"]) or _of_subject(ledger, row["subject"], request, system)
        lines: dict[str, list[str]] = {}
        for version in versions:
            if ledger.models.read_manifest(version.id).holds(records):
                lines.setdefault(version.line, []).append(version.id)
        body = {"records": records, "lines": lines, "versions": len(versions)}
        if lines:
            transaction.append("request.scoped", request, body)
        else:
            transaction.append("request.not_found", request, {"versions": len(versions)})
    return ledger.requests.show(request)


def _of_subject(ledger: Ledger, subject: str, request: str, system: Any) -> list[str]:
    """Return the pseudonyms of a subject's records: the system's cluster of that name."""
    if system is None:
        raise InputError(f"{request} names no records; give the system, which knows whose they are.")
    records = source_of(system).load().records
    if records.cluster is None:
        raise InputError(f"{request} names no records, and the system does not say whose they are (cluster).")
    people = np.array(ledger.key.pseudonyms("subject", records.cluster.tolist()))
    return sorted(ledger.key.pseudonyms("record", records.ids[people == subject].tolist()))


# execution


def execute(
    ledger: Ledger, request: str | Sequence[str], line: str | None = None, *, how: Any = "retrain", system: Any = None,
    version: str | None = None, until: str | date | None = None, reason: str | None = None,
    folder: Path | str = "runs", name: str | None = None, costs: bool = True, alternatives: Sequence[Any] = (),
    workers: int | None = None, say: Say = lambda text: None, **options: Any,
) -> list[Request]:  # fmt: skip
    """Forget the records in one model line, and register the version without them as a candidate.

    Parameters
    ----------
    ledger, request, line
        One request, or several that one training serves. The line may be left out where they concern one.
    how
        "retrain", or a method that the system knows; "retire": the versions that saw the records are used no more;
        "wait": for a retraining that comes anyway, `until` a day.
    system
        Whose original is a version of the line; "file.py:name", or a `System`. It must still know the records.
    version
        A version that was trained without the records elsewhere, in place of `how`.
    reason
        Why this way: free text.
    folder
        Where models and audits go, in a folder of the request's own; a stopped call goes on there.
    name
        Of the new version; default: the parent's, the request and the way.
    costs, alternatives
        Measure, with two small pilot models, what this way and the alternatives cost, for the record of the decision.
    options
        shadows, seed, audit: {"measures": ..., "alpha": ..., "tolerance": ...}.

    Returns
    -------
    list of Request
        "executed"; "scoped" still after "wait". The same where they were executed in this way already.
    """
    pairs = commitments_of(ledger, request, line)
    way = version or (how if isinstance(how, str) else str(dict(how).get("name", "")))
    pending = [(record, one) for record, one in pairs if (one.state, one.way) != ("executed", way)]
    for record, one in pending:
        if one.state not in READY:
            raise InputError(f"{record.id} is {one.state} in {one.line}; execute is for {', '.join(READY)}.")
    with contextlib.ExitStack() as stack:
        for record, one in pending:
            stack.enter_context(recorded(ledger, record, one, "execute"))
        if version is not None or way in (RETIRE, WAIT):
            for record, one in pending:
                if version is not None:
                    _take(ledger, record, one, version, reason)
                elif way == RETIRE:
                    _retire(ledger, one, reason)
                else:
                    _wait(ledger, one, until, reason)
        elif pending:
            settings = _Settings(as_path(folder), name, costs, alternatives, {"system": system, **options})
            _train(ledger, pending, how, settings, reason, workers, say)
    return [ledger.requests.show(record.id) for record, _ in pairs]


@dataclass(frozen=True)
class _Settings:
    """How models are trained: where, under which name, whether costs are measured, and what the plan takes."""

    folder: Path
    name: str | None
    costs: bool
    alternatives: Sequence[Any]
    plan: Mapping[str, Any]


def _train(
    ledger: Ledger, pairs: Sequence[tuple[Request, Commitment]], how: Any, settings: _Settings, reason: str | None,
    workers: int | None, say: Say,
) -> None:  # fmt: skip
    """Forget the records of all requests in one training, and note for each how that was decided."""
    requests, line = [record for record, _ in pairs], pairs[0][1].line
    again = max((_again(ledger, one) for _, one in pairs), key=len)
    place = settings.folder / f"{title_of(requests)}-{line}{again}"
    options = dict(settings.plan)
    if options["system"] is not None:
        options["system"] = source_of(options["system"])  # read once, for all plans
    built, parent, plan = planned(ledger, requests, line, [how], place, options)
    way = how if isinstance(how, str) else str(dict(how)["name"])
    tried = (
        _measured(ledger, requests, line, [how, *settings.alternatives], options) if settings.costs else []
    )
    for _, one in pairs:
        _decide(ledger, one, way, plan, tried, reason)
    named = settings.name or f"{parent.name}-{title_of(requests)}-{built.ways[0].title}{again}"
    _make(ledger, pairs, built, parent, named, workers, say)


def _again(ledger: Ledger, commitment: Commitment) -> str:
    """Return "" for the first execution in a line, "-2" for the second: each has a folder of its own."""
    events = ledger.events("request.executed", commitment.request)
    count = sum(event.body["line"] == commitment.line for event in events)
    return f"-{count + 1}" if count else ""


def _decide(
    ledger: Ledger, commitment: Commitment, way: str, plan: Mapping[str, Any], costs: Sequence[Mapping[str, Any]],
    reason: str | None,
) -> None:  # fmt: skip
    """Record how it is done, what it and the alternatives cost, and why; unless it is recorded as that."""
    if (commitment.way, commitment.plan) == (way, dict(plan)) and reason is None:
        return
    body = {"line": commitment.line, "way": way, "plan": dict(plan), "costs": list(costs)}
    with ledger.writing() as transaction:
        transaction.append("request.decided", commitment.request, body, note=reason)


def _measured(
    ledger: Ledger, requests: Sequence[Request], line: str, ways: Sequence[Any], options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what each way costs: seconds of training as pilot models say, None where that is the method's business."""
    from vestige.experiments.costs import costs
    from vestige.experiments.forgetting import RETRAIN

    wanted = [*ways] if any(way == RETRAIN for way in ways) else [*ways, RETRAIN]
    built, _, _ = planned(ledger, requests, line, wanted, Path("runs") / title_of(requests), options)
    known = costs(built, sharpness=False)
    open_records = sum(model["records"] for model in known.models if not model["done"] and model["records"])
    each = None if known.seconds is None or not open_records else known.seconds / open_records
    by_name = {model["name"]: model["records"] for model in known.models}
    return [
        {
            "way": way.title,
            "records": by_name[way.title],
            "seconds": None if each is None or by_name[way.title] is None else each * by_name[way.title],
        }
        for way in built.ways
    ]


def _make(
    ledger: Ledger, pairs: Sequence[tuple[Request, Commitment]], built: Plan, parent: Version, name: str,
    workers: int | None, say: Say,
) -> None:  # fmt: skip
    from vestige.experiments.runner import make_models

    way, line = built.ways[0].title, pairs[0][1].line
    make_models(built, [way], say=say, workers=workers)
    step = built.steps.models[way]
    place, facts = built.store.path(step), built.store.record(step)
    gone = records_of([record for record, _ in pairs])
    manifest = ledger.models.read_manifest(parent.id).without(gone)
    with ledger.writing() as transaction:
        rows = [transaction.get("commitment", record.id, line) for record, _ in pairs]
        if any(row is not None and row["state"] == "executed" for row in rows):  # another process was faster
            return
        version = ledger.models.register(transaction, line, name, place, manifest, parent.id)
        for record, _ in pairs:
            body = {
                "line": line, "way": way, "version": version, "folder": str(built.folder.resolve()),
                "seconds": facts.get("unlearn_seconds"), "parent": parent.id, "records": len(record.records),
            }  # fmt: skip
            transaction.append("request.executed", record.id, body)


def _take(ledger: Ledger, request: Request, commitment: Commitment, version: str, reason: str | None) -> None:
    """Take a version that was trained without the records elsewhere."""
    known = ledger.models.show(version)
    bears = ledger.models.read_manifest(version).holds(request.records)
    if known.line != commitment.line or known.state == "retired" or bears:
        why = f"saw {len(bears)} of the records" if bears else f"is {known.state}, of the line {known.line}"
        raise InputError(f"{version} {why}; a version of {commitment.line} without the records is wanted.")
    with ledger.writing() as transaction:
        decided = {"line": commitment.line, "way": version, "plan": {}, "costs": []}
        transaction.append("request.decided", request.id, decided, note=reason)
        body = {"line": commitment.line, "way": version, "version": version, "folder": ""}
        transaction.append("request.executed", request.id, body)


def _retire(ledger: Ledger, commitment: Commitment, reason: str | None) -> None:
    with ledger.writing() as transaction:
        decided = {"line": commitment.line, "way": RETIRE, "plan": {}, "costs": []}
        transaction.append("request.decided", commitment.request, decided, note=reason)
        for version in commitment.saw:
            ledger.models.retire(version)
        body = {"line": commitment.line, "way": RETIRE, "version": "", "folder": ""}
        transaction.append("request.executed", commitment.request, body)


def _wait(ledger: Ledger, commitment: Commitment, until: str | date | None, reason: str | None) -> None:
    day = "" if until is None else as_date("until", until).isoformat()
    if day <= chain.now().date().isoformat():
        raise InputError(f"A request waits until a day to come; until is {day or 'missing'}.")
    _decide(ledger, commitment, WAIT, {"until": day}, [], reason or "")


# failures


@contextlib.contextmanager
def recorded(ledger: Ledger, request: Request, commitment: Commitment, step: str) -> Iterator[None]:
    """Note in the ledger that a step failed and may be tried again; raise what it raised."""
    try:
        yield
    except Exception as error:
        body = {"line": commitment.line, "step": step, "error": type(error).__name__}
        with ledger.writing() as transaction:
            transaction.append("request.failed", request.id, body, note=_told(error))
        raise


def _told(error: Exception) -> str:
    """Return what the ledger keeps of an error: nothing of the user's own code, and nothing in quotation marks.

    Either may be the id of a person or a record.
    """
    if not isinstance(error, InputError):
        return f"{type(error).__name__} in the system's own code"
    return re.sub(r"'[^']*'|\"[^\"]*\"|“[^”]*”", "…", str(error))[:1_000]
