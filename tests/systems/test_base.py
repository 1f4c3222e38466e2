"""A system's parts are checked at one door, and who saw what is kept beside every model."""

from __future__ import annotations

import types

import numpy as np
import pytest

from vestige.errors import InputError
from vestige.systems import Outputs, Records, System
from vestige.systems.base import ask, expect_system, fingerprint_of


def records(**changes):
    fields = {"ids": ["a", "b", "c"], "labels": [0, 1, 0], "classes": ("no", "yes")} | changes
    return Records(**fields)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": ["a", "a", "b"]}, "'a'"),
        ({"ids": "abc"}, "ids"),
        ({"ids": [1.5, 2.5, 3.5]}, "ids"),
        ({"labels": [0, 2, 0]}, "label 2 is none of the 2 classes"),
        ({"labels": [0.0, 1.0, 0.0]}, "places of classes"),
        ({"labels": [0, 1]}, "3 ids and 2 labels"),
        ({"labels": None}, "give one of them"),
        ({"targets": [0.5, 1.0, 2.0]}, "give one of them"),
        ({"labels": None, "targets": [0.5, np.nan, 2.0]}, "no finite number"),
        ({"cluster": ["x", "y"]}, "3 ids and 2 cluster"),
    ],
)
def test_records_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        records(**changes)


def test_records_know_places_truth_and_clusters():
    known = records(cluster=["ann", "bob", "ann"])
    assert known.positions(["c", "a"]).tolist() == [2, 0]
    part = known.take(np.array([2, 1]))
    assert part.ids.tolist() == ["c", "b"] and part.values.tolist() == [0, 1]
    assert part.cluster.tolist() == ["ann", "bob"]
    assert Records(["1", "2"], targets=[0.5, 1.5]).truth.tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["z"], "'z' is not among the 3 records"),
        (["z", "y"], "1 more are not"),
        ("a", "one text|list"),
        (["a", "a"], "'a'"),
    ],
)
def test_ids_that_nobody_has_are_refused(ids, message):
    with pytest.raises(InputError, match=message):
        records().positions(ids, "The request")


def test_what_is_no_system_is_named_by_what_it_lacks(nearest):
    with pytest.raises(InputError, match="SimpleNamespace and has no name, records"):
        expect_system(types.SimpleNamespace(fit=1))
    nearest.records = {"ids": []}
    with pytest.raises(InputError, match="Records are wanted"):
        expect_system(nearest)


@pytest.mark.parametrize("seen", [[0, 0, 1], [-1], [10_000], ["r1"], [0.5]])
def test_the_training_manifest_is_checked(nearest, seen):
    nearest.seen = seen
    with pytest.raises(InputError, match="seen"):
        expect_system(nearest)


def test_answers_are_outputs_of_as_many_records(nearest):
    rows = np.arange(5)
    assert len(ask(nearest, rows, rows)) == 5
    nearest.outputs = lambda model, rows: np.zeros((len(rows), 2))
    with pytest.raises(InputError, match="Outputs"):
        ask(nearest, rows, rows)
    nearest.outputs = lambda model, rows: Outputs(np.array([[1.0, -1.0], [0.0, 2.0]]), "logits")
    with pytest.raises(InputError, match="answers 2 of 5"):
        ask(nearest, rows, rows)


def test_the_fingerprint_tells_manifest_truth_and_original_apart(nearest):
    first = fingerprint_of(nearest)
    assert fingerprint_of(type(nearest)()) == first
    nearest.seen = nearest.seen[1:]
    assert fingerprint_of(nearest) != first
    nearest.original = np.arange(300)
    one = fingerprint_of(nearest)
    nearest.original = np.arange(299)
    assert fingerprint_of(nearest) != one


def test_what_a_system_does_not_say_is_asked_for_in_words(nearest, tmp_path):
    bare = System()
    for call in (
        lambda: bare.save(None, tmp_path),
        lambda: bare.load(tmp_path),
        lambda: bare.unlearn("scrub", None, np.arange(1), np.arange(1), seed=0),
        lambda: bare.fit(np.arange(1), 0),
        lambda: bare.outputs(None, np.arange(1)),
    ):
        with pytest.raises(InputError, match=r"does not say|one way to forget"):
            call()
