"""Exports: every event as JSON Lines, the record of processing as CSV, one request as DPV in JSON-LD."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vestige.errors import InputError, unknown
from vestige.ledger.chain import canonical
from vestige.ledger.database import events_in
from vestige.ledger.records import Request

if TYPE_CHECKING:
    from vestige.ledger.ledger import Ledger

KINDS = ("jsonl", "csv", "dpv")
COLUMNS = (
    "request", "subject", "source", "received", "due", "extended_months", "state", "reason", "records", "models",
    "ways", "versions", "verdicts", "custody", "until",
)  # fmt: skip
DPV = "https://w3id.org/dpv#"
STATUS = {
    "received": "RequestAcknowledged",
    "scoped": "RequestRequiresAction",
    "executed": "RequestRequiredActionPerformed",
    "audited": "AuditRequested",
    "certified": "AuditApproved",
    "monitored": "RequestFulfilled",
    "closed": "RequestFulfilled",
    "re-opened": "RequestUnfulfilled",
    "denied": "RequestRejected",
    "not_found": "RequestFulfilled",
}
"""States as terms of the W3C Data Privacy Vocabulary 2.3; it has none for what was withdrawn."""


def lines(ledger: Ledger, kind: str, request: str | None = None) -> Iterator[str]:
    """Give the lines of an export, each with its end. Raises `InputError` for an unknown kind or request."""
    if kind not in KINDS:
        raise InputError(unknown("export", kind, KINDS))
    if kind == "dpv":
        if request is None:
            raise InputError("Which request is exported? Name it, such as R17.")
        yield json.dumps(of_request(ledger.requests.show(request)), indent=2) + "\n"
    elif kind == "csv":
        yield from _register(ledger)
    else:
        with ledger.reading() as connection:
            for event in events_in(connection):
                yield canonical(event.record()) + "\n"


def _register(ledger: Ledger) -> Iterator[str]:
    """Give the record of processing (GDPR Article 30): a line a request."""
    yield ",".join(COLUMNS) + "\r\n"
    for request in ledger.requests.list():
        commitments = request.commitments
        row = [
            request.id, request.subject, request.source, request.received, request.due, request.extended,
            request.state, request.reason, len(request.records), " ".join(c.line for c in commitments),
            " ".join(c.way for c in commitments), " ".join(c.version for c in commitments),
            " ".join(c.verdict for c in commitments), request.custody, request.until,
        ]  # fmt: skip
        text = io.StringIO(newline="")
        csv.writer(text).writerow(row)
        yield text.getvalue()


def of_request(request: Request) -> dict[str, Any]:
    """Return a request in the terms of DPV 2.3."""
    status = STATUS.get(request.state)
    conditional = any(c.evidence.get("conditional") for c in request.commitments)
    if request.state == "certified" and conditional:
        status = "AuditConditionallyApproved"
    record: dict[str, Any] = {
        "@context": {
            "dpv": DPV,
            "dct": "http://purl.org/dc/terms/",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@id": f"urn:vestige:request:{request.id}",
        "@type": "dpv:RightExerciseActivity",
        "dct:identifier": request.id,
        "dct:dateSubmitted": {"@value": request.received, "@type": "xsd:date"},
        "dct:valid": {"@value": request.due, "@type": "xsd:date"},
        "dpv:hasDataSubject": {"@id": f"urn:vestige:subject:{request.subject}", "@type": "dpv:DataSubject"},
        "dpv:hasRight": {"@id": "https://w3id.org/dpv/legal/eu/gdpr#A17"},
    }
    if status is not None:
        record["dpv:hasStatus"] = {"@id": f"dpv:{status}"}
    if request.commitments:
        record["dpv:hasProcess"] = [
            {
                "@id": f"urn:vestige:commitment:{request.id}:{commitment.line}",
                "dct:title": f"no live version of {commitment.line} bears a trace of these records",
                "dpv:hasStatus": {"@id": f"dpv:{STATUS[commitment.state]}"},
            }
            for commitment in request.commitments
        ]
    return record
