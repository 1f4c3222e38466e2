"""Records that must be audited after they are gone: an encrypted copy until a day, or digests.

Each request has a data key of its own (AES-GCM, 256 bits), wrapped by a key that is derived from the ledger's. What
is encrypted is bound to the request. At the day both are erased, and an event is the receipt.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vestige.errors import InputError, need, unknown
from vestige.files import parse_json, read_lines
from vestige.ledger import chain
from vestige.ledger.chain import canonical
from vestige.ledger.database import Transaction
from vestige.ledger.records import Request, as_date
from vestige.ledger.tables import ESCROW, VAULT

if TYPE_CHECKING:
    from vestige.ledger.ledger import Ledger

CUSTODY = ("escrow", "supplied", "none")
NONCE_BYTES = 12


def read_content(source: Mapping[str, Any] | Path | str) -> dict[str, bytes]:
    """Return the content of records by id; what is no bytes becomes canonical JSON.

    Raises `InputError` for a file that holds no objects with ids.
    """
    if isinstance(source, Mapping):
        return {
            str(name): value if isinstance(value, bytes) else canonical(value).encode()
            for name, value in source.items()
        }
    content = {}
    for number, line in enumerate(read_lines(source), 1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
            name = str(value.pop("id"))
        except (ValueError, AttributeError, KeyError, TypeError):
            raise InputError(f'{source}, line {number}: a JSON object with an "id" is wanted.') from None
        content[name] = canonical(value).encode()
    return content


def keep(
    ledger: Ledger,
    transaction: Transaction,
    request: str,
    source: Mapping[str, Any] | Path | str | None,
    custody: str,
    until: str | date | None,
) -> None:
    """Keep encrypted records, or their digests; see `Requests.keep`."""
    if custody not in ("escrow", "supplied"):
        raise InputError(unknown("way to keep records", custody, CUSTODY))
    content = {} if source is None else read_content(source)
    names = dict(zip(ledger.key.pseudonyms("record", content), content, strict=True))
    row = transaction.get("request", request)
    assert row is not None
    asked = set(json.loads(row["records"]))
    if not content or (asked and set(names) != asked):
        more, less = len(set(names) - asked), len(asked - set(names))
        raise InputError(
            f"The content of {request} has {more} records that are not asked for and lacks {less}; give those of the "
            "request."
        )
    kept = transaction.get("escrow", request)
    if kept and kept["state"] != "destroyed":
        raise InputError(f"Records of {request} are kept already ({kept['state']}).")
    day = "" if until is None else as_date("until", until).isoformat()
    sha256, state = "", "supplied"
    if custody == "escrow":
        if day <= chain.now().date().isoformat():
            raise InputError(f"An escrow is kept until a day to come; until is {day or 'missing'}.")
        wrapped, body = _sealed(ledger, request, content)
        transaction.upsert(VAULT, [{"request": request, "wrapped": wrapped, "body": body}])
        sha256, state = hashlib.sha256(body).hexdigest(), "stored"
    digests = {name: ledger.key.content_digest(content[id]) for name, id in names.items()}
    facts = {"custody": custody, "until": day, "digests": digests, "sha256": sha256, "state": state}
    transaction.append("escrow.stored", request, facts)


def _cipher(key: bytes) -> Any:
    need("cryptography", "ledger", "An escrow")
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _sealed(ledger: Ledger, request: str, content: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """Return the wrapped data key, and the encrypted records."""
    data_key, about = secrets.token_bytes(32), f"{ledger.name} {request}".encode()
    text = json.dumps({name: value.hex() for name, value in content.items()}).encode()
    nonces = [secrets.token_bytes(NONCE_BYTES) for _ in range(2)]
    wrapped = nonces[0] + _cipher(ledger.key.derived("escrow")).encrypt(nonces[0], data_key, about)
    return wrapped, nonces[1] + _cipher(data_key).encrypt(nonces[1], text, about)


def content(
    ledger: Ledger, request: Request, supplied: Mapping[str, Any] | Path | str | None
) -> dict[str, bytes]:
    """Return what the records hold, by id; see `Requests.content`."""
    with ledger.reading() as connection:
        row = connection.execute(sa.select(ESCROW).where(ESCROW.c.request == request.id)).mappings().first()
        vault = connection.execute(sa.select(VAULT).where(VAULT.c.request == request.id)).mappings().first()
    if row is None:
        raise InputError(
            f"Nothing was kept of the records of {request.id}; later versions cannot be audited for it."
        )
    if row["state"] == "destroyed":
        raise InputError(
            f"The escrow of {request.id} was destroyed; later versions cannot be audited for it."
        )
    if request.custody == "supplied":
        if supplied is None:
            raise InputError(f"The records of {request.id} are supplied again for each audit; give them.")
        content = read_content(supplied)
    else:
        assert vault is not None
        content = _unsealed(ledger, request.id, vault["wrapped"], vault["body"])
    digests = json.loads(row["digests"])
    names = ledger.key.pseudonyms("record", content)
    for name, value in zip(names, content.values(), strict=True):
        if digests.get(name) != ledger.key.content_digest(value):
            raise InputError(
                f"The supplied record {name[:8]}… is not what {request.id} was about; it was changed or is another."
            )
    if len(content) < len(digests):
        raise InputError(f"{len(digests) - len(content)} of the records of {request.id} are missing.")
    return content


def state_of(ledger: Ledger, request: str) -> str:
    """Return what there is of a request's records: "stored", "supplied", "destroyed", or "" where nothing was kept."""
    query = sa.select(ESCROW.c.state).where(ESCROW.c.request == request)
    with ledger.reading() as connection:
        return str(connection.execute(query).scalar() or "")


def _unsealed(ledger: Ledger, request: str, wrapped: bytes, body: bytes) -> dict[str, bytes]:
    from cryptography.exceptions import InvalidTag

    about = f"{ledger.name} {request}".encode()
    try:
        data_key = _cipher(ledger.key.derived("escrow")).decrypt(
            wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], about
        )
        text = _cipher(data_key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], about)
    except InvalidTag:
        raise InputError(f"The escrow of {request} cannot be read: another key, or it was changed.") from None
    return {name: bytes.fromhex(value) for name, value in json.loads(text).items()}


def destroy(transaction: Transaction, request: str, why: str) -> bool:
    """Erase the data key and the encrypted records of a request, with a receipt; False where there are none."""
    row = transaction.get("escrow", request)
    if row is None or row["state"] != "stored":
        return False
    transaction.connection.execute(VAULT.delete().where(VAULT.c.request == request))
    transaction.append("escrow.destroyed", request, {"why": why, "sha256": row["sha256"]})
    return True


def expire(transaction: Transaction, day: date) -> list[str]:
    """Destroy what is kept until a day that has come; return the requests."""
    transaction.flush()
    query = sa.select(ESCROW.c.request).where(
        ESCROW.c.state == "stored", ESCROW.c.until_date <= day.isoformat()
    )
    return [
        request
        for request in transaction.connection.execute(query.order_by(ESCROW.c.request)).scalars().all()
        if destroy(transaction, request, "expired")
    ]
