"""Receiving webhooks: a body, its headers and a secret in; out comes who said what, or a refusal.

These are plain functions: whoever serves HTTP calls them with the bytes as they came. The form is that of Standard
Webhooks, as MLflow 3 sends it: the signature is HMAC-SHA256 over "id.timestamp.body", written "v1," and base64.

    event = mlflow_event(body, headers, secret)
    ledger.models.poll(Registry(uri, [event.line]))

A webhook says that there is something new, and nothing is believed but that: what is new is read from the registry. One
that is lost is made up for by the next poll, and one that comes twice changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vestige.errors import InputError, told
from vestige.files import parse_json

TOLERANCE = 300
"""Seconds that a delivery may be late, or early by another clock."""
MOST_BYTES = 2**20
HEADERS = ("x-mlflow-signature", "x-mlflow-timestamp", "x-mlflow-delivery-id")
SCHEME = "v1"


class Refused(InputError):
    """A webhook that is not believed; answer it with 401 and nothing else."""


@dataclass(frozen=True)
class Event:
    """What a webhook said, once its signature held.

    Attributes
    ----------
    id : str
        Of the delivery; the same again where the sender tries again.
    kind : str
        "model_version.created", "model_version_alias.created" and so on.
    line, version : str
        The registered model, and the version as the ledger calls it, "v3"; "" where the event is about no version.
    data : dict
        All that was said of it.
    """

    id: str
    kind: str
    line: str
    version: str
    data: dict[str, Any]


def signature(body: bytes, delivery: str, timestamp: str, secret: str) -> str:
    """Return the signature of a delivery: "v1," and base64 of HMAC-SHA256 over "delivery.timestamp.body"."""
    message = f"{delivery}.{timestamp}.".encode() + body
    return f"{SCHEME},{base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()}"


def mlflow_event(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    now: float | None = None,
    tolerance: int = TOLERANCE,
) -> Event:
    """Return what a webhook of MLflow says.

    Parameters
    ----------
    body : bytes
        As they came: a body that was parsed and written again has another signature.
    headers : mapping
        X-MLflow-Signature, X-MLflow-Timestamp and X-MLflow-Delivery-Id, in letters of any case.
    secret : str
        That of the webhook, as it was made with.
    now : float, optional
        Seconds since 1970; default: the clock.
    tolerance : int
        Seconds that it may be old: an older one may be a repetition by somebody who listened.

    Raises
    ------
    Refused
        Where the signature, the time or a header does not hold.
    InputError
        For a signed body that is no event of a registry.

    Examples
    --------
    >>> from vestige.ledger.webhooks import mlflow_event, signature
    >>> body = b'{"entity": "model_version", "action": "created", "data": {"name": "churn", "version": "3"}}'
    >>> headers = {"X-MLflow-Delivery-Id": "d1", "X-MLflow-Timestamp": "1796000000"}
    >>> headers["X-MLflow-Signature"] = signature(body, "d1", "1796000000", "secret")
    >>> event = mlflow_event(body, headers, "secret", now=1796000010)
    >>> event.kind, event.line, event.version
    ('model_version.created', 'churn', 'v3')
    """
    if not secret:
        raise InputError(
            "The secret is empty; then anybody could sign. Give the one that the webhook was made with."
        )
    delivery = _verified(body, headers, secret, time.time() if now is None else now, tolerance)
    try:
        record = parse_json(body.decode())
        kind, data = f"{record['entity']}.{record['action']}", dict(record["data"])
        line, version = str(data["name"]), str(data.get("version", "") or "")
    except (ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {told(error)}"
        raise InputError(f"The webhook is signed, and no event of a registry ({why}).") from None
    return Event(delivery, kind, line, f"v{version}" if version else "", data)


def _verified(body: bytes, headers: Mapping[str, str], secret: str, now: float, tolerance: int) -> str:
    """Return the delivery's id. Raises `Refused` where anything of it does not hold."""
    if len(body) > MOST_BYTES:
        raise Refused(f"The webhook has {len(body):,} bytes; at most {MOST_BYTES:,} are read.")
    own = {str(name).lower(): str(value) for name, value in headers.items()}
    missing = [name for name in HEADERS if not own.get(name)]
    if missing:
        raise Refused(f"The webhook has no header {missing[0]}; it is not signed.")
    signed, timestamp, delivery = (own[name] for name in HEADERS)
    if not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > 12:
        raise Refused("The time of the webhook is no number of seconds.")
    wanted = signature(body, delivery, timestamp, secret).encode()
    if not any([hmac.compare_digest(one.encode(), wanted) for one in signed.split()]):
        raise Refused("The signature of the webhook is not by this secret, or its body was changed.")
    age = now - int(timestamp)
    if abs(age) > tolerance:
        when = f"{age:,.0f} s old" if age > 0 else f"of a time {-age:,.0f} s ahead"
        raise Refused(f"The webhook is {when}; at most {tolerance} s are taken. Is a clock wrong?")
    return delivery
