"""DSSE: the bytes that are signed, keys, and envelopes of every shape."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vestige.errors import InputError
from vestige.evidence import new_key, private_key, public_key
from vestige.evidence.envelope import add_signature, canonical, malformed, opened, pae, seal
from vestige.evidence.keys import key_id

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (1, 2))
PUBLIC, OTHERS = KEY.public_key(), OTHER.public_key()


def test_known_encodings():
    """The example of the specification, and lengths in bytes."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("", b"") == b"DSSEv1 0  0 " and pae("ü", b"\0") == b"DSSEv1 2 \xc3\xbc 1 \0"


def test_canonical_json_of_the_standard():
    assert (
        canonical({"b": [1.0, 1e21, 0.5, "€\n"], "a": None}) == '{"a":null,"b":[1,1e+21,0.5,"€\\n"]}'.encode()
    )
    with pytest.raises(InputError, match="no canonical JSON"):
        canonical(float("nan"))


def test_signed_bytes_come_back_and_others_do_not():
    envelope = seal({"a": {"b": {"c": 1, "d": 2}}}, KEY)
    assert opened(envelope, [PUBLIC]) == b'{"a":{"b":{"c":1,"d":2}}}'
    (fault,) = opened(envelope, [OTHERS])
    assert fault.where == "signatures" and key_id(OTHERS)[:16] in fault.what


def test_several_keys_must_each_have_signed():
    envelope = add_signature(seal({"a": 1}, KEY), OTHER)
    assert opened(envelope, [PUBLIC, OTHERS]) == opened(envelope, [OTHERS]) == b'{"a":1}'
    assert [fault.where for fault in opened(seal({"a": 1}, KEY), [PUBLIC, OTHERS])] == ["signatures"]
    with pytest.raises(InputError, match="has signed this already"):
        add_signature(envelope, OTHER)


def test_base64_of_both_alphabets():
    envelope = seal({"a": "???>>>"}, KEY)
    envelope["payload"] = envelope["payload"].replace("+", "-").replace("/", "_")
    assert opened(envelope, [PUBLIC]) == b'{"a":"???>>>"}'


@pytest.mark.parametrize(("field", "value", "where"), [
    ("payload", None, "payload"), ("payload", "!", "payload"), ("payloadType", 3, "payloadType"),
    ("signatures", [], "signatures"), ("signatures", {}, "signatures"), ("signatures", [3], "signatures[0]"),
    ("signatures", [{"keyid": "a", "sig": "AA=="}], "signatures[0].sig"),
])  # fmt: skip
def test_what_an_envelope_lacks(field, value, where):
    assert malformed({**seal({"a": 1}, KEY), field: value}).where == where


def test_the_payload_is_not_read_before_it_holds(monkeypatch):
    """Where neither payload nor index is signed, no parser sees either."""
    from vestige.evidence import envelope as module

    def never(text):
        raise AssertionError("parsed")

    monkeypatch.setattr(module, "parse_json", never)
    assert [fault.where for fault in opened(seal({"a": 1}, KEY), [OTHERS])] == ["signatures"]


def test_keys_on_disk(tmp_path, monkeypatch):
    private, public = new_key(tmp_path / "mine", "open")
    assert private.stat().st_mode & 0o777 == 0o600 and b"ENCRYPTED" in private.read_bytes()
    key = private_key(private, "open")
    assert key_id(key.public_key()) == key_id(public_key(public))
    monkeypatch.setenv("VESTIGE_PASSPHRASE", "open")
    assert key_id(private_key(private).public_key()) == key_id(public_key(public))
    with pytest.raises(InputError, match="passphrase does not open it"):
        private_key(private, "shut")
    with pytest.raises(InputError, match="never overwritten"):
        new_key(private, "open")
    private.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        private_key(private, "open")


def test_files_that_are_no_keys(tmp_path):
    private, public = new_key(tmp_path / "mine", encrypt=False)
    with pytest.raises(InputError, match="private key; the public one"):
        public_key(private)
    with pytest.raises(InputError, match="no private key"):
        private_key_of(public)
    public.write_text("nothing")
    with pytest.raises(InputError, match="no public key"):
        public_key(public)
    with pytest.raises(InputError, match="takes a passphrase"):
        new_key(tmp_path / "third")


def private_key_of(path):
    path.chmod(0o600)
    return private_key(path)
