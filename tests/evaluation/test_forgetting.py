"""The challenge score: the grid of tests against a loop, published logits, its null, bad input."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import vestige.evaluation.forgetting as forgetting
from vestige.errors import InputError
from vestige.evaluation import forgetting_score
from vestige.evaluation.forgetting import DELTA, grid_epsilon, published_log_odds

RNG = np.random.default_rng(0)


def looped(r, u, buffer):
    """The published tests of one sample, one at a time."""
    high, low = (r, u) if np.median(r) > np.median(u) else (u, r)
    inner, outer = (low, high) if np.ptp(high) >= np.ptp(low) else (high, low)
    width, best = np.ptp(inner), 0.0

    def look(missed, false):
        fnr, fpr = missed.mean(), false.mean()
        if fnr == 0 and fpr == 0:
            return np.inf
        if fnr == 0 or fpr == 0:
            return 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            return max(0, np.nanmax([np.log((1 - DELTA - fpr) / fnr), np.log((1 - DELTA - fnr) / fpr)]))

    everything = np.concatenate([r, u])
    for t in np.linspace(everything.min(), everything.max(), int(np.ceil(np.ptp(everything) * 100))):
        best = max(best, look(high < t, low >= t))
    start, end = inner.min() + width - buffer, inner.max() + buffer
    for right in np.linspace(start, end, int(np.ceil((end - start) * 100))):
        for left in np.linspace(right - width - buffer, right - width + buffer, int(np.ceil(200 * buffer))):
            best = max(best, look(~((left <= inner) & (inner <= right)), (left <= outer) & (outer <= right)))
    return min(best, 50.0)


@pytest.mark.parametrize("shift,scale", [(0.4, 0.5), (0.0, 0.1)])
def test_the_grid_is_that_of_a_loop(shift, scale, monkeypatch):
    """By a narrower margin round the interval than the published one, which the published logits below are of."""
    monkeypatch.setattr(forgetting, "BUFFER", 0.4)
    r, u = RNG.normal(0, 0.3, 12), RNG.normal(shift, 0.3 * scale, 12)
    both = looped(r, u, 0.4)
    assert grid_epsilon(r[None], u[None])[0] == pytest.approx(both, abs=1e-12)
    assert grid_epsilon(u[None], r[None])[0] == pytest.approx(both, abs=1e-12)


def test_special_cases_have_their_stated_value():
    flat, other, wide = np.zeros((1, 8)), np.ones((1, 8)), RNG.normal(size=(1, 8))
    assert grid_epsilon(flat, flat)[0] == 0 and grid_epsilon(flat, other)[0] == 50
    assert grid_epsilon(flat, wide)[0] == 50  # narrower than 1 % of the other side
    assert grid_epsilon(wide, wide + 100)[0] == 50  # told apart without an error


def test_points_halve_with_every_bin():
    """80 models: ten bins of 0.5 up to 5; what lies above earns nothing."""
    r = RNG.normal(0, 1, (80, 40, 3)).astype(np.float32)
    u = r.copy()
    u[:, :20, 0] += 50
    found = forgetting_score(r, u, np.zeros(40, int), preset="neurips2023", simulated=20)
    assert found.bins == 10 and np.all(found.points[:20] == 0) and found.quality == found.points.mean()
    inside = found.points[found.points > 0]
    assert np.allclose(np.log2(inside), np.round(np.log2(inside))) and len(inside)


def test_a_perfect_unlearner_scores_what_is_said():
    """The published form is near 0.18 for identical models, the recommended near 1; both say so beside F."""
    labels = np.zeros(150, int)
    r, u = (RNG.normal(0, 1, (40, 150, 4)) for _ in range(2))
    for preset, low, high in (("neurips2023", 0.1, 0.3), ("recommended", 0.7, 1.0)):
        found = forgetting_score(r, u, labels, preset=preset, simulated=150)
        assert low < found.quality < high and low < found.perfect < high
        assert found.relative == pytest.approx(1, abs=0.25)


def test_ratios():
    r, u = (RNG.normal(0, 1, (8, 6, 3)) for _ in range(2))
    accuracies = {"retain_accuracy": (0.99, 0.9), "test_accuracy": (0.45, 0.9)}
    published = forgetting_score(r, u, np.zeros(6, int), preset="neurips2023", **accuracies)
    assert published.retain_ratio == pytest.approx(1.1) and published.test_ratio == pytest.approx(0.5)
    assert published.score == pytest.approx(published.quality * 1.1 * 0.5)
    capped = forgetting_score(r, u, np.zeros(6, int), **accuracies)
    assert capped.retain_ratio == 1 and forgetting_score(r, u, np.zeros(6, int)).score is None


def test_log_odds_do_not_change_their_input():
    logits = RNG.normal(size=(3, 5, 4)).astype(np.float32)
    kept = logits.copy()
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    assert np.allclose(
        published_log_odds(logits, np.ones(5, int)), np.log(p[..., 1] / (1 - p[..., 1])), atol=1e-5
    )
    assert np.array_equal(logits, kept)


@pytest.mark.parametrize(
    "name,quality,score",
    [
        pytest.param("finetune", 0.009086, 0.009054, marks=pytest.mark.slow),
        ("prune_last_layer", 0.068762, 0.068854),
    ],
)
def test_published_logits(reference, name, quality, score):
    """Against values computed independently from the published scoring code's formulas, to every digit."""
    folder = reference / "forget_with_precision"

    def load(file):
        packed = np.load(file)
        return packed[:, 0].argmax(axis=1), packed[:, 1:].swapaxes(0, 1)

    def accuracy(file):
        with file.open() as rows:
            rows = list(csv.DictReader(rows))
        return [np.mean([float(row[f"{part}_accuracy"]) for row in rows]) for part in ("retain", "test")]

    labels, retrained = load(folder / "logits_retain.npy")
    _, unlearned = load(folder / name / "logits_unlearn.npy")
    own, base = accuracy(folder / name / "metrics.csv"), accuracy(folder / "metrics.csv")
    found = forgetting_score(
        retrained, unlearned, labels, preset="neurips2023", simulated=20,
        retain_accuracy=(own[0], base[0]), test_accuracy=(own[1], base[1]),
    )  # fmt: skip
    assert round(found.quality, 6) == quality and round(found.score, 6) == score


def test_bad_input():
    r = RNG.normal(size=(6, 5, 3))
    labels = np.zeros(5, int)
    for options, message in (
        ({"preset": "neurips"}, "Did you mean 'neurips2023'"),
        ({"unlearned": r[:, :4], "labels": labels[:4]}, "5 samples|shape"),
        ({"unlearned": r[:3]}, "at least 4 models"),
        ({"unlearned": np.full_like(r, np.nan)}, "NaN"),
        ({"retain_accuracy": (99.0, 98.0)}, "between 0 and 1"),
        ({"test_accuracy": (0.5, 0.0)}, "between 0 and 1"),
    ):
        with pytest.raises(InputError, match=message):
            forgetting_score(**({"retrained": r, "unlearned": r, "labels": labels} | options))
    huge = np.where(RNG.random((6, 5, 3)) > 0.5, 1e30, -1e30)
    for preset in ("recommended", "neurips2023"):
        found = forgetting_score(huge, r, labels, preset=preset, simulated=5)
        assert np.isfinite([found.quality, found.perfect, found.relative]).all()
        assert np.isfinite(found.epsilon).all()
