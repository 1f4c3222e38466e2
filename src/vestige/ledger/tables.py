"""The tables: events that are never changed, what is computed from them, and what may be erased.

    event                                                   the chain
    head                                                    its last event, advanced under a lock
    request lookup commitment version escrow fact           projections: computed from the events, see `projections`
    note manifest vault                                     what the chain holds digests of: free text, which records a
                                                            version saw, encrypted records

All columns are text, whole numbers or bytes, so that every database holds the same.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

METADATA = MetaData()
WHOLE = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, key: tuple[str, ...], text: str = "", whole: str = "", raw: str = "") -> Table:
    kinds: list[tuple[Any, str]] = [(Text, text), (WHOLE, whole), (LargeBinary, raw)]
    columns = [
        Column(column, kind, primary_key=column in key, nullable=column not in key, autoincrement=False)
        for kind, names in kinds
        for column in names.split()
    ]
    return Table(name, METADATA, *columns)


EVENT = _table("event", ("sequence",), "time actor kind about payload previous digest", "sequence")
HEAD = _table("head", ("id",), "time digest", "id sequence")
REQUEST = _table(
    "request", ("id",),
    "id subject external records source received due state reason custody until_date duplicate_of failed lines",
    "extended note event",
)  # fmt: skip
LOOKUP = _table("lookup", ("name",), "name request", "event")
COMMITMENT = _table(
    "commitment", ("request", "line"),
    "request line state saw way plan version folder verdict audit evidence failed", "event",
)  # fmt: skip
VERSION = _table("version", ("id",), "id line name parent state place digest manifest", "records event")
ESCROW = _table("escrow", ("request",), "request until_date state digests sha256", "event")
FACT = _table("fact", ("name",), "name body", "event")
NOTE = _table("note", ("event",), "text", "event", "salt")
MANIFEST = _table("manifest", ("digest",), "digest", "records", "body")
VAULT = _table("vault", ("request",), "request", "", "wrapped body")

PROJECTIONS = {table.name: table for table in (REQUEST, LOOKUP, COMMITMENT, VERSION, ESCROW, FACT)}
Index("event_about", EVENT.c.about)
Index("event_kind", EVENT.c.kind)
Index("request_due", REQUEST.c.due)
Index("request_state", REQUEST.c.state)
Index("request_duplicate_of", REQUEST.c.duplicate_of)
Index("commitment_line", COMMITMENT.c.line, COMMITMENT.c.state)
Index("version_line", VERSION.c.line)

REFUSED = "events are never changed or removed"
NEXT = "an event is appended after the last one"
TRIGGERS = {
    "sqlite": (
        f"CREATE TRIGGER event_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END",
        f"CREATE TRIGGER event_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END",
        "CREATE TRIGGER event_insert BEFORE INSERT ON event WHEN NEW.sequence <> "
        "(SELECT coalesce(max(sequence), 0) + 1 FROM event) "
        f"BEGIN SELECT RAISE(ABORT, '{NEXT}'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION vestige_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$",
        "CREATE FUNCTION vestige_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM event) THEN "
        f"RAISE EXCEPTION '{NEXT}'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER event_update BEFORE UPDATE OR DELETE ON event "
        "FOR EACH ROW EXECUTE FUNCTION vestige_refuse()",
        "CREATE TRIGGER event_truncate BEFORE TRUNCATE ON event "
        "FOR EACH STATEMENT EXECUTE FUNCTION vestige_refuse()",
        "CREATE TRIGGER event_insert BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION vestige_next()",
    ),
}
"""By database. The last one of each also refuses a row that would replace another."""
