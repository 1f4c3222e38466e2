"""Who signs: an Ed25519 key in a file, or a signer of securesystemslib, such as a hardware module or a key service.

    signing.key                     a file, see `vestige.evidence.new_key`
    hsm:..., awskms:..., azurekms:..., gcpkms:..., hv:...
                                    a URI of securesystemslib, beside the file of its public key
    CryptoSigner, HSMSigner, ...    an object of it

A signature of another's is looked at before it is believed: it must verify by the public key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vestige.errors import InputError, need, told
from vestige.evidence.keys import private_key, public_key, public_key_of, signed_by

if TYPE_CHECKING:
    from vestige.evidence.keys import PublicKey

URI = re.compile(r"[a-z][a-z0-9+.-]+:")


class Signer(Protocol):
    """What signs: a private key of `cryptography` is one."""

    def public_key(self) -> PublicKey: ...

    def sign(self, data: bytes) -> bytes: ...


@dataclass(frozen=True)
class External:
    """A signer of securesystemslib."""

    signer: Any

    def public_key(self) -> PublicKey:
        """Return its public key. Raises `InputError` for one of a kind that evidence is not signed with."""
        own = self.signer.public_key
        return public_key_of(str(own.keytype), str(own.keyval.get("public", "")))

    def sign(self, data: bytes) -> bytes:
        """Return the signature. Raises `InputError` where the signer fails, or signs what does not verify."""
        try:
            signature = bytes.fromhex(self.signer.sign(data).signature)
        except Exception as error:  # of a driver or a service
            raise InputError(f"The signer does not sign: {type(error).__name__}: {told(error)}.") from error
        if not signed_by(self.public_key(), signature, data):
            raise InputError(
                "The signer's signature does not verify by its own public key; nothing was written."
            )
        return signature


def is_uri(key: Any) -> bool:
    """Is it the URI of a signer, rather than a file?"""
    return isinstance(key, str) and URI.match(key) is not None and not Path(key).exists()


def signer_of(key: Any, passphrase: str | None = None, public: Path | str | None = None) -> Signer:
    """Return who signs.

    Parameters
    ----------
    key
        The file of a private key, a URI of securesystemslib, or an object of it.
    passphrase
        Of a file.
    public
        The file of the public key, where `key` is a URI.

    Raises
    ------
    InputError
        Where a key or signer cannot be used.
    """
    if hasattr(key, "sign"):
        return key if callable(key.public_key) else External(key)
    if not is_uri(key):
        return private_key(key, passphrase)
    module = need("securesystemslib.signer", "sign", f"Signing by {key.partition(':')[0]}")
    if public is None:
        raise InputError(
            f"{key.partition(':')[0]} signs by a key that stays there; name the file of its public key."
        )
    try:
        return External(module.Signer.from_priv_key_uri(key, module.SSlibKey.from_crypto(public_key(public))))
    except InputError:
        raise
    except Exception as error:  # of a driver or a service
        known = ", ".join(sorted(module.SIGNER_FOR_URI_SCHEME))
        raise InputError(
            f"No signer for {key.partition(':')[0]!r} could be had ({told(error)}); schemes: {known}."
        ) from error
