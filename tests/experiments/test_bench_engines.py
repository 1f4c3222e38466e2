"""Engines: steps in their order and once, whatever dies; the same results on Ray."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import bench_steps
import pytest
import torch
from bench_steps import made
from bench_tables import tiny

from vestige.errors import InputError, MissingExtra
from vestige.experiments.bench import experiment, run_bench
from vestige.experiments.bench.engines import engine, execute
from vestige.experiments.bench.steps import Step, Store, ordered, perform
from vestige.experiments.bench.trackers import tracker


def done(steps, folder, name="local", workers=1, **options):
    store, told = Store(folder), []
    with engine(name, str(folder), None, workers=workers, **options) as where:
        states = execute(steps, store, where, lambda one, state, facts: told.append((one.label, state)))
    return states, told, store


def value(store, one):
    return json.loads(store.path(one).read_text())


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """Workers import the steps of this folder."""
    here = str(Path(bench_steps.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")])))


def test_steps_are_done_in_their_order_and_once(tmp_path):
    a, b = made("add", value=1), made("add", value=2)
    top = made("add", (a, b, made("add", value=2)), value=10)
    states, told, store = done([top], tmp_path)
    assert value(store, top) == 15 and len(states) == 3  # two steps that are the same are one
    assert told[-1][1] == "done"
    again, told, _ = done([top], tmp_path)
    assert {s["state"] for s in again.values()} == {"done"} and {state for _, state in told} == {"kept"}


def test_what_only_a_finished_step_reads_is_not_made_again(tmp_path):
    a = made("add", value=1)
    top = made("add", (a,), value=10)
    _, _, store = done([top], tmp_path)
    store.path(a).unlink()
    states, _, _ = done([top], tmp_path)
    assert states[a.key].get("kept") and not store.path(a).exists()


def test_a_worker_that_is_killed_costs_one_try(tmp_path):
    once = made("die_once", mark=str(tmp_path / "mark"), value=3)
    top = made("add", (once, made("add", value=4)), value=0)
    states, _, store = done([top], tmp_path / "s")
    assert value(store, top) == 7 and {s["state"] for s in states.values()} == {"done"}


def test_a_worker_that_is_killed_while_it_is_idle_is_replaced(tmp_path):
    first = made("told_pid", value=3)
    top, store = made("add", (first,), value=4), Store(tmp_path)

    def gone(pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(one, state, facts):
        if one is first and state == "done":
            os.kill(facts["pid"], signal.SIGKILL)
            end = time.monotonic() + 60
            while not gone(facts["pid"]) and time.monotonic() < end:
                time.sleep(0.02)

    with engine("local", str(tmp_path), None, workers=1) as where:
        states = execute([top], store, where, kill)
    assert value(store, top) == 7 and {s["state"] for s in states.values()} == {"done"}


def test_a_runner_shows_that_it_lives_while_a_step_takes_long(tmp_path):
    beats = []
    with engine("local", str(tmp_path), None, workers=1) as where:
        execute([made("slow")], Store(tmp_path), where, lambda *told: None, lambda: beats.append(time.time()))
    assert len(beats) > 3 and max(b - a for a, b in itertools.pairwise(beats)) < 1.2


def test_a_step_that_always_dies_fails_alone(tmp_path):
    bad, good = made("die_always"), [made("add", value=k) for k in range(5)]
    above = made("add", (bad,), value=1)
    states, _, store = done([bad, above, *good], tmp_path)
    assert "died 3 times" in states[bad.key]["why"] and states[above.key]["why"] == states[bad.key]["why"]
    assert [value(store, g) for g in good] == list(range(5))
    assert not list(tmp_path.rglob("*.part"))


def test_a_refusal_is_a_reason_and_is_not_tried_again(tmp_path):
    bad, full, weights = made("refuse"), made("full"), made("full_of_weights")
    states, told, _ = done([bad, full, weights], tmp_path)
    assert states[bad.key]["why"] == "this step takes no such value"
    assert all("disk is full" in states[s.key]["why"] for s in (full, weights))
    assert [state for label, state in told if label == bad.label] == ["running", "failed"]
    assert errno.ENOSPC == 28


def test_no_room_is_found_before_any_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(InputError, match="GB free and the run needs"):
        run_bench(experiment(tiny(tmp_path)), store=tmp_path / "s")


def test_two_runners_on_one_store(tmp_path):
    steps = [made("add", tuple(made("add", value=k) for k in range(6)), value=j) for j in range(6)]
    results = []

    def go():
        results.append(done(steps, tmp_path)[0])

    threads = [threading.Thread(target=go) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    store = Store(tmp_path)
    assert all(s["state"] == "done" for r in results for s in r.values()) and len(results) == 2
    assert [value(store, s) for s in steps] == [15 + j for j in range(6)]
    assert all(store.done(s) for s in ordered(steps)) and not list(tmp_path.rglob("*.part"))


def test_a_killed_runner_continues_with_identical_results(filled, tmp_path):
    made_, folder = filled
    script, store = tmp_path / "go.py", tmp_path / "s"
    script.write_text("from vestige.cli import main\nif __name__ == '__main__': main()")
    given = ["bench", "run", str(folder / "tiny.yaml"), "--store", str(store), "--workers", "2", "--quiet"]
    runner = subprocess.Popen([sys.executable, str(script), *given], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while time.monotonic() < end and runner.poll() is None and len(list(store.rglob("*.safetensors"))) < 2:
        time.sleep(0.05)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    whole = run_bench(experiment(folder / "tiny.yaml"), store=store, workers=2)
    assert whole.result == made_.result and whole.kept > 0


def test_a_store_behind_a_url_moves_results_between_machines(tmp_path, monkeypatch):
    place = f"file://{tmp_path / 'bucket'}"
    a = made("add", value=1)
    top = made("add", (a,), value=10)
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "one"))
    threads = torch.get_num_threads()
    perform(a, place, None)
    assert torch.get_num_threads() == threads  # a step has one thread; the caller's setting comes back
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "two"))
    perform(top, place, None)
    store = Store(place)
    assert value(store, top) == 11 and str(store.folder).startswith(str(tmp_path / "two"))
    assert not list((tmp_path / "bucket").rglob("*.part"))
    with pytest.raises(InputError, match="its input"):
        perform(made("add", (made("add", value=9),)), place, None)


def test_a_store_that_cannot_be_opened_is_one_sentence(monkeypatch):
    with pytest.raises(InputError, match="s9://x cannot be opened: Protocol not known"):
        Store("s9://x")

    def absent(place):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", absent)
    with pytest.raises(MissingExtra, match="s3://x needs another package: Install s3fs"):
        Store("s3://x")


def test_an_unknown_engine_and_tracker():
    with pytest.raises(InputError, match="no engine 'slurm'"), engine("slurm", ".", None):
        pass
    with pytest.raises(InputError, match="for the engine 'ray'"), engine("local", ".", None, gpu=1):
        pass
    with (
        pytest.raises(InputError, match="workers is -1; greater than or equal to 1"),
        engine("local", ".", None, workers=-1),
    ):
        pass
    with pytest.raises(InputError, match="no tracker 'wandb'"):
        tracker("wandb")
    assert tracker(None)({}, Path()) is None


def test_ray_gives_the_same_results_and_survives_a_killed_worker(filled, tmp_path):
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    from ray.cluster_utils import Cluster

    made_, folder = filled
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
    )
    try:
        cluster.add_node(num_cpus=1)  # the head's GPU is one in name: what Ray gives out is asked, not used
        cluster.wait_for_nodes()
        network = Step("bench_steps:outputs", {}, (), "network")
        (_, _, store) = done([network], tmp_path / "gpu", "ray", address=cluster.address, gpu=0.5)
        assert store.path(network).read_text() == "0"
        with pytest.raises(InputError, match="no machine of this Ray cluster has more than 1"):
            done([network], tmp_path / "more", "ray", address=cluster.address, gpu=2)
        once = made("die_once", mark=str(tmp_path / "mark"), value=3)
        bad, refused = made("die_always"), made("refuse")
        states, _, store = done(
            [made("add", (once,), value=1), bad, refused],
            tmp_path / "steps",
            "ray",
            workers=None,
            address=cluster.address,
        )
        assert value(store, once) == 3 and "died 3 times" in states[bad.key]["why"]
        assert states[refused.key]["why"] == "this step takes no such value"
        there = run_bench(
            experiment(folder / "tiny.yaml"), store=tmp_path / "s", engine_name="ray", address=cluster.address
        )
    finally:
        cluster.shutdown()
    assert there.result == made_.result and there.done == made_.done
