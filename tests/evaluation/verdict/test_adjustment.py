"""Trace scores: what cancels, what is adjusted for, and that forget and never-seen records are exchangeable."""

import numpy as np
import pytest
from margin_worlds import world
from sklearn.linear_model import Ridge

from vestige.evaluation.verdict.adjustment import (
    CLASS_PENALTY,
    HINGE_PENALTY,
    KNOTS,
    SLOPE_PENALTY,
    _ridge,
    trace_scores,
)  # fmt: skip


def scores_of(margins, null):
    return trace_scores(margins, null).values


def test_scale_and_offset_of_the_audited_model_cancel():
    margins = world()
    null = margins.of("holdout")
    moved = margins.with_(unlearned=3.7 * margins.unlearned - 11)
    assert scores_of(moved, null) == pytest.approx(scores_of(margins, null), abs=1e-9)


def test_never_seen_records_have_mean_zero_and_deviation_one_and_kept_ones_stand_out():
    margins = world()
    null, kept = margins.of("holdout"), margins.of("retain")
    scores = scores_of(margins, null)
    assert scores[:, null].mean(axis=1) == pytest.approx([0, 0], abs=1e-12)
    assert scores[:, null].std(axis=1, ddof=1) == pytest.approx([1, 1])
    assert (scores[:, kept].mean(axis=1) > 3).all()


def test_the_ridge_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    z, classes = rng.normal(size=60), rng.integers(0, 4, 60)
    design = np.stack([np.ones(60), z, *(np.maximum(z - knot, 0) for knot in KNOTS)], axis=1)
    target = 2 * z + classes + rng.normal(size=60)
    penalty = np.diag([0.0, SLOPE_PENALTY] + [HINGE_PENALTY] * len(KNOTS))
    slope, level = _ridge(design, target, classes, penalty, 4)
    # a ridge of penalty 1 on columns divided by the root of their penalties; the intercept is free
    weights = np.sqrt([SLOPE_PENALTY] + [HINGE_PENALTY] * len(KNOTS) + [CLASS_PENALTY] * 4)
    columns = np.concatenate([design[:, 1:], np.eye(4)[classes]], axis=1) / weights
    slow = Ridge(alpha=1.0).fit(columns, target)
    assert design @ slope + level[classes] == pytest.approx(slow.predict(columns), abs=1e-6)


def test_class_effects_are_taken_out():
    margins = world(m=2000)
    shifted = margins.with_(unlearned=margins.unlearned + 5.0 * (margins.labels == 2))
    scores = scores_of(shifted, shifted.of("holdout"))
    of_class = shifted.of("forget") & (shifted.labels == 2)
    assert abs(scores[:, of_class].mean(axis=1)).max() < 0.6


@pytest.mark.parametrize("score", [0, 1])
def test_an_exactly_unlearned_record_ranks_evenly_among_never_seen_ones(score):
    ranks = []
    for seed in range(300):
        margins = world(seed, n=1, m=30, pool=0, q=30)
        null = margins.of("holdout")
        t = scores_of(margins, null)[score]
        ranks.append((t[null] < t[margins.of("forget")]).mean())
    assert np.mean(ranks) == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / 300))
    assert np.mean(np.asarray(ranks) > 0.9) < 0.1 + 4 * np.sqrt(0.09 / 300)


def test_answers_without_spread_give_no_scores():
    margins = world()
    assert trace_scores(margins.with_(unlearned=np.ones(len(margins))), margins.of("holdout")) is None


def test_the_error_of_the_fit_is_that_of_repetitions():
    """A request of the hardest records: its mean moves with the fit, from one draw of never-seen records to the next."""
    errors, means = [], []
    for seed in range(60):
        margins = world(seed, n=150, m=300, pool=0, q=450, hard=True)
        forget, null = margins.of("forget"), margins.of("holdout")
        quiet = margins.with_(
            unlearned=margins.difficulty + np.random.default_rng(seed).normal(size=len(margins)) * null
        )
        trace = trace_scores(quiet, null)
        even = np.full(null.sum(), 1 / null.sum())
        errors.append(np.hypot(trace.fit_error(0, forget, null, even), 1 / np.sqrt(null.sum())))
        means.append(trace.values[0, forget].mean())
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.5)
