"""What the tests of the ledger share: ledgers on both databases, a version of a model, and an audit of its records."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import postgres
import pytest
from books import ASKED, IDS, fresh, weights

import vestige
from vestige.ledger import Key, Ledger


@pytest.fixture(scope="session")
def postgres_url():
    """The URL of an empty database; tests that ask for it are skipped where there is no server."""
    if postgres.missing():
        pytest.skip(postgres.missing())
    with (
        tempfile.TemporaryDirectory(prefix="pg") as folder,
        postgres.server(Path(folder) / "s", durable=False) as url,
    ):
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a ledger's database, on either."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deletions.db"
    return fresh(request.getfixturevalue("postgres_url"))


@pytest.fixture
def key(tmp_path):
    """The file of a key, in a folder apart."""
    return Key.create(tmp_path / "safe" / "ledger.key").path


@pytest.fixture
def book(tmp_path, key):
    """A ledger in a file of SQLite."""
    ledger = Ledger.create(f"sqlite:///{tmp_path}/deletions.db", key)
    yield ledger
    ledger.close()


@pytest.fixture
def either(url, key):
    """A ledger on either database."""
    ledger = Ledger.create(url, key)
    yield ledger
    ledger.close()


@pytest.fixture
def trained(book, tmp_path):
    """The ledger with a live version that saw r0 to r59."""
    book.models.add("churn", "v1", weights(tmp_path / "v1"), manifest=IDS, state="live")
    return book


@pytest.fixture
def scoped(trained):
    """The ledger with a scoped request R4 for r0 to r5."""
    request = trained.requests.new("anna@example.org", ASKED)
    trained.requests.scope(request.id)
    return trained, request.id


@pytest.fixture
def executed(scoped, tmp_path):
    """The same, executed by a version that was trained elsewhere."""
    ledger, request = scoped
    ledger.models.add("churn", "v2", weights(tmp_path / "v2", "others"), manifest=IDS[6:], parent="churn@v1")
    ledger.requests.execute(request, version="churn@v2")
    return ledger, request


@pytest.fixture(scope="session")
def audits(tmp_path_factory):
    """Folders of audits of r0 to r5, by their verdict: "undecided", and "under"."""
    folder = tmp_path_factory.mktemp("audits")
    return {name: _audit(folder / name, gap) for name, gap in (("undecided", 0.0), ("under", 6.0))}


def _audit(folder, gap, n=400):
    """Audit records whose logits are `gap` further from those of never-seen ones."""
    rng = np.random.default_rng(0)
    asked = 40
    ids = [*IDS[:asked], *(f"x{k}" for k in range(n - asked))]
    role = np.repeat(["forget", "retain", "holdout"], [asked, 160, n - asked - 160])
    labels = rng.integers(0, 2, n)
    truth = np.eye(2)[labels]
    ease = rng.normal(size=(n, 1))

    def logits(seen):
        return (truth * (ease + rng.normal(size=(n, 1)) + seen[:, None])).astype(np.float32)

    saw = 6.0 * (role != "holdout")
    unlearned = np.where(role == "forget", gap, 6.0 * (role == "retain"))
    shadow = np.stack([logits(np.zeros(n)) for _ in range(2)])
    signals = vestige.Signals(
        labels, logits(unlearned), original=logits(saw), shadow_out=shadow, role=role, ids=np.array(ids)
    )
    vestige.audit(signals, measures=["scaled_logit_difference"]).save(folder)
    return folder


@pytest.fixture
def watched(executed, audits, tmp_path):
    """A ledger whose request is certified, with two later versions."""
    from vestige.evidence import new_key

    ledger, request = executed
    new_key(tmp_path / "signer", encrypt=False)
    ledger.requests.audit(request, folder=audits["undecided"])
    ledger.requests.certify(request, key=tmp_path / "signer", folder=tmp_path / "evidence")
    for name in ("v3", "v4"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_text(name)
        ledger.models.add(
            "churn", name, tmp_path / name, manifest=[f"r{k}" for k in range(6, 60)], parent="churn@v2"
        )
    return ledger, request
