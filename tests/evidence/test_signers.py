"""Signers of others: hardware modules and key services, by the library that speaks to them."""

from __future__ import annotations

import json

import pytest

from vestige import evidence
from vestige.errors import InputError
from vestige.evidence.keys import public_text
from vestige.evidence.signers import External, is_uri, signer_of


class Stand:
    """What a signer of securesystemslib looks like, with a key of `cryptography`."""

    def __init__(self, kind="ecdsa", curve=None, honest=True):
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519

        self.kind, self.honest = kind, honest
        self.key = ed25519.Ed25519PrivateKey.generate()
        if kind == "ecdsa":
            self.key = ec.generate_private_key(curve or ec.SECP256R1())

    @property
    def public_key(self):
        from types import SimpleNamespace

        public = self.key.public_key()
        text = public.public_bytes_raw().hex() if self.kind == "ed25519" else public_text(public)
        return SimpleNamespace(keytype=self.kind, keyval={"public": text})

    def sign(self, data):
        from types import SimpleNamespace

        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        data = data if self.honest else data + b" "
        if self.kind == "ed25519":
            return SimpleNamespace(signature=self.key.sign(data).hex())
        digest = hashes.SHA384() if self.key.key_size == 384 else hashes.SHA256()
        return SimpleNamespace(signature=self.key.sign(data, ec.ECDSA(digest)).hex())


def signers():
    from cryptography.hazmat.primitives.asymmetric import ec

    return {
        "ed25519": Stand("ed25519"), "P-256": Stand("ecdsa"), "P-384": Stand("ecdsa", ec.SECP384R1()),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["ed25519", "P-256", "P-384"])
def test_a_signer_signs_and_its_public_key_verifies(original, tmp_path, name):
    signer = signers()[name]
    path = evidence.certify(original, tmp_path / "out", key=signer)
    (tmp_path / "signer.pub").write_text(public_text(signer.key.public_key()))
    (tmp_path / "other.pub").write_text(public_text(Stand(signer.kind).key.public_key()))
    assert evidence.verify(path, tmp_path / "signer.pub").holds
    other = evidence.verify(path, tmp_path / "other.pub")
    assert other.exit_code == 3 and other.findings[0].where == "signatures"
    envelope = json.loads(path.read_text())
    envelope["payload"] = envelope["payload"].replace("a", "b", 1)
    path.write_text(json.dumps(envelope))
    assert evidence.verify(path, tmp_path / "signer.pub").exit_code == 3


def test_what_a_signer_says_is_looked_at(original, tmp_path):
    from cryptography.hazmat.primitives.asymmetric import ec

    with pytest.raises(InputError, match="does not verify by its own public key"):
        evidence.certify(original, tmp_path / "out", key=Stand(honest=False))
    with pytest.raises(InputError, match="key is of ecdsa; one of Ed25519, or of ECDSA on P-256"):
        evidence.certify(original, tmp_path / "out", key=Stand("ecdsa", ec.SECP521R1()))
    broken = Stand()
    broken.sign = lambda data: 1 / 0
    with pytest.raises(InputError, match="The signer does not sign: ZeroDivisionError"):
        evidence.certify(original, tmp_path / "out", key=broken)
    assert not list(tmp_path.glob("out/evidence.json"))


def test_a_uri_is_no_file(tmp_path):
    assert is_uri("awskms:alias/x") and is_uri("hsm:2") and not is_uri("signing.key") and not is_uri(tmp_path)
    assert not is_uri(r"C:\keys\signing.key")


def test_securesystemslib(original, tmp_path):
    """Its signer in memory, and one by a URI, whose private key stays where it is."""
    module = pytest.importorskip(
        "securesystemslib.signer", reason="securesystemslib is not installed: pip install 'vestige[sign]'"
    )
    for signer in (module.CryptoSigner.generate_ed25519(), module.CryptoSigner.generate_ecdsa()):
        path = evidence.certify(original, tmp_path / signer.public_key.keytype, key=signer)
        public = tmp_path / f"{signer.public_key.keytype}.pub"
        public.write_text(public_text(External(signer).public_key()))
        assert evidence.verify(path, public).holds
    private, public = evidence.new_key(tmp_path / "signing", encrypt=False)
    uri = f"file2:{private}"
    path = evidence.certify(original, tmp_path / "uri", key=uri, public=public)
    assert evidence.verify(path, public).holds
    with pytest.raises(InputError, match="name the file of its public key"):
        signer_of(uri)
    with pytest.raises(InputError, match="No signer for 'nothing' could be had"):
        signer_of("nothing:x", public=public)
