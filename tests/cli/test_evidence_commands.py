"""The commands on evidence: from an audit's folder to an auditor's exit code."""

from __future__ import annotations

import json

import pytest

import oracles
import vestige

pytest.importorskip("cryptography")
pytest.importorskip("rfc8785")


@pytest.fixture
def folder(tmp_path):
    vestige.audit(oracles.gaussian_world(3, forget=60, retain=100, holdout=100, fit=8.0), ["random"]).save(
        tmp_path / "a"
    )
    return tmp_path


def test_from_an_audit_to_an_exit_code(here, folder, monkeypatch):
    key, audit = folder / "signer", folder / "a"
    monkeypatch.setenv("VESTIGE_PASSPHRASE", "open sesame")
    code, out, _ = here("evidence", "key", key)
    assert code == 0 and str(key) in out and b"ENCRYPTED" in key.read_bytes()
    facts = folder / "facts.json"
    facts.write_text(json.dumps({"request": {"pseudonym": "p-1"}, "valid_until": "2090-01-31"}))
    (folder / "weights").mkdir()
    (folder / "weights" / "model.bin").write_bytes(b"w")
    code, out, _ = here(
        "evidence", "certify", audit, "--key", key, "--facts", facts, "--weights", folder / "weights"
    )
    path = audit / "evidence" / "evidence.json"
    assert code == 0 and str(path) in out and path.with_suffix(".html").exists()
    verify = ("verify", path, "--key", f"{key}.pub")
    code, out, _ = here(
        *verify, "--signals", audit, "--weights", folder / "weights", "--require", "unlearned"
    )
    assert code == 0 and out.startswith("It holds.\nUnlearned")
    code, out, _ = here(*verify, "--json")
    assert json.loads(out)["statement"]["predicate"]["valid_until"].startswith("2090-01-31")
    assert here(*verify, "--fail-under", "3")[0] == 1
    code, out, _ = here("evidence", "prove", audit, "3")
    (folder / "proof.json").write_text(out)
    assert here(*verify, "--proof", folder / "proof.json")[0] == 0
    (folder / "weights" / "model.bin").write_bytes(b"v")
    code, out, _ = here(*verify, "--weights", folder / "weights")
    assert code == 3 and "model.bin" in out
    code, out, _ = here("evidence", "show", path.with_suffix(".html"))
    assert json.loads(out)["predicate"]["request"]["pseudonym"] == "p-1"
    here("evidence", "key", folder / "second", "--plain")
    assert here("evidence", "sign", path, "--key", folder / "second")[0] == 0
    assert here(*verify, "--key", folder / "second.pub")[0] == 0


def test_unusable_input(here, folder):
    facts, key = folder / "facts.json", folder / "signer"
    here("evidence", "key", key, "--plain")
    for record, told in (({"mary": 1}, "'mary' is none of"), ({"valid_until": "soon"}, "a date such as")):
        facts.write_text(json.dumps(record))
        code, _, err = here("evidence", "certify", folder / "a", "--key", key, "--facts", facts)
        assert code == 2 and told in err
    code, _, err = here("verify", facts, "--key", folder / "nobody.pub")
    assert code == 2 and "no such file" in err
    code, out, _ = here("verify", facts, "--key", f"{key}.pub")
    assert code == 2 and "no signed envelope" in out
    facts.write_text("no JSON")
    code, out, _ = here("verify", facts, "--key", f"{key}.pub")
    assert code == 2 and "no JSON" in out


def test_a_key_needs_a_passphrase_where_nobody_is_asked(here, folder, monkeypatch):
    monkeypatch.delenv("VESTIGE_PASSPHRASE", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    code, _, err = here("evidence", "key", folder / "signer")
    assert code == 2 and "takes a passphrase" in err
