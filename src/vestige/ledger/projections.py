"""From events to tables. One function of the event alone, so that the tables can be computed again from the chain.

    received ─▶ scoped ─▶ executed ─▶ audited ─▶ certified ─▶ monitored ─▶ closed
                  ▲                                  └─ re-opened ─┘
    side exits: denied, withdrawn, not_found

A request has a commitment for each model line that saw its records, and is as far as the last of these.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from vestige.errors import InputError
from vestige.ledger.chain import Event, canonical
from vestige.ledger.tables import PROJECTIONS

Row = dict[str, Any]
PROGRESS = ("re-opened", "scoped", "executed", "audited", "certified", "monitored", "closed")
"""States of a commitment, from the one that is furthest from its end."""
ENDED = ("closed", "denied", "withdrawn", "not_found")
KEYS = {name: tuple(column.name for column in table.primary_key) for name, table in PROJECTIONS.items()}
EMPTY = {
    name: {column.name: "" if column.type.python_type is str else 0 for column in table.columns}
    for name, table in PROJECTIONS.items()
}
"""A row of each table before anything is known of it."""


class Rows(Protocol):
    """Tables by name: in memory, or in a database."""

    def get(self, table: str, *key: str) -> Row | None: ...

    def put(self, table: str, row: Row) -> None: ...


class Memory:
    """Tables in memory."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, ...], Row]] = {name: {} for name in PROJECTIONS}

    def get(self, table: str, *key: str) -> Row | None:
        row = self.tables[table].get(key)
        return None if row is None else dict(row)

    def put(self, table: str, row: Row) -> None:
        self.tables[table][tuple(row[name] for name in KEYS[table])] = row


def apply(rows: Rows, event: Event) -> None:
    """Write to the tables what an event says. Raises `InputError` for one that this version does not know."""
    handler = HANDLERS.get(event.kind)
    if handler is None:
        raise InputError(
            f"event {event.sequence} is of the kind {event.kind!r}, which this version of vestige does not know; use "
            "the version that wrote it."
        )
    handler(rows, event)


def _put(rows: Rows, table: str, event: Event, *key: str, **changes: Any) -> Row:
    """Change some columns of a row, which is made where there is none; lists and objects become canonical JSON."""
    row = rows.get(table, *key) or EMPTY[table] | dict(zip(KEYS[table], key, strict=True))
    texts = {
        name: value if isinstance(value, (str, int)) else canonical(value) for name, value in changes.items()
    }
    row = {**row, **texts, "event": event.sequence}
    rows.put(table, row)
    return row


def _request(rows: Rows, event: Event, **changes: Any) -> None:
    _put(rows, "request", event, event.about, **changes)


def _nothing(rows: Rows, event: Event) -> None:
    """The event stands in the chain alone."""


def _fact(name: str) -> Callable[[Rows, Event], None]:
    def put(rows: Rows, event: Event) -> None:
        _put(rows, "fact", event, name, body=event.payload)

    return put


def _named_fact(rows: Rows, event: Event) -> None:
    _put(rows, "fact", event, event.about, body=event.payload)


def _key_destroyed(rows: Rows, event: Event) -> None:
    _put(rows, "fact", event, "key", body=event.body | {"destroyed": event.time})


def _received(rows: Rows, event: Event) -> None:
    body = event.body
    names = {k: body[k] for k in ("subject", "external", "records", "source", "received", "due", "custody")}
    _request(
        rows, event, state="received", duplicate_of=body["duplicate_of"], lines=[], until_date=body["until"],
        note=event.sequence if "note" in body else 0, **names,
    )  # fmt: skip
    if body["external"]:
        _put(rows, "lookup", event, f"external {body['external']}", request=event.about)
    if not body["duplicate_of"]:
        _put(rows, "lookup", event, f"same {body['group']}", request=event.about)


def _scoped(rows: Rows, event: Event) -> None:
    body = event.body
    for line, saw in body["lines"].items():
        commitment = rows.get("commitment", event.about, line)
        changes = {"saw": saw} | ({} if commitment else {"state": "scoped"})
        _put(rows, "commitment", event, event.about, line, **changes)
    _request(rows, event, records=body["records"], lines=sorted(body["lines"]), failed="")
    _settle(rows, event)


def _commitment(rows: Rows, event: Event, **changes: Any) -> None:
    _put(rows, "commitment", event, event.about, event.body["line"], **changes)
    _settle(rows, event)


def _settle(rows: Rows, event: Event) -> None:
    """Give the request the state of the commitment that is furthest from its end."""
    request = rows.get("request", event.about)
    assert request is not None
    commitments = [rows.get("commitment", event.about, line) for line in json.loads(request["lines"])]
    known = [row for row in commitments if row is not None]
    if known:
        state = min((row["state"] for row in known), key=PROGRESS.index)
        failed = next((f"{row['failed']} {row['line']}" for row in known if row["failed"]), "")
        _request(rows, event, state=state, failed=failed)


def _decided(rows: Rows, event: Event) -> None:
    body = event.body
    _commitment(rows, event, way=body["way"], plan=body["plan"])


def _failed(rows: Rows, event: Event) -> None:
    body = event.body
    if body["line"]:
        _commitment(rows, event, failed=body["step"])
    else:
        _request(rows, event, failed=body["step"])


def _executed(rows: Rows, event: Event) -> None:
    body = event.body
    _commitment(
        rows, event, state="executed", version=body["version"], folder=body["folder"], way=body["way"], failed="",
        verdict="", audit="", evidence="",
    )  # fmt: skip


def _audited(rows: Rows, event: Event) -> None:
    body = event.body
    _commitment(rows, event, state="audited", verdict=body["outcome"], audit=body, failed="")


def _certified(rows: Rows, event: Event) -> None:
    _commitment(rows, event, state="certified", evidence=event.body, failed="")


def _every(state: str) -> Callable[[Rows, Event], None]:
    """Give all commitments of a request a state."""

    def put(rows: Rows, event: Event) -> None:
        request = rows.get("request", event.about)
        assert request is not None
        for line in json.loads(request["lines"]):
            _put(rows, "commitment", event, event.about, line, state=state)
        _request(rows, event, state=state)

    return put


def _reopened(rows: Rows, event: Event) -> None:
    body = event.body
    row = rows.get("commitment", event.about, body["line"])
    saw = json.loads(row["saw"]) if row else []
    _commitment(
        rows, event, state="re-opened", saw=list(dict.fromkeys([*saw, body["version"]])), evidence="", verdict="",
        audit="",
    )  # fmt: skip


def _extended(rows: Rows, event: Event) -> None:
    _request(rows, event, due=event.body["due"], extended=event.body["months"])


def _ended(state: str) -> Callable[[Rows, Event], None]:
    def put(rows: Rows, event: Event) -> None:
        _request(rows, event, state=state, reason=event.body.get("reason", ""), failed="")

    return put


def _version_added(rows: Rows, event: Event) -> None:
    body = event.body
    names = ("line", "name", "parent", "state", "place", "digest", "manifest", "records")
    _put(rows, "version", event, event.about, **{name: body[name] for name in names})


def _version_state(state: str) -> Callable[[Rows, Event], None]:
    def put(rows: Rows, event: Event) -> None:
        _put(rows, "version", event, event.about, state=state)

    return put


def _escrow_stored(rows: Rows, event: Event) -> None:
    body = event.body
    _put(
        rows, "escrow", event, event.about, until_date=body["until"], state=body["state"], digests=body["digests"],
        sha256=body["sha256"],
    )  # fmt: skip
    _request(rows, event, custody=body["custody"], until_date=body["until"])


def _escrow_destroyed(rows: Rows, event: Event) -> None:
    _put(rows, "escrow", event, event.about, state="destroyed")


HANDLERS: dict[str, Callable[[Rows, Event], None]] = {
    "ledger.created": _fact("ledger"),
    "ledger.clock": _nothing,
    "ledger.restored": _nothing,
    "key.destroying": _fact("key"),
    "key.destroyed": _key_destroyed,
    "note.redacted": _nothing,
    "fact.set": _named_fact,
    "request.received": _received,
    "request.scoped": _scoped,
    "request.not_found": _ended("not_found"),
    "request.decided": _decided,
    "request.failed": _failed,
    "request.executed": _executed,
    "request.audited": _audited,
    "request.certified": _certified,
    "request.monitored": _every("monitored"),
    "request.closed": _every("closed"),
    "request.reopened": _reopened,
    "request.extended": _extended,
    "request.denied": _ended("denied"),
    "request.withdrawn": _ended("withdrawn"),
    "version.added": _version_added,
    "version.live": _version_state("live"),
    "version.retired": _version_state("retired"),
    "escrow.stored": _escrow_stored,
    "escrow.destroyed": _escrow_destroyed,
}
"""What each kind of event does to the tables."""
