"""Requests: every transition, what is idempotent, what is refused, what is due."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from books import ASKED, IDS, weights

from vestige.errors import InputError
from vestige.ledger import audits as auditing
from vestige.ledger import chain
from vestige.ledger.records import months_after
from vestige.ledger.requests import REASONS


@pytest.fixture(autouse=True)
def unsigned(monkeypatch):
    """Evidence has tests of its own."""
    monkeypatch.setattr(auditing, "_evidence", lambda *parts, **rest: {})


def test_a_request_is_received(book):
    request = book.requests.new(
        "anna", ["r2", "r1"], external="T1", source="mail", received="2026-01-31", note="hi"
    )
    assert request.state == "received" and request.id == "R2"
    assert (request.received, request.due) == ("2026-01-31", "2026-02-28")
    assert request.subject == book.key.pseudonym("subject", "anna")
    assert set(request.records) == set(book.key.pseudonyms("record", ["r1", "r2"]))
    assert book.requests.show("R2") == request
    assert request.overdue and request.days_left < -200


@pytest.mark.parametrize(
    "day, months, due",
    [("2024-01-31", 1, "2024-02-29"), ("2026-12-15", 1, "2027-01-15"), ("2026-10-31", 3, "2027-01-31")],
)
def test_a_month_is_a_month_of_the_calendar(day, months, due):
    assert months_after(date.fromisoformat(day), months).isoformat() == due


def test_the_same_external_id_is_the_same_request(book):
    first = book.requests.new("anna", ["r1"], external="T1")
    assert book.requests.new("anna", ["r1"], external="T1") == first
    assert book.requests.new("anna", external="T1") == first
    assert len(book.events()) == 2
    with pytest.raises(InputError, match="another subject or other records"):
        book.requests.new("bob", ["r1"], external="T1")
    with pytest.raises(InputError, match="another subject or other records"):
        book.requests.new("anna", ["r2"], external="T1")


def test_duplicates_are_grouped_and_not_lost(scoped):
    ledger, first = scoped
    again = ledger.requests.new("anna@example.org", ASKED, external="T2")
    assert again.duplicate_of == first and again.state == "scoped"
    assert ledger.requests.show(first).duplicates == (again.id,)
    assert len(ledger.requests.list("scoped")) == 2
    with pytest.raises(InputError, match=f"repeats {first}; scope that one"):
        ledger.requests.scope(again.id)
    assert ledger.requests.withdraw(again.id).state == "withdrawn"
    assert ledger.requests.show(first).state == "scoped"
    other = ledger.requests.new("anna@example.org", ASKED[:2])
    assert not other.duplicate_of
    ledger.requests.deny(first, "no match")
    assert not ledger.requests.new("anna@example.org", ASKED).duplicate_of


@pytest.mark.parametrize(
    "change, message",
    [
        ({"subject": " "}, "subject is empty"),
        ({"received": "2999-01-01"}, "in the future"),
        ({"received": "tomorrow"}, "a date such as"),
        ({"source": "anna@example.org"}, "no address or name"),
        ({"records": ["r1", "r1"]}, "appears twice"),
        ({"records": "r1"}, "one text"),
        ({"custody": "escrow"}, "lacks 1"),
        ({"custody": "vault"}, "There is no way to keep"),
    ],
)
def test_a_request_that_cannot_be_is_refused_and_leaves_nothing(book, change, message):
    values = {"subject": "anna", "records": ["r1"]} | change
    with pytest.raises(InputError, match=message):
        book.requests.new(values.pop("subject"), values.pop("records"), **values)
    assert len(book.events()) == 1


def test_scope_finds_the_versions_that_saw_the_records(trained, tmp_path):
    trained.models.add("churn", "v0", weights(tmp_path / "v0"), manifest=IDS[:3])
    trained.models.add("fraud", "a", weights(tmp_path / "a"), manifest=["r1", "z"], state="live")
    trained.models.add("other", "b", weights(tmp_path / "b"), manifest=["z"], state="live")
    request = trained.requests.scope(trained.requests.new("anna", ["r1", "r9"]).id)
    assert request.state == "scoped"
    assert {c.line: c.saw for c in request.commitments} == {
        "churn": ("churn@v1", "churn@v0"),
        "fraud": ("fraud@a",),
    }
    assert request.open == ("churn@v1", "fraud@a")
    with pytest.raises(InputError, match="lines churn, fraud; name one"):
        trained.requests.execute(request.id)
    assert trained.requests.scope(trained.requests.new("bob", ["nobody's"]).id).state == "not_found"


def test_scope_wants_a_version_and_records(book, trained):
    request = trained.requests.new("anna")
    with pytest.raises(InputError, match="names no records; give the system"):
        trained.requests.scope(request.id)


def test_a_subject_is_looked_for_in_the_clusters_of_a_system(trained, nearest):
    from vestige.systems import Records

    people = [f"person {k // 3}" for k in range(len(nearest.records))]
    nearest.records = Records(
        nearest.records.ids, nearest.records.labels, nearest.records.classes, cluster=people
    )
    request = trained.requests.scope(trained.requests.new("person 2").id, nearest)
    assert set(request.records) == set(trained.key.pseudonyms("record", ["r6", "r7", "r8"]))
    assert trained.requests.scope(trained.requests.new("stranger").id, nearest).state == "not_found"


def test_a_request_goes_its_way_to_the_end(executed, audits):
    ledger, request = executed
    commitment = ledger.requests.show(request).commitment()
    assert (commitment.state, commitment.version) == ("executed", "churn@v2")
    assert ledger.requests.audit(request, folder=audits["undecided"]).state == "audited"
    assert ledger.requests.show(request).commitment().verdict == "undecided"
    record = ledger.requests.certify(request)
    assert record.state == "certified" and record.commitment().evidence["conditional"]
    with pytest.raises(InputError, match="R4 is not done: churn@v1 saw its records and is live"):
        ledger.requests.close(request)
    ledger.models.live("churn@v2")
    ledger.models.retire("churn@v1")
    assert ledger.requests.show(request).state == "certified"  # nothing was kept, so nothing can be monitored
    assert ledger.requests.close(request).state == "closed"
    with pytest.raises(InputError, match="is closed, which is its end"):
        ledger.requests.withdraw(request)
    kinds = [event.kind for event in ledger.events(about=request)]
    assert kinds == [
        "request." + k
        for k in ("received", "scoped", "decided", "executed", "audited", "certified", "closed")
    ]
    assert not ledger.verify().fault


def test_what_is_kept_is_monitored_once_no_live_version_saw_the_records(executed, audits):
    ledger, request = executed
    ledger.requests.keep(request, {name: name.encode() for name in ASKED}, "supplied")
    ledger.requests.audit(request, folder=audits["undecided"])
    assert ledger.requests.certify(request).state == "certified"
    ledger.models.live("churn@v2")
    ledger.models.retire("churn@v1")
    assert ledger.requests.show(request).state == "monitored"


def test_a_version_with_the_records_opens_a_request_again(executed, audits, tmp_path):
    ledger, request = executed
    ledger.requests.audit(request, folder=audits["undecided"])
    ledger.requests.certify(request)
    ledger.models.live("churn@v2")
    ledger.models.retire("churn@v1")
    ledger.requests.close(request)
    ledger.models.add("churn", "v3", weights(tmp_path / "v3"), manifest=IDS[3:], parent="churn@v2")
    assert ledger.models.brings_back("churn@v3") == [request]
    assert ledger.requests.show(request).state == "closed"
    ledger.models.live("churn@v3")
    record = ledger.requests.show(request)
    assert record.state == "re-opened" and record.open == ("churn@v3",)
    event = ledger.events("request.reopened")[0].body
    assert event["why"] == "manifest" and event["facts"] == {"records": 3}
    ledger.requests.execute(request, version="churn@v2")
    assert ledger.requests.show(request).state == "executed"


def test_a_roll_back_opens_a_request_again(executed, audits):
    ledger, request = executed
    ledger.requests.audit(request, folder=audits["undecided"])
    ledger.requests.certify(request)
    ledger.models.live("churn@v2")
    ledger.models.retire("churn@v1")
    ledger.models.live("churn@v1")
    record = ledger.requests.show(request)
    assert (record.state, record.open) == ("re-opened", ("churn@v1",))


def test_monitoring_opens_a_request_again(executed, audits):
    ledger, request = executed
    record = ledger.requests.reopen(request, "churn", "churn@v2", "audit", {"p": 0.001})
    assert record.state == "re-opened"
    with pytest.raises(InputError, match="not opened again for churn, which is re-opened"):
        ledger.requests.reopen(request, "churn", "churn@v2", "audit")


def test_a_live_version_that_also_saw_a_scoped_request_is_added(scoped, tmp_path):
    ledger, request = scoped
    ledger.models.add("churn", "v9", weights(tmp_path / "v9"), manifest=IDS[2:], state="live")
    assert ledger.requests.show(request).open == ("churn@v1", "churn@v9")


def test_a_vestige_is_not_certified_and_is_executed_again(executed, audits, tmp_path):
    ledger, request = executed
    assert ledger.requests.audit(request, folder=audits["under"]).commitment().verdict == "under"
    with pytest.raises(InputError, match="not certified: the audit of churn@v2 says 'under'"):
        ledger.requests.certify(request)
    ledger.models.add("churn", "v3", weights(tmp_path / "v3"), manifest=IDS[6:])
    record = ledger.requests.execute(request, version="churn@v3")
    assert (record.state, record.commitment().verdict) == ("executed", "")


def test_an_audit_of_others_is_refused(executed, audits):
    ledger, request = executed
    other = ledger.requests.scope(ledger.requests.new("bob", ["r50"]).id).id
    ledger.models.add("churn", "v4", weights(ledger.key_path.parent / "v4"), manifest=IDS[:50])
    ledger.requests.execute(other, version="churn@v4")
    with pytest.raises(InputError, match="1 of R9 are not among them"):
        ledger.requests.audit(other, folder=audits["undecided"])
    assert ledger.requests.show(other).failed == "audit churn"
    assert ledger.requests.show(other).state == "executed"
    with pytest.raises(InputError, match="give the system that asks it, or the folder of its audit"):
        ledger.requests.audit(request)


def test_retiring_every_version_is_a_way(scoped):
    ledger, request = scoped
    record = ledger.requests.execute(request, how="retire", reason="nobody uses it")
    assert record.state == "executed" and record.open == ()
    with pytest.raises(InputError, match="certify it"):
        ledger.requests.audit(request)
    assert ledger.requests.certify(request).state == "certified"
    assert ledger.requests.close(request).state == "closed"


def test_waiting_is_a_decision_that_leaves_it_open(scoped, tmp_path):
    ledger, request = scoped
    with pytest.raises(InputError, match="a day to come"):
        ledger.requests.execute(request, how="wait", until="2020-01-01")
    record = ledger.requests.execute(request, how="wait", until="2999-01-01", reason="the monthly training")
    assert record.state == "scoped" and record.commitment().plan == {"until": "2999-01-01"}
    ledger.models.add("churn", "v2", weights(tmp_path / "v2"), manifest=IDS[6:])
    assert ledger.requests.execute(request, version="churn@v2").state == "executed"


def test_a_version_that_saw_the_records_is_no_way(scoped, tmp_path):
    ledger, request = scoped
    ledger.models.add("fraud", "v1", weights(tmp_path / "f"), manifest=["x"])
    for version, why in (("churn@v1", "saw 6 of the records"), ("fraud@v1", "of the line fraud")):
        with pytest.raises(InputError, match=why):
            ledger.requests.execute(request, version=version)
    record = ledger.requests.show(request)
    assert record.state == "scoped" and record.failed == "execute churn"


def test_denials_have_a_reason_of_the_list(trained):
    for reason in REASONS:
        request = trained.requests.new(reason, ["r1"])
        record = trained.requests.deny(request.id, reason, note="because")
        assert (record.state, record.reason) == ("denied", reason)
    with pytest.raises(InputError, match="There is no reason to deny"):
        trained.requests.deny(trained.requests.new("x", ["r1"]).id, "no time")


def test_what_was_done_is_not_denied(executed):
    ledger, request = executed
    with pytest.raises(InputError, match="is executed; deny is for requests that are received, scoped"):
        ledger.requests.deny(request, "other")


def test_a_request_is_extended_once_within_its_month(book, monkeypatch):
    request = book.requests.new("anna", ["r1"], received="2026-10-31").id
    monkeypatch.setattr(chain, "now", lambda: datetime(2026, 11, 30, tzinfo=UTC))
    for reason, months in (("", 1), ("x", 3), ("x", 0)):
        with pytest.raises(InputError, match="1 or 2 months and with a reason"):
            book.requests.extend(request, reason, months)
    assert book.requests.extend(request, "many models").due == "2027-01-31"
    with pytest.raises(InputError, match="extended by 2 months already"):
        book.requests.extend(request, "again")
    late = book.requests.new("bob", ["r1"], received="2026-10-29").id
    with pytest.raises(InputError, match="was due on 2026-11-29"):
        book.requests.extend(late, "late")
    assert book.requests.show(late).overdue


def test_requests_are_listed_by_due_date(scoped):
    ledger, request = scoped
    old = ledger.requests.new("old", ["r7"], received="2026-01-01").id
    assert [r.id for r in ledger.requests.list()] == [old, request]
    assert [r.id for r in ledger.requests.list(line="churn")] == [request]
    assert [r.id for r in ledger.requests.list(limit=1)] == [old]
    ledger.requests.withdraw(old)
    assert [r.id for r in ledger.requests.list("open")] == [request]
    assert not ledger.requests.show(old).overdue
    assert [c.request for c in ledger.requests.commitments("churn")] == [request]
    assert ledger.requests.commitments("fraud") == []


def test_what_is_not_there_is_said(book):
    for call in (
        lambda: book.requests.show("R99"),
        lambda: book.requests.withdraw("R99"),
        lambda: book.models.show("churn@v1"),
    ):
        with pytest.raises(InputError, match="There is no"):
            call()


@pytest.mark.parametrize("verb", ["execute", "audit", "certify", "close"])
def test_verbs_out_of_turn_are_refused_and_leave_nothing(trained, verb):
    request = trained.requests.new("anna", ["r1"]).id
    before = len(trained.events())
    with pytest.raises(InputError):
        getattr(trained.requests, verb)(request)
    assert len(trained.events()) == before
