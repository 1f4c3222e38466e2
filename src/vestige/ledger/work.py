"""What takes a system: finding who saw the records, and forgetting them.

A step that fails is in the ledger as failed, and the same verb tries it again; what was trained is not trained again.
The ledger knows pseudonyms alone: the ids are found again among those of the system.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vestige.errors import InputError, unknown
from vestige.files import as_path
from vestige.ledger import chain
from vestige.ledger.keys import Key
from vestige.ledger.records import Commitment, Request, Version, as_date

if TYPE_CHECKING:
    from vestige.experiments.costs import Costs
    from vestige.experiments.plan import Plan
    from vestige.ledger.ledger import Ledger
    from vestige.systems.source import SystemSource

READY = ("scoped", "re-opened", "audited")
OPEN_STATES = ("received", "scoped", "re-opened", "executed", "audited", "certified", "monitored")
RETIRE, WAIT = "retire", "wait"
Say = Callable[[str], None]


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
    records = _source(system).load().records
    if records.cluster is None:
        raise InputError(f"{request} names no records, and the system does not say whose they are (cluster).")
    people = np.array(ledger.key.pseudonyms("subject", records.cluster.tolist()))
    return sorted(ledger.key.pseudonyms("record", records.ids[people == subject].tolist()))


def _source(system: Any) -> SystemSource:
    from vestige.systems.source import SystemSource

    return SystemSource.of(system)


def ids_of(key: Key, records: Sequence[str], source: SystemSource) -> list[str]:
    """Return the ids of the records that a system's original saw and that have these pseudonyms."""
    known = source.load()
    names = known.records.ids[np.sort(known.seen)].tolist()
    wanted = set(records)
    return [name for name, seen in zip(names, key.pseudonyms("record", names), strict=True) if seen in wanted]


# plans


def plan(
    ledger: Ledger, request: str, line: str | None = None, *, how: Any = ("retrain",), folder: Path | str = "runs",
    **options: Any,
) -> Costs:  # fmt: skip
    """Measure what ways to forget would cost, and how sharp the audit would be; nothing is written, see `execute`.

    Parameters
    ----------
    ledger, request, line, options
        As for `execute`: system, shadows, measures, alpha, tolerance, seed.
    how
        Ways, side by side: "retrain", or methods that the system knows.
    """
    from vestige.experiments.costs import costs

    record = ledger.requests.show(request)
    ways = [how] if isinstance(how, (str, Mapping)) else list(how)
    built, _, _ = planned(ledger, record, record.commitment(line), ways, as_path(folder) / request, options)
    return costs(built)


def planned(
    ledger: Ledger, request: Request, commitment: Commitment, ways: Sequence[Any], folder: Path,
    options: Mapping[str, Any],
) -> tuple[Plan, Version, dict[str, Any]]:  # fmt: skip
    """Return the plan, the version that the system's original is, and what the ledger keeps of the settings."""
    from vestige.config import validated
    from vestige.experiments.requests import Forgetting, plan_system
    from vestige.experiments.settings import AuditConfig, ShadowConfig

    kept: dict[str, Any] = {"system": None, "shadows": 1, "seed": 0, "audit": {}}
    strange = sorted(options.keys() - kept.keys())
    if strange:
        raise InputError(unknown("option of an execution", strange[0], kept))
    kept |= options
    system = kept["system"]
    if system is None:
        raise InputError("Which system is trained? Give it, such as churn.py:system.")
    source = _source(system)
    parent = _parent(ledger, commitment, source)
    ids = ids_of(ledger.key, request.records, source)
    if not ids:
        raise InputError(
            f"The system has none of the records of {request.id}; it was loaded from data without them."
        )
    forgettings = [Forgetting.of(way) for way in ways]
    audit = validated(AuditConfig, dict(kept["audit"]), "audit")
    settings = {
        "name": request.id, "title": f"{request.id}: {len(ids):,} records leave {parent.id}", "system": source.place,
        "request": {"ids": ids}, "how": [{"name": way.name, **way.options} for way in forgettings],
        "shadows": {"count": kept["shadows"]}, "audit": audit.model_dump(mode="json"), "seed": kept["seed"],
    }  # fmt: skip
    built = plan_system(
        source, ids, settings, folder, ways=forgettings, shadows=ShadowConfig(count=kept["shadows"]), audit=audit,
        seed=kept["seed"],
    )  # fmt: skip
    facts = {
        "system": source.place or "", "fingerprint": source.fingerprint, "shadows": kept["shadows"],
        "seed": str(kept["seed"]), "audit": audit.model_dump(mode="json"), "key": built.key,
        "how": [way if isinstance(way, str) else dict(way) for way in ways], "parent": parent.id,
    }  # fmt: skip
    return built, parent, facts


def _parent(ledger: Ledger, commitment: Commitment, source: SystemSource) -> Version:
    """Return the version of a line that saw what the system's original saw; a live one before others."""
    manifest = ledger.models.manifest_of(source.place or source.held)
    same = [v for v in ledger.models.list(commitment.line) if v.manifest == manifest.digest]
    same = [v for v in same if v.state == "live"] or [v for v in same if v.state == "candidate"] or same
    if not same:
        raise InputError(
            f"The system saw {len(manifest):,} records, which is what no version of {commitment.line} saw; give the "
            "system as it was when the version was trained, or add its version."
        )
    return same[-1]


# execution


def execute(
    ledger: Ledger, request: str, line: str | None = None, *, how: Any = "retrain", system: Any = None,
    version: str | None = None, until: str | date | None = None, reason: str | None = None,
    folder: Path | str = "runs", name: str | None = None, costs: bool = True, alternatives: Sequence[Any] = (),
    workers: int | None = None, say: Say = lambda text: None, **options: Any,
) -> Request:  # fmt: skip
    """Forget the records in one model line, and register the version without them as a candidate.

    Parameters
    ----------
    ledger, request, line
        The line may be left out where the request concerns one.
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
    Request
        "executed"; "scoped" still after "wait". The same where it was executed in this way already.
    """
    record = ledger.requests.show(request)
    commitment = record.commitment(line)
    way = version or (how if isinstance(how, str) else str(dict(how).get("name", "")))
    if commitment.state == "executed" and commitment.way == way:
        return record
    if commitment.state not in READY:
        raise InputError(
            f"{request} is {commitment.state} in {commitment.line}; execute is for {', '.join(READY)}."
        )
    with recorded(ledger, record, commitment, "execute"):
        if version is not None:
            _take(ledger, record, commitment, version, reason)
        elif way == RETIRE:
            _retire(ledger, commitment, reason)
        elif way == WAIT:
            _wait(ledger, commitment, until, reason)
        else:
            again = _again(ledger, commitment)
            place = as_path(folder) / f"{request}-{commitment.line}{again}"
            options = {"system": system, **options}
            built, parent, plan = planned(ledger, record, commitment, [how], place, options)
            tried = _measured(ledger, record, commitment, [how, *alternatives], options) if costs else []
            _decide(ledger, commitment, way, plan, tried, reason)
            named = name or f"{parent.name}-{request}-{built.ways[0].title}{again}"
            _make(ledger, record, commitment, built, parent, named, workers, say)
    return ledger.requests.show(request)


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
    ledger: Ledger, request: Request, commitment: Commitment, ways: Sequence[Any], options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what each way costs: seconds of training as pilot models say, None where that is the method's business."""
    from vestige.experiments.costs import costs
    from vestige.experiments.requests import RETRAIN

    wanted = [*ways] if any(way == RETRAIN for way in ways) else [*ways, RETRAIN]
    built, _, _ = planned(ledger, request, commitment, wanted, Path("runs") / request.id, options)
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
    ledger: Ledger, request: Request, commitment: Commitment, built: Plan, parent: Version, name: str,
    workers: int | None, say: Say,
) -> None:  # fmt: skip
    from vestige.experiments.runner import make_models

    way = built.ways[0].title
    make_models(built, [way], say=say, workers=workers)
    step = built.steps.models[way]
    place = built.store.path(step)
    manifest = ledger.models.read_manifest(parent.id).without(request.records)
    facts = built.store.record(step)
    with ledger.writing() as transaction:
        row = transaction.get("commitment", request.id, commitment.line)
        assert row is not None
        if row["state"] == "executed":  # another process was faster
            return
        version = ledger.models.register(transaction, commitment.line, name, place, manifest, parent.id)
        body = {
            "line": commitment.line, "way": way, "version": version, "folder": str(built.folder.resolve()),
            "seconds": facts.get("unlearn_seconds"), "parent": parent.id, "records": len(request.records),
        }  # fmt: skip
        transaction.append("request.executed", request.id, body)


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
