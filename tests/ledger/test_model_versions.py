"""Model versions: what they are, which records they saw, and how they come and go."""

from __future__ import annotations

import subprocess

import pytest
from books import IDS, weights
from hypothesis import given
from hypothesis import strategies as st

from vestige.errors import InputError
from vestige.ledger.models import Manifest

NAMES = st.sets(st.binary(min_size=16, max_size=16).map(bytes.hex))


@given(NAMES, NAMES)
def test_a_manifest_is_a_set(seen, others):
    manifest = Manifest.of(seen)
    assert len(manifest) == len(seen)
    assert set(manifest.holds(seen | others)) == seen
    assert manifest.without(others).body == Manifest.of(seen - others).body


def test_a_version_is_registered_once(trained, tmp_path):
    version = trained.models.show("churn@v1")
    assert (version.line, version.name, version.state, version.records) == ("churn", "v1", "live", 60)
    before = len(trained.events())
    assert trained.models.add("churn", "v1", tmp_path / "v1", manifest=reversed(IDS)) == version
    assert len(trained.events()) == before
    with pytest.raises(InputError, match="registered with other weights or records"):
        trained.models.add("churn", "v1", tmp_path / "v1", manifest=IDS[1:])


def test_a_version_of_a_system_saw_what_the_system_says(book, nearest, tmp_path):
    book.models.add("near", "v1", weights(tmp_path / "v1"), system=nearest)
    seen = book.models.read_manifest("near@v1")
    ids = nearest.records.ids.tolist()
    names = book.key.pseudonyms("record", ids)
    assert set(seen.holds(names)) == {names[k] for k in nearest.seen}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"line": "a b"}, "The line of a version"),
        ({"name": "../x"}, "The name of a version"),
        ({"manifest": None}, "Give its system, or its manifest"),
        ({"place": "none"}, "no weights are there"),
        ({"parent": "churn@v0"}, "There is no version 'churn@v0'"),
        ({"state": "retired"}, "not as 'retired'"),
    ],
)
def test_what_is_no_version_is_refused(book, tmp_path, change, message):
    values = {"line": "churn", "name": "v1", "place": weights(tmp_path / "w"), "manifest": IDS} | change
    if change.get("place"):
        values["place"] = tmp_path / change["place"]
    with pytest.raises(InputError, match=message):
        book.models.add(values.pop("line"), values.pop("name"), values.pop("place"), **values)
    assert len(book.events()) == 1


def test_versions_come_and_go(trained, tmp_path):
    trained.models.add("churn", "v2", weights(tmp_path / "v2"), manifest=IDS[1:], parent="churn@v1")
    assert [v.id for v in trained.models.list("churn")] == ["churn@v1", "churn@v2"]
    assert [v.id for v in trained.models.list(state="candidate")] == ["churn@v2"]
    assert trained.models.live("churn@v2").state == "live"
    assert trained.models.live("churn@v2").state == "live"
    assert trained.models.retire("churn@v1").state == "retired"
    trained.models.add("churn", "v2", tmp_path / "v2", manifest=IDS[1:], state="live")
    kinds = [event.kind for event in trained.events() if event.kind.startswith("version")]
    assert kinds == ["version.added", "version.live", "version.added", "version.live", "version.retired"]


def test_a_file_is_a_version_too(book, tmp_path):
    (tmp_path / "model.bin").write_text("weights")
    (tmp_path / "ids.txt").write_text("r1\nr2\n")
    assert book.models.add("churn", "v1", tmp_path / "model.bin", manifest=tmp_path / "ids.txt").records == 2
    assert not book.verify().fault
    (tmp_path / "model.bin").write_text("others")
    assert "model.bin was changed" in book.verify().fault


def test_git_tags_that_are_no_version_yet_are_found(trained, tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    for tag in ("churn@v1", "churn@v2", "release"):
        subprocess.run([*git, "tag", tag], check=True)
    assert trained.models.tags(tmp_path) == [("churn", "v2")]
    with pytest.raises(InputError, match="none: git tag says: "):
        trained.models.tags(tmp_path / "none")
