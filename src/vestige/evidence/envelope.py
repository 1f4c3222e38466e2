"""The envelope: DSSE 1.0, https://github.com/secure-systems-lab/dsse. What is signed are bytes, and they are read last.

    {"payload": base64, "payloadType": text, "signatures": [{"keyid": text, "sig": base64}, ...]}

A signature covers the type and the bytes, put together by `pae`. Beside it the envelope carries an index, an envelope
of its own that holds a digest of every field of the payload: where the payload was changed, the index says which field.
It is never looked at for anything else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vestige.errors import InputError, need
from vestige.evidence.keys import key_id, signed_by
from vestige.files import parse_json

if TYPE_CHECKING:
    from vestige.evidence.keys import PublicKey
    from vestige.evidence.signers import Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
INDEX_TYPE = "application/vnd.vestige.index+json"
INDEX = "index"
LENGTHS = range(60, 120)
"""Bytes of a signature: 64 of Ed25519, about 70 and 102 of ECDSA on P-256 and P-384."""
MOST_SIGNATURES = 100
"""Signatures of an envelope that are looked at."""


class Fault(NamedTuple):
    """What does not fit of an envelope, and in which of its fields."""

    where: str
    what: str


def canonical(value: Any) -> bytes:
    """Return JSON in the one form that is signed: RFC 8785. Raises `InputError` for what has none, such as NaN."""
    rfc8785 = need("rfc8785", "ledger", "Evidence")
    try:
        return bytes(rfc8785.dumps(value))
    except rfc8785.CanonicalizationError as error:
        raise InputError(f"This has no canonical JSON: {error}.") from None


def pae(kind: str, body: bytes) -> bytes:
    """Return the pre-authentication encoding: the bytes that a signature covers."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(body), body)


def seal(value: Any, key: Signer, kind: str = PAYLOAD_TYPE) -> dict[str, Any]:
    """Return the signed envelope of a JSON value, with its index."""
    body = canonical(value)
    envelope: dict[str, Any] = {"payload": _text(body), "payloadType": kind, "signatures": []}
    if kind != INDEX_TYPE:
        envelope[INDEX] = seal({"fields": digests(value)}, key, INDEX_TYPE)
    return add_signature(envelope, key)


def add_signature(envelope: Mapping[str, Any], key: Signer) -> dict[str, Any]:
    """Return the envelope with one more signature. Raises `InputError` where this key has signed it already."""
    fault = malformed(envelope, fresh=True)
    if fault:
        raise InputError(f"The envelope cannot be signed: {fault.where}: {fault.what}.")
    name = key_id(key.public_key())
    if any(signature["keyid"] == name for signature in envelope["signatures"]):
        raise InputError(f"The key {name[:16]} has signed this already.")
    signed = key.sign(pae(envelope["payloadType"], _bytes(envelope["payload"]) or b""))
    return {**envelope, "signatures": [*envelope["signatures"], {"keyid": name, "sig": _text(signed)}]}


def malformed(envelope: Any, fresh: bool = False) -> Fault | None:
    """Return what an envelope lacks to be one; `fresh`: one without a signature is one too."""
    if not isinstance(envelope, Mapping) or not envelope.keys() & {"payload", "payloadType", "signatures"}:
        return Fault("envelope", "it is no signed envelope")
    for name in ("payload", "payloadType"):
        if not isinstance(envelope.get(name), str):
            return Fault(name, "it is missing, or no text")
    if _bytes(envelope["payload"]) is None:
        return Fault("payload", "it is no base64")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or not (fresh or signatures) or len(signatures) > MOST_SIGNATURES:
        return Fault("signatures", f"a list of 1 to {MOST_SIGNATURES} signatures is wanted")
    names: list[str] = []
    for place, signature in enumerate(signatures):
        where = f"signatures[{place}]"
        if not isinstance(signature, Mapping) or not isinstance(signature.get("keyid"), str):
            return Fault(where, "an object with keyid and sig is wanted")
        if not isinstance(signature.get("sig"), str) or len(_bytes(signature["sig"]) or b"") not in LENGTHS:
            return Fault(f"{where}.sig", "the bytes of a signature, as base64, are wanted")
        if signature["keyid"] in names:
            return Fault(where, f"it repeats the key of signatures[{names.index(signature['keyid'])}]")
        names.append(signature["keyid"])
    return None


def content(envelope: Any) -> bytes | Fault:
    """Return the payload's bytes, whoever signed them, or what the envelope lacks to be one."""
    fault = malformed(envelope)
    return fault if fault else _bytes(envelope["payload"]) or b""


def opened(
    envelope: Mapping[str, Any], keys: Sequence[PublicKey], kind: str = PAYLOAD_TYPE
) -> bytes | list[Fault]:
    """Return the payload's bytes where each of the pinned keys has signed them, else what does not fit.

    The bytes are not looked into before all signatures hold.
    """
    fault = malformed(envelope)
    if fault:
        return [fault]
    if envelope["payloadType"] != kind:
        return [Fault("payloadType", f"it is {envelope['payloadType'][:80]!r}; {kind!r} is wanted")]
    body = _bytes(envelope["payload"]) or b""
    faults = [fault for key in keys if (fault := _unsigned(envelope, body, key))]
    return _named(envelope, body, keys, faults) if faults else body


def _unsigned(envelope: Mapping[str, Any], body: bytes, key: PublicKey) -> Fault | None:
    """Return why a pinned key's signature does not hold. The key is pinned, `keyid` says where to look."""
    name, message = key_id(key), pae(envelope["payloadType"], body)
    signatures = envelope["signatures"]
    for place, signature in enumerate(signatures):
        if signature["keyid"] == name:
            if signed_by(key, _bytes(signature["sig"]) or b"", message):
                return None
            return Fault(f"signatures[{place}].sig", f"the key {name[:16]} did not sign these bytes")
    others = ", ".join(signature["keyid"][:16] for signature in signatures)
    return Fault("signatures", f"none is by the pinned key {name[:16]}; they are by {others}")


def _named(
    envelope: Mapping[str, Any], body: bytes, keys: Sequence[PublicKey], faults: list[Fault]
) -> list[Fault]:
    """Return the faults with the fields that were changed, where the index is whole and says so."""
    index = envelope.get(INDEX)
    known = opened(index, keys, INDEX_TYPE) if isinstance(index, Mapping) and INDEX not in index else []
    if not isinstance(known, bytes):
        return faults
    try:  # the payload is nobody's word: it is read to name what was changed in it, and for nothing else
        own = digests(parse_json(body.decode()))
    except ValueError as error:
        return [Fault("payload", f"it is no JSON ({error})")]
    signed = parse_json(known.decode())["fields"]
    names = sorted(name for name in {*own, *signed} if own.get(name) != signed.get(name))
    if not names:
        return faults
    return [Fault(name, "it is not what was signed") for name in names]


def digests(value: Any) -> dict[str, str]:
    """Return a digest of every field of a statement: two levels below the predicate, and lists as a whole."""
    return {name: hashlib.sha256(canonical(part)).hexdigest() for name, part in _fields(value, "", 3)}


def _fields(value: Any, name: str, deep: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value and deep:
        for key, part in value.items():
            yield from _fields(part, f"{name}.{key}" if name else str(key), deep - 1)
    else:
        yield name or "payload", value


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes | None:
    """Return what base64 says, in its usual or its URL-safe letters; None where it is none."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/").encode("ascii"), validate=True)
    except ValueError:
        return None
