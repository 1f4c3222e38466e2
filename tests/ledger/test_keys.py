"""The key: for its owner alone, never overwritten, never shown; destroyed with a receipt."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest

from vestige.errors import InputError
from vestige.ledger import Key, Ledger


def test_a_pseudonym_is_an_hmac(tmp_path):
    key = Key.create(tmp_path / "key")
    derived = hmac.new(key.secret, b"vestige pseudonym", hashlib.sha256).digest()
    wanted = hmac.new(derived, b"subject\0anna", hashlib.sha256).hexdigest()
    assert key.pseudonym("subject", "anna") == wanted
    assert key.pseudonym("record", "anna") != wanted[:32] and len(key.pseudonym("record", "anna")) == 32
    assert Key.read(tmp_path / "key").pseudonyms("subject", ["anna", "bob"])[0] == wanted
    assert Key.create(tmp_path / "other").pseudonym("subject", "anna") != wanted


def test_a_key_is_for_its_owner_and_never_overwritten(tmp_path):
    key = Key.create(tmp_path / "key")
    assert key.path.stat().st_mode & 0o777 == 0o600
    assert key.secret.hex() not in repr(key) and key.id not in key.secret.hex()
    with pytest.raises(InputError, match="never overwritten"):
        Key.create(tmp_path / "key")
    key.path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        Key.read(key.path)


@pytest.mark.parametrize("text", ["", "00", "x" * 64, "00" * 33])
def test_a_file_that_is_no_key_is_refused(tmp_path, text):
    (tmp_path / "key").write_text(text)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(InputError, match="no key of a ledger"):
        Key.read(tmp_path / "key")


def test_an_actor_is_a_role(book):
    with pytest.raises(InputError, match="actor stands in the chain for good"):
        Ledger(str(book.engine.url), book.key_path, actor="anna@example.org")


def test_the_key_of_another_ledger_is_refused(book, tmp_path):
    other = Key.create(tmp_path / "other")
    with pytest.raises(InputError, match="the key of another ledger"):
        Ledger(str(book.engine.url), other.path)


def test_destruction_is_an_event_with_a_receipt(book):
    book.requests.new("anna", ["r1"])
    name = book.key.id
    receipt = book.destroy_key()
    assert receipt.kind == "key.destroyed" and receipt.body == {"key": name}
    assert [event.kind for event in book.events()][-2:] == ["key.destroying", "key.destroyed"]
    assert not book.key_path.exists() and not book.verify().fault
    with pytest.raises(InputError, match="was destroyed at"):
        book.requests.new("bob", ["r1"])
    with pytest.raises(InputError, match="was destroyed at"):
        book.destroy_key()
    assert len(book.requests.list()) == 1


def test_destruction_that_was_interrupted_gets_its_receipt_later(book):
    with book.writing() as transaction:
        transaction.append("key.destroying", "", {"key": book.fact("ledger")["key"]})
    os.unlink(book.key_path)
    again = Ledger(str(book.engine.url), book.key_path)
    assert again.destroy_key().kind == "key.destroyed"
    again.close()


def test_a_key_that_is_missing_is_not_said_to_be_destroyed(book):
    os.unlink(book.key_path)
    again = Ledger(str(book.engine.url), book.key_path)
    with pytest.raises(InputError, match="no such key"):
        again.destroy_key()
    assert len(again.events()) == 1
    again.close()
