"""The chain: canonical, without gaps, append-only in the database itself, and told from every other."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from processes import SERVER
from vestige.errors import InputError
from vestige.ledger import Ledger, chain
from vestige.ledger.chain import canonical
from vestige.ledger.tables import EVENT, HEAD


def test_a_digest_is_that_of_the_exported_event_without_it(either):
    either.requests.new('an"na\n', ["ü"], source="mail", note="free")
    previous = chain.FIRST
    for number, line in enumerate(either.export("jsonl"), 1):
        record = json.loads(line)
        digest = record.pop("digest")
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == digest
        assert record["previous"] == previous and record["sequence"] == number
        previous = digest
    assert number == 2


@pytest.mark.parametrize("value", [{"b": 1, "a": [True, None, 0.1]}, "ä\u2028", 1e21, {"x": float("nan")}])
def test_canonical_json_reads_back(value):
    text = canonical(value)
    assert canonical(json.loads(text)) == text


def test_what_is_no_json_is_refused():
    for value in (2**60, {"a": object()}, "\ud800"):
        with pytest.raises(InputError, match="plain JSON"):
            canonical(value)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET actor = 'x' WHERE sequence = 1",
        "DELETE FROM event WHERE sequence = 2",
        "INSERT INTO event SELECT 7, time, actor, kind, about, payload, previous, digest FROM event WHERE sequence = 2",
    ],
)
def test_the_database_itself_refuses_to_change_events(either, change):
    either.requests.new("anna", ["r1"])
    with (
        either.engine.connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="changed or removed|appended"),
    ):
        connection.execution_options(writes=True).execute(sa.text(change))
    assert len(either.events()) == 2 and not either.verify().fault


def test_sqlite_replaces_no_event_and_postgresql_truncates_none(either):
    sqlite = either.engine.dialect.name == "sqlite"
    change = "INSERT OR REPLACE INTO event SELECT * FROM event" if sqlite else "TRUNCATE event"
    with (
        either.engine.connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="changed or removed|appended"),
    ):
        connection.execution_options(writes=True).execute(sa.text(change))


def _write(url, key, number):
    ledger = Ledger(url, key)
    for k in range(10):
        ledger.requests.new(f"person {number}", [f"r{number}-{k}"], external=f"{number}-{k}")
    ledger.close()


def test_eight_writers_at_once_make_one_chain(url, key):
    ledger = Ledger.create(url, key)
    writers = [SERVER.Process(target=_write, args=(url, key, number)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(300)
        assert writer.exitcode == 0
    assert [event.sequence for event in ledger.events()] == list(range(1, 82))
    assert len(ledger.requests.list()) == 80 and not ledger.verify().fault
    ledger.close()


def test_what_fails_within_a_transaction_leaves_nothing(either):
    before = either.content()
    with pytest.raises(RuntimeError), either.writing() as transaction:
        either.requests.new("anna", ["r1"], note="text")
        assert len(either.requests.list()) == 1
        transaction.append("fact.set", "x", {"a": 1})
        raise RuntimeError
    assert len(either.events()) == 1 and either.content() == before
    with either.reading() as connection:
        assert not connection.execute(sa.text("SELECT count(*) FROM note")).scalar()


def test_a_clock_that_goes_back_is_said_once(book, monkeypatch):
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    monkeypatch.setattr(chain, "now", lambda: now)
    ahead = Ledger.create(f"sqlite:///{book.key_path.parent}/other.db", book.key_path)
    ahead.requests.new("a", ["1"])
    monkeypatch.setattr(chain, "now", lambda: now - timedelta(seconds=2))  # machines differ by so much
    ahead.requests.new("b", ["1"])
    monkeypatch.setattr(chain, "now", lambda: now - timedelta(hours=1))
    ahead.requests.new("c", ["1"])
    ahead.requests.new("d", ["1"])
    events = ahead.events()
    assert [event.kind for event in events].count("ledger.clock") == 1
    said = next(event for event in events if event.kind == "ledger.clock")
    assert said.body["behind_seconds"] == 3600 and said.sequence == 4
    assert events[2].time == events[1].time and not ahead.verify().fault
    ahead.close()


def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_written(book):
    with book.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    import sqlalchemy.event

    sqlalchemy.event.listen(
        book.engine, "checkout", lambda raw, *rest: raw.execute(f"PRAGMA max_page_count={pages}").close()
    )
    with pytest.raises(InputError, match="the disk is full, nothing of this step was written"):
        book.requests.new("anna", [f"r{k}" for k in range(2_000)], note="x" * 200_000)
    assert len(book.events()) == 1 and not book.verify().fault


def test_a_ledger_that_is_no_ledger_is_said(tmp_path, key, book):
    for url, message in (
        ("sqlite:///" + str(tmp_path / "none.db"), "no such ledger; vestige ledger init"),
        ("sqlite://", "in memory would be lost"),
        ("mysql://x/y", "neither"),
        ("x", "no URL of a database"),
    ):
        with pytest.raises(InputError, match=message):
            Ledger(url, key)
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(InputError, match="no readable database"):
        Ledger(f"sqlite:///{tmp_path}/text.db", key)
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE x (a)").connection.close()
    with pytest.raises(InputError, match="holds no ledger"):
        Ledger(f"sqlite:///{tmp_path}/empty.db", key)
    with book.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="newer vestige"):
        Ledger(str(book.engine.url), key)


def test_a_password_is_never_told(key):
    with pytest.raises(InputError) as error:
        Ledger("postgresql+psycopg://vestige:secret@127.0.0.1:1/none", key)
    assert "secret" not in str(error.value)


def test_migrations_give_the_tables_that_the_code_reads(either):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from vestige.ledger.tables import METADATA

    with either.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_init_again_changes_nothing(url, key):
    first = Ledger.create(url, key)
    first.requests.new("anna", ["r1"])
    again = Ledger.create(url, key)
    assert again.events() == first.events() and again.name == first.name
    first.close(), again.close()


def test_head_and_chain_that_differ_stop_a_writer(book):
    with book.engine.begin() as connection:
        connection.execute(HEAD.update().values(digest="0" * 64))
    with pytest.raises(InputError, match="run vestige ledger verify"):
        book.requests.new("anna", ["r1"])
    assert EVENT.name == "event"
