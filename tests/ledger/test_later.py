"""Later versions asked by the system itself: all requests of a version together, with records from escrow."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from nearest import Nearest
from vestige.errors import InputError
from vestige.evidence import new_key

pytest.importorskip("online_fdr")
SEED = 1


def register(ledger, folder, name, rows, saw=None, **options):
    """Register a version that saw `saw` by its manifest and `rows` in truth."""
    place = folder / name
    place.mkdir()
    Nearest().save(np.array(rows), place)
    manifest = [f"r{row}" for row in (rows if saw is None else saw)]
    return ledger.models.add("churn", name, place, manifest=manifest, **options)


@pytest.fixture
def certified(book, audits, tmp_path):
    """A ledger with two certified requests for r0 to r39, whose records are in escrow."""
    system = Nearest()
    register(book, tmp_path, "v1", range(300), state="live")
    register(book, tmp_path, "v2", range(40, 300))
    new_key(tmp_path / "signer", encrypt=False)
    requests = []
    for first in (0, 20):
        names = [f"r{row}" for row in range(first, first + 20)]
        content = {name: system.x[int(name[1:])].tolist() for name in names}
        request = book.requests.new(
            f"p{first}", names, content=content, custody="escrow", until="2999-01-01"
        ).id
        book.requests.scope(request)
        book.requests.execute(request, version="churn@v2")
        book.requests.audit(request, folder=audits["undecided"])
        evidence = tmp_path / f"evidence-{request}"
        requests.append(book.requests.certify(request, key=tmp_path / "signer", folder=evidence).id)
    return book, requests


def test_a_return_that_no_manifest_tells_is_found(certified, tmp_path):
    ledger, requests = certified
    system, options = Nearest(), {"folder": tmp_path / "runs", "seed": SEED}
    register(ledger, tmp_path, "v3", range(41, 300))
    register(ledger, tmp_path, "v4", range(299), saw=range(41, 300))
    plan = [(one.request, version.id) for one, version in _pairs(ledger)]
    assert plan == [(request, f"churn@{version}") for version in ("v3", "v4") for request in requests]
    result = ledger.monitor("churn", system=system, **options)
    outcomes = [(decision.commitment, decision.outcome) for decision in result.decisions]
    assert outcomes == [
        *((request, "kept") for request in requests), *((request, "reopened") for request in requests)
    ]  # fmt: skip
    assert len(system.fits) == 1, "one shadow model serves both requests and both versions"
    cells = {"churn@v1": "saw", "churn@v3": "kept", "churn@v4": "reopened"}
    assert ledger.matrix("churn") == {request: cells for request in requests}
    history = ledger.history("churn")[requests[0]]
    assert history["churn@v3"]["low"] > 0.5 > history["churn@v4"]["high"]
    assert (tmp_path / "runs" / "monitor-churn" / "audits" / "v4" / requests[0] / "audit.json").is_file()
    assert [ledger.requests.show(request).state for request in requests] == ["re-opened"] * 2
    assert not ledger.verify().fault and ledger.monitor("churn", system=system, **options).decisions == ()


def _pairs(ledger):
    from vestige.ledger import watch

    return list(watch.pairs(ledger, "churn"))


def test_records_that_are_gone_come_from_escrow(certified, tmp_path, monkeypatch):
    """The system's own data are without them; a function puts what was kept beside these."""
    ledger, requests = certified
    register(ledger, tmp_path, "v3", range(300), saw=range(40, 300))
    whole, content = Nearest(), {}

    def build(kept):
        content.update(kept)
        system = Nearest()
        rows = [int(name[1:]) for name in kept]
        assert np.allclose(system.x[rows], [json.loads(value) for value in kept.values()])
        keep = np.r_[rows, 40 : len(whole.x)]
        system.x, records = system.x[keep], system.records.take(keep)
        system.records = type(system.records)(records.ids, records.values, ("no", "yes"))
        place = {int(name[1:]): row for row, name in enumerate(records.ids)}
        load = system.load
        monkeypatch.setattr(
            system, "load", lambda folder: [place[row] for row in load(folder) if row in place]
        )
        return system

    result = ledger.monitor("churn", system=build, folder=tmp_path / "runs", seed=SEED)
    assert len(content) == 40
    assert [decision.outcome for decision in result.decisions] == ["reopened", "reopened"]
    (tmp_path / "gone.py").write_text(
        "import sys\nsys.path.insert(0, " + repr(str(Path(__file__).parents[1])) + ")\n"
        "from nearest import Nearest\n\ndef build(kept):\n    assert len(kept) == 0\n    return Nearest()\n"
    )
    from vestige.systems.source import SystemSource

    source = SystemSource.of(f"{tmp_path}/gone.py:build")
    assert source.load().name == "nearest records" and source.content == {}


def test_what_cannot_be_asked_is_refused(certified, tmp_path):
    ledger, requests = certified
    register(ledger, tmp_path, "v3", range(40, 300))
    options = {"folder": tmp_path / "runs", "seed": SEED}
    with pytest.raises(InputError, match="one of them"):
        ledger.monitor("churn")
    with pytest.raises(InputError, match="elond"):
        ledger.monitor("churn", system=Nearest(), procedure="e-lond", **options)
    fewer = Nearest(n=330)
    with pytest.raises(InputError, match="knows 30 records that no version saw"):
        ledger.monitor("churn", system=fewer, **options)
    with pytest.raises(
        InputError, match=f"does not know 20 of the 20 records of {requests[0]}; give a function"
    ):
        ledger.monitor("churn", system=_without(Nearest()), **options)
    (tmp_path / "v3" / "rows.npy").write_bytes(b"others")
    with pytest.raises(InputError, match="the weights of churn@v3 are not what was registered"):
        ledger.monitor("churn", system=Nearest(), **options)
    assert ledger.matrix("churn")[requests[0]] == {"churn@v1": "saw"}


def _without(system):
    """Give other names to the first forty records."""
    names = system.records.ids.copy()
    names[:40] = [f"x{row}" for row in range(40)]
    system.records = type(system.records)(names, system.records.labels, ("no", "yes"))
    return system


def test_a_version_that_saw_them_by_its_manifest_is_not_measured(certified, tmp_path):
    ledger, requests = certified
    version = register(ledger, tmp_path, "v3", range(20, 300))
    assert [one.request for one, _ in _pairs(ledger)] == requests[:1]
    ledger.models.live(version.id)
    assert [ledger.requests.show(request).state for request in requests] == ["certified", "re-opened"]


def test_without_the_model_that_saw_them_a_return_is_found_as_well(certified, tmp_path):
    """The old model holds the records itself, so that it should go."""
    ledger, requests = certified
    register(ledger, tmp_path, "v3", range(300), saw=range(40, 300))
    (tmp_path / "v1" / "rows.npy").unlink()
    result = ledger.monitor("churn", system=Nearest(), folder=tmp_path / "runs", seed=SEED)
    assert [decision.outcome for decision in result.decisions] == ["reopened", "reopened"]
    from vestige import Audit

    place = tmp_path / "runs" / "monitor-churn" / "audits" / "v3" / requests[0]
    audit = Audit.load(place)
    assert audit.signals.original is None and any("No model that saw" in limit for limit in audit.limits)


def test_what_could_not_be_tested_is_tried_again(certified, audits, tmp_path):
    from vestige import Audit, audit

    ledger, requests = certified
    register(ledger, tmp_path, "v3", range(40, 300))
    ledger.monitor("churn", system=Nearest(), folder=tmp_path / "runs", seed=SEED, settings={"alpha": 0.01})
    register(ledger, tmp_path, "v4", range(41, 300))
    signals = Audit.load(tmp_path / "runs" / "monitor-churn" / "audits" / "v3" / requests[0]).signals
    blind = audit(signals.without("shadow_out", "shadow_train", "shadow_fit"), ["scaled_logit_difference"])
    result = ledger.monitor("churn", lambda one, version: blind if one.request == requests[0] else None)
    assert [decision.outcome for decision in result.decisions] == ["untested"]
    assert result.waiting == tuple((request, "churn@v4") for request in requests)
    spent = result.budget.spent
    count = len(ledger.events())
    again = ledger.monitor("churn", lambda one, version: blind if one.request == requests[0] else None)
    assert (
        again.decisions == result.decisions and len(ledger.events()) == count and again.budget.spent == spent
    )
    last = ledger.monitor("churn", system=Nearest(), folder=tmp_path / "runs", seed=SEED)
    assert [decision.outcome for decision in last.decisions] == ["kept", "kept"] and last.waiting == ()
