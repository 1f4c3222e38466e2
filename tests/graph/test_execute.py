"""Steps in their order and once, whatever dies; the same results with every engine."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import threading
from collections import namedtuple
from pathlib import Path

import pytest
from graph_steps import Add, DieAlways, DieOnce, Folder, Full, Gpu, Long, Pid, Refuse, Waits, wait_for

from vestige.errors import InputError
from vestige.graph import Store, carry_out
from vestige.graph.engines import engine, perform_in
from vestige.graph.progress import Watch, status
from vestige.graph.step import Environment, ordered


def value(store, step):
    return json.loads(store.path(step).read_text())


def names(outcome):
    return [state.name for state in outcome.states.values()]


@pytest.mark.parametrize("workers", [1, 2])
def test_steps_are_done_in_their_order_and_once(tmp_path, workers):
    store = Store(tmp_path)
    top = Add(value=10, below=(Add(value=1), Add(value=2), Add(value=2)))
    outcome = carry_out([top], store, workers=workers)
    assert value(store, top) == 15 and names(outcome) == ["done"] * 3  # two steps that are the same are one
    assert names(carry_out([top], store, workers=workers)) == ["kept"] * 3


def test_what_only_a_finished_step_reads_is_not_made_again(tmp_path):
    low, store = Add(value=1), Store(tmp_path)
    top = Add(value=10, below=(low,))
    carry_out([top], store)
    store.path(low).unlink()
    assert names(carry_out([top], store)) == ["kept"] * 2 and not store.path(low).exists()
    assert sorted(names(carry_out([top, low], store))) == ["done", "kept"] and store.path(low).exists()


def test_a_step_that_is_under_way_is_interrupted_when_the_runner_ends(tmp_path):
    mark = tmp_path / "mark"
    with engine("local", Store(tmp_path), Environment(), workers=1) as where:
        where.submit(Long(mark=str(mark)))
        wait_for(mark.exists)
        (worker,) = next(iter(where._busy.values()))._processes.values()
    worker.join(600)
    assert worker.exitcode == 0 and mark.read_text() == "interrupted"


def test_what_begins_is_said_and_failures_are(tmp_path):
    said: list[str] = []
    steps = [Add(label="adding"), Refuse(label="refusing")]
    carry_out(steps, Store(tmp_path), say=said.append)
    assert said == ["adding", "refusing", "refusing: this step takes no such value"]


def test_the_first_failure_is_raised_where_it_is_to_stop(tmp_path):
    steps = [Refuse(), Add(value=7)]
    with pytest.raises(InputError, match="takes no such value"):
        carry_out(steps, Store(tmp_path), stop=True)
    assert not Store(tmp_path).done(steps[1])


@pytest.mark.usefixtures("forked_workers")
def test_a_worker_that_is_killed_costs_one_try(tmp_path):
    once, store = DieOnce(mark=str(tmp_path / "mark"), value=3), Store(tmp_path / "s")
    top = Add(value=0, below=(once, Add(value=4)))
    outcome = carry_out([top], store, engine_name="local", workers=1)
    assert value(store, top) == 7 and set(names(outcome)) == {"done"}


def test_a_worker_that_is_killed_while_it_is_idle_is_replaced(tmp_path):
    first, store = Pid(value=3), Store(tmp_path)
    with engine("local", store, Environment(), workers=1) as where:
        pid = where.result(where.submit(first))["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not _lives(pid))
        assert where.result(where.submit(Pid(value=4)))["pid"] != pid


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("forked_workers")
def test_a_runner_shows_that_it_lives_while_a_step_takes_long(tmp_path, monkeypatch):
    beats, mark = itertools.count(), tmp_path / "mark"
    monkeypatch.setattr(
        "vestige.graph.progress.BEAT", 1e6
    )  # none but those of the loop that waits for the step
    monkeypatch.setattr(Watch, "beat", lambda watch: next(beats) == 5 and mark.touch())
    outcome = carry_out([Waits(mark=str(mark))], Store(tmp_path), engine_name="local", workers=1)
    assert names(outcome) == ["done"]  # two beats come before it begins


@pytest.mark.usefixtures("forked_workers")
def test_a_step_that_always_dies_fails_alone(tmp_path):
    bad, good, store = DieAlways(), [Add(value=k) for k in range(5)], Store(tmp_path)
    above = Add(below=(bad,))
    outcome = carry_out([bad, above, *good], store, engine_name="local", workers=1)
    assert "died 3 times" in outcome.why(bad) and outcome.why(above) == outcome.why(bad)
    assert [value(store, step) for step in good] == list(range(5))
    assert not list(tmp_path.rglob("*.part"))


def test_a_refusal_is_a_reason_and_is_not_tried_again(tmp_path):
    bad, full, weights = Refuse(), Full(), Full(weights=True)
    outcome = carry_out([bad, full, weights], Store(tmp_path))
    assert outcome.why(bad) == "this step takes no such value"
    assert (
        all("disk is full" in outcome.why(step) for step in (full, weights)) and outcome.count("failed") == 3
    )


def test_no_room_is_found_before_any_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(InputError, match="GB free and the run needs"):
        carry_out([Add()], Store(tmp_path))
    assert not list(tmp_path.iterdir())


def test_two_runners_on_one_store(tmp_path):
    steps = [Add(value=j, below=tuple(Add(value=k) for k in range(6))) for j in range(6)]
    outcomes = []

    def go():
        outcomes.append(carry_out(steps, Store(tmp_path)))

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = Store(tmp_path)
    assert len(outcomes) == 2 and not any(outcome.count("failed") for outcome in outcomes)
    assert [value(store, step) for step in steps] == [15 + j for j in range(6)]
    assert all(store.done(step) for step in ordered(steps)) and not list(tmp_path.rglob("*.part"))


def test_any_terminal_reads_how_far_a_run_is(tmp_path):
    carry_out([Add(label="adding"), Refuse(label="refusing")], Store(tmp_path), name="mine")
    (run,) = status(tmp_path)
    assert run["name"] == "mine" and run["ended"] and run["counts"] == {"done": 1, "failed": 1}
    assert run["failed"] == [{"label": "refusing", "why": "this step takes no such value"}]


def test_relative_paths_are_those_of_the_runner(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runner").mkdir()
    for folder in (str(tmp_path / "runner"), str(tmp_path / "of another machine")):
        perform_in(folder, Add(value=4), Store(Path("store")), Environment())
    assert value(Store(tmp_path / "runner" / "store"), Add(value=4)) == 4
    assert Store(tmp_path / "store").done(Add(value=4)) and Path.cwd() == tmp_path


def test_only_what_is_kept_is_read_where_nothing_is_to_be_done(tmp_path):
    low = Add(value=1)
    top, store = Add(value=2, below=(low,), label="adding"), Store(tmp_path)
    with pytest.raises(
        InputError, match="does not hold 'adding' of this run .*; the same command does what is missing"
    ):
        carry_out([top], store, kept_only=True)
    assert not list(tmp_path.iterdir())
    carry_out([top], store)
    store.path(low).unlink()
    assert names(carry_out([top], store, kept_only=True)) == ["kept"] and not store.path(low).exists()


def test_what_an_engine_cannot_have(tmp_path):
    store = Store(tmp_path)
    for options, message in (
        ({"name": "slurm"}, "no engine 'slurm'"),
        ({"name": "local", "gpu": 1}, "for the engine 'ray'"),
        ({"name": "local", "address": "auto"}, "An address is for the engine 'ray'"),
        ({"name": "local", "workers": -1}, "workers is -1; greater than or equal to 1"),
        ({"name": "inline", "workers": 2}, "'inline' has one worker, not 2"),
    ):
        with (
            pytest.raises(InputError, match=message),
            engine(store=store, environment=Environment(), **options),
        ):
            pass


def test_ray_gives_the_same_results_and_survives_a_killed_worker(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
    )
    options = {"engine_name": "ray", "address": cluster.address}
    try:
        cluster.add_node(num_cpus=1)  # the head's GPU is one in name: what Ray gives out is asked, not used
        cluster.wait_for_nodes()
        monkeypatch.chdir(tmp_path)  # the workers were started elsewhere
        gpu, store = Gpu(), Store(Path("gpu"))
        carry_out([gpu], store, gpu=0.5, stop=True, **options)
        assert store.path(gpu).read_text() == "0"
        with pytest.raises(InputError, match="no machine of this Ray cluster has more than 1"):
            carry_out([Gpu()], Store(tmp_path / "more"), gpu=2, **options)
        once, refused = DieOnce(mark=str(tmp_path / "mark"), value=3), Refuse()
        store = Store(tmp_path / "steps", f"file://{tmp_path / 'shared'}")
        outcome = carry_out([Add(below=(once,)), refused, Folder()], store, **options)
        assert store.done(once) and value(store, once) == 3 and outcome.count("done") == 3
        assert outcome.why(refused) == "this step takes no such value"
        assert store.done(Folder()) and (store.path(Folder()) / "inner" / "b.txt").read_text() == "b"
    finally:
        cluster.shutdown()
