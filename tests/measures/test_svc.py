"""The published classifier in linear time: as published while it is small, and equal in its figures beyond."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

import vestige
from vestige.evaluation import mia_efficacy
from vestige.evaluation.accuracy import published_words
from vestige.measures import svc
from vestige.signals import Signals


def published(x, truth, asked):
    return SVC(C=3, gamma="auto", kernel="rbf").fit(x, truth).predict(asked)


def feature(n, shift, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    member = rng.normal(np.repeat([3.0, 3.0 - shift], n), 2)
    return scale / (1 + np.exp(-member))[:, None], np.repeat([True, False], n), np.arange(2 * n).astype(str)


def test_small_ones_are_as_published():
    x, truth, ids = feature(400, 1.0)
    assert np.array_equal(svc.decided(x, truth, x, ids), published(x, truth, x))


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_rounded_ones_say_the_same(shift, scale, monkeypatch):
    x, truth, ids = feature(1500, shift, scale=scale)
    asked = feature(800, 0.3, seed=1, scale=scale)[0]
    exact = published(x, truth, asked)
    monkeypatch.setattr(svc, "EXACT", 100)
    found = svc.decided(x, truth, asked, ids)
    assert (found != exact).mean() < 0.005


def test_a_wide_feature_has_a_bounded_number_of_levels(monkeypatch):
    monkeypatch.setattr(svc, "EXACT", 100)
    seen = []
    fit = SVC.fit
    monkeypatch.setattr(SVC, "fit", lambda self, x, *a, **k: seen.append(len(x)) or fit(self, x, *a, **k))
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 700, (3000, 1))
    svc.decided(x, x[:, 0] > 350, x, np.arange(3000).astype(str))
    assert seen[0] <= 2 * (svc.LEVELS + 1)


def test_vectors_are_chosen_by_id_in_any_order(monkeypatch):
    monkeypatch.setattr(svc, "EXACT", 100)
    monkeypatch.setattr(svc, "EACH", 60)
    rng = np.random.default_rng(0)
    truth = np.arange(400) % 2 == 0
    x = rng.normal(truth[:, None], 1, (400, 3))
    ids = np.array([f"row-{i}" for i in range(400)])
    order = rng.permutation(400)
    one = svc.decided(x, truth, x, ids)
    assert np.array_equal(svc.decided(x[order], truth[order], x, ids[order]), one)
    assert (one == truth).mean() > 0.7


def test_the_figure_says_what_was_rounded_and_stays_what_it_was(monkeypatch):
    rng = np.random.default_rng(0)
    role = np.repeat(["forget", "retain", "holdout"], [300, 2000, 1200])
    margin = rng.normal(np.where(role == "holdout", 1, 3), 2)
    record = Signals(np.zeros(3500, int), np.stack([margin, np.zeros(3500)], 1), role=role)
    exact, words = mia_efficacy(record, "paper"), published_words(record)
    decisions = vestige.measure("mia_confidence", record, preset="paper")
    monkeypatch.setattr(svc, "EXACT", 100)
    monkeypatch.setattr("vestige.evaluation.accuracy.EXACT", 100)
    assert mia_efficacy(record, "paper") == pytest.approx(exact, abs=0.7)
    assert (vestige.measure("mia_confidence", record, preset="paper") != decisions).mean() < 0.005
    assert words == "MIA-efficacy by the published SVC"
    assert published_words(record) == "MIA-efficacy by the published SVC, confidences rounded to 0.001"
