"""Signing keys: Ed25519 in files that any tool reads, PKCS #8 and SubjectPublicKeyInfo in PEM.

A private key is encrypted with a passphrase unless its owner says otherwise, and its file is for the owner alone.
Signatures are verified by Ed25519 and, for hardware modules and key services, by ECDSA on P-256 and P-384.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from vestige.errors import InputError, need, told
from vestige.files import as_path, read_bytes
from vestige.store import folder_at, write_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey

KEY_BYTES = 10_000
"""Bytes of a key's file that are read."""
CURVES = ("secp256r1", "secp384r1")
KINDS = "Ed25519, or of ECDSA on P-256 or P-384"
PASSPHRASE = "VESTIGE_PASSPHRASE"
"""The environment variable that holds the passphrase where none is given."""


def new_key(path: Path | str, passphrase: str | None = None, *, encrypt: bool = True) -> tuple[Path, Path]:
    """Make a key pair: the private key at `path`, readable by its owner alone, the public one beside it as `.pub`.

    Parameters
    ----------
    path : path
    passphrase : str, optional
        Default: what VESTIGE_PASSPHRASE says.
    encrypt : bool
        False writes the private key in the clear, for a machine that keeps secrets in another way.

    Raises
    ------
    InputError
        Where there is no passphrase, or a file is there already: a key is never overwritten.
    """
    need("cryptography", "ledger", "Signing")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = as_path(path)
    public = path.with_name(path.name + ".pub")
    for file in (path, public):
        if file.exists():
            raise InputError(f"{file} is there already; a key is never overwritten, name another file.")
    hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if encrypt:
        hidden = serialization.BestAvailableEncryption(_secret(passphrase, path))
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    folder_at(path.parent)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(text)
    write_text(public, public_text(key.public_key()))
    return path, public


def public_text(key: PublicKey) -> str:
    """Return a public key as PEM."""
    from cryptography.hazmat.primitives import serialization

    pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(pem, form).decode("ascii")


def key_id(key: PublicKey) -> str:
    """Return the name of a public key: SHA-256 of its SubjectPublicKeyInfo, as hex."""
    from cryptography.hazmat.primitives import serialization

    der, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(der, form)).hexdigest()


def private_key(path: Path | str, passphrase: str | None = None) -> Ed25519PrivateKey:
    """Read a private key. Raises `InputError` where others may read its file, or the passphrase does not open it."""
    need("cryptography", "ledger", "Signing")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = as_path(path)
    text = read_bytes(path, KEY_BYTES)
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"{path} may be read by others than its owner; say chmod 600 {path}.")
    secret = _secret(passphrase, path) if b"ENCRYPTED" in text else None
    try:
        key = serialization.load_pem_private_key(text, secret)
    except (ValueError, TypeError) as error:
        why = "the passphrase does not open it" if secret else told(error)
        raise InputError(f"{path} is no private key that can be used: {why}.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path} holds another kind of key; an Ed25519 private key is wanted.")
    return key


def public_key(path: Path | str) -> PublicKey:
    """Read a public key. Raises `InputError` where the file holds none, or a private one."""
    need("cryptography", "ledger", "Verifying")
    from cryptography.hazmat.primitives import serialization

    text = read_bytes(path, KEY_BYTES)
    if b"PRIVATE" in text:
        raise InputError(f"{path} is a private key; the public one, which ends in .pub, is wanted.")
    try:
        key = serialization.load_pem_public_key(text)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is no public key ({told(error, 80)}); a PEM file is wanted.") from None
    if not _fits(key):
        raise InputError(f"{path} holds another kind of key; a public key of {KINDS} is wanted.")
    return key


def public_key_of(kind: str, text: str) -> PublicKey:
    """Return the public key of a signer: raw hex of Ed25519, or PEM. Raises `InputError` for another kind."""
    need("cryptography", "ledger", "Signing")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
        key = serialization.load_pem_public_key(text.encode())
    except (ValueError, TypeError) as error:
        raise InputError(f"The signer's public key cannot be read ({told(error, 80)}).") from None
    if not _fits(key):
        raise InputError(f"The signer's key is of {kind}; one of {KINDS} is wanted.")
    return key


def _fits(key: Any) -> TypeGuard[PublicKey]:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name in CURVES
    return isinstance(key, ed25519.Ed25519PublicKey)


def signed_by(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Is this the key's signature of the message? ECDSA with SHA-256 on P-256 and SHA-384 on P-384, in DER."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            digest = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
            key.verify(signature, message, ec.ECDSA(digest))
        else:
            key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _secret(passphrase: str | None, path: Path) -> bytes:
    text = os.environ.get(PASSPHRASE) if passphrase is None else passphrase
    if not text:
        raise InputError(f"{path} takes a passphrase, and none is given; set {PASSPHRASE}.")
    return text.encode()
