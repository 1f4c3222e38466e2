"""Executing and auditing with a system: through the graph, with costs, failures that are seen, and kills."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from books import fresh

from vestige.errors import InputError
from vestige.evidence import new_key, verify
from vestige.ledger import Ledger
from vestige.systems.source import SystemSource

SYSTEM = Path(__file__).parents[1] / "nearest.py"
ASKED = [f"r{k}" for k in range(30)]
QUICK = {"audit": {"measures": ["scaled_logit_difference"]}}


@pytest.fixture
def place(tmp_path):
    """A system in a file of the user's."""
    (tmp_path / "churn.py").write_text(f"{SYSTEM.read_text()}\nsystem = Nearest\n")
    return f"{tmp_path}/churn.py:system"


def begun(ledger, system, folder, asked=ASKED):
    """Register a live version and scope a request for 30 records; return the request."""
    folder.mkdir()
    known = SystemSource.of(system).load()
    known.save(known.seen, folder)
    ledger.models.add("churn", "v1", folder, system=system, state="live")
    request = ledger.requests.new("anna@example.org", asked, external="ticket-0815", note="Anna Muster rang")
    return ledger.requests.scope(request.id).id


def test_a_request_is_executed_audited_and_certified(book, place, tmp_path):
    request = begun(book, place, tmp_path / "v1")
    record = book.requests.execute(request, system=place, folder=tmp_path / "runs", reason="exact", **QUICK)
    commitment = record.commitment()
    version = book.models.show(commitment.version)
    assert record.state == "executed" and version.id == f"churn@v1-{request}-retrain"
    assert (version.parent, version.state, version.records) == ("churn@v1", "candidate", 270)
    assert not book.models.read_manifest(version.id).holds(record.records)
    assert (Path(version.place) / "rows.npy").is_file()
    assert not (tmp_path / "runs" / f"{request}-churn" / "report.html").exists()
    decided = book.events("request.decided")[0].body
    assert (
        decided["way"] == "retrain"
        and decided["costs"][0]["way"] == "retrain"
        and decided["costs"][0]["seconds"] > 0
    )
    before = len(book.events())
    assert book.requests.execute(request, system=place, folder=tmp_path / "runs") == record
    assert len(book.events()) == before
    audited = book.requests.audit(request)
    assert audited.state == "audited" and audited.commitment().verdict in ("unlearned", "undecided")
    assert (tmp_path / "runs" / f"{request}-churn" / "report.html").is_file()
    result = book.verify()
    assert not result.fault and result.files > 4
    with pytest.raises(InputError, match="Which key signs"):
        book.requests.certify(request)
    private, public = new_key(tmp_path / "safe" / "evidence.key", encrypt=False)
    record = book.requests.certify(request, key=private, valid_until="2999-01-01")
    assert record.state == "certified" and record.failed == ""
    evidence = record.commitment().evidence
    path = Path(evidence["place"]) / "evidence.json"
    assert verify(path, public).holds
    path.write_text(path.read_text() + " ")
    assert (
        f"evidence.json was changed since event {len(book.events())} (request.certified"
        in book.verify().fault
    )


def test_a_plan_changes_nothing(book, nearest, tmp_path):
    request = begun(book, nearest, tmp_path / "v1")
    before, fits = book.content(), len(nearest.fits)
    costs = book.requests.plan(request, system=nearest, folder=tmp_path / "runs", **QUICK)
    assert {"original", "shadow-0", "retrain"} == {model["name"] for model in costs.models}
    assert costs.seconds > 0 and len(nearest.fits) == fits + 2
    assert book.content() == before and not (tmp_path / "runs").exists()


def test_a_second_execution_has_a_folder_and_a_version_of_its_own(book, nearest, tmp_path):
    request = begun(book, nearest, tmp_path / "v1")
    options = {"system": nearest, "folder": tmp_path / "runs", "costs": False, **QUICK}
    book.requests.execute(request, **options)
    book.requests.audit(request, system=nearest)
    commitment = book.requests.execute(request, **options, seed=1).commitment()
    assert commitment.state == "executed" and commitment.version == f"churn@v1-{request}-retrain-2"
    assert commitment.folder.endswith(f"{request}-churn-2")
    assert book.requests.audit(request, system=nearest).state == "audited"
    assert not book.verify().fault


def test_records_that_the_version_never_saw_are_no_hindrance(book, nearest, tmp_path):
    request = begun(book, nearest, tmp_path / "v1", [*ASKED, "r500", "not in the data"])
    book.requests.execute(request, system=nearest, folder=tmp_path / "runs", costs=False, **QUICK)
    assert book.requests.audit(request, system=nearest).state == "audited"


def test_a_failure_is_seen_and_tried_again(book, nearest, tmp_path, monkeypatch):
    request = begun(book, nearest, tmp_path / "v1")
    known = type(nearest).fit

    def fail(self, rows, seed):
        raise RuntimeError("row r5 of anna@example.org is broken")

    monkeypatch.setattr(type(nearest), "fit", fail)
    with pytest.raises(RuntimeError):
        book.requests.execute(request, system=nearest, folder=tmp_path / "runs", costs=False, **QUICK)
    record = book.requests.show(request)
    assert (record.state, record.failed) == ("scoped", "execute churn")
    assert book.events("request.failed")[0].body["error"] == "RuntimeError"
    monkeypatch.setattr(type(nearest), "fit", known)
    record = book.requests.execute(request, system=nearest, folder=tmp_path / "runs", costs=False, **QUICK)
    assert (record.state, record.failed) == ("executed", "")


def test_a_system_that_is_no_version_is_refused(book, nearest, tmp_path):
    request = begun(book, nearest, tmp_path / "v1")
    nearest.seen = nearest.seen[:-1]
    with pytest.raises(InputError, match="299 records, which is what no version of churn saw"):
        book.requests.execute(request, system=nearest, folder=tmp_path / "runs")
    with pytest.raises(InputError, match="no option of an execution 'shadow'. Did you mean 'shadows'"):
        book.requests.execute(request, system=nearest, folder=tmp_path / "runs", shadow=2)
    with pytest.raises(InputError, match="Which system is trained"):
        book.requests.execute(request, folder=tmp_path / "runs")


def test_another_system_is_not_audited_in_its_place(book, nearest, tmp_path):
    request = begun(book, nearest, tmp_path / "v1")
    book.requests.execute(request, system=nearest, folder=tmp_path / "runs", costs=False, **QUICK)
    nearest.fingerprint = lambda: "other"
    with pytest.raises(InputError, match="another than R4 was executed with"):
        book.requests.audit(request, system=nearest)
    assert book.requests.show(request).failed == "audit churn"


def test_no_person_and_no_record_stands_in_the_ledger(book, place, tmp_path, capfd):
    """In the file of the database, its log, the exports, and what is printed."""
    file = tmp_path / "churn.py"
    file.write_text(file.read_text().replace('"r"', '"record-"'))
    asked = [name.replace("r", "record-") for name in ASKED]
    request = begun(book, place, tmp_path / "v1", asked)
    broken = place.replace("churn.py:system", "gone.py:system")
    with pytest.raises(InputError):
        book.requests.execute(request, system=broken, folder=tmp_path / "runs")
    book.requests.execute(request, system=place, folder=tmp_path / "runs", costs=False, **QUICK)
    book.requests.audit(request)
    book.redact(book.events("request.received")[0].sequence)
    exports = "".join(
        line for kind in ("jsonl", "csv", "dpv") for line in book.export(kind, request)
    ).encode()
    files = [path for path in tmp_path.iterdir() if path.name.startswith("deletions.db")]
    files += list((tmp_path / "safe").iterdir())
    printed = "".join(capfd.readouterr()).encode()
    assert files and len(exports) > 5_000
    for where, content in [
        ("exports", exports),
        ("output", printed),
        *((f.name, f.read_bytes()) for f in files),
    ]:
        for name in (rb"anna@", rb"Muster", rb"example\.org", rb"ticket-0815", rb"record-\d"):
            assert not re.search(name, content, re.IGNORECASE), (name, where)


KILLED = """
import sys
from vestige.ledger import Ledger
url, key, place, request, folder = sys.argv[1:]
ledger = Ledger(url, key)
ledger.requests.execute(request, system=place, folder=folder, costs=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_kill_at_any_moment_loses_nothing_and_says_nothing_done_that_is_not(
    database, key, place, tmp_path, request
):
    url = f"sqlite:///{tmp_path}/deletions.db"
    if database == "postgresql":
        url = fresh(request.getfixturevalue("postgres_url"))
    ledger = Ledger.create(url, key)
    about = begun(ledger, place, tmp_path / "v1")
    command = [sys.executable, "-c", KILLED, url, str(key), place, about, str(tmp_path / "runs")]
    start = time.perf_counter()
    subprocess.run(command, check=True)
    whole, moments = time.perf_counter() - start, random.Random(0)
    for number in range(3):
        ledger.close()
        about = ledger.requests.scope(
            ledger.requests.new(f"person {number}", ASKED[number : number + 5]).id
        ).id
        command[-2] = about
        process = subprocess.Popen(command)
        time.sleep(whole * moments.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        record = ledger.requests.show(about)
        assert not ledger.verify().fault
        if record.state == "executed":
            assert Path(ledger.models.show(record.commitment().version).place).is_dir()
        subprocess.run(command, check=True)
        assert ledger.requests.show(about).state == "executed" and not ledger.verify().fault
    ledger.close()


def test_one_training_serves_several_requests(book, place, tmp_path):
    first = begun(book, place, tmp_path / "v1")
    second = book.requests.new("ben@example.org", [f"r{k}" for k in range(30, 60)]).id
    book.requests.scope(second)
    both, options = [first, second], {"system": place, "folder": tmp_path / "runs", **QUICK}
    assert book.requests.plan(both, system=place).models[-1]["records"] == 240
    records = book.requests.execute(both, reason="together", costs=False, **options)
    versions = {record.commitment().version for record in records}
    assert [record.state for record in records] == ["executed"] * 2 and len(versions) == 1
    version = book.models.show(versions.pop())
    assert version.records == 240 and version.id == f"churn@v1-{first}-to-{second}-2-retrain"
    count = len(book.events())
    assert book.requests.execute(both, **options) == records and len(book.events()) == count
    private, public = new_key(tmp_path / "evidence.key", encrypt=False)
    for request in both:
        commitment = book.requests.audit(request).commitment()
        assert commitment.verdict in ("unlearned", "undecided") and commitment.audit["n"] == 30
        assert (Path(commitment.audit["folder"]) / "report.html").is_file()
        certified = book.requests.certify(request, key=private).commitment()
        assert verify(Path(certified.evidence["place"]) / "evidence.json", public).holds
    assert len(list((tmp_path / "runs").glob("*/models/retrain"))) == 1 and not book.verify().fault


def test_what_does_not_go_together_is_refused(book, place, tmp_path):
    first = begun(book, place, tmp_path / "v1")
    second = book.requests.new("ben@example.org", ["r40"]).id
    with pytest.raises(InputError, match="at least one is wanted"):
        book.requests.execute([], system=place)
    with pytest.raises(InputError, match=f"{second} is received and has no model line yet"):
        book.requests.execute([first, second], system=place, folder=tmp_path / "runs")
    assert book.requests.show(first).state == "scoped"
