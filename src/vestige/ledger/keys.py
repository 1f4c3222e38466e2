"""The key: a file outside of the ledger, for its owner alone. What it names cannot be named, or read, without it.

    pseudonym = HMAC-SHA256(HMAC-SHA256(secret, "vestige pseudonym"), kind || 0 || id)

The secret is 32 random bytes. Keys for pseudonyms, for digests of contents and for wrapping are derived from it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vestige.errors import InputError, told
from vestige.files import as_path, read_text
from vestige.store import file_hash, files_in, folder_at

RECORD_DIGITS = 32
"""Hex digits of a record's pseudonym: 128 bits, so that the manifest of a million records has 16 MB."""
OTHERS = 0o077


def default_path() -> Path:
    """Return where the key is looked for: VESTIGE_KEY, or ~/.config/vestige/ledger.key."""
    return Path(
        os.environ.get("VESTIGE_KEY") or Path.home() / ".config" / "vestige" / "ledger.key"
    ).expanduser()


@dataclass(frozen=True, eq=False)
class Key:
    """A key and the file that it is read from."""

    path: Path
    secret: bytes = field(repr=False)

    @classmethod
    def create(cls, path: Path | str | None = None) -> Key:
        """Write a new key to a file that only its owner reads. Raises `InputError` where there is one."""
        path = default_path() if path is None else as_path(path)
        folder_at(path.parent)
        secret = secrets.token_bytes(32)
        try:
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise InputError(
                f"{path} is there already; a key is never overwritten. Name another file."
            ) from None
        except OSError as error:
            raise InputError(f"{path}: the key cannot be written ({error.strerror}).") from None
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(f"{secret.hex()}\n")
            file.flush()
            os.fsync(number)
        return cls(path, secret)

    @classmethod
    def read(cls, path: Path | str | None = None) -> Key:
        """Read a key. Raises `InputError` where it is missing or none, and where others than its owner may read it."""
        path = default_path() if path is None else as_path(path)
        if not path.is_file():
            raise InputError(
                f"{path}: no such key; `vestige key new` makes one, --key or VESTIGE_KEY names it."
            )
        if path.stat().st_mode & OTHERS:
            raise InputError(f"{path} may be read by others than its owner; run chmod 600 {path}.")
        try:
            secret = bytes.fromhex(read_text(path, 1024).strip())
        except ValueError:  # also text that is not UTF-8
            secret = b""
        if len(secret) != 32:
            raise InputError(f"{path} is no key of a ledger; 64 hexadecimal digits are wanted.")
        return cls(path, secret)

    def derived(self, purpose: str) -> bytes:
        """Return the 32 bytes of a purpose."""
        return hmac.digest(self.secret, f"vestige {purpose}".encode(), "sha256")

    @property
    def id(self) -> str:
        """A name of the key that tells nothing of it, 16 hex digits."""
        return self.derived("key id").hex()[:16]

    def pseudonym(self, kind: str, name: str) -> str:
        """Return the keyed name of a subject, a record or a caller's own id: 64 hex digits, of a record 32."""
        text = self._named(kind, [name])[0].hex()
        return text[:RECORD_DIGITS] if kind == "record" else text

    def pseudonyms(self, kind: str, names: Iterable[str]) -> list[str]:
        """Return the keyed names of several, in their order."""
        digits = RECORD_DIGITS if kind == "record" else None
        return [digest.hex()[:digits] for digest in self._named(kind, names)]

    def _named(self, kind: str, names: Iterable[str]) -> list[bytes]:
        key, head = self.derived("pseudonym"), f"{kind}\0".encode()
        return [hmac.digest(key, head + str(name).encode(), "sha256") for name in names]

    def content_digest(self, content: bytes) -> str:
        """Return the keyed digest of a record's content."""
        return hmac.digest(self.derived("content"), content, "sha256").hex()

    def destroy(self) -> None:
        """Overwrite the key's file with zeros and remove it; one that is gone already is no fault."""
        with contextlib.suppress(FileNotFoundError):
            try:
                with self.path.open("r+b") as file:
                    file.write(bytes(self.path.stat().st_size))
                    file.flush()
                    os.fsync(file.fileno())
                self.path.unlink()
            except FileNotFoundError:
                raise
            except OSError as error:
                raise InputError(f"{self.path}: the key cannot be removed ({told(error)}).") from None


def salted_digest(salt: bytes, text: str) -> str:
    """Return what the chain holds of a free text: SHA-256 of a random salt and the text."""
    return hashlib.sha256(salt + text.encode()).hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file under a folder, or of a file, by its path from there."""
    if folder.is_file():
        return {folder.name: file_hash(folder)}
    return {name: file_hash(path) for name, path in files_in(folder).items()}
