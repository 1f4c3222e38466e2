"""The e-value: its expectation over all labellings is at most one, exactly; and it grows with the evidence."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import oracles
from vestige import audit
from vestige.monitoring import group_e_value
from vestige.monitoring.e_values import log_e_value


def expectation(scores, strata, counts):
    """The mean of e over every choice of `counts` forget records in each stratum."""
    groups = [np.flatnonzero(strata == stratum) for stratum in range(len(counts))]
    choices = [list(combinations(group, count)) for group, count in zip(groups, counts, strict=True)]
    total, number = 0.0, 0
    for first in choices[0]:
        for second in choices[1] if len(choices) > 1 else [()]:
            forget = np.isin(np.arange(len(scores)), first + second)
            total += np.exp(log_e_value(scores, forget, strata))
            number += 1
    return total / number


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-30, 30), min_size=7, max_size=9), st.integers(1, 3), st.integers(1, 2))
@example([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.2e-311], 1, 1)
def test_its_expectation_is_at_most_one(scores, first, second):
    scores = np.array(scores)
    one = np.zeros(len(scores), int)
    assert expectation(scores, one, [first]) <= 1 + 1e-9
    two = (np.arange(len(scores)) % 2).astype(int)
    assert expectation(scores, two, [min(first, 2), second]) <= 1 + 1e-9


def test_weak_traces_in_all_and_strong_ones_in_few_are_seen():
    rng = np.random.default_rng(0)
    strata, forget = np.zeros(430, int), np.arange(430) < 30
    nothing = rng.normal(size=430)
    weak, rare = nothing + 1.2 * forget, nothing.copy()
    rare[:5] += 7
    logs = [log_e_value(scores, forget, strata) for scores in (nothing, weak, rare)]
    assert logs[0] < 1 and min(logs[1:]) > 4
    assert log_e_value(weak, forget, strata, moved=0.5) < logs[1]


@pytest.mark.parametrize(("kind", "found"), [("retrain", False), ("nothing", True), ("over", False)])
def test_of_signals(kind, found):
    world = oracles.gaussian_world(5, kind, forget=60, retain=100, holdout=200, fit=8.0)
    e = group_e_value(world)
    assert (e > 1e6) is found
    assert group_e_value(world.take(np.random.default_rng(0).permutation(len(world)))) == pytest.approx(
        e, rel=1e-6
    )


def test_where_the_verdict_compares_nothing_neither_does_e():
    world = oracles.gaussian_world(5, forget=30, retain=30, holdout=30)
    assert group_e_value(world.without("shadow_out", "calibration")) is None
    assert audit(world.without("shadow_out", "calibration"), ["random"]).verdict.p_under is None
