"""The regression is scikit-learn's: of groups that overlap, that are separate, and of a few values each."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from vestige.evaluation.logistic import logistic


@pytest.mark.parametrize("apart", [0.0, 0.3, 3.0, 40.0])
@pytest.mark.parametrize("digits", [0, 10])
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_coefficients_are_those_of_scikit_learn(apart, digits, share):
    rng = np.random.default_rng(int(10 * apart) + digits)
    truth = np.arange(700) < share * 700
    x = np.round(rng.normal(size=(700, 5)) + apart * truth[:, None] * [1, 0, 0, -1, 2], digits)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs = LogisticRegression(solver="newton-cholesky", class_weight="balanced").fit(x, truth)
    assert logistic(x, truth) == pytest.approx([*theirs.coef_[0], *theirs.intercept_], rel=1e-9, abs=1e-12)


def test_two_equal_columns_share_the_effect():
    rng = np.random.default_rng(0)
    truth = rng.random(300) < 0.5
    x = rng.normal(size=300) + truth
    first, second, _ = logistic(np.column_stack([x, x]), truth)
    assert first == pytest.approx(second) and first > 0.3
