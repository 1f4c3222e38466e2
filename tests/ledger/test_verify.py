"""Verification: whatever is changed is named; rebuilding gives the same bytes; erasing breaks nothing."""

from __future__ import annotations

import shutil
import sqlite3

import pytest
from books import ASKED, IDS

from vestige.errors import InputError
from vestige.ledger import Ledger
from vestige.ledger.tables import EVENT


@pytest.fixture
def full(executed, audits):
    """A ledger with something of everything."""
    ledger, request = executed
    ledger.requests.audit(request, folder=audits["undecided"])
    ledger.requests.keep(request, {name: {"x": 1} for name in ASKED}, "escrow", "2999-01-01")
    ledger.requests.new("bob", ["r9"], note="Bob rang", source="phone")
    return ledger


def changed(ledger, *statements):
    """Change the database as somebody with access to the file would."""
    connection = sqlite3.connect(ledger.engine.url.database)
    for name in ("event_update", "event_delete", "event_insert"):
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return ledger.verify()


EVENT_COLUMNS = [column.name for column in EVENT.columns if column.name != "sequence"]


@pytest.mark.parametrize("column", EVENT_COLUMNS)
def test_a_changed_field_of_an_event_is_named(full, column):
    value = {"time": "'2026-01-01T00:00:00.000000Z'", "payload": "replace(payload, ':', ': ')"}.get(
        column, "'0'"
    )
    result = changed(full, f"UPDATE event SET {column} = {value} WHERE sequence = 4")
    assert result.event == (5 if column == "digest" else 4) or (column == "digest" and result.event == 4)
    assert "event 4" in result.fault


@pytest.mark.parametrize(
    "statements, event, words",
    [
        (["DELETE FROM event WHERE sequence = 1"], 2, "event 1 is missing"),
        (["DELETE FROM event WHERE sequence = 5"], 6, "event 5 is missing"),
        (["DELETE FROM event WHERE sequence > 9"], 10, "event 10 is missing: the head names"),
        (
            [
                "UPDATE event SET sequence = 99 WHERE sequence = 5",
                "UPDATE event SET sequence = 5 WHERE sequence = 6",
                "UPDATE event SET sequence = 6 WHERE sequence = 99",
            ],
            5,
            "does not follow",
        ),
        (["INSERT INTO event SELECT 12, time, actor, kind, about, payload, previous, digest FROM event WHERE sequence = 11"],
            12, "does not follow"),
        (["UPDATE head SET sequence = 3"], None, "the head names event 3"),
        (["UPDATE request SET state = 'closed' WHERE id = 'R4'"], 10, "state of R4"),
        (["UPDATE request SET due = '2999-01-01' WHERE id = 'R4'"], None, "due of R4"),
        (["DELETE FROM commitment"], None, "the table commitment lacks R4 churn"),
        (["INSERT INTO lookup VALUES ('x', 'R4', 3)"], None, "a row x that no event gives"),
        (["UPDATE version SET state = 'retired' WHERE id = 'churn@v1'"], 3, "state of churn@v1"),
        (["UPDATE note SET text = 'other'"], None, "the free text of event"),
        (["DELETE FROM note"], None, "is gone, and no event says that it was erased"),
        (["INSERT INTO note SELECT 1, text, salt FROM note"], 1, "a free text for event 1"),
        (["UPDATE manifest SET body = x'00'"], None, "saw was changed"),
        (["DELETE FROM manifest"], 3, "churn@v1 saw is gone"),
        (["UPDATE vault SET body = x'00'"], None, "the encrypted records of R4 were changed"),
        (["DELETE FROM vault"], None, "the encrypted records of R4 are gone"),
    ],
)  # fmt: skip
def test_what_was_changed_is_named(full, statements, event, words):
    assert not full.verify().fault
    result = changed(full, *statements)
    assert words in result.fault
    assert event is None or result.event == event


def test_files_that_were_changed_are_named(full, tmp_path, audits):
    assert full.verify().files > 5
    (tmp_path / "v1" / "model.bin").write_text("changed")
    result = full.verify()
    assert (
        "model.bin was changed since event 2 (version.added churn@v1)" in result.fault and result.event == 2
    )
    assert not full.verify(files=False).fault
    (tmp_path / "v1" / "model.bin").write_text("weights")
    (tmp_path / "v1" / "more").write_text("")
    assert "more was added since event 2" in full.verify().fault
    (tmp_path / "v1" / "more").unlink()
    (tmp_path / "v2" / "model.bin").unlink()
    assert "model.bin of event 6 (version.added churn@v2) is missing" in full.verify().fault


def test_weights_of_a_retired_version_may_go(full, tmp_path):
    full.models.retire("churn@v1")
    shutil.rmtree(tmp_path / "v1")
    assert not full.verify().fault


def test_rebuilding_gives_the_same_bytes(either, tmp_path):
    from books import weights

    either.models.add("churn", "v1", weights(tmp_path / "w"), manifest=IDS, state="live")
    for k in range(5):
        either.requests.new(f"person {k}", [f"r{k}"], external=f"T{k}", note="x")
    either.requests.scope("R4")
    either.requests.deny("R5", "other")
    before = either.content()
    assert either.rebuild() == len(either.events())
    assert either.content() == before and not either.verify().fault
    with either.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM request")
        connection.exec_driver_sql("UPDATE version SET state = 'x'")
    assert either.verify().fault
    either.rebuild()
    assert either.content() == before


def test_tables_are_not_rebuilt_from_a_chain_that_is_broken(full):
    changed(full, "UPDATE event SET actor = 'x' WHERE sequence = 4")
    with pytest.raises(InputError, match="event 4 .* was changed"):
        full.rebuild()


def test_redaction_erases_the_text_and_breaks_nothing(full):
    number = full.events()[-1].sequence
    assert b"Bob rang" in _bytes(full)
    with pytest.raises(InputError, match="reason stands in the chain for good"):
        full.redact(number, "Bob asked for it, bob@example.org")
    full.redact(number)
    assert not full.verify().fault
    assert b"Bob rang" not in _bytes(full)
    with pytest.raises(InputError, match="has no free text"):
        full.redact(number)


def test_texts_of_requests_that_ended_are_erased_together(book):
    for name in ("anna", "bob"):
        book.requests.new(name, ["r1"], note=f"{name} rang")
    book.requests.deny("R2", "other", note="because")
    assert book.retain("2000-01-01") == 0
    assert book.retain("2999-01-01") == 2
    assert not book.verify().fault
    assert b"anna rang" not in _bytes(book) and b"bob rang" in _bytes(book)


def test_a_head_that_was_noted_elsewhere_is_compared(book, tmp_path):
    book.requests.new("anna", ["r1"])
    (tmp_path / "noted.json").write_text(book.head_path.read_text().replace('"sequence": 2', '"sequence": 3'))
    assert "an older copy" in book.verify(head=tmp_path / "noted.json").fault
    (tmp_path / "noted.json").write_text("{}")
    with pytest.raises(InputError, match="names no event"):
        book.verify(head=tmp_path / "noted.json")


def _bytes(ledger):
    from pathlib import Path

    file = Path(ledger.engine.url.database)
    return b"".join(part.read_bytes() for part in file.parent.glob(file.name + "*"))


def test_an_older_copy_is_named_and_may_be_gone_on_with(full, tmp_path):
    file = full.engine.url.database
    full.engine.dispose()
    shutil.copy(file, tmp_path / "yesterday.db")
    full.requests.new("carl", ["r8"])
    end = full.events()[-1].sequence
    full.engine.dispose()
    for part in ("-wal", "-shm"):
        (tmp_path / f"deletions.db{part}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "yesterday.db", file)
    old = Ledger(str(full.engine.url), full.key_path)
    assert f"an older copy: it ends with event {end - 1}, and event {end} was written" in old.verify().fault
    with pytest.raises(InputError, match="an older copy"):
        old.requests.new("dora", ["r7"])
    event = old.accept("the disk of the server broke")
    assert event.kind == "ledger.restored" and event.body["lost_sequence"] == end
    old.requests.new("dora", ["r7"])
    assert not old.verify().fault
    with pytest.raises(InputError, match="nothing to accept"):
        old.accept("again")
    old.close()


def test_an_older_copy_that_was_written_to_is_named(book, tmp_path, key):
    note = book.requests.new("carl", ["r8"]) and book.head_path.read_text()
    book.engine.dispose()
    other = Ledger.create(f"sqlite:///{tmp_path}/other.db", key)
    other.requests.new("dora", ["r7"])
    other.head_path.write_text(note.replace(book.name, other.name))
    assert "another than the file beside the key says" in other.verify().fault
    other.close()


def test_a_ledger_is_verified_without_its_key(full, tmp_path):
    reader = Ledger(str(full.engine.url), tmp_path / "none.key")
    assert not reader.verify().fault and reader.requests.show("R4").state == "audited"
    with pytest.raises(InputError, match="no such key"):
        reader.requests.new("anna", ["r1"])
    reader.close()


def test_a_ledger_that_no_longer_refuses_changes_says_so(full):
    assert "no longer refuses changes of events: its trigger event_" in changed(full).fault
