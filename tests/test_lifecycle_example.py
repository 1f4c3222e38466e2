"""The year of examples/lifecycle: what it ends with, and that nothing of it names a person or a record."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

pytest.importorskip("online_fdr")
EXAMPLE = Path(__file__).parents[1] / "examples" / "lifecycle"

KINDS = (b"contract-", b"customer-")
"""What every name begins with."""


@pytest.fixture
def lived(tmp_path, monkeypatch):
    """A function that lives the first months of a small year, on the made-up table; it returns the year and its log."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in ("churn", "year"):
        sys.modules.pop(name, None)
    churn, year = importlib.import_module("churn"), importlib.import_module("year")
    monkeypatch.delenv("VESTIGE_DATA", raising=False)
    for name, value in {"JANUARY": 700, "EACH_MONTH": 10, "NEVER": 1_200}.items():
        monkeypatch.setattr(churn, name, value)

    def live(months, snapshot=True, trees=10):
        monkeypatch.setattr(churn, "TREES", trees)
        monkeypatch.setattr(year, "MONTHS", year.MONTHS[:months])
        said = []
        one = year.Year(tmp_path / "year", snapshot=snapshot, say=said.append)
        one.run()
        one.show()
        return one, "\n".join(said)

    yield live
    for name in ("churn", "year"):
        sys.modules.pop(name, None)


def names(one):
    """Return every name of a person or a record, as bytes."""
    table = one.all
    return [name.encode() for name in [*table.index, *table.customer.unique()]]


def readable(one, log):
    """Return what others may read, by where it stands: the database, its exports, the evidence, the log."""
    files = [*one.folder.glob("deletions.db*"), *one.folder.glob("*.head"), one.folder / "commitments.html"]
    files += [path for path in (one.folder / "evidence").rglob("*") if path.is_file()]
    places = {str(path): path.read_bytes() for path in files}
    places |= {kind: "\n".join(one.ledger.export(kind)).encode() for kind in ("jsonl", "csv")}
    return places | {"log": log.encode()}


def test_two_months_name_nobody(lived):
    one, log = lived(3)
    places = readable(one, log)
    assert {Path(place).name for place in places} >= {
        "deletions.db",
        "evidence.json",
        "evidence.html",
        "log",
        "jsonl",
    }
    every = names(one)
    assert len(every) > 1_000 and all(name.startswith(KINDS) for name in every)
    for place, content in places.items():
        told = [name for name in every if name in content] if any(kind in content for kind in KINDS) else []
        assert not told, f"{place} names {told[:3]}"
    assert "5 of 5 statements hold" in log and "The ledger holds" in log


def test_a_name_in_the_clear_would_be_seen(lived):
    one, log = lived(1)
    one.ledger.requests.new("somebody", ["other"], note=f"about {one.all.index[5]}")
    assert any(one.all.index[5].encode() in content for content in readable(one, log).values())


@pytest.mark.slow
def test_the_year_ends_as_it_says(lived):
    """The return in August is found in August; the roll-back opens what its manifest says; the evidence holds."""
    one, log = lived(12, trees=60)
    overview = one.ledger.overview("churn")
    opened = {
        (request, version)
        for request, looks in overview.looks.items()
        for version, look in looks.items()
        if look.outcome == "reopened"
    }
    assert {version for _, version in opened} == {"churn@august"} and len(opened) >= 3
    assert len(one.ledger.requests.list()) == 30
    states = {request.state for request in one.ledger.requests.list()}
    assert states <= {"monitored", "denied", "audited", "certified"} and "denied" in states
    assert "saw the contracts of" in log and "The ledger holds" in log
    for place, content in readable(one, log).items():
        assert not [name for name in names(one) if name in content], place
