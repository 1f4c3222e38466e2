"""Exports: the record of processing, and one request in the terms of DPV."""

from __future__ import annotations

import csv
import io
import json

import pytest

from vestige.errors import InputError
from vestige.ledger.export import COLUMNS, STATUS, of_request


def test_the_record_of_processing_has_a_line_a_request(executed):
    ledger, request = executed
    ledger.requests.new("bob, the other", ["r9"], source="phone")
    rows = list(csv.DictReader(io.StringIO("".join(ledger.export("csv")))))
    assert list(rows[0]) == list(COLUMNS) and len(rows) == 2
    first = next(row for row in rows if row["request"] == request)
    assert (first["state"], first["models"], first["versions"]) == ("executed", "churn", "churn@v2")
    assert first["records"] == "6" and first["extended_months"] == "0"


def test_a_request_in_the_terms_of_dpv(executed, audits):
    ledger, request = executed
    record = json.loads("".join(ledger.export("dpv", request)))
    assert record["dpv:hasStatus"] == {"@id": "dpv:RequestRequiredActionPerformed"}
    assert record["dpv:hasProcess"][0]["@id"] == f"urn:vestige:commitment:{request}:churn"
    ledger.requests.withdraw(request)
    assert "dpv:hasStatus" not in of_request(ledger.requests.show(request))
    assert set(STATUS) | {"withdrawn"} == {
        "received", "scoped", "executed", "audited", "certified", "monitored", "closed", "re-opened", "denied",
        "withdrawn", "not_found",
    }  # fmt: skip


def test_what_cannot_be_exported_is_said(book):
    for arguments, message in (
        (("pdf",), "no export 'pdf'"),
        (("dpv",), "Which request"),
        (("dpv", "R9"), "no request"),
    ):
        with pytest.raises(InputError, match=message):
            list(book.export(*arguments))
