"""One audit, its key and its evidence, made once; each test has a copy of its own to tamper with."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
from tamper import Case

import oracles
import vestige
from vestige import evidence

pytest.importorskip("cryptography")
pytest.importorskip("rfc8785")
ISSUED = datetime(2026, 11, 1, tzinfo=UTC)
FACTS = {
    "request": {"pseudonym": "p-7f3a", "received": "2026-10-01T00:00:00Z", "due": "2026-11-01T00:00:00Z"},
    "scope": {"line": "churn", "versions": [{"name": "v1", "digest": "ab", "saw": True}], "records": 60,
              "known_by": "the training manifests"},
    "action": {"method": "retrain", "options": {"rounds": 40}, "seed": 3, "cost": {"seconds": 2.5}, "recipe": "0" * 64},
    "issued": ISSUED,
}  # fmt: skip


def ids(n):
    return np.array([f"subject-{place:05d}@example.org" for place in range(n)])


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """A folder with an audit, weights, two keys and evidence."""
    folder = tmp_path_factory.mktemp("evidence") / "audit"
    world = oracles.gaussian_world(3, forget=60, retain=200, holdout=200, fit=8.0)
    audit = vestige.audit(world.with_(ids=ids(len(world))), ["random", "confidence_difference"])
    audit.save(folder)
    weights = folder / "weights"
    (weights / "inner").mkdir(parents=True)
    (weights / "model.bin").write_bytes(b"weights")
    (weights / "inner" / "head.bin").write_bytes(b"head")
    for name in ("signer", "other"):
        evidence.new_key(folder / name, encrypt=False)
    evidence.certify(folder, key=folder / "signer", weights=weights, **FACTS)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    shutil.copytree(original, tmp_path / "audit")
    return tmp_path / "audit"


@pytest.fixture
def case(folder):
    return Case(folder)
