"""What is kept of records: encrypted until a day, or digests of what is supplied again."""

from __future__ import annotations

import sqlite3

import pytest
from books import ASKED

from vestige.errors import InputError

CONTENT = {name: {"income": 50_000 + k, "town": "Musterstadt"} for k, name in enumerate(ASKED)}


def raw(ledger):
    from pathlib import Path

    file = Path(ledger.engine.url.database)
    return b"".join(part.read_bytes() for part in file.parent.glob(file.name + "*"))


def test_an_escrow_is_encrypted_and_read_again(scoped):
    ledger, request = scoped
    record = ledger.requests.keep(request, CONTENT, "escrow", "2999-01-01")
    assert (record.custody, record.until) == ("escrow", "2999-01-01")
    assert ledger.requests.content(request)["r0"] == b'{"income":50000,"town":"Musterstadt"}'
    assert b"Musterstadt" not in raw(ledger)
    assert not ledger.verify().fault


def test_an_escrow_ends_at_its_day_with_a_receipt(scoped):
    ledger, request = scoped
    ledger.requests.keep(request, CONTENT, "escrow", "2998-01-01")
    body = sqlite3.connect(ledger.engine.url.database).execute("SELECT wrapped, body FROM vault").fetchone()
    assert ledger.requests.expire("2997-12-31") == []
    assert ledger.requests.expire("2998-01-01") == [request]
    receipt = ledger.events("escrow.destroyed")[0]
    assert receipt.body["why"] == "expired" and receipt.about == request
    assert not any(part in raw(ledger) for part in body)
    with pytest.raises(InputError, match="was destroyed"):
        ledger.requests.content(request)
    assert ledger.requests.expire("2998-01-02") == [] and not ledger.verify().fault


def test_a_request_that_is_withdrawn_keeps_nothing(scoped):
    ledger, request = scoped
    ledger.requests.keep(request, CONTENT, "escrow", "2999-01-01")
    ledger.requests.withdraw(request)
    assert ledger.events("escrow.destroyed")[0].body["why"] == "withdrawn"


def test_supplied_records_are_compared(scoped, tmp_path):
    ledger, request = scoped
    lines = [
        f'{{"town": "Musterstadt", "id": "{name}", "income": {50_000 + k}}}' for k, name in enumerate(ASKED)
    ]
    (tmp_path / "records.jsonl").write_text("\n".join(lines))
    ledger.requests.keep(request, tmp_path / "records.jsonl", "supplied")
    assert b"Musterstadt" not in raw(ledger)
    assert set(ledger.requests.content(request, CONTENT)) == set(ASKED)
    with pytest.raises(InputError, match="supplied again for each audit"):
        ledger.requests.content(request)
    with pytest.raises(InputError, match="changed or is another"):
        ledger.requests.content(request, CONTENT | {"r0": {"income": 1}})
    with pytest.raises(InputError, match="changed or is another"):
        ledger.requests.content(request, CONTENT | {"stranger": b""})
    with pytest.raises(InputError, match="1 of the records of R4 are missing"):
        ledger.requests.content(request, {k: v for k, v in CONTENT.items() if k != "r0"})


@pytest.mark.parametrize(
    "content, custody, until, message",
    [
        ({"r0": b""}, "escrow", "2999-01-01", "lacks 5"),
        (CONTENT | {"x": b""}, "supplied", None, "1 records that are not asked for"),
        (CONTENT, "escrow", None, "until is missing"),
        (CONTENT, "escrow", "2020-01-01", "a day to come"),
        (CONTENT, "none", None, "no way to keep"),
    ],
)
def test_what_cannot_be_kept_is_refused(scoped, content, custody, until, message):
    ledger, request = scoped
    with pytest.raises(InputError, match=message):
        ledger.requests.keep(request, content, custody, until)
    assert ledger.requests.show(request).custody == "none"


def test_a_line_that_is_no_record_is_named(scoped, tmp_path):
    ledger, request = scoped
    (tmp_path / "records.jsonl").write_text('{"id": "r0"}\n[1]\n')
    with pytest.raises(InputError, match="records.jsonl, line 2"):
        ledger.requests.keep(request, tmp_path / "records.jsonl", "supplied")


def test_nothing_is_kept_twice(scoped):
    ledger, request = scoped
    ledger.requests.keep(request, CONTENT, "supplied")
    with pytest.raises(InputError, match="kept already"):
        ledger.requests.keep(request, CONTENT, "escrow", "2999-01-01")
    with pytest.raises(InputError, match="Nothing was kept"):
        ledger.requests.content(ledger.requests.new("bob", ["r9"]).id)
