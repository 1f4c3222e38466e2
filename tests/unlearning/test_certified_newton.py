"""Certified removal: the bound bounds the residual, the claim follows, and is refused where it does not hold."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from small import clusters, split_of

import vestige
from vestige.data import make_split
from vestige.errors import InputError
from vestige.unlearning import unlearn
from vestige.unlearning.certified_newton import CertifiedLinear


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("forget", [1, 10])
def test_residual_is_under_its_bound(classes, forget):
    split = split_of(clusters(400, classes=classes), forget=forget, train=300)
    rows = split.data.take(split.train)
    model = CertifiedLinear(lam=1e-2, sigma=1.0, seed=3).fit(rows.x, rows.y)
    after = unlearn("certified_newton", model, split).model
    claim = after.certificate_
    assert 0 < claim.residual <= claim.bound and claim.removed == forget
    assert claim.epsilon == pytest.approx(math.sqrt(2 * math.log(1.5 / 1e-4)) * claim.bound)
    kept = split.rows("retain")
    exact = CertifiedLinear(lam=1e-2, sigma=1.0, seed=3).fit(kept.x, kept.y)
    moved = np.linalg.norm(model.coef_ - exact.coef_)
    assert np.linalg.norm(after.coef_ - exact.coef_) < 0.05 * moved
    assert model.certificate_ is None


@pytest.mark.parametrize("classes", [2, 3])
def test_squared_loss_ends_on_the_retrained_model(classes):
    split = split_of(clusters(400, classes=classes), forget=10, train=300)
    rows, kept = split.data.take(split.train), split.rows("retain")
    fresh = CertifiedLinear(lam=1e-2, sigma=1.0, seed=3, loss="squared")
    model, exact = clone(fresh).fit(rows.x, rows.y), clone(fresh).fit(kept.x, kept.y)
    after = unlearn("certified_newton", model, split, max_epsilon=1e-6).model
    assert np.allclose(after.coef_, exact.coef_, rtol=0, atol=1e-12)
    assert np.abs(model.coef_ - exact.coef_).max() > 1e-4
    assert 0 < after.certificate_.residual <= after.certificate_.bound < 1e-9
    quiet = CertifiedLinear(lam=1e-2, sigma=0.0, loss="squared").fit(rows.x, rows.y)
    targets = np.stack([np.where(rows.y == c, 1.0, -1.0) for c in quiet.classes_[classes == 2 :]], axis=1)
    ridge = Ridge(alpha=1e-2 * len(rows), fit_intercept=False).fit(rows.x.astype(np.float64), targets)
    assert np.allclose(quiet.coef_, ridge.coef_, atol=1e-9)
    p = quiet.predict_proba(kept.x)
    assert np.allclose(p.sum(axis=1), 1) and (p > 0).all()


def test_the_budget_adds_up():
    split = split_of(clusters(300, classes=2), forget=6, train=240)
    rows = split.data.take(split.train)
    model = CertifiedLinear(lam=1e-2, sigma=1.0).fit(rows.x, rows.y)
    first = dataclasses.replace(
        split, forget=split.forget[:3], retain=np.concatenate([split.retain, split.forget[3:]])
    )
    second = dataclasses.replace(split, forget=split.forget[3:])
    one = unlearn("certified_newton", model, first).model
    two = unlearn("certified_newton", one, second).model
    assert two.certificate_.epsilon > one.certificate_.epsilon > 0 and two.certificate_.removed == 6
    few = dataclasses.replace(second, retain=second.retain[60:])
    for start, wrong in (
        (
            model,
            dataclasses.replace(first, retain=first.retain[1:]),
        ),  # one sample that it was trained on is not named
        (one, few),  # after a removal what the bound does not explain is found
    ):
        with pytest.raises(InputError, match="not where training and earlier removals left it"):
            unlearn("certified_newton", start, wrong)
    with pytest.raises(InputError, match="guarantee would be epsilon"):
        unlearn("certified_newton", one, second, max_epsilon=one.certificate_.epsilon)


@pytest.mark.parametrize("classes", [2, 3])
def test_scikit_learn_gets_the_step_and_no_claim(classes):
    split = split_of(clusters(300, classes=classes), forget=10, train=240)
    fit = {"C": 0.5, "tol": 1e-10, "max_iter": 5000}
    rows, kept = split.data.take(split.train), split.rows("retain")
    model = LogisticRegression(**fit).fit(rows.x, rows.y)
    exact = LogisticRegression(**fit).fit(kept.x, kept.y)
    after = unlearn("certified_newton", model, split).model
    far = np.abs(model.predict_proba(kept.x) - exact.predict_proba(kept.x)).max()
    assert np.abs(after.predict_proba(kept.x) - exact.predict_proba(kept.x)).max() < 0.1 * far
    with pytest.raises(InputError, match="without noise"):
        unlearn("certified_newton", model, split, max_epsilon=1.0)


def test_real_adult(real_data):
    """20,000 census records of length 1 with a column of ones; ten are removed with a stated epsilon."""
    data = vestige.load_dataset("adult", root=real_data)
    x = (data.x - data.x.mean(axis=0)) / (data.x.std(axis=0) + 1e-6)
    x = np.concatenate([x / np.linalg.norm(x, axis=1, keepdims=True), np.ones((len(x), 1))], axis=1) / 2**0.5
    split = make_split(
        dataclasses.replace(data, x=x.astype(np.float32)), forget=10, train=20_000, holdout=2000, shadow=1000
    )
    rows = split.data.take(split.train)
    model = CertifiedLinear(lam=1e-4, sigma=5.0).fit(rows.x, rows.y)
    after = unlearn("certified_newton", model, split, delta=1e-4).model
    held = split.rows("holdout")
    assert after.certificate_.epsilon < 0.2
    assert (after.predict(held.x) == held.y).mean() > 0.82


def test_refusals():
    split = split_of(clusters(300, classes=2), forget=5, train=240)
    rows, other = split.data.take(split.train), split.rows("holdout")
    away = CertifiedLinear().fit(other.x, other.y)
    loose = LogisticRegression(max_iter=1).fit(rows.x, rows.y)
    one_class = make_split(split.data, "class", label=1, train=240, holdout=30, shadow=30)
    everything = one_class.data.take(one_class.train)
    for call, message in (
        (lambda: unlearn("certified_newton", away, split), "not where training"),
        (lambda: unlearn("certified_newton", loose, split), "not at its minimum"),
        (
            lambda: unlearn("certified_newton", CertifiedLinear().fit(everything.x, everything.y), one_class),
            "without samples",
        ),
        (lambda: CertifiedLinear(lam=0).fit(rows.x, rows.y), "lam is 0; greater than 0 is wanted"),
        (lambda: CertifiedLinear(loss="hinge").fit(rows.x, rows.y), "'logistic' or 'squared' is wanted"),
        (lambda: CertifiedLinear().fit(rows.x, rows.y * 0), "two classes"),
        (
            lambda: unlearn("certified_newton", CertifiedLinear().fit(rows.x, rows.y), split, delta=2),
            "delta",
        ),
    ):
        with pytest.raises(InputError, match=message):
            call()
    unhidden = CertifiedLinear(sigma=0.0).fit(rows.x, rows.y)
    assert unlearn("certified_newton", unhidden, split).model.certificate_.epsilon == math.inf
