"""Features, defences and figures by hand, and against per-row loops; the published code's faults, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from test_leaks_record import pairs

import vestige
from vestige.errors import InputError
from vestige.leaks import (
    FEATURES,
    PosteriorPairs,
    clustered_interval,
    defended,
    degradation,
    features_of,
    figures,
    score_of,
)
from vestige.leaks.defences import label_only, rounding, temperature, top_k
from vestige.leaks.features import measures_without_shadows

ONE = PosteriorPairs(
    np.array([[0.5, 0.2, 0.3]]), np.array([[0.1, 0.6, 0.3]]), np.array(["deleted"]), labels=np.array([1])
)


def test_features_by_hand():
    wanted = {
        "direct_diff": [0.4, -0.4, 0.0],
        "sorted_diff": [-0.4, 0.0, 0.4],
        "direct_concat": [0.5, 0.2, 0.3, 0.1, 0.6, 0.3],
        "sorted_concat": [0.2, 0.3, 0.5, 0.6, 0.3, 0.1],
        "l2_distance": [0.32**0.5],
        "basic_mia": [0.5, 0.2, 0.3],
        "sorted_mia": [0.2, 0.3, 0.5],
    }
    for name, values in wanted.items():
        assert features_of(ONE, name)[0].tolist() == pytest.approx(values), name
    assert score_of(ONE, "true_confidence_drop")[0] == pytest.approx(-0.4)
    assert score_of(ONE, "max_confidence")[0] == 0.5 and score_of(ONE, "true_confidence")[0] == 0.2
    assert score_of(ONE, "entropy")[0] == pytest.approx(
        0.5 * np.log(0.5) + 0.2 * np.log(0.2) + 0.3 * np.log(0.3)
    )


@given(seed=st.integers(0, 200))
def test_sorted_features_do_not_know_the_classes(seed):
    made = pairs(8, 5, seed)
    order = np.random.default_rng(seed).permutation(5)
    moved = PosteriorPairs(made.original[:, order], made.unlearned[:, order], made.status)
    for name in ("sorted_diff", "sorted_concat", "l2_distance", "sorted_mia"):
        assert np.allclose(features_of(made, name), features_of(moved, name))


@given(seed=st.integers(0, 200))
def test_ties_are_sorted_by_class(seed):
    """Trees give many equal posteriors; which of them comes first must not depend on the machine."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, (20, 6)) + np.eye(6)[rng.integers(0, 6, 20)]
    made = PosteriorPairs(
        counts / counts.sum(axis=1, keepdims=True),
        rng.dirichlet(np.ones(6), 20),
        np.resize(["deleted", "outside"], 20),
    )
    order = np.argsort(made.original, axis=1, kind="stable")
    assert np.array_equal(made.ordered[0], np.take_along_axis(made.original, order, axis=1))
    assert np.array_equal(made.ordered[1], np.take_along_axis(made.unlearned, order, axis=1))


def test_measures_speak_on_the_same_pairs():
    made = pairs(40, 4)
    names = measures_without_shadows()
    assert "confidence_difference" in names
    for name in names:
        assert np.isfinite(score_of(made, name)).all()
    fallen = made.unlearned[np.arange(40), made.labels] - made.original[np.arange(40), made.labels]
    assert np.allclose(score_of(made, "confidence_difference"), -fallen, atol=1e-9)
    with pytest.raises(InputError, match="needs the records' `labels`"):
        score_of(PosteriorPairs(made.original, made.unlearned, made.status), "confidence_difference")
    with pytest.raises(InputError, match="Did you mean 'entropy'"):
        score_of(made, "entrpy")


# defences


def test_defences_by_hand():
    p = np.array([[0.5, 0.2, 0.3], [0.4, 0.4, 0.2]])
    assert top_k(p, 1).tolist() == [[0.5, 0.25, 0.25], pytest.approx([0.4, 0.3, 0.3])]
    assert top_k(p, 2)[0].tolist() == pytest.approx([0.5, 0.2, 0.3])
    assert label_only(p).tolist() == [[1, 0, 0], [1, 0, 0]]  # ties: the first, as the model serves it
    assert temperature(p, 1.0) == pytest.approx(p) and temperature(p, 1e9) == pytest.approx(
        np.full((2, 3), 1 / 3)
    )
    assert rounding(p, 1) == pytest.approx(p) and rounding(np.full((1, 30), 1 / 30), 1) == pytest.approx(
        1 / 30
    )


@given(seed=st.integers(0, 200), k=st.integers(2, 6))
def test_defended_posteriors_are_posteriors(seed, k):
    made = pairs(9, k, seed)
    for defence in (
        "label_only",
        "temperature=4",
        "rounding=2",
        "temperature=10+rounding=1",
        *[f"top_k={j}" for j in range(1, k)],
    ):
        found = defended(made, defence)
        assert np.allclose(found.original.sum(axis=1), 1) and (found.unlearned >= 0).all()


def test_defences_are_pure():
    """Published: the defence changes the posteriors in place, so that the undefended are lost."""
    made = pairs()
    before = made.original.copy(), made.unlearned.copy()
    for defence in ("label_only", "top_k=1", "none", "rounding=1"):
        defended(made, defence)
    assert np.array_equal(made.original, before[0]) and np.array_equal(made.unlearned, before[1])


def test_impossible_defences():
    made = pairs(6, 3)
    for defence, message in (
        ("top_k=3", "1 to 2 can be kept"), ("top_k=9", "1 to 2"), ("top_k=0", "1 to 2"), ("top_k", "needs a number"),
        ("temperature=0", "above 0"), ("rounding=0", "at least 1"), ("blur", "There is no defence"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            defended(made, defence)


# figures


def test_figures():
    rng = np.random.default_rng(0)
    positive, sets = rng.random(300) < 0.5, np.repeat(np.arange(10), 30)
    score = rng.normal(size=300) + positive
    found = figures(score, positive, sets, threshold=0.5)
    assert found.auc == pytest.approx(roc_auc_score(positive, score))
    assert found.accuracy == pytest.approx(((score >= 0.5) == positive).mean())
    others = np.sort(score[~positive])[::-1]
    limit = others[int(0.01 * len(others))]
    assert found.tpr_1 == pytest.approx((score[positive] > limit).mean())
    assert found.low < found.auc < found.high


def test_the_interval_resamples_sets():
    """The matrix of wins gives what resampling rows of whole sets gives; clusters make it wider."""
    rng = np.random.default_rng(1)
    sets = np.repeat(np.arange(8), 40)
    positive = rng.random(320) < 0.5
    score = rng.normal(size=320) + positive * rng.normal(1, 1, 8)[sets]
    low, high = clustered_interval(score, positive, sets, draws=4000)
    drawn = []
    for _ in range(600):
        rows = np.concatenate([np.flatnonzero(sets == k) for k in rng.integers(0, 8, 8)])
        drawn.append(roc_auc_score(positive[rows], score[rows]))
    assert np.allclose([low, high], np.quantile(drawn, [0.025, 0.975]), atol=0.02)
    apart = clustered_interval(score, positive, np.arange(320), draws=2000)
    assert high - low > apart[1] - apart[0]


def test_degradation_by_hand():
    found = degradation(np.array([0.9, 0.4, 0.5]), np.array([0.6, 0.4, 0.7]), np.array([True, False, False]))
    assert found.count == pytest.approx(2 / 3) and found.ties == pytest.approx(1 / 3)
    assert found.rate == pytest.approx((0.3 + 0 + 0.2) / 3)
    same = degradation(np.array([0.3]), np.array([0.3]), np.array([True]))
    assert (same.count, same.ties, same.rate) == (0, 1, 0)


def test_features_of_many_pairs_are_arrays():
    made = pairs(20_000, 30)
    for name in FEATURES:
        assert len(features_of(made, name)) == 20_000
    assert vestige.__version__
