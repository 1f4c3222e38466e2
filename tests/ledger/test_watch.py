"""New versions against open commitments: decided once, written together, by a budget that a restart continues."""

from __future__ import annotations

import pytest

from vestige import InputError
from vestige.ledger import watch

pytest.importorskip("online_fdr")


def test_a_version_that_bears_a_trace_re_opens(watched, audits):
    ledger, request = watched
    assert [(c.request, v.id) for c, v in watch.pairs(ledger, "churn")] == [
        (request, "churn@v3"),
        (request, "churn@v4"),
    ]

    def audit(commitment, version):
        return audits["under" if version.name == "v4" else "undecided"]

    result = watch.monitor(ledger, "churn", audit)
    assert [decision.outcome for decision in result.decisions] == ["kept", "reopened"]
    assert result.budget.tests == 2 and result.budget.reopened == 1 and result.waiting == ()
    commitment = ledger.requests.show(request).commitment("churn")
    assert commitment.state == "re-opened" and "churn@v4" in commitment.saw
    cells = {"churn@v1": "saw", "churn@v3": "kept", "churn@v4": "reopened"}
    assert watch.matrix(ledger, "churn") == {request: cells}
    assert ledger.verify(files=False).fault == ""


def test_what_was_decided_is_not_decided_again(watched, audits):
    ledger, request = watched
    first = watch.monitor(ledger, "churn", lambda commitment, version: audits["undecided"])
    events = ledger.events()
    again = watch.monitor(ledger, "churn", lambda commitment, version: pytest.fail("audited again"))
    assert again.decisions == () and again.budget == first.budget and ledger.events() == events
    assert first.reopened == () and ledger.requests.show(request).commitment("churn").state in watch.WATCHED


def test_one_pair_at_a_time_is_the_same_budget(watched, audits):
    """As if it were stopped after each: what has no audit waits, and the budget goes on."""
    ledger, _ = watched
    one = watch.monitor(ledger, "churn", lambda c, v: audits["undecided"] if v.name == "v3" else None)
    assert one.waiting == ((one.decisions[0].commitment, "churn@v4"),) and one.budget.tests == 1
    two = watch.monitor(ledger, "churn", lambda c, v: audits["undecided"])
    assert two.budget.tests == 2 and two.decisions[0].level < one.decisions[0].level


def test_an_audit_of_other_records_is_refused(watched, audits, tmp_path):
    from vestige import Audit, audit

    signals = Audit.load(audits["undecided"]).signals
    other = audit(signals.with_(ids=[f"y{k}" for k in range(len(signals))]), ["random"])
    ledger, request = watched
    with pytest.raises(InputError, match="6 of the request are not among them"):
        watch.monitor(ledger, "churn", lambda commitment, version: other)


def test_the_command(watched, audits, tmp_path, monkeypatch, capsys):
    import shutil
    import sys

    from vestige.cli import main

    ledger, request = watched

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["vestige", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    where = ("monitor", "churn", "--ledger", ledger.engine.url.render_as_string(), "--key", ledger.key_path)
    pattern = ("--audits", f"{tmp_path}/found/{{version}}/{{request}}")
    code, out = call(*where, "--plan")
    assert code == 0 and f"{request} under churn@v3" in out
    code, out = call(*where, *pattern)
    assert code == 4 and "churn@v3: waits for an audit" in out
    for version, kind in (("v3", "undecided"), ("v4", "under")):
        shutil.copytree(audits[kind], tmp_path / "found" / version / request)
    code, out = call(*where, *pattern)
    assert code == 1 and "2 tests by elond" in out
    assert f"{request} under churn@v3: " in out and f"{request} under churn@v4: Re-opened" in out
    assert call(*where, *pattern)[0] == 0
    assert call(*where, "--audits", "{nothing}")[0] == 0  # nothing is left to look for
