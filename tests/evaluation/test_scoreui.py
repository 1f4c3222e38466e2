import numpy as np
import pytest
from scipy import stats

from vestige.errors import InputError
from vestige.evaluation import scoreui

RNG = np.random.default_rng(0)
DEGREE = np.linspace(0, 1, 8)


def test_against_scipy_with_ties():
    scores = np.round(RNG.normal(size=(30, 8)) - 2 * DEGREE, 1)
    found = scoreui(scores, DEGREE, draws=50)
    gone = np.tile(1 - DEGREE, 30)
    assert found.pooled == pytest.approx(stats.spearmanr(scores.ravel(), gone).statistic)
    assert found.kendall == pytest.approx(stats.kendalltau(scores.ravel(), gone).statistic)
    each = [stats.spearmanr(row, 1 - DEGREE).statistic for row in scores]
    assert found.per_sample == pytest.approx(np.mean(each))
    assert found.low < found.pooled < found.high


def test_perfect_reversed_and_on_different_scales():
    assert scoreui(np.tile(-DEGREE, (5, 1)), DEGREE).pooled == pytest.approx(1)
    assert scoreui(np.tile(DEGREE, (5, 1)), DEGREE).kendall == pytest.approx(-1)
    apart = -DEGREE + 100 * np.arange(50)[:, None]
    found = scoreui(apart, DEGREE)
    assert found.per_sample == pytest.approx(1) and found.pooled < 0.05


def test_constant_samples_are_counted_and_bad_arrays_named():
    scores = np.vstack([np.zeros(8), -DEGREE])
    found = scoreui(scores, DEGREE)
    assert found.constant == 1 and found.per_sample == pytest.approx(1)
    for arguments, message in (
        ((scores[:, :3], DEGREE), "shape"), ((scores * np.nan, DEGREE), "NaN"),
        ((np.ones((3, 8)), DEGREE), "two different"), ((scores, np.ones(8)), "two different"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            scoreui(*arguments)
