"""The status file: written while a step takes long, and what it says of the time that is left."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from vestige.graph import Step, Store, carry_out
from vestige.graph.progress import Watch, time_left
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


def test_the_runner_gives_a_sign_of_life_while_a_step_is_done_in_its_own_process(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[Watch.__module__], "BEAT", 0.2)
    seen = []

    @dataclass(frozen=True, eq=False, kw_only=True)
    class Long(Step):
        suffix = ".json"

        def make(self, job):
            time.sleep(1)
            seen.append(time.time() - read_json(tmp_path / "status" / "run.json")["written"])
            job.path.write_text("1")

    carry_out([Long()], Store(tmp_path))
    assert seen[0] < 0.9


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
