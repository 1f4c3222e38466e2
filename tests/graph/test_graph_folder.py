"""A folder belongs to one run."""

from __future__ import annotations

import pytest

from vestige.errors import InputError
from vestige.graph.folder import expect_own
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
