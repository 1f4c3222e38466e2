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


def _without(system, rows=range(40), kept=()):
    """Give other names to some records, but for those that were kept."""
    names = system.records.ids.copy()
    for row in rows:
        if names[row] not in kept:
            names[row] = f"x{row}"
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
    assert audit.figures == () and audit.retained is None, (
        "what no decision rests on is not computed for each pair"
    )


def test_what_is_not_at_hand_waits_and_what_is_gone_is_not_watched(certified, tmp_path):
    """One request's records are supplied again, the other's escrow has come to its end."""
    ledger, requests = certified
    system = Nearest()
    names = [f"r{row}" for row in range(40, 60)]
    content = {name: system.x[int(name[1:])].tolist() for name in names}
    register(ledger, tmp_path, "v3", range(60, 300))
    late = ledger.requests.new("late", names, content=content, custody="supplied").id
    ledger.requests.scope(late)
    ledger.requests.execute(late, version="churn@v3")
    signals = _signals_of(names)
    ledger.requests.audit(late, folder=signals.save(tmp_path / "audit"))
    ledger.requests.certify(late, key=tmp_path / "signer", folder=tmp_path / "late")
    register(ledger, tmp_path, "v4", range(61, 300))
    said, options = [], {"folder": tmp_path / "runs", "seed": SEED}
    ledger.requests.expire("2999-06-01")

    def build(kept):
        return _without(Nearest(), range(60), kept)

    result = ledger.monitor("churn", system=build, say=said.append, **options)
    assert result.decisions == () and result.waiting == ((late, "churn@v4"),)
    assert {line.partition(" ")[0] for line in said if "is not watched" in line} == set(requests)
    with pytest.raises(InputError, match="is not what"):
        ledger.monitor("churn", system=build, supplied=content | {"r40": [1.0]}, **options)
    result = ledger.monitor("churn", system=build, supplied=content, **options)
    assert [(one.commitment, one.outcome) for one in result.decisions] == [(late, "kept")]
    assert result.waiting == ()


def _signals_of(names):
    """Return an audit in which these records are forgotten."""
    import vestige
    from kind_worlds import ROLE, world
    from vestige import audit

    truth, models = world("logits", 0)
    ids = np.array([f"w{row}" for row in range(len(truth))])
    forget = np.flatnonzero(ROLE == "forget")
    role = ROLE.copy()
    role[forget[len(names) :]] = "holdout"
    ids[forget[: len(names)]] = names
    arrays = {name: np.asarray(value) for name, value in models.items()}
    return audit(vestige.Signals(truth, role=role, ids=ids, **arrays), ["random"])


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


@pytest.fixture
def served(book, tmp_path):
    """A ledger with three requests that a version serves which was trained elsewhere; the third is in it in truth."""
    system = Nearest()
    register(book, tmp_path, "v1", range(300), state="live")
    register(book, tmp_path, "v2", range(40, 300), saw=range(60, 300))
    requests = []
    for first in (0, 20, 40):
        names = [f"r{row}" for row in range(first, first + 20)]
        content = {name: system.x[int(name[1:])].tolist() for name in names}
        kept = {"content": content, "custody": "escrow", "until": "2999-01-01"}
        request = book.requests.scope(book.requests.new(f"p{first}", names, **kept).id)
        requests.append(book.requests.execute(request.id, version="churn@v2").id)
    return book, requests


def test_a_version_that_was_trained_elsewhere_is_asked_by_the_system(served, tmp_path):
    ledger, requests = served
    system, options = Nearest(), {"out": tmp_path / "runs", "seed": SEED}
    records = ledger.requests.audit(requests, system=system, **options)
    assert [one.commitment().verdict == "under" for one in records] == [False, False, True]
    assert len(system.fits) == 1, "one shadow model serves all requests of the version"
    before = [one.commitment().audit["digest"] for one in records]
    new_key(tmp_path / "signer", encrypt=False)
    ledger.requests.certify(requests[0], key=tmp_path / "signer", folder=tmp_path / "evidence")
    again = ledger.requests.audit(
        requests[1], system=system, **options
    )  # of two requests, no longer of three
    assert again.commitment().audit["n"] == 20 and again.commitment().verdict != "under"
    assert not ledger.verify().fault, "an audit that was noted is not written again"
    assert ledger.requests.show(requests[2]).commitment().audit["digest"] == before[2]


def test_an_option_that_no_audit_takes_is_refused(served, audits):
    ledger, requests = served
    with pytest.raises(InputError, match=r"trained elsewhere; give the system that asks it"):
        ledger.requests.audit(requests[0])
    with pytest.raises(InputError, match="is one audit; name the request that it is of, and not 3"):
        ledger.requests.audit(requests, folder=audits["undecided"])
    with pytest.raises(InputError, match="seed: options of an audit are for versions"):
        ledger.requests.audit(requests[0], folder=audits["undecided"], seed=1)


def test_supplied_records_that_are_missing_are_asked_for(book, tmp_path):
    system = Nearest()
    register(book, tmp_path, "v1", range(300), state="live")
    register(book, tmp_path, "v2", range(10, 300))
    content = {f"r{row}": system.x[row].tolist() for row in range(10)}
    request = book.requests.new("p", list(content), content=content, custody="supplied").id
    book.requests.scope(request)
    book.requests.execute(request, version="churn@v2")
    system.records = type(system.records)(system.records.ids[10:], system.records.truth[10:], ("no", "yes"))
    with pytest.raises(InputError, match="are supplied again for each audit; give them"):
        book.requests.audit(request, system=system, out=tmp_path / "runs")
