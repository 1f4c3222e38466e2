"""A folder belongs to one run."""

from __future__ import annotations

import pytest

from vestige.errors import InputError
from vestige.graph.folder import expect_own, kind_in, recorded
from vestige.store import write_json


def test_a_folder_keeps_the_run_that_is_there(tmp_path):
    config = {"title": "a", "setting": {"deletions": 3}}
    expect_own(tmp_path, "leaks", config)
    write_json(tmp_path / "leaks.json", {"kind": "leaks", "config": config})
    expect_own(tmp_path, "leaks", config | {"title": "another"})
    with pytest.raises(InputError, match=r"setting\.deletions is 3 there and 2 here"):
        expect_own(tmp_path, "leaks", {"title": "a", "setting": {"deletions": 2}})
    with pytest.raises(InputError, match=r"a run of another kind \(leaks\.json\)"):
        expect_own(tmp_path, "llm", {})


def test_what_a_folder_holds(tmp_path):
    with pytest.raises(
        InputError, match="holds no finished run and no audit: it has none of manifest.json, leaks.json"
    ):
        kind_in(tmp_path)
    with pytest.raises(InputError, match="nowhere is no folder"):
        kind_in(tmp_path / "nowhere")
    for kind, name in (("run", "manifest.json"), ("leaks", "leaks.json"), ("llm", "llm.json")):
        (tmp_path / kind).mkdir()
        write_json(tmp_path / kind / name, {"kind": kind, "config": {"seed": 1}})
        assert kind_in(tmp_path / kind) == kind and recorded(tmp_path / kind, kind) == {"seed": 1}
    write_json(tmp_path / "manifest.json", {"kind": "audit"})
    assert kind_in(tmp_path) == "audit"
    with pytest.raises(InputError, match="it names no configuration as a run's does"):
        recorded(tmp_path, "run")
