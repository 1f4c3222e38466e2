"""Commitments over versions: what each audit said, as a table and as a page."""

from __future__ import annotations

import json
import sys

import pytest

from vestige.ledger.views import Look

pytest.importorskip("online_fdr")


@pytest.fixture
def reopened(watched, audits):
    """A request that is certified with v2, kept by v3 and opened again by v4."""
    ledger, request = watched
    ledger.monitor("churn", lambda one, version: audits["under" if version.name == "v4" else "undecided"])
    return ledger, request


def test_each_version_has_what_its_audit_said(reopened):
    ledger, request = reopened
    overview = ledger.overview("churn")
    looks = overview.looks[request]
    assert overview.versions == ("churn@v1", "churn@v2", "churn@v3", "churn@v4")
    assert [looks[name].outcome for name in overview.versions] == ["saw", "undecided", "kept", "reopened"]
    own = ledger.events("request.audited", request)[0].body
    assert (looks["churn@v2"].completeness, looks["churn@v2"].low) == (own["completeness"], own["low"])
    assert looks["churn@v4"].high < 0.5 < looks["churn@v3"].completeness
    assert overview.records == {request: 6} and overview.states == {request: "re-opened"}


def test_a_request_that_was_denied_says_so(scoped):
    ledger, request = scoped
    ledger.requests.deny(request, "no match")
    assert ledger.overview("churn").states == {request: "denied"}


def test_the_table_and_the_page_show_it(reopened):
    ledger, request = reopened
    head, row, *_ = ledger.overview("churn").text().splitlines()
    assert head.split() == ["request", "records", "1", "2", "3", "4", "state"]
    shares = row.replace(" %", "%").split()
    assert shares[:3] == [request, "6", "saw"] and shares[5].endswith("!") and shares[6] == "re-opened"
    assert not shares[3].endswith("!") and not shares[4].endswith("!")
    page = ledger.overview("churn").page().html()
    assert "Opened again" in page and "1 times" not in page and " to " in page and "r0" not in page


def test_a_missing_figure_is_a_dash():
    assert Look("kept", None, None, None).text == "–" and Look("kept", float("nan")).interval == ""
    assert Look("reopened", 0.08, -0.1, 0.3).text == "8 %!" and Look("saw").text == "saw"


def test_the_command(reopened, tmp_path, monkeypatch, capsys):
    from vestige.cli import main

    ledger, request = reopened
    place = ["--ledger", ledger.engine.url.render_as_string(), "--key", str(ledger.key_path)]
    for options in ([], ["--json"], ["--out", str(tmp_path / "page.html")]):
        monkeypatch.setattr(sys, "argv", ["vestige", "model", "overview", "churn", *place, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None)
        out = capsys.readouterr().out
        if options == ["--json"]:
            assert json.loads(out)["looks"][request]["churn@v4"]["outcome"] == "reopened"
        elif not options:
            assert request in out and "!" in out
    assert "<table" in (tmp_path / "page.html").read_text(encoding="utf-8")
