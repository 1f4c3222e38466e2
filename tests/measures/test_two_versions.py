"""What the classifier on two versions sees of a record."""

import numpy as np
import pytest

from vestige.measures.two_versions import _features
from vestige.signals import Signals


def test_the_published_feature_by_hand():
    """What the original gave a class more than the unlearned model does, in the order of the original's classes."""
    before, after = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]), np.array([[0.6, 0.1, 0.3], [0.3, 0.5, 0.2]])
    two = Signals(np.zeros(2, int), np.log(after), np.log(before))
    assert _features(two, "mlp") == pytest.approx(np.array([[-0.4, 0.0, 0.4], [-0.2, -0.4, 0.6]]))
