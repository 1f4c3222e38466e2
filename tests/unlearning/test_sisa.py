"""SISA: what is left after a deletion is what training without the sample gives, and only that is trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier
from small import clusters, network, split_of

from vestige.errors import InputError
from vestige.signals import collect_logits
from vestige.training import Recipe
from vestige.unlearning import unlearn
from vestige.unlearning.sisa import Layout, train_sisa

DATA = clusters(160)
RECIPE = Recipe(epochs=6, batch_size=16, lr=0.05)


def weights(model):
    return [value for value in model.state_dict().values()]


@pytest.mark.parametrize("slices", [1, 3])
def test_deletion_is_training_without_the_samples(slices):
    split = split_of(DATA, forget=3, train=140)
    model = train_sisa(network(), split.data.take(split.train), RECIPE, shards=4, slices=slices, seed=5)
    assert model.slices_trained == 4 * slices
    after = unlearn("sisa", model, split)
    fresh = train_sisa(network(), split.rows("retain"), RECIPE, shards=4, slices=slices, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(weights(after.model), weights(fresh), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(after.model), weights(model), strict=True))


def test_only_what_must_be_is_trained():
    """One sample in slice s of one shard: R - s slices of one shard, the other shards bit for bit."""
    layout = Layout(4, 3, seed=5)
    split = split_of(DATA, forget=1, train=140)
    rows = split.data.take(split.train)
    places = layout.places(rows.ids)
    for wanted in (0, 2):
        name = rows.ids[np.flatnonzero(places % 3 == wanted)[0]]
        position = np.flatnonzero(split.data.ids == name)
        one = dataclasses.replace(split, forget=position, retain=np.setdiff1d(split.train, position))
        model = train_sisa(network(), rows, RECIPE, shards=4, slices=3, seed=5)
        after = unlearn("sisa", model, one).model
        assert after.slices_trained == 3 - wanted
        shard = int(layout.places(np.array([name]))[0] // 3)
        for k in range(4):
            same = all(
                torch.equal(a, b)
                for a, b in zip(weights(model.members[k]), weights(after.members[k]), strict=True)
            )
            assert same == (k != shard)


def test_twice_is_once():
    split = split_of(DATA, forget=6, train=140)
    first = dataclasses.replace(
        split, forget=split.forget[:3], retain=np.concatenate([split.retain, split.forget[3:]])
    )
    model = train_sisa(network(), split.data.take(split.train), RECIPE, shards=3, slices=2)
    step = unlearn(
        "sisa", unlearn("sisa", model, first).model, dataclasses.replace(split, forget=split.forget[3:])
    ).model
    once = unlearn("sisa", model, split).model
    assert all(torch.equal(a, b) for a, b in zip(weights(step), weights(once), strict=True))


@pytest.mark.parametrize("aggregation", ["mean", "vote"])
def test_scikit_learn(aggregation):
    split = split_of(DATA, forget=3, train=140)
    tree = DecisionTreeClassifier(max_depth=4)
    model = train_sisa(tree, split.data.take(split.train), shards=4, aggregation=aggregation)
    after = unlearn("sisa", model, split).model
    fresh = train_sisa(tree, split.rows("retain"), shards=4, aggregation=aggregation)
    x = split.rows("holdout").x
    assert np.array_equal(after.predict_proba(x), fresh.predict_proba(x))
    assert np.allclose(after.predict_proba(x).sum(axis=1), 1) and after.slices_trained <= 3


def test_aggregation():
    model = train_sisa(network(), DATA, RECIPE, shards=2)
    single = np.stack([np.exp(collect_logits(m, DATA)) for m in model.members])
    p = (single / single.sum(axis=2, keepdims=True)).mean(axis=0)
    assert np.allclose(np.exp(collect_logits(model, DATA)), p, atol=1e-5)
    model.aggregation = "vote"
    votes = np.eye(3)[single.argmax(axis=2)].sum(axis=0) + 1
    assert np.allclose(
        np.exp(collect_logits(model, DATA)), votes / votes.sum(axis=1, keepdims=True), atol=1e-5
    )


def test_refusals():
    split = split_of(DATA, train=140)
    for call, message in (
        (lambda: unlearn("sisa", network(), split), "train_sisa"),
        (lambda: train_sisa(network(), DATA, RECIPE, shards=500), "fewer shards"),
        (lambda: train_sisa(network(), DATA), "needs a recipe"),
        (
            lambda: train_sisa(network(), DATA, RECIPE, shards=0),
            "train_sisa: shards is 0; greater than or equal to 1 is wanted.$",
        ),
        (lambda: train_sisa(DecisionTreeClassifier(), DATA, slices=2), "slices must be 1"),
        (lambda: train_sisa(network(), DATA, RECIPE, aggregation="median"), "mean"),
    ):
        with pytest.raises(InputError, match=message):
            call()
