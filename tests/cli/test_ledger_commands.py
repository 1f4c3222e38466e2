"""The ledger on the command line: every verb once, exit codes, what is said loudly."""

from __future__ import annotations

import json
import sqlite3

import pytest

SYSTEM = "from nearest import Nearest\nsystem = Nearest\n"


@pytest.fixture
def run(here, tmp_path, monkeypatch):
    """The command line with a ledger, a key and a folder of its own; JSON is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VESTIGE_KEY", str(tmp_path / "safe" / "key"))
    monkeypatch.setenv("VESTIGE_LEDGER", "sqlite:///book.db")

    def call(*arguments, code=0):
        ended, out, err = here(*arguments)
        assert (ended or 0) == code, (out, err)
        return json.loads(out) if "--json" in arguments and not code else out + err

    assert "Key" in call("key", "new")
    assert "sqlite:///book.db" in call("ledger", "init")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "model.bin").write_text("weights")
    (tmp_path / "ids.txt").write_text("r1\nr2\nr3\n")
    return call


def test_a_request_from_receipt_to_the_end(run, tmp_path):
    assert run("key", "show").startswith("Key ")
    run("model", "add", "churn@v1", "w", "--manifest", "ids.txt", "--live")
    made = run("request", "new", "anna", "--record", "r1", "--external", "T1", "--note", "rang", "--json")
    assert made["state"] == "received" and made["id"] == "R4"
    assert "R4 is scoped" in run("request", "scope", "R4")
    extended = run("request", "extend", "R4", "--reason", "many", "--months", "1", "--json")
    assert extended["extended"] == 1
    (tmp_path / "rest.txt").write_text("r2\nr3\n")
    (tmp_path / "w" / "model.bin").rename(tmp_path / "model2.bin")
    (tmp_path / "w" / "model.bin").write_text("weights")
    run("model", "add", "churn@v2", "model2.bin", "--manifest", "rest.txt", "--parent", "churn@v1")
    assert "churn: executed" in run(
        "request", "execute", "R4", "--version", "churn@v2", "--reason", "monthly"
    )
    assert "close is for requests that are certified, monitored" in run("request", "close", "R4", code=2)
    run("model", "live", "churn@v2")
    run("model", "retire", "churn@v1")
    assert [v["state"] for v in run("model", "list", "--json")] == ["retired", "live"]
    shown = run("request", "show", "R4", "--json")
    assert [e["kind"] for e in shown["events"]][-1] == "request.executed"
    assert "R4" in run("request", "list") and "request.scoped" in run("request", "show", "R4")
    assert "The ledger holds" in run("ledger", "verify")
    assert "computed from" in run("ledger", "rebuild")
    assert run("ledger", "export", "csv").startswith("request,subject")
    assert run("ledger", "export", "dpv", "R4").count("dpv:RequestRequiredActionPerformed") == 2
    run("ledger", "export", "jsonl", "--out", "book.jsonl")
    assert len((tmp_path / "book.jsonl").read_text().splitlines()) == len(
        run("ledger", "export", "jsonl").splitlines()
    )
    assert "Erased" in run("ledger", "redact", "4")
    assert "Erased: 0 free texts" in run("ledger", "redact", "--ended-before", "2020-01-01")
    assert "Which free text" in run("ledger", "redact", code=2)
    assert "withdrawn" in run("request", "withdraw", "R4")


def test_denials_and_custody(run, tmp_path):
    (tmp_path / "r.jsonl").write_text('{"id": "r1", "x": 1}\n')
    made = run(
        "request", "new", "anna", "--record", "r1", "--content", "r.jsonl", "--custody", "escrow", "--until",
        "2999-01-01", "--json",
    )  # fmt: skip
    assert made["custody"] == "escrow"
    assert "No escrow has come to its day" in run("ledger", "expire")
    assert "There is no reason to deny" in run("request", "deny", "R2", "--reason", "lazy", code=2)
    assert run("request", "deny", "R2", "--reason", "no match", "--json")["reason"] == "no match"


def test_overdue_is_loud(run):
    run("request", "new", "anna", "--record", "r1", "--received", "2020-01-01")
    assert "OVERDUE" in run("request", "list", "--state", "overdue")
    assert "vestige: R2 is OVERDUE by" in run("request", "list")
    run("request", "withdraw", "R2")
    assert "OVERDUE" not in run("request", "list")


def test_a_version_that_brings_back_what_was_deleted_is_said(run, tmp_path):
    run("model", "add", "churn@v1", "w", "--manifest", "ids.txt", "--live")
    run("request", "new", "anna", "--record", "r1")
    run("request", "scope", "R4")
    run("request", "execute", "R4", "--how", "retire")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "model.bin").write_text("old")
    said = run("model", "add", "churn@v2", "old", "--manifest", "ids.txt", "--live")
    assert "re-opened" in run("request", "show", "R4") and "churn@v2" in said


def test_tampering_has_an_exit_code_of_its_own(run, tmp_path):
    run("request", "new", "anna", "--record", "r1")
    connection = sqlite3.connect(tmp_path / "book.db")
    connection.execute("UPDATE request SET due = '2999-01-01'")
    connection.commit()
    assert "due of R2" in run("ledger", "verify", code=3)
    run("ledger", "rebuild")
    assert run("ledger", "verify", "--json")["fault"] == ""


def test_a_plan_and_an_execution_with_a_system(run, tmp_path):
    (tmp_path / "churn.py").write_text(SYSTEM)
    run("model", "add", "churn@v1", "w", "--system", "churn.py:system", "--live")
    run("request", "new", "anna", "--record", "r1", "--record", "r2")
    run("request", "scope", "R4")
    assert "Training: about" in run("request", "plan", "R4", "--system", "churn.py:system")
    made = run("request", "execute", "R4", "--system", "churn.py:system", "--json")
    assert made["commitments"][0]["version"] == "churn@v1-R4-retrain"


def test_the_key_is_destroyed_with_a_yes_alone(run):
    assert "--yes" in run("key", "destroy", code=2)
    assert "the receipt is event 3" in run("key", "destroy", "--yes")
    assert "destroyed" in run("request", "new", "anna", code=2)
    assert "no such key" in run("key", "show", code=2)


def test_what_cannot_be_is_a_sentence(run, tmp_path):
    assert "churn@v1, are wanted" in run("model", "add", "churn", "w", "--manifest", "ids.txt", code=2)
    assert "nothing to accept" in run("ledger", "accept", "--reason", "x", code=2)
    assert "none: git tag says" in run("model", "tags", "none", code=2)
    assert "There is no export" in run("ledger", "export", "xml", code=2)
    assert "no such ledger" in run("ledger", "verify", "--ledger", "sqlite:///none.db", code=2)


def test_a_poll_of_a_folder(run, tmp_path):
    for name in ("v1", "v2"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.bin").write_text(name)
    (tmp_path / "models" / "v1" / "manifest.txt").write_text("r1\nr2\n")
    poll = ("model", "poll", "--folder", "models", "--line", "churn")
    assert "churn@v2 waits: " in run(*poll, code=4)
    (tmp_path / "models" / "v2" / "manifest.txt").write_text("r2\n")
    polled = run(*poll, "--json")
    assert [one["id"] for one in polled["added"]] == ["churn@v2"] and polled["waiting"] == []
    assert "No model version" in run(*poll)
    assert "one of them" in run("model", "poll", "--folder", "models", code=2)


def test_monitor_says_for_machines_what_it_did(run, tmp_path):
    pytest.importorskip("online_fdr")
    run("model", "add", "churn@v1", "w", "--manifest", "ids.txt", "--live")
    assert run("monitor", "churn", "--plan", "--json") == {"waiting": []}
    said = run("monitor", "churn", "--json")
    assert said["decisions"] == said["waiting"] == [] and said["budget"]["tests"] == 0


def test_several_requests_are_executed_together(run, tmp_path):
    run("model", "add", "churn@v1", "w", "--manifest", "ids.txt", "--live")
    names = [
        run("request", "new", who, "--record", f"r{k}", "--json")["id"]
        for k, who in ((1, "anna"), (2, "ben"))
    ]
    for name in names:
        run("request", "scope", name)
    (tmp_path / "rest.txt").write_text("r3\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.bin").write_text("others")
    run("model", "add", "churn@v2", "other", "--manifest", "rest.txt")
    done = run("request", "execute", *names, "--version", "churn@v2", "--json")
    assert [(one["id"], one["state"]) for one in done] == [(name, "executed") for name in names]
    assert "Missing argument" in run("request", "execute", code=2)
