"""Kinds of tampering: each is named by its file or field, none passes, and rounding is not called tampering."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file
from tamper import put

import vestige
from vestige import Audit, InputError, evidence
from vestige.evaluation.retained import COLUMNS
from vestige.evidence import disclosure
from vestige.store import file_hash

FIELDS = {
    "_type": ("_type", "https://in-toto.io/Statement/v0"),
    "the predicate": ("predicateType", "https://other.example/v1"),
    "a subject's name": ("subject.0.name", "other.bin"),
    "a subject's digest": ("subject.0.digest.sha256", "1" * 64),
    "the request": ("predicate.request.pseudonym", "p-other"),
    "a date": ("predicate.request.received", "2026-09-01T00:00:00Z"),
    "the scope": ("predicate.scope.versions.0.saw", False),
    "the method": ("predicate.action.method", "scrub"),
    "an option": ("predicate.action.options.rounds", 41),
    "the cost": ("predicate.action.cost.seconds", 0.1),
    "the recipe": ("predicate.action.recipe", "f" * 64),
    "the outcome": ("predicate.audit.verdict.outcome", "unlearned!"),
    "a p-value": ("predicate.audit.verdict.p_under", 0.99),
    "the completeness": ("predicate.audit.verdict.completeness", 1.0),
    "the error rate": ("predicate.audit.verdict.alpha", 0.01),
    "the power": ("predicate.audit.verdict.power.0.probability", 1.0),
    "the sharpness": ("predicate.audit.sharpness.influence", 0.01),
    "a control": ("predicate.audit.controls.0.passed", None),
    "a control's figure": ("predicate.audit.controls.0.value", 0.123),
    "a measure": ("predicate.audit.measures.1.preset", "paper"),
    "a score": ("predicate.audit.measures.1.scores.mean", 9.0),
    "a negative result": ("predicate.audit.negative_results", [{"what": "a", "reason": "b"}]),
    "the records' root": ("predicate.audit.records.root", "2" * 64),
    "an array": ("predicate.audit.arrays.unlearned", "3" * 64),
    "the seed": ("predicate.audit.seed", 1),
    "a limit": ("predicate.limits", []),
    "the validity": ("predicate.valid_until", "2099-01-01T00:00:00Z"),
    "the assurance": ("predicate.assurance", "third-party"),
    "the software": ("predicate.software.vestige", "9"),
}


def field_of(name):
    """The field that is named: three levels deep, and lists as a whole."""
    return ".".join(name.split(".")[:1] if name.startswith("subject") else name.split(".")[:3])


def test_what_was_not_touched_holds(case):
    result = case.verify(signals=True)
    assert result.holds and result.exit_code == 0 and result.findings == ()
    assert result.summary().startswith("It holds.")


@pytest.mark.parametrize("kind", FIELDS)
def test_a_changed_field_is_named(case, kind):
    name, value = FIELDS[kind]
    case.change(name, value)
    result = case.verify()
    assert {finding.where for finding in result.findings} == {field_of(name)} and result.exit_code == 3
    assert result.statement is None and "not what was signed" in result.summary()


def test_an_added_field_is_named(case):
    case.change("predicate.more", 1)
    assert [finding.where for finding in case.verify().findings] == ["predicate.more"]


ENVELOPES = {
    "the signature": (lambda e: e["signatures"][0].update(sig="A" * 86 + "=="), "signatures[0].sig", 3),
    "no signature": (lambda e: e.update(signatures=[]), "signatures", 3),
    "the key's name": (lambda e: e["signatures"][0].update(keyid="0" * 64), "signatures", 3),
    "a repeated signature": (lambda e: e["signatures"].append(e["signatures"][0]), "signatures[1]", 3),
    "the payload type": (lambda e: e.update(payloadType="application/json"), "payloadType", 3),
    "the type of an index": (
        lambda e: e.update(payloadType="application/vnd.vestige.index+json"),
        "payloadType",
        3,
    ),
    "no payload": (lambda e: e.pop("payload"), "payload", 3),
    "half a payload": (lambda e: e.update(payload=e["payload"][:400]), "payload", 3),
    "no base64": (lambda e: e.update(payload="%"), "payload", 3),
    "the index in its place": (lambda e: e.update(e["index"]), "payloadType", 3),
}


@pytest.mark.parametrize("kind", ENVELOPES)
def test_a_damaged_envelope_is_named(case, kind):
    change, where, code = ENVELOPES[kind]
    envelope = case.envelope
    change(envelope)
    case.envelope = envelope
    result = case.verify()
    assert (result.findings[0].where, result.exit_code) == (where, code), result.summary()


def test_without_its_index_a_changed_payload_is_still_refused(case):
    case.change("predicate.action.method", "scrub")
    envelope = case.envelope
    del envelope["index"]
    case.envelope = envelope
    (finding,) = case.verify().findings
    assert finding.kind == "tampered" and finding.where == "signatures[0].sig"


def test_another_key(case):
    (finding,) = case.verify("other.pub").findings
    assert finding.kind == "tampered" and "none is by the pinned key" in finding.what
    case.sign_again(case.statement, "other")
    assert case.verify().exit_code == 3 and case.verify("other.pub").holds


def test_a_file_that_is_none(case):
    for text in ("", "{", "[]", '{"a":1,"a":2}'):
        case.path.write_text(text)
        result = case.verify()
        assert result.exit_code == 2 and str(result.findings[0]).count(case.path.name) == 1


# what the key's holder signs, and is not right


@pytest.mark.parametrize(("name", "value", "told"), [
    ("subject.0.name", "../model.bin", "leaves the folder"), ("subject.0.name", "/etc/passwd", "leaves the folder"),
    ("subject.0.name", "a/../../b", "leaves the folder"), ("subject.0.name", "C:\\b", "leaves the folder"),
    ("subject.0.name", "", "leaves the folder"), ("subject", [], "subject"),
    ("predicate.audit.verdict.outcome", "fine", "outcome"), ("predicate.more", 1, "more"),
    ("predicate.audit.verdict.more", 1, "no key 'more'"),
    ("predicate.assurance", "certain", "assurance"), ("predicate.issued", "yesterday", "issued"),
    ("predicate.audit.records.root", "short", "root"), ("_type", "https://in-toto.io/Statement/v0", "type"),
])  # fmt: skip
def test_a_signed_statement_of_another_schema(case, name, value, told):
    statement = case.statement
    put(statement, name, value)
    case.sign_again(statement)
    result = case.verify()
    assert result.exit_code == 2 and result.findings[0].where == "schema" and told in result.findings[0].what


def test_another_predicate(case):
    statement = case.statement
    statement["predicateType"] = "https://ours.example/audit/v1"
    case.sign_again(statement)
    assert [finding.where for finding in case.verify().faults] == ["predicateType"]
    assert case.verify(predicate_type="https://ours.example/audit/v1").holds


def test_validity(case):
    end = case.verify().statement.predicate.valid_until
    assert case.verify(now=end).holds
    result = case.verify(now=end + timedelta(seconds=1))
    assert (result.findings[0].kind, result.findings[0].where, result.exit_code) == (
        "expired",
        "predicate.valid_until",
        1,
    )
    early = case.verify(now=end - timedelta(days=400))
    assert early.findings[0].where == "predicate.issued" and early.exit_code == 2


# files


def test_changed_missing_and_swapped_weights(case):
    (case.weights / "model.bin").write_bytes(b"weightz")
    (finding,) = case.verify().faults
    assert (finding.kind, finding.where) == ("tampered", "model.bin")
    (case.weights / "model.bin").write_bytes(b"head")
    (case.weights / "inner" / "head.bin").write_bytes(b"weights")
    assert {finding.where for finding in case.verify().faults} == {"inner/head.bin", "model.bin"}
    (case.weights / "model.bin").unlink()
    assert ("model.bin", "the file is missing") in [(f.where, f.what) for f in case.verify().faults]


def test_a_link_that_leaves_the_folder(case, tmp_path):
    (tmp_path / "outside").write_bytes(b"weights")
    (case.weights / "model.bin").unlink()
    (case.weights / "model.bin").symlink_to(tmp_path / "outside")
    result = case.verify()
    assert result.exit_code == 3 and "leaves the folder" in result.findings[0].what


def test_a_file_beside_the_subjects_is_told(case):
    (case.weights / "more.bin").write_bytes(b"")
    result = case.verify()
    assert result.holds and result.findings[0].where == "more.bin"


# signals


def reseal(folder):
    """Make the seals of a changed audit fit again, as a tamperer would."""
    signals = folder / "signals"
    manifest = json.loads((signals / "signals.json").read_text())
    manifest["sha256"] = {name: file_hash(signals / name) for name in manifest["sha256"]}
    (signals / "signals.json").write_text(json.dumps(manifest))
    seal = json.loads((folder / "audit.json").read_text())
    seal["sha256"] = {name: file_hash(folder / name) for name in seal["sha256"]}
    (folder / "audit.json").write_text(json.dumps(seal))


def change_array(folder, name, change):
    path = folder / "signals" / "arrays.safetensors"
    arrays = load_file(path)
    arrays[name] = change(arrays[name])
    save_file(arrays, path)
    reseal(folder)


def change_scores(folder, change):
    path = folder / "scores.parquet"
    scores = pd.read_parquet(path)
    change(scores)
    scores.to_parquet(path, index=False)
    reseal(folder)


def test_a_changed_file_of_the_audit(case):
    path = case.folder / "scores.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"0")
    result = case.verify(signals=True)
    assert result.exit_code == 3 and "scores.parquet" in result.findings[0].what


def test_a_changed_array_under_a_new_seal(case):
    def change(array):
        array = array.copy()
        array[0] = -array[0]
        return array

    change_array(case.folder, "unlearned", change)
    result = case.verify(signals=True)
    assert result.exit_code == 3 and result.findings[0].where == "unlearned"


def test_an_array_that_was_left_out_or_added(case):
    path = case.folder / "signals" / "arrays.safetensors"
    arrays = load_file(path)
    original = arrays.pop("original")
    save_file(arrays, path)
    reseal(case.folder)
    result = case.verify(signals=True)
    assert [(f.where, f.what) for f in result.findings] == [
        ("original", "it is missing")
    ] and result.exit_code == 3
    save_file({**arrays, "original": original, "retrained": original[None]}, path)
    reseal(case.folder)
    assert [f.where for f in case.verify(signals=True).findings] == ["retrained"]


@pytest.mark.parametrize(("column", "where"), [("role", "role"), ("label", "labels"), ("id", "ids")])
def test_changed_rows(case, column, where):
    path = case.folder / "signals" / "rows.parquet"
    rows = pd.read_parquet(path)
    values = rows[column].to_numpy().copy()
    values[0], values[-1] = values[-1], values[0]
    rows[column] = values
    if column == "label":
        rows.loc[0, "label"] = (rows["label"].iloc[0] + 1) % 3
    rows.to_parquet(path, index=False)
    reseal(case.folder)
    result = case.verify(signals=True)
    assert where in [finding.where for finding in result.findings] and result.exit_code == 3


def test_a_changed_score(case):
    change_scores(
        case.folder, lambda scores: scores.__setitem__("score", scores["score"] + (scores.index == 700))
    )
    result = case.verify(signals=True)
    label = Audit.load(case.folder).scores["measure"].iloc[700]
    assert result.exit_code == 3 and result.findings[0].where == f"scores/{label}"


def test_a_changed_answer_of_a_record(case):
    def change(scores):
        answers = scores["verdict"].astype(str).to_numpy(dtype=object, copy=True)
        answers[0] = "under"
        scores["verdict"] = answers

    change_scores(case.folder, change)
    result = case.verify(signals=True)
    assert (result.findings[0].where, result.exit_code) == ("verdicts", 3)


def change_retained(folder, change):
    path = folder / "retained.parquet"
    table = pd.read_parquet(path)
    change(table)
    table.to_parquet(path, index=False)
    reseal(folder)


def change_metrics(folder, change):
    path = folder / "metrics.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    reseal(folder)


def turned(column):
    """Give the first retained record another value."""

    def change(table):
        values = table[column].to_numpy(copy=True)
        other = {"id": "nobody", "fall": 9.0, "exposed": True, "damaged": True}
        values[0] = other.get(column, 0.5)
        table[column] = values

    return change


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_column_of_retained_records(case, column):
    change_retained(case.folder, turned(column))
    result = case.verify(signals=True)
    assert (result.findings[0].where, result.exit_code) == (f"retained/{column}", 3), result.summary()


def test_changed_rows_of_retained_records(case):
    path = case.folder / "retained.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path, index=False)
    reseal(case.folder)
    result = case.verify(signals=True)
    assert "retained/id" in {finding.where for finding in result.faults} and result.exit_code == 3


@pytest.mark.parametrize(("change", "what"), [
    (lambda record: record["retained"].update(n=7), "not what was signed"),
    (lambda record: record["retained"]["damaged"].update(named=77), "not what was signed"),
    (lambda record: record["retained"]["exposed"].update(control=5), "not what was signed"),
    (lambda record: record.update(retained=None), "missing"),
])  # fmt: skip
def test_changed_counts_of_retained_records(case, change, what):
    change_metrics(case.folder, change)
    result = case.verify(signals=True)
    faults = {finding.where: finding.what for finding in result.faults}
    assert what in faults["retained/effects"] and result.exit_code == 3


def test_a_table_of_retained_records_that_its_signals_do_not_bear(case):
    """Its holder changed it before it was signed: computed again it comes out otherwise, and where is named."""
    change_retained(case.folder, turned("damaged"))
    change_retained(case.folder, turned("p_before"))
    change_metrics(case.folder, lambda record: record["retained"]["damaged"].update(named=77, share=0.385))
    evidence.certify(case.folder, key=case.folder / "signer", weights=case.weights)
    result = case.verify(signals=True)
    assert {finding.kind for finding in result.faults} == {"differs"} and result.exit_code == 1
    assert [finding.where for finding in result.faults] == [
        "metrics.json: retained.damaged.named",
        "metrics.json: retained.damaged.share",
        "retained.parquet: p_before",
        "retained.parquet: damaged",
    ], result.summary()


def test_other_retained_records_than_the_signals_hold(case):
    change_retained(case.folder, turned("id"))
    evidence.certify(case.folder, key=case.folder / "signer", weights=case.weights)
    (finding,) = case.verify(signals=True).faults
    assert (finding.kind, finding.where) == ("differs", "retained.parquet: id")


def test_a_rounded_table_of_retained_records_differs_and_is_not_tampered(case):
    change_retained(case.folder, lambda table: table.__setitem__("fall", table["fall"].round(7)))
    result = case.verify(signals=True)
    assert [(f.kind, f.where) for f in result.findings] == [("differs", "retained/fall")], result.summary()


def test_an_audit_in_memory_and_its_folder_have_one_table_of_retained_records(case, tmp_path):
    """One that was not looked at, and its reason, are signed as well."""
    signals = Audit.load(case.folder).signals
    for own in (signals, signals.without("original", "calibration", "shadow_train")):
        audit, folder = vestige.audit(own, ["random"]), tmp_path / f"{own.original is None}"
        evidence.certify(audit, folder / "evidence", key=case.folder / "signer", weights=case.weights)
        audit.save(folder)
        case.path, case.signals = folder / "evidence" / "evidence.json", folder
        assert not [f for f in case.verify(signals=True).findings if "retained" in f.where]
        assert any(name.startswith("retained/") for name in case.statement["predicate"]["audit"]["arrays"])


def test_evidence_of_an_earlier_version_says_that_retained_records_are_not_covered(case):
    statement = case.statement
    arrays = statement["predicate"]["audit"]["arrays"]
    put(
        statement,
        "predicate.audit.arrays",
        {k: v for k, v in arrays.items() if not k.startswith("retained/")},
    )
    case.sign_again(statement)
    result = case.verify(signals=True)
    (finding,) = result.findings
    assert result.holds and (finding.kind, finding.where) == ("unchecked", "retained.parquet")


def test_signals_alone_say_where_the_table_of_retained_records_is_another(case):
    change_retained(case.folder, turned("damaged"))
    evidence.certify(case.folder, key=case.folder / "signer", weights=case.weights)
    case.signals = case.folder / "signals"
    result = case.verify(signals=True)
    (finding,) = result.findings
    assert result.holds and finding.where == "retained.parquet" and "not bit for bit" in finding.what


def test_a_statement_that_its_signals_do_not_bear(case):
    """Its holder signed other figures than the audit's: each is named, and differs."""
    statement = case.statement
    put(statement, "predicate.audit.verdict.p_under", 0.9999)
    put(statement, "predicate.audit.verdict.completeness", 0.5)
    put(statement, "predicate.audit.measures.1.scores.mean", 3.0)
    put(statement, "predicate.audit.records.root", "a" * 64)
    case.sign_again(statement)
    result = case.verify(signals=True)
    assert {finding.kind for finding in result.findings} == {"differs"} and result.exit_code == 1
    names = [finding.where.removeprefix("predicate.audit.") for finding in result.findings]
    assert names == [
        "verdict.p_under",
        "verdict.completeness",
        "records",
        f"measures.{statement['predicate']['audit']['measures'][1]['label']}.mean",
    ]


def test_figures_that_differ_say_which_version_measured(case):
    statement = case.statement
    put(statement, "predicate.audit.verdict.completeness", 0.5)
    put(statement, "predicate.software.vestige", "0.0.1")
    case.sign_again(statement)
    findings = case.verify(signals=True).findings
    assert [finding.kind for finding in findings] == [
        "differs",
        "unchecked",
    ] and "0.0.1 measured" in findings[1].what


def test_another_salt(case):
    path = case.folder / "evidence" / disclosure.FILE
    path.write_text(json.dumps({"salt": "0" * 64}))
    assert case.verify(signals=True).exit_code == 3
    path.write_text(json.dumps({"salt": "0"}))
    with pytest.raises(InputError, match="no salt"):
        case.verify(signals=True)
    path.unlink()
    with pytest.raises(InputError, match=r"disclosure\.json"):
        case.verify(signals=True)


# rounding


def test_rounded_arrays_differ_and_are_not_tampered(case):
    change_array(case.folder, "unlearned", lambda a: np.round(a.astype(np.float64), 6).astype(a.dtype))
    result = case.verify(signals=True)
    assert {finding.kind for finding in result.findings} == {"differs"}, result.summary()
    assert result.exit_code == 1 and "within the tolerance" in result.summary()


def test_rounded_scores_differ_and_are_not_tampered(case):
    change_scores(case.folder, lambda scores: scores.__setitem__("score", scores["score"].round(7)))
    result = case.verify(signals=True)
    assert {finding.kind for finding in result.findings} == {"differs"}, result.summary()


@pytest.mark.parametrize(("off", "holds"), [(1e-9, True), (1e-2, False)])
def test_another_machine_rounds_in_another_way(case, monkeypatch, off, holds):
    from vestige.evidence import recompute as module

    real = module.audit_signals

    def elsewhere(*args, **options):
        audit = real(*args, **options)
        audit.scores["score"] *= 1 + off
        return audit

    monkeypatch.setattr(module, "audit_signals", elsewhere)
    result = case.verify(signals=True)
    assert result.holds is holds and {f.kind for f in result.findings} <= {"differs"}


# signals alone, pages, proofs


def test_signals_without_their_audit(case, tmp_path):
    shutil.copytree(case.folder / "signals", tmp_path / "signals")
    case.signals = tmp_path / "signals"
    assert case.verify(signals=True).holds
    case.signals = case.weights
    with pytest.raises(InputError, match="neither an audit nor signals"):
        case.verify(signals=True)


def test_a_changed_page(case):
    case.path = case.path.with_name("evidence.html")
    assert case.verify().holds
    text = case.path.read_text()
    case.path.write_text(text.replace("p-7f3a", "p-0000"))
    result = case.verify()
    assert (result.findings[0].where, result.exit_code) == ("evidence.html", 3)
    case.path.write_text(text.replace('id="evidence"', 'id="other"'))
    assert case.verify().exit_code == 2


def test_a_proof_of_one_record(case, tmp_path):
    path = tmp_path / "proof.json"
    proof = evidence.prove(case.folder, "subject-00007@example.org")
    assert set(proof) == {"record", "verdict", "salt", "index", "size", "path"}
    path.write_text(json.dumps(proof))
    assert case.verify(proof=path).holds
    other = "under" if proof["verdict"] != "under" else "cleared"
    wrong = [("verdict", other), ("record", "subject-00008@example.org"), ("salt", "0" * 64), ("index", proof["index"] ^ 1),
             ("size", 5), ("path", proof["path"][:-1]), ("path", "x"), ("verdict", "fine"), ("index", "0")]  # fmt: skip
    for name, value in wrong:
        path.write_text(json.dumps({**proof, name: value}))
        result = case.verify(proof=path)
        assert (result.findings[0].where, result.exit_code) == ("proof", 3), name
    with pytest.raises(InputError, match="no forget record"):
        evidence.prove(case.folder, "nobody")
