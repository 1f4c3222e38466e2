import numpy as np
import pytest

from vestige.errors import InputError
from vestige.evaluation import distance

RNG = np.random.default_rng(0)


def test_distance_by_hand():
    found = distance([0, 1, 2, 3], [2, 3, 4, 5])
    assert found.ks == 0.5 and found.wasserstein == 2.0
    assert distance([1, 2], [1, 2]).ks == 0 and distance([1, 2], [1, 2]).wasserstein == 0
    with pytest.raises(InputError, match="retrained"):
        distance([1.0], [np.nan])


def test_distance_interval_covers_a_shift():
    x, y = RNG.normal(0.7, 1, 400), RNG.normal(0, 1, 400)
    found = distance(x, y)
    assert found.low < 0.7 < found.high and found.p < 1e-6
