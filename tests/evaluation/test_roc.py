from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score, roc_curve

from vestige.errors import InputError
from vestige.evaluation import auc, balanced_accuracy, bootstrap, figures, roc, tnr_at_fnr, tpr_at_fpr

module = import_module("vestige.evaluation.roc")
scores = arrays(np.float64, st.integers(1, 40), elements=st.integers(-5, 5).map(float))


@given(scores, scores)
@settings(max_examples=200)
def test_against_scikit_learn(unlearned, retained):
    y = np.repeat([0, 1], [len(unlearned), len(retained)])
    membership = -np.concatenate([unlearned, retained])
    assert auc(unlearned, retained) == pytest.approx(roc_auc_score(y, membership))
    fpr, tpr, _ = roc_curve(y, membership, drop_intermediate=False)
    ours = roc(unlearned, retained)
    assert np.allclose(
        np.unique(np.stack([ours.fpr, ours.tpr]), axis=1), np.unique(np.stack([fpr, tpr]), axis=1)
    )
    assert balanced_accuracy(unlearned, retained) == pytest.approx((1 + tpr - fpr).max() / 2)


@given(scores, scores)
def test_a_strictly_monotone_map_changes_nothing_and_a_flip_mirrors(unlearned, retained):
    assert auc(np.exp(unlearned), np.exp(retained)) == auc(unlearned, retained)
    assert auc(-unlearned, -retained) == pytest.approx(1 - auc(unlearned, retained))


def test_rates_are_steps_and_never_promise_more_than_the_data():
    unlearned = np.arange(100, 200.0)
    retained = np.concatenate([np.arange(0, 90.0), np.arange(150, 160.0)])
    # the lowest unlearned score is 100: 90 of 100 retained lie below it, at no unlearned sample mistaken
    assert tpr_at_fpr(unlearned, retained, 0.0) == 0.9
    assert tpr_at_fpr(unlearned, retained, 0.009) == 0.9
    # no retained sample missed: the threshold lies above 159, and the 40 unlearned from 160 up are recognised
    assert tnr_at_fnr(unlearned, retained, 0.0) == pytest.approx(0.40)
    assert tnr_at_fnr(unlearned, retained, 0.01) == pytest.approx(0.41)
    assert tnr_at_fnr(unlearned, retained, 0.0149) == pytest.approx(0.41)


@given(scores, scores)
def test_all_figures_at_once_are_each_by_itself(unlearned, retained):
    """What a bootstrap computes for many draws, with ties."""
    many = np.arange(100, 200.0), np.concatenate([np.arange(0, 90.0), np.arange(150, 160.0)])
    for one, other in ((unlearned, retained), many):
        assert figures(one, other) == pytest.approx({
            "auc": auc(one, other),
            "balanced_accuracy": balanced_accuracy(one, other),
            "tpr_at_fpr_1%": tpr_at_fpr(one, other, 0.01),
            "tnr_at_fnr_1%": tnr_at_fnr(one, other, 0.01),
            "tnr_at_fnr_0": tnr_at_fnr(one, other, 0.0),
        })  # fmt: skip


def test_ties_are_neither_won_nor_lost():
    same = np.zeros(7)
    assert auc(same, np.zeros(3)) == 0.5
    assert tnr_at_fnr(same, same, 0.01) == 0 and tpr_at_fpr(same, same, 0.01) == 0


def test_an_empty_group_and_nan_are_refused():
    with pytest.raises(InputError, match="no retained"):
        auc(np.ones(2), np.ones(0))
    with pytest.raises(InputError, match="NaN"):
        auc(np.array([1.0, np.nan]), np.ones(3))


def test_bootstrap_is_the_slow_one_in_distribution():
    rng = np.random.default_rng(0)
    unlearned, retained = rng.normal(1, 1, 80).round(1), rng.normal(0, 1, 150).round(1)
    fast = bootstrap(unlearned, retained, draws=3000, seed=1)
    slow = [figures(rng.choice(unlearned, 80), rng.choice(retained, 150)) for _ in range(3000)]
    for name, (low, high) in fast.items():
        wanted = np.quantile([draw[name] for draw in slow], [0.025, 0.975])
        assert [low, high] == pytest.approx(wanted, abs=0.025 if "at" not in name else 0.08)


def test_bootstrap_interval_covers_the_truth_as_promised():
    # AUC of N(1, 1) against N(0, 1) is Phi(1 / sqrt 2) = 0.7602
    rng, hits = np.random.default_rng(4), 0
    for seed in range(200):
        low, high = bootstrap(rng.normal(1, 1, 60), rng.normal(0, 1, 90), draws=300, seed=seed)["auc"]
        hits += low <= 0.76025 <= high
    assert hits >= 180  # 95 % promised; 180 of 200 is 3.2 standard deviations below


def test_bootstrap_touches_no_global_state():
    state = np.random.get_state()[1].copy()
    first = bootstrap(np.arange(5.0), np.arange(9.0), draws=50)
    assert first == bootstrap(np.arange(5.0), np.arange(9.0), draws=50)
    assert np.array_equal(np.random.get_state()[1], state)


def test_bootstraps_do_not_depend_on_how_many_draws_are_counted_at_once(monkeypatch):
    """Nor on the size of the integers that hold the counts: of 3,000 samples a side 32 bits are too few."""
    rng = np.random.default_rng(0)
    for size in (90, 3000):
        pairs = [
            (rng.normal(shift, 1, size).round(2), rng.normal(0, 1, 2 * size).round(2)) for shift in (0, 1)
        ]
        together = module.bootstraps(pairs, draws=130, seed=2)
        monkeypatch.setattr(module, "TOGETHER", 1)
        assert module.bootstraps(pairs, draws=130, seed=2) == together
        monkeypatch.undo()
        for pair, intervals in zip(pairs, together, strict=True):
            figure = figures(*pair)
            assert all(low - 0.1 <= figure[name] <= high + 0.1 for name, (low, high) in intervals.items())
