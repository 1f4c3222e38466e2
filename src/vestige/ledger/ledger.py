"""`Ledger`: the doors. Each verb reads, checks, appends events, and returns plain records."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import vestige
from vestige.errors import ArtefactError, InputError
from vestige.files import as_path
from vestige.ledger import export, verify, views, watch
from vestige.ledger.chain import Event
from vestige.ledger.database import (
    Transaction,
    engine_of,
    events_in,
    expect_newest,
    faults_told,
    last_event,
    migrate,
)
from vestige.ledger.keys import Key, default_path
from vestige.ledger.models import Models
from vestige.ledger.projections import ENDED
from vestige.ledger.records import as_date, as_word
from vestige.ledger.requests import Requests
from vestige.ledger.tables import EVENT, FACT, NOTE, PROJECTIONS, REQUEST
from vestige.ledger.verify import Verification
from vestige.store import read_record, write_json


class Ledger:
    """Requests to delete, model versions, and everything that was done, in a chain of events.

    Parameters
    ----------
    url : str
        "sqlite:///deletions.db", or "postgresql+psycopg://user@host/name".
    key : path, optional
        The file of the key that makes pseudonyms; default: VESTIGE_KEY, or ~/.config/vestige/ledger.key. Without the
        file a ledger can be read, verified and exported.
    actor : str
        Who acts: a role, such as "privacy team"; it stands in the chain for good, so no person's name.

    Attributes
    ----------
    requests : Requests
        new, list, show, scope, plan, execute, audit, certify, extend, deny, withdraw, close.
    models : Models
        add, list, live, retire.

    Raises
    ------
    InputError
        Where there is no ledger (`Ledger.create` makes one), where the key is another ledger's, and where the database
        says no.

    Examples
    --------
    >>> import tempfile, vestige
    >>> folder = tempfile.mkdtemp()
    >>> key = vestige.ledger.Key.create(f"{folder}/ledger.key").path
    >>> ledger = vestige.Ledger.create(f"sqlite:///{folder}/deletions.db", key)
    >>> request = ledger.requests.new("anna@example.org", ["row-17"], external="ticket 4711")
    >>> request.state, request.days_left > 27
    ('received', True)
    >>> ledger.verify().fault
    ''
    """

    def __init__(self, url: str, key: Path | str | None = None, *, actor: str = "operator") -> None:
        self.engine, self.actor = engine_of(url), as_word("actor", actor)
        self.key_path = default_path() if key is None else Path(key)
        self._local = threading.local()
        file = self.engine.url.database
        if self.engine.dialect.name == "sqlite" and not Path(str(file)).is_file():
            raise InputError(f"{file}: no such ledger; vestige ledger init makes one.")
        with self.reading() as connection:
            expect_newest(connection, self.place)
            self.name = self._facts(connection)["ledger"]["ledger"]
        if self.key_path.exists() and self.key.id != self.fact("ledger")["key"]:
            raise InputError(f"{self.key_path} is the key of another ledger than {self.place}; name its own.")

    @classmethod
    def create(cls, url: str, key: Path | str | None = None, *, actor: str = "operator") -> Ledger:
        """Make a ledger, or bring the tables of one that is there to the newest version; what is there stays.

        Raises `InputError` where the key is missing: `vestige key new` makes one.
        """
        engine, actor = engine_of(url), as_word("actor", actor)
        with faults_told(engine), engine.connect().execution_options(writes=True) as connection:
            with connection.begin():
                migrate(connection)
                if last_event(connection) is None:
                    body = {
                        "ledger": secrets.token_hex(8),
                        "key": Key.read(key).id,
                        "vestige": vestige.__version__,
                    }
                    transaction = Transaction(connection, actor)
                    transaction.append("ledger.created", "", body)
                    transaction.flush()
        engine.dispose()
        ledger = cls(url, key, actor=actor)
        with ledger.reading() as connection:
            last = last_event(connection)
        if last is not None:
            ledger._note_head(last)
        return ledger

    @property
    def place(self) -> str:
        """The URL, without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @cached_property
    def key(self) -> Key:
        """The key. Raises `InputError` where it is missing, or was destroyed."""
        if not self.key_path.exists():
            destroyed = self.fact("key").get("destroyed")
            if destroyed:
                raise InputError(
                    f"The key of {self.place} was destroyed at {destroyed}; no one can be named any more."
                )
        return Key.read(self.key_path)

    @cached_property
    def requests(self) -> Requests:
        """The verbs on requests."""
        return Requests(self)

    @cached_property
    def models(self) -> Models:
        """The verbs on model versions."""
        return Models(self)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    # reading and writing

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one state of the ledger; within `writing` it sees what is written there."""
        open_one: Transaction | None = getattr(self._local, "transaction", None)
        if open_one is not None:
            open_one.flush()
            yield open_one.connection
            return
        with faults_told(self.engine), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, older: bool = False) -> Iterator[Transaction]:
        """Write together: all that happens within is written at the end, or nothing is. Other writers wait.

        Verbs within a `with ledger.writing():` share its transaction. `older` goes on from an older copy, see `accept`.
        """
        open_one: Transaction | None = getattr(self._local, "transaction", None)
        if open_one is not None:
            yield open_one
            return
        with faults_told(self.engine), self.engine.connect().execution_options(writes=True) as connection:
            with connection.begin():
                transaction = Transaction(connection, self.actor)
                if not older:
                    self._expect_not_older(connection, transaction.last)
                self._local.transaction = transaction
                try:
                    yield transaction
                    transaction.flush()
                finally:
                    self._local.transaction = None
        if transaction.last is not transaction.begun and transaction.last is not None:
            self._note_head(transaction.last, older)

    def fact(self, name: str) -> dict[str, Any]:
        """Return what was last set under a name, {} where nothing was."""
        with self.reading() as connection:
            return self._facts(connection).get(name, {})

    def set_fact(self, name: str, body: Mapping[str, Any]) -> None:
        """Record a fact of which the last one counts, such as the state of a monitoring procedure."""
        if name in ("ledger", "key"):
            raise InputError(f"The fact {name!r} is the ledger's own; take another name.")
        with self.writing() as transaction:
            transaction.append("fact.set", name, body)

    def _facts(self, connection: sa.Connection) -> dict[str, dict[str, Any]]:
        return {row.name: json.loads(row.body) for row in connection.execute(sa.select(FACT))}

    def events(self, kind: str | None = None, about: str | None = None, after: int = 0) -> list[Event]:
        """Return the events of a kind, of a request or model version, or all that came after a number."""
        wanted = [EVENT.c.sequence > after]
        wanted += [EVENT.c.kind == kind] if kind is not None else []
        wanted += [EVENT.c.about == about] if about is not None else []
        with self.reading() as connection:
            return list(events_in(connection, *wanted))

    # the head, noted outside

    @property
    def head_path(self) -> Path:
        """The file beside the key that names the last event: a restored older copy of the ledger does not know it."""
        return self.key_path.with_name(f"{self.key_path.name}.{self.name}.head")

    def head(self) -> dict[str, Any]:
        """Return what the file beside the key says of the last event, {} where there is none."""
        return read_head(self.head_path) if self.head_path.exists() else {}

    def _note_head(self, event: Event, older: bool = False) -> None:
        if not self.key_path.parent.is_dir():
            return
        if older or self.head().get("sequence", 0) < event.sequence:
            head = {"ledger": self.name, "sequence": event.sequence, "digest": event.digest}
            write_json(self.head_path, head)

    def _expect_not_older(self, connection: sa.Connection, last: Event | None) -> None:
        fault = verify.head_fault(connection, last, self.head())
        if fault:
            raise InputError(f"{self.place}: {fault}. Restore the newer one, or run vestige ledger accept.")

    def accept(self, reason: str) -> Event:
        """Go on from an older copy of the ledger, knowingly: an event says which one is lost. Returns it."""
        head = self.head()
        with self.reading() as connection:
            if not verify.head_fault(connection, last_event(connection), head):
                raise InputError(
                    "The ledger has every event that the head names; there is nothing to accept."
                )
        with self.writing(older=True) as transaction:
            lost = {"lost_sequence": head["sequence"], "lost_digest": head["digest"]}
            return transaction.append("ledger.restored", "", lost, note=reason)

    # later versions

    def monitor(self, line: str, audit: watch.AuditOf | None = None, **options: Any) -> watch.Watch:
        """Audit every new version of a model line against every open commitment; re-open what it breaks.

        Either with a `system` that loads and asks the versions, or with audits that were made elsewhere. See
        `vestige.ledger.watch.monitor`.
        """
        return watch.monitor(self, line, audit, **options)

    def matrix(self, line: str) -> dict[str, dict[str, str]]:
        """Return "kept", "reopened", "untested" or "saw", by request and version; what is not decided is absent."""
        return watch.matrix(self, line)

    def history(self, line: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Return outcome, completeness with its interval, and p of each later audit, by request and version."""
        return watch.history(self, line)

    def overview(self, line: str) -> views.Overview:
        """Return what is known of each commitment under each version, for a terminal (`.text()`) or as a page.

        See `vestige.ledger.views.overview`.
        """
        return views.overview(self, line)

    # checking, rebuilding, erasing

    def verify(self, *, files: bool = True, head: Path | str | None = None) -> Verification:
        """Walk the chain, the tables that are computed from it, and, with `files`, the files that it names.

        `head` is a copy of the file that names the last event; default: the one beside the key, where there is one.
        """
        noted = self.head() if head is None else read_head(as_path(head))
        with self.reading() as connection:
            return verify.verify(connection, noted, files=files)

    def rebuild(self) -> int:
        """Compute the tables again from the events; return how many events there are.

        Raises `InputError` where the chain itself does not hold.
        """
        with self.writing() as transaction:
            memory, count, fault = verify.computed(transaction.connection)
            if fault:
                raise InputError(f"{self.place}: {fault}; tables are computed from a chain that holds.")
            for name, table in PROJECTIONS.items():
                transaction.connection.execute(table.delete())
                rows = list(memory.tables[name].values())
                if rows:
                    transaction.connection.execute(table.insert(), rows)
        return count

    def content(self) -> str:
        """Return the tables that are computed from the events, as text: equal for equal tables."""
        with self.reading() as connection:
            return verify.content(connection)

    def redact(self, event: int, reason: str = "retention") -> Event:
        """Erase the free text of an event and its salt; the chain keeps a digest that tells nothing any more.

        `reason` is a word for the chain, such as "retention" or "request". Raises `InputError` where there is none.
        """
        with self.writing() as transaction:
            transaction.flush()
            gone = transaction.connection.execute(NOTE.delete().where(NOTE.c.event == event))
            if not gone.rowcount:
                raise InputError(f"Event {event} has no free text; nothing is erased.")
            record = transaction.append(
                "note.redacted", "", {"event": event, "reason": as_word("reason", reason)}
            )
        self._forget_pages()
        return record

    def retain(self, ended_before: str | date) -> int:
        """Erase the free texts of all requests that came to their end before a day; return how many there were."""
        day = as_date("ended_before", ended_before).isoformat()
        ended = sa.select(REQUEST.c.id).where(REQUEST.c.state.in_(ENDED))
        about = sa.select(EVENT.c.about).where(EVENT.c.about.in_(ended))
        old = about.group_by(EVENT.c.about).having(sa.func.max(EVENT.c.time) < day)
        texts = (
            sa.select(NOTE.c.event)
            .join(EVENT, EVENT.c.sequence == NOTE.c.event)
            .where(EVENT.c.about.in_(old))
        )
        with self.writing() as transaction:
            numbers = transaction.connection.execute(texts.order_by(NOTE.c.event)).scalars().all()
            for number in numbers:
                self.redact(number)
        self._forget_pages()
        return len(numbers)

    def _forget_pages(self) -> None:
        """Bring what was overwritten into the file itself: the log of SQLite may still hold it."""
        if self.engine.dialect.name == "sqlite" and getattr(self._local, "transaction", None) is None:
            with self.engine.connect() as connection:
                connection.connection.driver_connection.execute(  # type: ignore[union-attr]
                    "PRAGMA wal_checkpoint(TRUNCATE)"
                ).close()

    def destroy_key(self) -> Event:
        """Destroy the key; return the receipt. Nobody can be named any more, and no escrow be read.

        The intent is an event of its own, so that a receipt is never written for a key that is still there.
        """
        state = self.fact("key")
        if state.get("destroyed"):
            raise InputError(f"The key was destroyed at {state['destroyed']}.")
        name = self.fact("ledger")["key"]
        if not state:
            _ = self.key  # one that is missing is not destroyed by us
            with self.writing() as transaction:
                transaction.append("key.destroying", "", {"key": name})
        Key(self.key_path, b"").destroy()
        self.__dict__.pop("key", None)
        with self.writing() as transaction:
            return transaction.append("key.destroyed", "", {"key": name})

    def export(self, kind: str, request: str | None = None) -> Iterator[str]:
        """Give the lines of an export: "jsonl" (every event), "csv" (record of processing), "dpv" (of one request)."""
        yield from export.lines(self, kind, request)


def read_head(path: Path) -> dict[str, Any]:
    """Return what a file says of the last event. Raises `ArtefactError` where it names none."""
    head = read_record(path)
    if not isinstance(head.get("sequence"), int) or not isinstance(head.get("digest"), str):
        raise ArtefactError(f"{path}: it names no event; was it edited?")
    return head
