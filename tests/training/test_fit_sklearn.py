"""scikit-learn classifiers: cloned, seeded, fitted."""

from __future__ import annotations

import numpy as np
import pytest
from digit_rows import digit_images, digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from vestige.training import fit_sklearn


def test_the_seed_reaches_inner_steps_and_the_given_one_stays_unfitted() -> None:
    rows = digits(300)
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(5))
    one, two, other = (fit_sklearn(forest, rows, seed).predict_proba(rows.x) for seed in (1, 1, 2))
    assert (one == two).all() and (one != other).any()
    assert (one.argmax(1) == rows.y).mean() > 0.95
    with pytest.raises(Exception, match="not fitted"):
        check_is_fitted(forest[-1])
    assert forest[-1].random_state is None


def test_images_are_flattened() -> None:
    rows = digit_images(200)
    fitted = fit_sklearn(DecisionTreeClassifier(max_depth=5), rows, 0)
    assert fitted.n_features_in_ == 64
    assert np.isfinite(fitted.predict_proba(rows.x.reshape(200, -1))).all()
