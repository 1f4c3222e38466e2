"""Strata and weights that make never-seen records comparable."""

import numpy as np
import pytest
from margin_worlds import world

from vestige.evaluation.verdict.matching import effective, match


def matched(margins, seed=0):
    forget, null = margins.of("forget"), margins.of("holdout")
    return match(margins, forget, null, np.random.default_rng(seed)), forget, null


def test_a_random_request_has_one_stratum_and_even_weights():
    result, forget, null = matched(world())
    weights = result.weights(1, forget, null)
    assert len(np.unique(result.strata[1][forget])) == 1 and result.class_p > 0.05
    assert weights == pytest.approx(1 / null.sum()) and effective(weights) == pytest.approx(null.sum())


def test_a_class_is_compared_with_never_seen_records_of_its_own():
    margins = world(classes=4)
    forget = margins.of("forget") & (margins.labels == 1)
    null = margins.of("holdout")
    result = match(margins, forget, null, np.random.default_rng(0))
    weights = result.weights(1, forget, null)
    assert result.class_p <= 0.001 and result.unsupported == 0
    assert (weights[margins.labels[null] != 1] == 0).all() and weights.sum() == pytest.approx(1)
    assert effective(weights) == pytest.approx((margins.labels[null] == 1).sum())


def test_weights_reproduce_the_mix_of_a_hard_request():
    result, forget, null = matched(world(hard=True, m=2000))
    weights = result.weights(0, forget, null)
    b = world(hard=True, m=2000).difficulty
    assert result.difficulty_p < 0.1
    assert np.average(b[null], weights=weights) == pytest.approx(b[forget].mean(), abs=0.5)
    assert b[null].mean() - b[forget].mean() > 1
    assert effective(weights) < 0.7 * null.sum()


def test_the_class_test_keeps_its_level():
    p = []
    for seed in range(200):
        margins = world(seed, n=20, m=60, pool=0, q=20)
        p.append(
            match(margins, margins.of("forget"), margins.of("holdout"), np.random.default_rng(seed)).class_p
        )
    assert (np.asarray(p) <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_effective_number_by_hand():
    assert effective(np.array([0.5, 0.5, 0.0])) == 2.0
    assert effective(np.ones(7)) == 7.0
