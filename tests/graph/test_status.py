"""The status file: written while a step takes long, and what it says of the time that is left."""

from __future__ import annotations

from vestige.graph.status import Watch, time_left
from vestige.store import read_json


def test_a_status_file_is_written_though_nothing_changes(tmp_path):
    path = tmp_path / "status" / "a.json"
    with Watch(path, [], 1, False) as watch:
        before = read_json(path)["written"]
        watch.beat()
        assert read_json(path)["written"] == before
        watch._written -= 60
        watch.beat()
        assert read_json(path)["written"] > before


def test_the_time_left_comes_from_steps_of_the_same_kind():
    def step(kind, state, **facts):
        return {"kind": kind, "state": state, **facts}

    steps = {
        "a": step("train", "done", seconds=10), "b": step("train", "waiting"), "c": step("score", "done", seconds=2),
        "d": step("score", "running"), "e": step("other", "waiting"),
    }  # fmt: skip
    assert time_left(steps, 1) == 10 + 2 + 6
    assert time_left(steps, 2) == 9
    assert time_left({"b": step("train", "waiting")}, 2) is None
