"""Does everything fit? The chain, the tables that are computed from it, what may be erased, and files on the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vestige.errors import InputError
from vestige.ledger.chain import Event, canonical, first_fault
from vestige.ledger.database import events_in
from vestige.ledger.keys import digests, salted_digest
from vestige.ledger.projections import EMPTY, Memory, apply
from vestige.ledger.tables import EVENT, HEAD, MANIFEST, NOTE, PROJECTIONS, TRIGGERS, VAULT
from vestige.store import file_hash


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    fault : str
        What does not fit, a sentence; "" where everything fits.
    event : int or None
        The first event that does not fit.
    events, files : int
        How many events and files were looked at.
    sequence, digest
        The last event: note them where nobody can change them.
    """

    fault: str
    event: int | None
    events: int
    files: int
    sequence: int
    digest: str

    @property
    def sentence(self) -> str:
        if self.fault:
            return f"The ledger does not fit: {self.fault}."
        return (
            f"The ledger holds: {self.events:,} events and {self.files:,} files fit. Last event {self.sequence}: "
            f"{self.digest}."
        )


def verify(connection: sa.Connection, head: Mapping[str, Any], *, files: bool = True) -> Verification:
    """Check a ledger, and stop at the first fault."""
    walk = _Walk()
    fault = walk.through(connection)
    event: int | None = walk.at if fault else None
    looked_at = 0
    last = walk.last
    if not fault:
        fault = _own_head(connection, last) or head_fault(connection, last, head)
        event = (last.sequence if last else 0) + 1 if fault else None
    if not fault:
        fault, event = _tables(connection, walk.memory)
    if not fault:
        fault, event = _erasable(connection, walk)
    if not fault and files:
        fault, event, looked_at = _files(walk)
    fault = fault or _guards(connection)
    sequence, digest = (last.sequence, last.digest) if last else (0, "")
    return Verification(fault, event, walk.count, looked_at, sequence, digest)


def _guards(connection: sa.Connection) -> str:
    """Return what is wrong with the triggers that refuse changes of events; "" where all are there."""
    dialect = connection.dialect.name
    names = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'event'::regclass AND tgenabled <> 'D'",
    }[dialect]
    there = set(connection.execute(sa.text(names)).scalars())
    wanted = {text.split()[2] for text in TRIGGERS[dialect] if text.startswith("CREATE TRIGGER")}
    missing = sorted(wanted - there)
    if not missing:
        return ""
    return f"the database no longer refuses changes of events: its trigger {missing[0]} is gone"


class _Walk:
    """One pass over the events: the tables that they give, and what they say of files and texts."""

    def __init__(self) -> None:
        self.memory, self.count, self.at = Memory(), 0, 0
        self.last: Event | None = None
        self.notes: dict[int, str] = {}
        self.redacted: set[int] = set()
        self.files: list[tuple[Event, str, dict[str, str]]] = []

    def through(self, connection: sa.Connection) -> str:
        for event, fault in first_fault(events_in(connection)):
            self.at = event.sequence
            if fault:
                return fault
            try:
                apply(self.memory, event)
            except InputError as error:
                return str(error).rstrip(".")
            self._note(event)
            self.last, self.count = event, self.count + 1
        return ""

    def _note(self, event: Event) -> None:
        if event.kind == "note.redacted":
            self.redacted.add(event.body["event"])
        if '"note":"' in event.payload:
            self.notes[event.sequence] = event.body["note"]
        if '"files":{' in event.payload:
            body = event.body
            self.files.append((event, body.get("place") or body["folder"], body["files"]))


def computed(connection: sa.Connection) -> tuple[Memory, int, str]:
    """Return the tables that the events give, how many events there are, and what is wrong with the chain."""
    walk = _Walk()
    fault = walk.through(connection)
    return walk.memory, walk.count, fault


def _own_head(connection: sa.Connection, last: Event | None) -> str:
    head = connection.execute(sa.select(HEAD)).mappings().first()
    named = (head["sequence"], head["digest"]) if head else (0, "")
    there = (last.sequence, last.digest) if last else (0, "")
    if named == there:
        return ""
    if named[0] > there[0]:
        return f"event {there[0] + 1} is missing: the head names event {named[0]}, the last one is {there[0]}"
    return f"the head names event {named[0]} and the last one is {there[0]}; something was added past it"


def head_fault(connection: sa.Connection, last: Event | None, head: Mapping[str, Any]) -> str:
    """Return what is wrong where a ledger lacks the event that was noted outside; "" where it has it."""
    if not head:
        return ""
    number, end = head["sequence"], last.sequence if last else 0
    if number > end:
        return (
            f"this is an older copy: it ends with event {end}, and event {number} was written before, as the file "
            "beside the key says"
        )
    digest = connection.execute(sa.select(EVENT.c.digest).where(EVENT.c.sequence == number)).scalar()
    if digest != head["digest"]:
        return f"event {number} is another than the file beside the key says: an older copy was restored and written to"
    return ""


def _tables(connection: sa.Connection, memory: Memory) -> tuple[str, int | None]:
    """Compare the tables with those that the events give."""
    for name, table in PROJECTIONS.items():
        expected = memory.tables[name]
        seen = 0
        for row in connection.execute(sa.select(table), execution_options={"yield_per": 2_000}).mappings():
            key = tuple(row[column.name] for column in table.primary_key)
            wanted = expected.get(key)
            if wanted is None:
                return f"the table {name} has a row {' '.join(map(str, key))} that no event gives", row[
                    "event"
                ]
            for column in EMPTY[name]:
                if row[column] != wanted[column]:
                    return (
                        f"the table {name} differs from event {wanted['event']}: {column} of {' '.join(map(str, key))} "
                        f"is not what the events give",
                        wanted["event"],
                    )
            seen += 1
        if seen < len(expected):
            there = {tuple(row) for row in connection.execute(sa.select(*table.primary_key))}
            key, wanted = next((k, r) for k, r in expected.items() if k not in there)
            return (
                f"the table {name} lacks {' '.join(map(str, key))}, which event {wanted['event']} gives",
                wanted["event"],
            )
    return "", None


def _erasable(connection: sa.Connection, walk: _Walk) -> tuple[str, int | None]:
    """Compare free texts, manifests and encrypted records with their digests in the chain."""
    texts = {row.event: row for row in connection.execute(sa.select(NOTE))}
    for number, digest in walk.notes.items():
        row = texts.pop(number, None)
        if row is None and number not in walk.redacted:
            return f"the free text of event {number} is gone, and no event says that it was erased", number
        if row is not None and salted_digest(row.salt, row.text) != digest:
            return f"the free text of event {number} was changed", number
    if texts:
        return f"there is a free text for event {min(texts)}, which has none", min(texts)
    bodies = {row.digest: row.body for row in connection.execute(sa.select(MANIFEST))}
    for (name,), version in walk.memory.tables["version"].items():
        body = bodies.get(version["manifest"])
        if body is None or hashlib.sha256(body).hexdigest() != version["manifest"]:
            what = "is gone" if body is None else "was changed"
            return f"the list of records that {name} saw {what}", version["event"]
    vault = {row.request: row.body for row in connection.execute(sa.select(VAULT))}
    for (request,), escrow in walk.memory.tables["escrow"].items():
        body = vault.get(request)
        if escrow["state"] == "stored" and (
            body is None or hashlib.sha256(body).hexdigest() != escrow["sha256"]
        ):
            what = "are gone" if body is None else "were changed"
            return f"the encrypted records of {request} {what}", escrow["event"]
        if escrow["state"] == "destroyed" and body is not None:
            return (
                f"the encrypted records of {request} are there, and an event says that they were destroyed",
                escrow["event"],
            )
    return "", None


def _files(walk: _Walk) -> tuple[str, int | None, int]:
    """Compare files on the disk with their digests. Those of a retired version may be gone."""
    count = 0
    retired = {key[0] for key, row in walk.memory.tables["version"].items() if row["state"] == "retired"}
    for event, place, expected in walk.files:
        folder = Path(place)
        if event.kind == "version.added" and event.about in retired and not folder.exists():
            continue
        for name, digest in expected.items():
            file = folder if folder.is_file() else folder / name
            count += 1
            if not file.is_file():
                return (
                    f"{file} of event {event.sequence} ({event.kind} {event.about}) is missing",
                    event.sequence,
                    count,
                )
            if file_hash(file) != digest:
                return (
                    f"{file} was changed since event {event.sequence} ({event.kind} {event.about})",
                    event.sequence,
                    count,
                )
        if event.kind == "version.added" and folder.is_dir():
            added = sorted(digests(folder).keys() - expected.keys())
            if added:
                return f"{folder / added[0]} was added since event {event.sequence}", event.sequence, count
    return "", None, count


def content(connection: sa.Connection) -> str:
    """Return the computed tables as text, a line a row in the order of their keys."""
    lines = []
    for name, table in PROJECTIONS.items():
        for row in connection.execute(sa.select(table)).mappings():
            lines.append(canonical({"table": name, **row}))
    return "\n".join(sorted(lines)) + "\n"
