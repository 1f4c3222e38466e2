"""The database: a file of SQLite or a PostgreSQL server, one writer at a time, a step written whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event as listen
from sqlalchemy.dialects import postgresql, sqlite

from vestige.errors import InputError, MissingExtra, told
from vestige.ledger import chain
from vestige.ledger.chain import Event
from vestige.ledger.keys import salted_digest
from vestige.ledger.projections import KEYS, Row, apply
from vestige.ledger.tables import EVENT, HEAD, NOTE, PROJECTIONS

PATIENCE = 60
"""Seconds that a writer waits for another."""
INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
SALT_BYTES = 16


def engine_of(url: str) -> sa.Engine:
    """Return the engine of a URL. Raises `InputError` for a URL of another database, or of one in memory."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InputError(
            f"{url!r} is no URL of a database; such as sqlite:///deletions.db is wanted."
        ) from None
    kind = parsed.get_backend_name()
    if kind not in INSERT:
        raise InputError(f"A ledger lives in SQLite or PostgreSQL; {kind!r} is neither.")
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise InputError("A ledger in memory would be lost; name a file, such as sqlite:///deletions.db.")
    try:
        if kind == "postgresql":
            return sa.create_engine(parsed)
        engine = sa.create_engine(parsed, connect_args={"timeout": PATIENCE})
    except ImportError as error:
        raise MissingExtra(f"{kind} needs {error.name}: pip install 'vestige[ledger]'") from None
    listen.listen(engine, "connect", _prepare)
    listen.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, record: Any) -> None:
    """Let SQLite write ahead, wait for the disk, and overwrite what is erased."""
    connection.isolation_level = None  # transactions begin where `_begin` says so
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def faults_told(engine: sa.Engine) -> Iterator[None]:
    """Raise what a database says as `InputError`, one sentence that names the ledger and not its password."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        text, place = told(cause), engine.url.render_as_string(hide_password=True)
        if "disk is full" in text or "No space left" in text:
            text = "the disk is full, nothing of this step was written; free some space and try again"
        elif "locked" in text:
            text = f"another writer has held it for {PATIENCE} seconds; try again"
        elif "not a database" in text or "malformed" in text:
            text = "it is no readable database; was it damaged, or is it another file?"
        raise InputError(f"{place}: {text}.") from error


class Transaction:
    """What is written together. Reads see what was written before them, also within it.

    Events and rows are kept until `flush`; the head is locked from the first line, so that nobody else writes.
    """

    def __init__(self, connection: sa.Connection, actor: str) -> None:
        self.connection, self.actor = connection, actor
        self.last = last_event(connection, lock=True)
        self.begun = self.last
        self.events: list[Row] = []
        self.notes: list[Row] = []
        self.rows: dict[tuple[str, ...], Row] = {}
        self.dirty: set[tuple[str, ...]] = set()

    def append(self, kind: str, about: str, body: Mapping[str, Any], note: str | None = None) -> Event:
        """Append an event. A free text goes to a table of its own; the event holds its salted digest, as "note"."""
        time = self._time()
        content = dict(body)
        if note is not None:
            salt = secrets.token_bytes(SALT_BYTES)
            content["note"] = salted_digest(salt, note)
        event = chain.following(self.last, time, self.actor, kind, about or self._new_name(kind), content)
        apply(self, event)
        self.events.append(dict(vars(event)))
        if note is not None:
            self.notes.append({"event": event.sequence, "text": note, "salt": salt})
        self.last = event
        return event

    def _new_name(self, kind: str) -> str:
        """A request is called after the event by which it came."""
        return f"R{1 if self.last is None else self.last.sequence + 1}" if kind == "request.received" else ""

    def _time(self) -> str:
        """Return the time, not before that of the last event; where the clock went back, an event says so first."""
        time = chain.written(chain.now())
        if self.last is None or time >= self.last.time:
            return time
        late = chain.behind(self.last.time, time)
        if late < chain.SKEW:
            return self.last.time
        body = {"before": self.last.time, "behind_seconds": round(late.total_seconds(), 3)}
        event = chain.following(self.last, time, self.actor, chain.CLOCK, "", body)
        self.events.append(dict(vars(event)))
        self.last = event
        return time

    def get(self, table: str, *key: str) -> Row | None:
        """Return a row of a projection by its key."""
        place = (table, *key)
        if place not in self.rows:
            what = PROJECTIONS[table]
            query = sa.select(what).where(
                *(what.c[name] == part for name, part in zip(KEYS[table], key, strict=True))
            )
            row = self.connection.execute(query).mappings().first()
            if row is None:
                return None
            self.rows[place] = dict(row)
        return dict(self.rows[place])

    def put(self, table: str, row: Row) -> None:
        """Keep a row, for `flush` to write."""
        place = (table, *(row[name] for name in KEYS[table]))
        self.rows[place] = row
        self.dirty.add(place)

    def flush(self) -> None:
        """Write what is kept, so that queries see it."""
        if not self.events:
            return
        assert self.last is not None
        self.connection.execute(EVENT.insert(), self.events)
        if self.notes:
            self.connection.execute(NOTE.insert(), self.notes)
        by_table: dict[str, list[Row]] = {}
        for place in self.dirty:
            by_table.setdefault(place[0], []).append(self.rows[place])
        for table, rows in by_table.items():
            self.upsert(PROJECTIONS[table], rows)
        head = {"id": 1, "sequence": self.last.sequence, "time": self.last.time, "digest": self.last.digest}
        self.upsert(HEAD, [head])
        self.events, self.notes, self.dirty = [], [], set()

    def upsert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Insert rows, or write them over those of the same key."""
        insert = INSERT[self.connection.dialect.name](table)
        keys = [column.name for column in table.primary_key]
        changes = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
        self.connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes), rows)


def last_event(connection: sa.Connection, *, lock: bool = False) -> Event | None:
    """Return the event that the head names, None where there is none yet; `lock` it against other writers.

    Raises `InputError` where head and chain differ.
    """
    query = sa.select(HEAD).with_for_update() if lock else sa.select(HEAD)
    head = connection.execute(query).mappings().first()
    if head is None:
        return None
    row = connection.execute(sa.select(EVENT).where(EVENT.c.sequence == head["sequence"])).mappings().first()
    if row is None or row["digest"] != head["digest"]:
        raise InputError(
            f"The head of the ledger names event {head['sequence']}, which is not there as it was written; run "
            "vestige ledger verify."
        )
    return Event(**row)


def events_in(connection: sa.Connection, *conditions: Any) -> Iterator[Event]:
    """Give the events in their order, without keeping all of them."""
    query = sa.select(EVENT).where(*conditions).order_by(EVENT.c.sequence)
    for row in connection.execute(query, execution_options={"yield_per": 2_000}):
        yield Event(
            row.sequence, row.time, row.actor, row.kind, row.about, row.payload, row.previous, row.digest
        )


# versions of the tables


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(connection: sa.Connection) -> None:
    """Bring the tables to the newest version; what is there stays."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def expect_newest(connection: sa.Connection, place: str) -> None:
    """Raise `InputError` where there are no tables of a ledger, or those of another version."""
    here = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(_config())
    newest = script.get_current_head()
    if here == newest:
        return
    if here is None:
        raise InputError(f"{place} holds no ledger; vestige ledger init makes one.")
    if here in {revision.revision for revision in script.walk_revisions()}:
        raise InputError(
            f"{place} has tables of version {here}; vestige ledger init brings them to {newest}."
        )
    raise InputError(f"{place} was written by a newer vestige (tables of version {here}); use that one.")
