"""What is signed: its schema, what it must hold, and what must not stand in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files

import numpy as np
import pytest

import oracles
import vestige
from vestige import InputError, evidence
from vestige.evaluation import audits
from vestige.evaluation.gate import Gate
from vestige.evidence.statement import different, inside


def test_the_schema_that_ships(case):
    """It is that of the classes, and takes the statement that they make: two readers of one schema."""
    jsonschema = pytest.importorskip("jsonschema")
    text = files("vestige.evidence").joinpath("statement.schema.json").read_text()
    assert json.loads(text) == evidence.schema(), "write it again: vestige.evidence.schema()"
    validator = jsonschema.Draft202012Validator(json.loads(text))
    validator.check_schema(json.loads(text))
    statement = case.statement
    assert list(validator.iter_errors(statement)) == []
    statement["predicate"]["audit"]["verdict"]["outcome"] = "fine"
    assert [list(error.path)[-1] for error in validator.iter_errors(statement)] == ["outcome"]


def test_what_a_statement_says(case):
    statement = case.statement
    predicate, audit = statement["predicate"], statement["predicate"]["audit"]
    assert [subject["name"] for subject in statement["subject"]] == ["inner/head.bin", "model.bin"]
    assert predicate["request"] == {
        "pseudonym": "p-7f3a",
        "received": "2026-10-01T00:00:00Z",
        "due": "2026-11-01T00:00:00Z",
    }
    assert predicate["valid_until"] == "2027-11-01T00:00:00Z" and predicate["assurance"] == "self-attested"
    assert audit["roles"] == {"forget": 60, "holdout": 200, "retain": 200} and audit["seed"] == 0
    assert audit["verdict"]["outcome"] == "unlearned" and audit["verdict"]["completeness"] == pytest.approx(
        1, abs=0.1
    )
    assert 0 < audit["sharpness"]["influence"] <= 0.25 and audit["sharpness"]["probability"] == 0.8
    assert [run["label"] for run in audit["measures"]] == ["trace", "random", "confidence_difference"]
    assert all(control["passed"] in (True, None) for control in audit["controls"])
    assert {"unlearned", "original", "shadow_out", "role", "scores/trace", "verdicts"} <= set(audit["arrays"])
    assert any("not a proof" in limit for limit in predicate["limits"])
    assert predicate["software"]["vestige"] == vestige.__version__


def test_no_record_stands_in_what_is_given_away(case):
    """Neither an id, nor a digest that could be tried with a guess: the same audit gives other digests each time."""
    for name in ("evidence.json", "evidence.html"):
        assert "subject-0" not in case.path.with_name(name).read_text()
    assert "subject-0" not in json.dumps(case.statement) and "example.org" not in json.dumps(
        case.statement["predicate"]
    )
    one = case.statement["predicate"]["audit"]
    evidence.certify(case.folder, key=case.folder / "signer", weights=case.weights)
    other = case.statement["predicate"]["audit"]
    assert not set(one["arrays"].values()) & set(other["arrays"].values())
    assert one["records"]["root"] != other["records"]["root"]
    assert case.path.with_name("disclosure.json").stat().st_mode & 0o777 == 0o600


def test_an_id_that_a_reason_quotes_is_left_out(tmp_path):
    """A measure that cannot score names the first record that it failed on."""
    world = oracles.gaussian_world(3, forget=40, retain=60, holdout=60)
    world = world.with_(ids=np.array([f"mary-{place}" for place in range(len(world))]))
    audit = vestige.audit(world, ["random"])
    run = audits.MeasureRun(
        "iam", "recommended", {}, "failed", 0.0, "iam has no finite score, among them 'mary-3'."
    )
    audit = vestige.Audit(**{**audit.__dict__, "measures": (*audit.measures, run)})
    evidence.new_key(tmp_path / "k", encrypt=False)
    path = evidence.certify(audit, tmp_path / "out", key=tmp_path / "k")
    result = evidence.verify(path, tmp_path / "k.pub")
    (negative,) = (n for n in result.statement.predicate.audit.negative_results if n.what == "measure iam")
    assert negative.reason == "iam has no finite score, among them a record."
    assert "mary-" not in path.read_text() + path.with_suffix(".html").read_text()


def test_without_weights_the_subject_are_the_outputs(case):
    path = evidence.certify(case.folder, key=case.folder / "signer")
    result = evidence.verify(path, case.folder / "signer.pub", case.folder)
    assert result.holds and [subject.name for subject in result.statement.subject] == ["outputs/unlearned"]
    assert any("No weights" in limit for limit in result.statement.predicate.limits)


def test_several_signatures(case):
    evidence.sign(case.path, key=case.folder / "other")
    keys = [case.folder / "signer.pub", case.folder / "other.pub"]
    assert evidence.verify(case.path, keys).holds and "other" not in case.verify().summary()
    assert evidence.verify(case.path.with_name("evidence.html"), keys).holds
    with pytest.raises(InputError, match="has signed this already"):
        evidence.sign(case.path, key=case.folder / "other")


def test_the_gate(case):
    assert case.verify(gate=Gate("unlearned", fail_under=0.5)).exit_code == 0
    assert case.verify(gate=Gate(fail_under=2.0)).exit_code == 1
    assert (
        case.verify(
            gate=Gate(fail_under=case.verify().statement.predicate.audit.verdict.completeness)
        ).exit_code
        == 4
    )


def test_a_vestige_that_remains_is_signed_and_does_not_pass(tmp_path):
    audit = vestige.audit(
        oracles.gaussian_world(3, "nothing", forget=60, retain=100, holdout=100, fit=8.0), ["random"]
    )
    evidence.new_key(tmp_path / "k", encrypt=False)
    result = evidence.verify(evidence.certify(audit, tmp_path / "e", key=tmp_path / "k"), tmp_path / "k.pub")
    assert result.statement.predicate.audit.verdict.outcome == "under" and result.exit_code == 1
    assert result.faults[0].kind == "failed"


@pytest.mark.parametrize(("facts", "told"), [
    ({"request": {"name": "Mary"}}, "name"), ({"assurance": "certain"}, "assurance"),
    ({"issued": datetime(2026, 1, 1, tzinfo=UTC), "valid_until": "soon"}, "valid_until"),
    ({"action": {"cost": {"seconds": "long"}}}, "seconds"), ({"weights": "nowhere"}, "nowhere"),
    ({"scope": {"records": -1}}, "records"),
])  # fmt: skip
def test_facts_that_do_not_fit(case, facts, told):
    with pytest.raises(InputError, match=told):
        evidence.certify(case.folder, key=case.folder / "signer", **facts)


def test_names_of_files():
    assert inside("a/b.bin") == "a/b.bin"
    for name in (
        "",
        ".",
        "..",
        "/a",
        "a/../b",
        "../a",
        "a\\b",
        "C:/a",
        "a//b",
        "./a",
        "a/",
        "a\0b",
        "a" * 1001,
    ):
        with pytest.raises(ValueError, match="leaves the folder"):
            inside(name)


def test_differences_are_named():
    assert different({"a": [1, {"b": 2}], "c": 1}, {"a": [1, {"b": 3}], "d": 1}) == ["c", "d", "a.1.b"]
    assert different(1, True) == [""] and different([1], [1, 2]) == [""] and different(1, 1.0) == []


def test_verifying_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys, vestige.evidence as e; e.verify; e.certify; import vestige.evidence.verification;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'sqlalchemy')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
