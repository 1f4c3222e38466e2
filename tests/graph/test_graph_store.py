"""A store keeps results whole, under names for people, and moves them between machines."""

from __future__ import annotations

import threading

import pytest
import torch
from graph_steps import Add, Folder

from vestige.errors import InputError, MissingExtra
from vestige.graph import Environment, Store, carry_out
from vestige.graph.engines import perform
from vestige.store import sidecar


def test_results_have_names_for_people(tmp_path):
    low, top = Add(value=1), Folder()
    store = Store(tmp_path, names={low.key: "models/original", top.key: "audits/a"})
    carry_out([low, top], store)
    assert (tmp_path / "models" / "original.json").read_text() == "1"
    assert (tmp_path / "audits" / "a" / "inner" / "b.txt").is_file() and sidecar(store.path(top)).is_file()
    assert store.record(top)["sha256"] and store.done(top)
    (tmp_path / "audits" / "a" / "a.txt").write_text("changed")
    assert not store.done(top)
    carry_out([top], store)
    assert (tmp_path / "audits" / "a" / "a.txt").read_text() == "a"


def test_what_is_shared_is_done_once_whoever_asks(tmp_path):
    shared, step, folder = str(tmp_path / "shared"), Add(value=5), Folder()
    first = Store(tmp_path / "one", shared, {step.key: "mine"})
    carry_out([step, folder], first)
    second = Store(tmp_path / "two", shared, {step.key: "yours", folder.key: "files"})
    outcome = carry_out([step, folder], second)
    assert outcome.count("kept") == 2 and (tmp_path / "two" / "yours.json").read_text() == "5"
    assert (tmp_path / "two" / "files" / "a.txt").read_text() == "a"
    assert not list(tmp_path.rglob("*.part"))


def test_two_runs_may_publish_the_same_results_at_once(tmp_path):
    shared, faults, together = str(tmp_path / "shared"), [], threading.Barrier(2)

    def run(folder):
        store = Store(tmp_path / folder, shared)
        for value in range(20):
            for step in (Folder(value=value), Add(value=value)):
                together.wait()
                try:
                    store.perform(step, Environment())
                except Exception as error:
                    faults.append(error)

    runs = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert not faults
    third = Store(tmp_path / "three", shared)
    assert all(third.done(step(value=value)) for value in range(20) for step in (Folder, Add))


def test_a_shared_result_that_is_lost_is_made_again(tmp_path):
    shared, step = tmp_path / "shared", Add(value=5)
    carry_out([step], Store(tmp_path / "one", str(shared)))
    (shared / step.file).unlink()
    assert carry_out([step], Store(tmp_path / "two", str(shared))).count("done") == 1
    assert (shared / step.file).read_text() == "5"


def test_a_store_behind_a_url_moves_results_between_machines(tmp_path, monkeypatch):
    place, plain = f"file://{tmp_path / 'bucket'}", Environment(threads=1)
    low = Add(value=1)
    top = Add(value=10, below=(low,))
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "one"))
    threads = torch.get_num_threads()
    perform(low, Store.at(place), plain)
    assert torch.get_num_threads() == threads  # a step has one thread; the caller's setting comes back
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "two"))
    store = Store.at(place)
    perform(top, store, plain)
    assert store.path(top).read_text() == "11" and str(store.folder).startswith(str(tmp_path / "two"))
    assert not list((tmp_path / "bucket").rglob("*.part"))
    with pytest.raises(InputError, match="its input"):
        perform(Add(below=(Add(value=9),)), store, plain)


def test_a_store_that_cannot_be_opened_is_one_sentence(monkeypatch):
    with pytest.raises(InputError, match="s9://x cannot be opened: Protocol not known"):
        Store.at("s9://x")

    def absent(place):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", absent)
    with pytest.raises(MissingExtra, match="s3://x needs another package: Install s3fs"):
        Store.at("s3://x")


def test_what_a_folder_had_before_is_shared_too(tmp_path):
    """A run without a shared store, and then one with it: others find all that was done."""
    low = Add(value=1)
    top, folder, shared = Add(value=2, below=(low,)), Folder(), str(tmp_path / "shared")
    carry_out([top, folder], Store(tmp_path / "one"))
    carry_out([top, folder], Store(tmp_path / "one", shared))
    other = Store(tmp_path / "two", shared)
    assert all(other.done(step) for step in (low, top, folder)) and other.path(top).read_text() == "3"


def test_a_shared_folder_is_the_same_wherever_a_worker_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "one", "shared")
    assert store.behind == str(tmp_path / "shared")
    assert Store(tmp_path / "one", "file:///x").behind == "file:///x"


def test_a_store_without_a_folder_is_removed_at_the_end(tmp_path):
    with Store.opened(None) as store:
        carry_out([Add()], store)
        folder = store.folder
        assert store.done(Add())
    assert not folder.exists()
    with Store.opened(tmp_path / "kept", str(tmp_path / "shared")) as store:
        carry_out([Add()], store)
    assert Store(tmp_path / "kept").done(Add()) and (tmp_path / "shared" / Add().file).is_file()
