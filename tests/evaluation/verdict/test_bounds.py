"""How much can be left, how many could be whole, how many bear a trace: coverage and slow twins."""

import numpy as np
import pytest
from scipy import stats

from vestige.evaluation.verdict.bounds import at_least, could_be_whole, influence_left, mann_whitney_cdf


def even(values):
    return np.full(len(values), 1 / len(values))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, -0.5])
def test_the_interval_of_what_is_left_covers_its_truth(share):
    rng, inside, above = np.random.default_rng(0), 0, 0
    for _ in range(400):
        null, kept = rng.normal(size=150), rng.normal(4, 1.5, 150)
        one = influence_left(rng.normal(4 * share, 1, 40), null, kept, 0.025, even(null), even(kept))
        inside += one.low <= share <= one.high
        above += one.high < share
    assert inside / 400 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 400)
    assert above / 400 <= 0.025 + 3 * np.sqrt(0.025 / 400)


def test_what_is_left_by_hand_and_unbounded_without_separation():
    null, kept = np.array([-1.0, 1.0] * 50), np.array([3.0, 5.0] * 50)
    one = influence_left(np.array([1.0, 1.0, 1.0, 1.0]), null, kept, 0.025, even(null), even(kept))
    assert one.value == 0.25 and one.low < 0.25 < one.high
    blunt = influence_left(null, null, null + 0.01, 0.025, even(null), even(kept))
    assert blunt.high == np.inf and blunt.low == -np.inf


def test_weights_move_the_null():
    null = np.repeat([0.0, 2.0], 50) + np.tile([-0.1, 0.1], 50)
    kept, forget = np.full(50, 4.0) + np.tile([-0.1, 0.1], 25), np.full(30, 2.0) + np.tile([-0.1, 0.1], 15)
    alone = np.where(null > 1, 1 / 50, 0.0)
    assert influence_left(forget, null, kept, 0.025, alone, even(kept)).value == pytest.approx(0, abs=1e-9)
    assert influence_left(forget, null, kept, 0.025, even(null), even(kept)).value == pytest.approx(
        1 / 3, abs=0.01
    )


@pytest.mark.parametrize("k,q", [(1, 5), (2, 7), (3, 6), (4, 5), (8, 4)])
def test_mann_whitney_is_that_of_scipy(k, q):
    for u in range(k * q + 1):
        # scipy gives P(U <= u) of the first sample through its p-value on ranks without ties
        slow = _slow_cdf(u, k, q)
        assert mann_whitney_cdf(u, k, q) == pytest.approx(slow, abs=1e-9)


def _slow_cdf(u, k, q):
    counts = {(0, 0): {0: 1}}

    def ways(a, b):
        if (a, b) not in counts:
            total = {}
            if a:
                for value, count in ways(a - 1, b).items():
                    total[value + b] = total.get(value + b, 0) + count
            if b:
                for value, count in ways(a, b - 1).items():
                    total[value] = total.get(value, 0) + count
            counts[(a, b)] = total
        return counts[(a, b)]

    every = ways(k, q)
    return sum(count for value, count in every.items() if value <= u) / sum(every.values())


@pytest.mark.parametrize("whole", [0, 1, 5, 60])
def test_how_many_could_be_whole_misses_the_truth_rarely(whole):
    rng, missed = np.random.default_rng(whole), 0
    for _ in range(300):
        kept = rng.normal(4, 1, 200)
        forget = np.concatenate([rng.normal(4, 1, whole), rng.normal(-3, 3, 100 - whole)])
        missed += could_be_whole(forget, kept, 0.05) < whole
    assert missed / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_how_many_could_be_whole_by_hand():
    kept = np.arange(100.0)
    assert could_be_whole(np.full(50, -1.0), kept, 0.05) == 0
    assert could_be_whole(np.concatenate([[50.0], np.full(49, -1.0)]), kept, 0.05) >= 1
    assert could_be_whole(kept[:50] * 2, kept, 0.05) == 50
    # one record below all 10 kept ones is as low with probability 1 / 11 = 9 %: it could be whole
    assert could_be_whole(np.array([-1.0]), np.arange(10.0), 0.05) == 1
    assert could_be_whole(np.array([-1.0]), np.arange(20.0), 0.05) == 0


@pytest.mark.parametrize("traced", [0, 10, 40])
def test_how_many_bear_a_trace_is_seldom_too_many(traced):
    rng, too_many, most = np.random.default_rng(traced), 0, 0
    for _ in range(300):
        forget = np.concatenate([rng.normal(6, 1, traced), rng.normal(size=100 - traced)])
        bound = at_least(forget, rng.normal(size=400), 0.025)
        too_many += bound > traced
        most = max(most, bound)
    assert too_many / 300 <= 0.025 + 3 * np.sqrt(0.025 / 300) and most >= 0.7 * traced


def test_the_beta_binomial_of_the_bound():
    # above the largest of m null scores, n never-seen records lie BetaBinomial(n, 1, m) often
    rng = np.random.default_rng(0)
    counts = [(rng.normal(size=20) > rng.normal(size=30).max()).sum() for _ in range(4000)]
    assert np.mean(np.asarray(counts) == 0) == pytest.approx(stats.betabinom.pmf(0, 20, 1, 30), abs=0.03)
