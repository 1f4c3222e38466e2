"""Webhooks: what is signed is believed, and nothing else."""

from __future__ import annotations

import json

import pytest

from vestige.errors import InputError
from vestige.ledger.webhooks import Refused, mlflow_event, signature

KNOWN = "v1,DpW7MBePqzR4FFvCDgjRv+osSI9PhGE6r+QO9dFUqxU="
SECRET, NOW = "a secret", 1_796_000_000
BODY = json.dumps(
    {
        "entity": "model_version", "action": "created", "timestamp": "2026-11-30T00:00:00+00:00",
        "data": {"name": "churn", "version": "3", "source": "models:/m-1", "run_id": "r1", "tags": {}, "description": None},
    }
).encode()  # fmt: skip


def headers(body=BODY, delivery="d-1", at=NOW, secret=SECRET):
    return {
        "X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": str(at),
        "X-MLflow-Signature": signature(body, delivery, str(at), secret),
    }  # fmt: skip


def test_what_is_signed_is_believed():
    event = mlflow_event(BODY, headers(), SECRET, now=NOW + 3)
    assert (event.id, event.kind, event.line, event.version) == (
        "d-1",
        "model_version.created",
        "churn",
        "v3",
    )
    assert event.data["run_id"] == "r1"
    lower = {name.lower(): value for name, value in headers().items()}
    assert mlflow_event(BODY, lower, SECRET, now=NOW) == event
    two = headers() | {"X-MLflow-Signature": "v1,bm8= " + headers()["X-MLflow-Signature"]}
    assert mlflow_event(BODY, two, SECRET, now=NOW) == event, "a secret is being changed: two signatures"
    model = json.dumps(
        {"entity": "registered_model", "action": "created", "data": {"name": "churn"}}
    ).encode()
    assert mlflow_event(model, headers(model), SECRET, now=NOW).version == ""


def test_the_signature_is_a_known_one():
    """Computed by `openssl dgst -sha256 -hmac secret -binary | base64` of "d1.1796000000.{}"."""
    assert signature(b"{}", "d1", "1796000000", "secret") == KNOWN


@pytest.mark.parametrize(
    ("body", "own", "secret", "now", "why"),
    [
        (BODY + b" ", headers(), SECRET, NOW, "not by this secret"),
        (BODY, headers(), "another", NOW, "not by this secret"),
        (BODY, headers(secret="another"), SECRET, NOW, "not by this secret"),
        (BODY, headers() | {"X-MLflow-Delivery-Id": "d-2"}, SECRET, NOW, "not by this secret"),
        (BODY, headers() | {"X-MLflow-Timestamp": str(NOW + 1)}, SECRET, NOW, "not by this secret"),
        (BODY, headers() | {"X-MLflow-Timestamp": "soon"}, SECRET, NOW, "no number of seconds"),
        (BODY, headers() | {"X-MLflow-Signature": ""}, SECRET, NOW, "it is not signed"),
        (BODY, {}, SECRET, NOW, "has no header x-mlflow-signature"),
        (BODY, headers(), SECRET, NOW + 301, "301 s old"),
        (BODY, headers(), SECRET, NOW - 400, "400 s ahead"),
        (b" " * (2**20 + 1), headers(), SECRET, NOW, "at most 1,048,576 are read"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused(body, own, secret, now, why):
    with pytest.raises(Refused, match=why):
        mlflow_event(body, own, secret, now=now)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"entity": "x"}', b"\xff", b'{"entity": 1, "action": 2, "data": []}']
)
def test_what_is_signed_and_no_event_is_told(body):
    with pytest.raises(InputError, match="signed, and no event of a registry"):
        mlflow_event(body, headers(body), SECRET, now=NOW)
    with pytest.raises(InputError, match="The secret is empty"):
        mlflow_event(BODY, headers(), "", now=NOW)
