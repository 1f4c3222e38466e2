"""The status file: written while a step takes long, and what it says of the time that is left."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest
from graph_steps import wait_for

from vestige.errors import InputError
from vestige.graph import Step, Store, carry_out
from vestige.graph.progress import Watch, sentences, status, time_left
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
    monkeypatch.setattr(sys.modules[Watch.__module__], "BEAT", 0.02)

    @dataclass(frozen=True, eq=False, kw_only=True)
    class Long(Step):
        suffix = ".json"

        def make(self, job):
            path = tmp_path / "status" / "run.json"
            before = read_json(path)["written"]
            wait_for(lambda: read_json(path)["written"] > before)
            job.path.write_text("1")

    carry_out([Long()], Store(tmp_path), stop=True)


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


def test_an_interrupted_run_says_so_and_that_it_goes_on(tmp_path):
    @dataclass(frozen=True, eq=False, kw_only=True)
    class Interrupted(Step):
        suffix = ".json"

        def make(self, job):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out([Interrupted()], Store(tmp_path), name="mine")
    (run,) = status(tmp_path)
    assert run["ended"] and run["interrupted"] and not run["running"] and not run["failed"]
    (line,) = sentences([run], str(tmp_path))
    assert line.startswith("mine: 0 of 1 steps, interrupted after") and "the same command goes on" in line
    carry_out([], Store(tmp_path), name="mine")
    (run,) = status(tmp_path)
    assert not run["interrupted"] and "ended after" in sentences([run], str(tmp_path))[0]


def test_a_folder_that_is_not_there_is_told_from_one_without_runs(tmp_path):
    with pytest.raises(
        InputError, match="nowhere does not exist; the folder of a run, or of a store, is wanted"
    ):
        status(tmp_path / "nowhere")
    (tmp_path / "afile").write_text("x")
    with pytest.raises(InputError, match="afile is a file"):
        status(tmp_path / "afile")
    assert sentences(status(tmp_path), str(tmp_path)) == [f"No run in {tmp_path} yet."]
    for name in ("b", "a"):
        carry_out([], Store(tmp_path / name))
    first, second = sentences(status(tmp_path), str(tmp_path))
    assert first == f"No run in {tmp_path} yet."
    assert (
        second == f"There are runs in its folders a, b: ask for one, such as vestige status {tmp_path / 'a'}."
    )
