"""The verbs on requests. What takes a system is in `work`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import sqlalchemy as sa

from vestige.errors import InputError, unknown
from vestige.ledger import audits, chain, plans, vault, work
from vestige.ledger.database import Transaction
from vestige.ledger.models import settle
from vestige.ledger.projections import ENDED, Row
from vestige.ledger.records import Commitment, Request, as_date, as_word, months_after
from vestige.ledger.tables import COMMITMENT, REQUEST, VERSION
from vestige.values import id_list

if TYPE_CHECKING:
    from vestige.experiments.costs import Costs
    from vestige.ledger.ledger import Ledger

REASONS = (
    "no match", "claim not covered", "outside jurisdiction", "insufficient verification", "suspected fraud",
    "too many requests", "other",
)  # fmt: skip
"""Why a request may be denied: the list of the Data Rights Protocol."""
MOST_MONTHS = 2
OWN_SIDE = ("withdrawn", "denied")
"""States of a duplicate that are its own."""


class Requests:
    """The verbs on the requests of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def new(
        self,
        subject: str,
        records: Iterable[str] = (),
        *,
        external: str | None = None,
        source: str = "",
        received: str | date | None = None,
        note: str | None = None,
        content: Mapping[str, Any] | Path | str | None = None,
        custody: str = "none",
        until: str | date | None = None,
    ) -> Request:
        """Receive a request.

        Parameters
        ----------
        subject
            Whose data are to go; the ledger keeps a keyed pseudonym.
        records
            Ids of the records, where they are known; else `scope` finds the subject's among the system's clusters.
        external
            The caller's own id. The same one again returns the same request.
        source
            A word: "mail", "portal".
        received
            The day; default: today. It is due a month later.
        note
            Free text, which can be redacted.
        content, custody, until
            See `keep`.

        Returns
        -------
        Request
            With `duplicate_of`, where the subject has asked for the same records and the first is not at its end.

        Raises
        ------
        InputError
            Where `external` is known with another subject or other records, and for a day in the future.
        """
        key, today = self.ledger.key, chain.now().date()
        day = today if received is None else as_date("received", received)
        if day > today:
            raise InputError(f"received is {day}, which is in the future.")
        if not str(subject).strip():
            raise InputError("The subject is empty; whose data shall go?")
        who = key.pseudonym("subject", str(subject))
        names = sorted(key.pseudonyms("record", id_list("records", records).tolist()))
        mark = key.pseudonym("external", external) if external else ""
        group = hashlib.sha256(" ".join([who, *names]).encode()).hexdigest()
        body: dict[str, Any] = {
            "subject": who, "records": names, "external": mark, "source": as_word("source", source), "group": group,
            "received": day.isoformat(), "due": months_after(day, 1).isoformat(), "custody": "none", "until": "",
        }  # fmt: skip
        with self.ledger.writing() as transaction:
            known = transaction.get("lookup", f"external {mark}") if mark else None
            if known:
                return self._again(transaction, known["request"], external, body)
            body["duplicate_of"] = self._first(transaction, group)
            event = transaction.append("request.received", "", body, note)
            if content is not None or custody != "none":
                vault.keep(self.ledger, transaction, event.about, content, custody, until)
            row = transaction.get("request", event.about)
            assert row is not None
            state = None
            if body["duplicate_of"]:
                state = self._row(transaction, body["duplicate_of"])["state"]
        return Request.of(row, today, state=state)

    def _again(
        self, transaction: Transaction, request: str, external: str | None, body: Mapping[str, Any]
    ) -> Request:
        row = self._row(transaction, request)
        if row["subject"] != body["subject"] or (
            body["records"] and json.loads(row["records"]) != body["records"]
        ):
            raise InputError(
                f"The external id of {request} comes again with another subject or other records; give another id."
            )
        return self.show(request)

    def _first(self, transaction: Transaction, group: str) -> str:
        """Return the request that asks for the same and is not at its end; "" where there is none."""
        same = transaction.get("lookup", f"same {group}")
        if same is None or self._row(transaction, same["request"])["state"] in ENDED:
            return ""
        return str(same["request"])

    def keep(
        self,
        request: str,
        content: Mapping[str, Any] | Path | str,
        custody: str,
        until: str | date | None = None,
    ) -> Request:
        """Keep what later audits need of the records.

        Parameters
        ----------
        request
            Its id.
        content
            What the records hold, by id: bytes, or what JSON can write; or a .jsonl file of objects with an "id".
        custody
            "escrow": an encrypted copy is kept `until` a day. "supplied": keyed digests alone; whoever audits later
            hands the records over again, and they are compared.
        """
        with self.ledger.writing() as transaction:
            self._open(transaction, request, "keep")
            vault.keep(self.ledger, transaction, request, content, custody, until)
            settle(self.ledger, transaction)
        return self.show(request)

    def content(
        self, request: str, supplied: Mapping[str, Any] | Path | str | None = None
    ) -> dict[str, bytes]:
        """Return what the records of a request hold, by id: from escrow, or as `supplied` again, after a comparison.

        Raises `InputError` where nothing was kept, the day has passed, or a supplied record is another one.
        """
        return vault.content(self.ledger, self.show(request), supplied)

    def expire(self, today: str | date | None = None) -> Sequence[str]:
        """Destroy the escrow of every request whose day has come, with a receipt; its monitoring ends. Return them."""
        day = chain.now().date() if today is None else as_date("today", today)
        with self.ledger.writing() as transaction:
            gone = vault.expire(transaction, day)
            for request in gone:
                if self._row(transaction, request)["state"] == "monitored":
                    transaction.append("request.closed", request, {"why": "escrow expired"})
        if gone:
            self.ledger._forget_pages()
        return gone

    # reading

    def show(self, request: str) -> Request:
        """Return a request. Raises `InputError` where there is none."""
        with self.ledger.reading() as connection:
            records = self._read(connection, REQUEST.c.id == request)
        if not records:
            raise InputError(f"There is no request {request!r} in {self.ledger.place}.")
        return records[0]

    def list(
        self, state: str | None = None, *, line: str | None = None, limit: int | None = None
    ) -> Sequence[Request]:
        """Return requests by due date: all, those in a `state` ("open": not at their end), those of a model line."""
        conditions = []
        if state is not None:
            conditions.append(_STATE.notin_(ENDED) if state == "open" else _STATE == state)
        if line is not None:
            conditions.append(
                REQUEST.c.id.in_(sa.select(COMMITMENT.c.request).where(COMMITMENT.c.line == line))
            )
        with self.ledger.reading() as connection:
            return self._read(connection, *conditions, limit=limit)

    def commitments(self, line: str | None = None) -> Sequence[Commitment]:
        """Return the commitments that are open, as they came: all, or those of a model line."""
        order = sa.func.length(COMMITMENT.c.request), COMMITMENT.c.request
        query = sa.select(COMMITMENT).where(COMMITMENT.c.state != "closed").order_by(*order)
        if line is not None:
            query = query.where(COMMITMENT.c.line == line)
        ended = sa.select(REQUEST.c.id).where(REQUEST.c.state.in_(ENDED))
        with self.ledger.reading() as connection:
            live = _live(connection)
            rows = connection.execute(query.where(COMMITMENT.c.request.notin_(ended))).mappings()
            return [Commitment.of(row, live) for row in rows]

    def _read(
        self, connection: sa.Connection, *conditions: Any, limit: int | None = None
    ) -> Sequence[Request]:
        query = sa.select(REQUEST, _STATE.label("shown")).select_from(_WITH_FIRST).where(*conditions)
        rows = connection.execute(query.order_by(REQUEST.c.due, REQUEST.c.id).limit(limit)).mappings().all()
        live, today = _live(connection), chain.now().date()
        few = len(rows) <= 500
        about = COMMITMENT.c.request.in_([row["id"] for row in rows]) if few else sa.true()
        commitments: dict[str, list[Commitment]] = {}
        for row in connection.execute(
            sa.select(COMMITMENT).where(about).order_by(COMMITMENT.c.line)
        ).mappings():
            commitments.setdefault(row["request"], []).append(Commitment.of(row, live))
        repeats = (
            REQUEST.c.duplicate_of.in_([row["id"] for row in rows]) if few else REQUEST.c.duplicate_of != ""
        )
        duplicates: dict[str, list[str]] = {}
        for name, first in connection.execute(sa.select(REQUEST.c.id, REQUEST.c.duplicate_of).where(repeats)):
            duplicates.setdefault(first, []).append(name)
        return [
            Request.of(
                row, today, state=row["shown"], commitments=commitments.get(row["id"], ()),
                duplicates=duplicates.get(row["id"], ()),
            )
            for row in rows
        ]  # fmt: skip

    def _row(self, transaction: Transaction, request: str) -> Row:
        row = transaction.get("request", request)
        if row is None:
            raise InputError(f"There is no request {request!r} in {self.ledger.place}.")
        return row

    def _open(self, transaction: Transaction, request: str, verb: str, states: Iterable[str] = ()) -> Row:
        """Return the row of a request that a verb may act on. Raises `InputError` where it may not."""
        row, states = self._row(transaction, request), tuple(states)
        if row["duplicate_of"] and verb not in ("withdraw", "deny", "extend"):
            raise InputError(f"{request} repeats {row['duplicate_of']}; {verb} that one.")
        if row["state"] in ENDED or (states and row["state"] not in states):
            after = (
                f"; {verb} is for requests that are {', '.join(states)}" if states else ", which is its end"
            )
            raise InputError(f"{request} is {row['state'].replace('_', ' ')}{after}.")
        return row

    # deadlines and ends

    def extend(self, request: str, reason: str, months: int = MOST_MONTHS) -> Request:
        """Extend the time by one or two months, with a reason, while the first month runs (GDPR Article 12(3)).

        Raises `InputError` after that month, for a second time, and without a reason.
        """
        if not 1 <= months <= MOST_MONTHS or not reason.strip():
            raise InputError(f"A request is extended by 1 or {MOST_MONTHS} months and with a reason.")
        with self.ledger.writing() as transaction:
            row = self._open(transaction, request, "extend")
            if row["extended"]:
                raise InputError(
                    f"{request} was extended by {row['extended']} months already, which is done once."
                )
            if chain.now().date() > date.fromisoformat(row["due"]):
                raise InputError(f"{request} was due on {row['due']}; it could be extended until then.")
            due = months_after(date.fromisoformat(row["received"]), 1 + months).isoformat()
            transaction.append("request.extended", request, {"months": months, "due": due}, note=reason)
        return self.show(request)

    def deny(self, request: str, reason: str, note: str | None = None) -> Request:
        """Deny a request that nothing was done for, for one of `REASONS`."""
        if reason not in REASONS:
            raise InputError(unknown("reason to deny a request", reason, REASONS))
        with self.ledger.writing() as transaction:
            self._open(transaction, request, "deny", ("received", "scoped"))
            transaction.append("request.denied", request, {"reason": reason}, note)
        return self.show(request)

    def withdraw(self, request: str, note: str | None = None) -> Request:
        """Note that the subject takes the request back."""
        with self.ledger.writing() as transaction:
            self._open(transaction, request, "withdraw")
            transaction.append("request.withdrawn", request, {}, note)
            vault.destroy(transaction, request, "withdrawn")
        return self.show(request)

    def close(self, request: str, note: str | None = None) -> Request:
        """End a request that is monitored, or certified and kept for no later audit; an escrow of it is destroyed.

        Raises `InputError` while a live version that saw the records is there.
        """
        with self.ledger.writing() as transaction:
            self._open(transaction, request, "close", ("certified", "monitored"))
            open_ones = self.show(request).open
            if open_ones:
                raise InputError(
                    f"{request} is not done: {', '.join(open_ones)} saw its records and "
                    f"{'is' if len(open_ones) == 1 else 'are'} live; retire what is replaced."
                )
            transaction.append("request.closed", request, {"why": "closed"}, note)
            vault.destroy(transaction, request, "closed")
        return self.show(request)

    def reopen(
        self, request: str, line: str, version: str, why: str, facts: Mapping[str, Any] | None = None
    ) -> Request:
        """Open a commitment again that a later version breaks; `why` is a word, such as "manifest" or "audit"."""
        with self.ledger.writing() as transaction:
            self._open(transaction, request, "reopen")
            row = transaction.get("commitment", request, line)
            if row is None or row["state"] not in ("executed", "audited", "certified", "monitored"):
                state = "no line of it" if row is None else row["state"]
                raise InputError(f"{request} is not opened again for {line}, which is {state}.")
            body = {"line": line, "version": version, "why": why, "facts": dict(facts or {})}
            transaction.append("request.reopened", request, body)
        return self.show(request)

    # with a system; see `work`

    def scope(self, request: str, system: Any = None) -> Request:
        """Find which versions of which models saw which records. See `vestige.ledger.work.scope`."""
        return work.scope(self.ledger, request, system)

    def plan(self, request: str | Sequence[str], line: str | None = None, **options: Any) -> Costs:
        """Say what `execute` would do and cost; nothing is written. See `vestige.ledger.plans.plan`."""
        return plans.plan(self.ledger, request, line, **options)

    @overload
    def execute(self, request: str, line: str | None = None, **options: Any) -> Request: ...

    @overload
    def execute(
        self, request: Sequence[str], line: str | None = None, **options: Any
    ) -> Sequence[Request]: ...

    def execute(
        self, request: str | Sequence[str], line: str | None = None, **options: Any
    ) -> Request | Sequence[Request]:
        """Forget the records, of one request or of several in one training, and register the version without them.

        See `vestige.ledger.work.execute`.
        """
        records = work.execute(self.ledger, request, line, **options)
        return records[0] if isinstance(request, str) else records

    @overload
    def audit(self, request: str, line: str | None = None, **options: Any) -> Request: ...

    @overload
    def audit(self, request: Sequence[str], line: str | None = None, **options: Any) -> Sequence[Request]: ...

    def audit(
        self, request: str | Sequence[str], line: str | None = None, **options: Any
    ) -> Request | Sequence[Request]:
        """Measure what is left of each record, of one request or of several, and keep the verdicts.

        See `vestige.ledger.audits.audit`.
        """
        records = audits.audit(self.ledger, request, line, **options)
        return records[0] if isinstance(request, str) else records

    def certify(self, request: str, line: str | None = None, **options: Any) -> Request:
        """Write evidence of an audit that holds. See `vestige.ledger.audits.certify`."""
        return audits.certify(self.ledger, request, line, **options)


_FIRST = REQUEST.alias("first")
_WITH_FIRST = REQUEST.outerjoin(
    _FIRST, sa.and_(REQUEST.c.duplicate_of == _FIRST.c.id, REQUEST.c.state.notin_(OWN_SIDE))
)
_STATE = sa.func.coalesce(_FIRST.c.state, REQUEST.c.state)


def _live(connection: sa.Connection) -> dict[str, str]:
    """Return the live versions and their lines."""
    query = sa.select(VERSION.c.id, VERSION.c.line).where(VERSION.c.state == "live")
    return {name: line for name, line in connection.execute(query)}
