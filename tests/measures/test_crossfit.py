"""No sample is scored by an attack that has seen it."""

import numpy as np
import pytest

from vestige.measures.crossfit import cross_fitted, folds_of
from vestige.signals import Signals

ROLE = np.repeat(["forget", "retain", "holdout"], [5, 20, 15])
SIGNALS = Signals(np.zeros(40, int), np.zeros((40, 2)), role=ROLE, ids=np.arange(40).astype(str))


def test_every_sample_is_scored_by_the_attacks_that_have_not_seen_it():
    """Each attack answers with the fold that it was not fitted on."""
    members, others = (np.flatnonzero(ROLE == role) for role in ("retain", "holdout"))
    known, fold = np.concatenate([members, others]), folds_of(SIGNALS.names, 3)

    def fit(rows, truth):
        assert np.array_equal(truth, ROLE[rows] == "holdout")
        left_out = set(known) - set(rows)
        (own,) = {int(fold[row]) for row in left_out}

        def score(asked):
            assert set(asked) == left_out | set(np.flatnonzero(ROLE == "forget"))
            return np.full(len(asked), float(own))

        return score

    scores = cross_fitted(SIGNALS, members, others, fit, folds=3, name="An attack")
    assert np.array_equal(scores[known], fold[known])
    assert scores[ROLE == "forget"] == pytest.approx(1.0)  # the mean of all three
