"""Pairs from models: who leaves, who stays, that faults of the published code are not there, and real figures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import vestige
from vestige.data import Dataset
from vestige.errors import InputError
from vestige.leaks import Network, Setting, attack, attack_models, make_pairs, three_way
from vestige.leaks.settings import pools
from vestige.leaks.targets import fitted, posteriors, targets

RNG = np.random.default_rng(0)


def blobs(n=1200, k=4):
    y = RNG.integers(0, k, n)
    x = (RNG.normal(size=(k, 6))[y] + RNG.normal(size=(n, 6))).astype(np.float32)
    return Dataset("blobs", x, y.astype(np.int64), np.arange(n).astype(str), tuple("abcdefgh"[:k]))


DATA = blobs()
SMALL = {"sets": 3, "records": 80, "deletions": 6}
MEMORY = KNeighborsClassifier(1)  # knows its training records by heart


def test_pools_are_disjoint_and_of_the_published_size():
    parts = [pools(5010, side, 0) for side in ("shadow", "target")]
    sizes = [[len(p) for p in (q.positive, q.negative, q.replace)] for q in parts]
    assert sizes == [[2004, 426, 75]] * 2
    everyone = np.concatenate([p for q in parts for p in (q.positive, q.negative, q.replace)])
    assert len(np.unique(everyone)) == 5010


@pytest.mark.parametrize("name", ["scratch", "group", "multi_version", "online", "remaining"])
def test_who_knows_whom(name):
    """A target that recites its training set: deleted records are known before and not after, and so on."""
    group = 1 if name in ("scratch", "remaining") else 3
    noisy = Dataset(
        "noise",
        RNG.normal(size=(1200, 6)).astype(np.float32),
        RNG.integers(0, 4, 1200),
        DATA.ids,
        DATA.classes,
    )
    made = make_pairs(noisy, MEMORY, Setting(name, group=group, **SMALL), seed=1)
    rows = np.arange(len(made))
    knew, knows = made.original[rows, made.labels], made.unlearned[rows, made.labels]
    assert (knew[made.status != "outside"] == 1).all() and (knows[made.status == "remaining"] == 1).all()
    assert knows[made.status == "deleted"].mean() < 0.8 and knew[made.status == "outside"].mean() < 0.8
    asked = group if name in ("group", "online") else 1
    assert len(made) == 3 * 6 * 3 * asked and len(np.unique(made.sets)) == 3


@pytest.mark.usefixtures("forked_workers")
def test_neither_workers_nor_cache_change_anything(tmp_path):
    setting = Setting(**SMALL)
    one = make_pairs(DATA, "decision-tree", setting, seed=3)
    two = make_pairs(DATA, "decision-tree", setting, seed=3, workers=2, cache=tmp_path)
    count = len(list(tmp_path.rglob("*.npz")))
    three = make_pairs(DATA, "decision-tree", Setting(**SMALL | {"sets": 2}), seed=3, cache=tmp_path)
    assert np.array_equal(one.original, two.original) and np.array_equal(one.unlearned, two.unlearned)
    assert len(list(tmp_path.rglob("*.npz"))) == count == 3  # the smaller fleet is part of the larger
    assert np.array_equal(three.original, one.original[: len(three)])
    other = make_pairs(DATA, "decision-tree", setting, seed=4, cache=tmp_path)
    assert not np.array_equal(other.original, one.original)


def test_the_scaler_is_fitted_once():
    """Published: the scaler is fitted again on every query, so that a single record is always the zero vector."""
    model = fitted(targets()["logistic-regression"], DATA.take(np.arange(300)), 0)
    rows = DATA.take(np.arange(400, 450))
    together = posteriors(model, rows)
    alone = np.concatenate([posteriors(model, rows.take(np.array([i]))) for i in range(50)])
    assert np.allclose(together, alone) and together.std(axis=0).min() > 0.05


def test_a_class_that_a_model_never_saw_keeps_its_place():
    few = DATA.take(np.flatnonzero(DATA.y != 2)[:100])
    p = posteriors(fitted(targets()["decision-tree"], few, 0), DATA.take(np.arange(20)))
    assert p.shape == (20, 4) and (p[:, 2] == 0).all() and np.allclose(p.sum(axis=1), 1)


def test_one_shard_of_sisa_is_scratch_and_shards_are_averaged():
    """Published: the mean over shards is written into the first shard's own answers."""
    from vestige.unlearning.sisa import train_sisa

    tree = DecisionTreeClassifier(max_leaf_nodes=10)
    rows = DATA.take(np.arange(200))
    single = train_sisa(tree, rows, shards=1, seed=5)
    assert np.array_equal(single.predict_proba(rows.x), fitted(tree, rows, 5).predict_proba(rows.x))
    several = train_sisa(tree, rows, shards=4, seed=5)
    before = [m.predict_proba(rows.x) for m in several.members]
    mean = several.predict_proba(rows.x)
    assert np.allclose(mean, np.mean(before, axis=0)) and np.allclose(several.predict_proba(rows.x), mean)


def test_records_keep_their_order():
    """Published: the retained records are sorted, so that order-sensitive learners differ for that reason alone."""
    seen = []

    class Watching(LogisticRegression):
        def fit(self, x, y):
            seen.append(x.copy())
            return super().fit(x, y)

    make_pairs(DATA, Watching(max_iter=50), Setting(sets=1, records=30, deletions=2))
    for after in seen[1:]:
        where = [int(np.flatnonzero((seen[0] == row).all(axis=1))[0]) for row in after]
        assert where == sorted(where) and len(where) == 29


def test_the_attack_finds_what_is_there_and_nothing_in_noise():
    setting = Setting(sets=4, records=100, deletions=8)
    quick = {"models": ("logistic-regression", "decision-tree")}
    noisy = Dataset(
        "noise",
        RNG.normal(size=(1600, 6)).astype(np.float32),
        RNG.integers(0, 4, 1600),
        np.arange(1600).astype(str),
        DATA.classes,
    )
    shadow, target = (make_pairs(noisy, MEMORY, setting, side=side) for side in ("shadow", "target"))
    found = attack(shadow, target, **quick)
    assert found.best.target.auc > 0.8 and found.best.versions == 2
    assert found.baseline.versions == 1 and found.gain_low <= found.gain <= found.gain_high
    assert attack(shadow, target, positive="remaining", **quick).baseline.target.auc > 0.7
    nothing = attack(
        shadow, target, positive="deleted", negative="outside", defence="temperature=1e9+rounding=3", **quick
    )
    assert abs(nothing.best.target.auc - 0.5) < 0.12
    assert set(three_way(shadow, target)) == {"deleted", "remaining", "outside"}
    rng = np.random.default_rng(0)
    shuffled = type(target)(
        target.original, target.unlearned, rng.permutation(target.status), target.sets, target.labels
    )
    assert abs(attack(shadow, shuffled, **quick).best.target.auc - 0.5) < 0.15


def test_features_and_scores_are_asked_for_by_name():
    setting = Setting(sets=2, records=40, deletions=4)
    shadow, target = (make_pairs(DATA, "decision-tree", setting, side=side) for side in ("shadow", "target"))
    asked = ("sorted_concat", "l2_threshold", "max_confidence")
    found = attack(shadow, target, models=("decision-tree",), features=asked)
    assert {a.feature for a in found.attacks} == set(asked)
    bare = [type(p)(p.original, p.unlearned, p.status, p.sets) for p in (shadow, target)]
    assert not any(a.feature.startswith("true") for a in attack(*bare, models=("decision-tree",)).attacks)
    with pytest.raises(InputError, match="labels"):
        attack(*bare, models=("decision-tree",), features=("true_confidence", "l2_distance"))


def test_own_classifiers_and_refusals():
    setting = Setting(sets=2, records=40, deletions=4)
    shadow, target = (make_pairs(DATA, "decision-tree", setting, side=side) for side in ("shadow", "target"))
    mine = {"mine": make_pipeline(StandardScaler(), KNeighborsClassifier(5))}
    assert {a.model for a in attack(shadow, target, models=mine).attacks} == {"mine", "threshold"}
    assert set(attack_models()) == {"logistic-regression", "decision-tree", "random-forest", "mlp"}
    for call, message in (
        (lambda: Setting("scrach"), "'scratch'"),
        (lambda: Setting(group=1000), "nothing to retrain on"),
        (lambda: Setting(sets=0), "Setting: sets is 0; greater than or equal to 1 is wanted"),
        (lambda: Setting(sets="x"), "Setting: sets is 'x', which is text; a number is wanted"),
        (lambda: Setting(method=3), "Setting: method is 3"),
        (lambda: Network(temperature=None), "Network: temperature is None"),
        (lambda: Network(recipe="fast"), "Network: recipe is 'fast'"),
        (lambda: make_pairs(DATA, DecisionTreeClassifier, setting), "no classifier"),
        (lambda: attack(shadow, target, models={"mine": 3}), "3 is no classifier"),
        (lambda: Setting("sisa", group=2), "group must be 1"),
        (lambda: Setting(seeds="none"), "shared"),
        (lambda: make_pairs(DATA, "decision-tree", Setting(records=900)), "the target side of blobs has 480"),
        (
            lambda: make_pairs(DATA, "decision-tree", Setting("group", group=200, records=400)),
            "never trained on",
        ),
        (lambda: make_pairs(DATA, "tree", setting), "decision-tree"),
        (lambda: make_pairs(DATA, object(), setting), "no classifier"),
        (lambda: attack(shadow, target, models=("svm",)), "attack model"),
        (lambda: attack(shadow, target, features=("l2",)), "feature"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_real_location30_in_a_small_form(real_data):
    """Decision tree, 4 sets of 500: the change gives the deleted away, one version does not."""
    data = vestige.load_dataset("location30", root=real_data)
    setting = Setting(sets=4, records=500, deletions=10)
    shadow, target = (
        make_pairs(data, "decision-tree", setting, side=side, seed=7) for side in ("shadow", "target")
    )
    found = attack(shadow, target, models=("decision-tree",))
    by = {(a.feature, a.model): a.target.auc for a in found.attacks}
    assert by["l2_distance", "decision-tree"] > 0.75 and 0.3 < by["max_confidence", "threshold"] < 0.7
    assert found.gain_low > 0.1
    hidden = attack(shadow, target, models=("decision-tree",), defence="label_only")
    assert hidden.best.target.auc < found.best.target.auc - 0.1


def test_networks_and_approximate_methods():
    """A network that is left as it is by the "deletion" gives nothing away; refitting gives the deleted away."""
    from vestige.leaks import Network

    rng = np.random.default_rng(3)
    noisy = Dataset(
        "noise",
        rng.normal(size=(700, 20)).astype(np.float32),
        rng.integers(0, 4, 700),
        np.arange(700).astype(str),
        DATA.classes,
    )
    small = {"sets": 2, "records": 60, "deletions": 4}
    net = Network({"name": "mlp", "hidden": (64,)}, {"epochs": 40, "batch_size": 16, "lr": 0.1})
    exact = make_pairs(noisy, net, Setting(**small))
    idle = make_pairs(noisy, net, Setting(**small, method={"name": "finetune", "lr": 1e-9, "epochs": 1}))
    for made, moved in ((exact, True), (idle, False)):
        gone = made.of("deleted")
        rows = np.arange(len(gone))
        drop = gone.original[rows, gone.labels] - gone.unlearned[rows, gone.labels]
        assert (drop.mean() > 0.3) == moved
    assert np.abs(idle.original - idle.unlearned).max() < 1e-4
    linear = make_pairs(
        DATA, LogisticRegression(max_iter=5000, tol=1e-10), Setting(**small, method="certified_newton")
    )
    assert np.isfinite(linear.unlearned).all() and not np.array_equal(linear.unlearned, linear.original)
    for call, message in (
        (lambda: Setting("sisa", method="finetune"), "no other method"),
        (lambda: Setting(method={"name": "ssd", "options": {"alpha": 2}}), "write {name: ssd, alpha: 2}"),
        (lambda: Setting("multi_version"), "with group 1 is scratch"),
        (lambda: make_pairs(DATA, "decision-tree", Setting(**small, method="finetune")), "does not work on"),
        (lambda: make_pairs(DATA, "torch:cnn3", Setting(**small)), "cnn"),
    ):
        with pytest.raises(InputError, match=message):
            call()
