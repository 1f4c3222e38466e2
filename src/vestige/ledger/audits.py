"""What is left of each record in the new version: the audit's verdict, and signed evidence of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.errors import InputError
from vestige.files import as_path
from vestige.ledger.keys import digests
from vestige.ledger.models import settle
from vestige.ledger.plans import Say, commitments_of, ids_of, planned, source_of
from vestige.ledger.records import Commitment, Request, as_date
from vestige.ledger.work import RETIRE, recorded
from vestige.store import file_hash, key_of

if TYPE_CHECKING:
    from vestige.evaluation import Audit
    from vestige.ledger.ledger import Ledger

VERDICT = (
    "outcome", "alpha", "tolerance", "p_under", "p_over", "completeness", "low", "high", "could_be_whole", "allowed",
    "at_least", "n", "null", "unit",
)  # fmt: skip
"""What the chain holds of a verdict: figures, no sentences."""


def audit(
    ledger: Ledger, request: str | Sequence[str], line: str | None = None, *, system: Any = None,
    folder: Path | str | None = None, out: Path | str = "runs", workers: int | None = None,
    say: Say = lambda text: None, **options: Any,
) -> list[Request]:  # fmt: skip
    """Measure what is left of each record in the new version, and keep verdict and digests.

    Parameters
    ----------
    ledger, request, line
        One request, or several. The line may be left out where they concern one.
    system
        Where it was given to `execute` from memory; a file is known. Of a version that was trained elsewhere: who
        loads and asks it, as for `Ledger.monitor`; all requests that the version serves are asked together.
    folder
        An audit that was made elsewhere, of a version that was trained elsewhere.
    out
        Where the audits of versions that were trained elsewhere go.
    options
        Of those audits: supplied, shadows, seed, settings; see `vestige.ledger.later.Asking`.

    Returns
    -------
    list of Request
        "audited", whatever the verdict; `execute` again where a vestige remains.
    """
    pairs = commitments_of(ledger, request, line)
    for record, one in pairs:
        _expect_executed(record, one)
    if folder is not None and len(pairs) > 1:
        raise InputError(
            f"{as_path(folder)} is one audit; name the request that it is of, and not {len(pairs)}."
        )
    if options and (folder is not None or any(one.folder for _, one in pairs)):
        raise InputError(
            f"{', '.join(options)}: options of an audit are for versions that were trained elsewhere and a system that "
            f"asks them; {pairs[0][1].version} is audited as it was executed."
        )
    asked: dict[str, Path] = {}
    for record, one in pairs:
        with recorded(ledger, record, one, "audit"):
            if folder is not None:
                place = as_path(folder)
            elif one.folder:
                place = _audited(ledger, record, one, system, workers, say)
            elif system is not None:
                if record.id not in asked:
                    asked |= _asked(ledger, one, system, folder=out, workers=workers, say=say, **options)
                if record.id not in asked:
                    raise InputError(
                        f"The records of {record.id} are supplied again for each audit; give them."
                    )
                place = asked[record.id]
            else:
                raise InputError(
                    f"{one.version} was trained elsewhere; give the system that asks it, or the folder of its audit."
                )
            _keep_audit(ledger, record, one, place.resolve())
    return [ledger.requests.show(record.id) for record, _ in pairs]


def _expect_executed(record: Request, commitment: Commitment) -> None:
    """Raise `InputError` for a request that has no new version to audit."""
    if commitment.state not in ("executed", "audited"):
        raise InputError(
            f"{record.id} is {commitment.state} in {commitment.line}; audit is for what is executed."
        )
    if commitment.way == RETIRE:
        raise InputError(
            f"{record.id} retired every version of {commitment.line} that saw its records; certify it."
        )


def _audited(
    ledger: Ledger, request: Request, commitment: Commitment, system: Any, workers: int | None, say: Say
) -> Path:
    from vestige.experiments.runner import carry_out_plan
    from vestige.experiments.versions import audit_request

    known = commitment.plan
    system = known["system"] or system
    source = None if system is None else source_of(system)
    options = {
        "system": source, "shadows": known["shadows"], "seed": int(known["seed"]), "audit": known["audit"],
    }  # fmt: skip
    requests = [ledger.requests.show(one) for one in known.get("together", [request.id])]
    built, _, plan = planned(
        ledger, requests, commitment.line, known["how"], Path(commitment.folder), options
    )
    if plan["key"] != known["key"]:
        raise InputError(f"The system is another than {request.id} was executed with; give it as it was.")
    if len(requests) == 1:
        carry_out_plan(built, workers=workers, say=say)
        return built.store.path(built.steps.audits[commitment.way])
    assert source is not None
    rows = source.load().records.positions(ids_of(ledger.key, request.records, source))
    return audit_request(built, commitment.way, request.id, rows, workers=workers, say=say)


def _asked(
    ledger: Ledger, commitment: Commitment, system: Any, folder: Path | str, **options: Any
) -> dict[str, Path]:
    """Ask a version that was trained elsewhere about every request that it serves; return their audits.

    Each set of requests has a folder of its own: an audit that the ledger has noted is not written again.
    """
    from vestige.ledger.later import Asking

    version = ledger.models.show(commitment.version)
    served = [
        one
        for one in ledger.requests.commitments(commitment.line)
        if one.version == version.id and one.state in ("executed", "audited")
    ]
    name = f"{version.name}-{key_of([one.request for one in served])[:8]}"
    asking = Asking(ledger, commitment.line, system, served, folder=as_path(folder) / name, **options)
    return asking.audits(version, served)


def _keep_audit(ledger: Ledger, request: Request, commitment: Commitment, place: Path) -> None:
    from vestige.evaluation import Audit

    result: Audit = Audit.load(place)
    names = ledger.key.pseudonyms("record", result.signals.of_role("forget").names.tolist())
    parents = [commitment.plan["parent"]] if "parent" in commitment.plan else commitment.saw
    missing = ledger.models.seen_by(parents, request.records) - set(names)
    if missing:
        raise InputError(
            f"{place} audits {len(names)} records, and {len(missing)} of {request.id} are not among them."
        )
    verdict = result.verdict
    body = {
        "line": commitment.line, "version": commitment.version, "folder": str(place), "files": digests(place),
        "digest": file_hash(place / "audit.json"), "blocked_by": list(verdict.blocked_by),
        **{name: getattr(verdict, name) for name in VERDICT},
    }  # fmt: skip
    with ledger.writing() as transaction:
        transaction.append("request.audited", request.id, body)


# evidence


def certify(
    ledger: Ledger, request: str, line: str | None = None, *, key: Any = None,
    passphrase: str | None = None, public: Path | str | None = None,
    valid_until: str | date | None = None, assurance: str = "self-attested",
    folder: Path | str | None = None,
) -> Request:  # fmt: skip
    """Sign evidence of an audit that holds, and note that the request is certified.

    A request of which something was kept is monitored from then on, once no live version that saw its records is left.

    Parameters
    ----------
    ledger, request, line
        The line may be left out where the request concerns one.
    key, passphrase, public
        The private key that signs, or a signer; see `vestige.evidence.certify`.
    valid_until
        A day; default: a year from now.
    assurance
        "self-attested", "reproduced" or "third-party".
    folder
        Where evidence.json and evidence.html go; default: `evidence` in the audit's folder.

    Raises
    ------
    InputError
        Where the audit says that a vestige remains, or that the records were damaged; where there is no audit yet.
    """
    record = ledger.requests.show(request)
    commitment = record.commitment(line)
    retired = commitment.way == RETIRE and commitment.state == "executed"
    if commitment.state != "audited" and not retired:
        raise InputError(
            f"{request} is {commitment.state} in {commitment.line}; certify is for what is audited."
        )
    if commitment.verdict in ("under", "over"):
        raise InputError(
            f"{request} is not certified: the audit of {commitment.version} says {commitment.verdict!r}; execute it "
            "again, in another way."
        )
    if retired and commitment.open:
        raise InputError(
            f"{request} is not certified: {', '.join(commitment.open)} saw its records and is live."
        )
    with recorded(ledger, record, commitment, "certify"):
        body = {
            "line": commitment.line, "version": commitment.version, "conditional": commitment.verdict == "undecided",
        }  # fmt: skip
        if not retired:
            until = None if valid_until is None else _at_midnight(as_date("valid_until", valid_until))
            body |= _evidence(
                ledger, record, commitment, folder, key=key, passphrase=passphrase, public=public, valid_until=until,
                assurance=assurance,
            )  # fmt: skip
        with ledger.writing() as transaction:
            transaction.append("request.certified", request, body)
            settle(ledger, transaction)
    return ledger.requests.show(request)


def _evidence(
    ledger: Ledger, request: Request, commitment: Commitment, folder: Path | str | None, **options: Any
) -> dict[str, Any]:
    """Write the evidence, and return what the chain holds of it."""
    from vestige.evidence import certify as sign

    if options["key"] is None:
        raise InputError("Which key signs the evidence? Name the file of a private key.")
    version, plan = ledger.models.show(commitment.version), commitment.plan
    saw = set(commitment.saw)
    executed = ledger.events("request.executed", request.id)[-1].body
    seconds = executed.get("seconds")
    path = sign(
        commitment.audit["folder"],
        None if folder is None else as_path(folder),
        weights=version.place,
        request={
            "pseudonym": request.subject,
            "received": _at_midnight(date.fromisoformat(request.received)),
            "due": _at_midnight(date.fromisoformat(request.due)),
        },
        scope={
            "line": commitment.line, "records": len(request.records),
            "known_by": "the training manifest of each version",
            "versions": [
                {"name": v.name, "digest": v.digest, "saw": v.id in saw} for v in ledger.models.list(commitment.line)
            ],
        },
        action={
            "method": commitment.way, "seed": int(plan["seed"]) if "seed" in plan else None,
            "cost": {} if seconds is None else {"seconds": seconds},
        },
        **options,
    )  # fmt: skip
    place = path.parent.resolve()
    files = {file.name: file_hash(file) for file in (path, path.with_name("evidence.html"))}
    return {"place": str(place), "files": files, "digest": files[path.name]}


def _at_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
