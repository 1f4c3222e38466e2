"""scikit-learn classifiers: cloned, seeded, fitted, and read by class."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from digit_rows import digit_images, digits
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from vestige.data import Dataset, make_split
from vestige.errors import InputError
from vestige.estimators import class_places, fit_sklearn, labels_for, probabilities
from vestige.leaks.targets import posteriors
from vestige.signals import collect_logits
from vestige.unlearning import unlearn
from vestige.unlearning.sisa import train_sisa


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


def blobs(names: tuple[object, ...], n: int = 240, seed: int = 0) -> Dataset:
    """Classes that lie apart along a line, in the order of `names`."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(names), n)
    x = (4 * y[:, None] + rng.normal(size=(n, 3))).astype(np.float32)
    return Dataset("blobs", x, y, np.arange(n), names)


NAMES = {
    "text": (("no", "yes", "maybe"), np.array(["no", "yes", "maybe"])),
    "text in another order": (("b", "c", "a"), np.array(["b", "c", "a"])),
    "negative": (("-1", "0", "7"), np.array([-1, 0, 7])),
    "with gaps": (("3", "10", "20"), np.array([3, 10, 20])),
    "numbers as names": ((3, 10, 20), np.array([3, 10, 20])),
    "floats": (("10", "20", "30"), np.array([10.0, 20.0, 30.0])),
    "places": (("no", "yes", "maybe"), np.arange(3)),
    "digits from 0": (("0", "1", "2"), np.arange(3)),
}


@pytest.mark.parametrize("kind", NAMES)
def test_columns_are_matched_by_class(kind: str) -> None:
    names, values = NAMES[kind]
    rows = blobs(names)
    model = LogisticRegression().fit(rows.x, values[rows.y])
    p = probabilities(model, rows)
    assert p.shape == (240, 3) and (p.argmax(1) == rows.y).mean() > 0.9
    assert (collect_logits(model, rows).argmax(1) == p.argmax(1)).all()
    assert (posteriors(model, rows).argmax(1) == p.argmax(1)).all()
    assert (labels_for(model, rows) == values[rows.y]).all()


@pytest.mark.parametrize("kind", NAMES)
def test_a_refit_knows_the_classes_as_the_original_does(kind: str) -> None:
    names, values = NAMES[kind]
    rows = blobs(names)
    split = make_split(rows, "random", forget=10, train=150, holdout=40, shadow=40)
    model = LogisticRegression().fit(rows.x[split.train], values[rows.y[split.train]])
    again = unlearn("retrain", model, split).model
    assert (again.predict(rows.x) == values[rows.y]).mean() > 0.9
    step = unlearn("certified_newton", LogisticRegression(tol=1e-9, max_iter=2000).fit(
        rows.x[split.train], values[rows.y[split.train]]), split).model  # fmt: skip
    exact = LogisticRegression(tol=1e-9, max_iter=2000)
    exact.fit(rows.x[split.retain], values[rows.y[split.retain]])
    np.testing.assert_allclose(probabilities(step, rows), probabilities(exact, rows), atol=0.02)
    ensemble = unlearn("sisa", train_sisa(model, rows.take(split.train), shards=2), split).model
    assert (probabilities(ensemble, rows).argmax(1) == rows.y).mean() > 0.9


def test_a_class_that_was_never_seen_has_nothing() -> None:
    rows = blobs(("1", "2", "3"))
    few = rows.take(np.flatnonzero(rows.y > 0))
    model = fit_sklearn(LogisticRegression(), few, 0)  # fitted here: 1 and 2 are places
    assert model.classes_.tolist() == [1, 2]
    p = probabilities(model, rows)
    assert (p[:, 0] == 0).all() and (p.argmax(1) == rows.y)[rows.y > 0].mean() > 0.9
    assert (probabilities(copy.deepcopy(model), rows) == p).all()


def test_numbers_that_may_be_names_or_places_are_refused() -> None:
    rows = blobs(("1", "2", "3"))
    two = LogisticRegression().fit(rows.x[rows.y < 2], rows.y[rows.y < 2] + 1)
    with pytest.raises(InputError, match=r"\[1, 2\] of LogisticRegression may be the names or the places"):
        class_places(two, rows)
    text = LogisticRegression().fit(rows.x[rows.y < 2], np.array(rows.classes)[rows.y[rows.y < 2]])
    assert class_places(text, rows).tolist() == [0, 1]


class Said:
    """A classifier that says what it is told."""

    classes_ = np.arange(2)

    def __init__(self, p: object) -> None:
        self.p = p

    def predict_proba(self, x: np.ndarray) -> object:
        return self.p


FAULTS = {
    "sum to nan": np.full((240, 2), np.nan),
    "sum to inf": np.full((240, 2), np.inf),
    "sum to 100": np.tile([70.0, 30.0], (240, 1)),
    "the least of them -0.5": np.tile([1.5, -0.5], (240, 1)),
    r"returns \[240\] for 240 samples; \[240, 2\]": np.full(240, 0.5),
    r"returns \[120, 2\]": np.full((120, 2), 0.5),
    r"returns \[240, 3\]": np.full((240, 3), 1 / 3),
    r"returns \[2, 240, 2\]": [np.full((240, 2), 0.5)] * 2,
    "What Said.predict_proba returns has dtype <U1; numbers": np.full((240, 2), "x"),
    "returns has dtype object; numbers": np.full((240, 2), "0.5", object),
    "returns has 480 masked entries": np.ma.masked_less(np.full((240, 2), 0.5), 1),
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_is_no_probability_is_refused(message: str) -> None:
    with pytest.raises(InputError, match=message):
        collect_logits(Said(FAULTS[message]), blobs(("a", "b")))


def test_classes_that_could_be_matched_twice_or_by_truth_values_alone_are_refused() -> None:
    twice, truth = Said(np.full((240, 3), 1 / 3)), Said(np.full((240, 2), 0.5))
    twice.classes_, truth.classes_ = np.array([0, 0, 1]), np.array([False, True])
    with pytest.raises(InputError, match="0, 0, 1, one of them twice"):
        collect_logits(twice, blobs(("a", "b", "c")))
    assert collect_logits(truth, blobs(("a", "b"))).shape == (240, 2)
    with pytest.raises(InputError, match="classes False, True do not fit the 3 of blobs"):
        collect_logits(truth, blobs(("a", "b", "c")))


def test_a_table_whose_columns_have_another_order_is_refused() -> None:
    rows = blobs(("a", "b"))
    columns = tuple(f"f{k}" for k in range(rows.x.shape[1]))
    model = LogisticRegression().fit(pd.DataFrame(rows.x, columns=list(columns)), rows.y)
    assert np.array_equal(probabilities(model, rows), probabilities(model, replace(rows, features=columns)))
    with pytest.raises(InputError, match=f"fitted on the column 'f0' where blobs has '{columns[-1]}'"):
        collect_logits(model, replace(rows, features=columns[::-1]))


def test_what_scikit_learn_refuses_is_one_sentence() -> None:
    rows = blobs(("a", "b"))
    named = make_pipeline(ColumnTransformer([("n", "passthrough", ["u"])]), LogisticRegression())
    named.fit(pd.DataFrame(rows.x, columns=list("uvw")), rows.y)
    split = make_split(rows, "class", label="b", train=100, holdout=60, shadow=40)
    two = LogisticRegression().fit(rows.x, rows.y)
    rare = Dataset("rare", rows.x, (np.arange(240) < 4).astype(int), rows.ids, ("a", "b"))
    other = LogisticRegression().fit(rows.x, np.array(["u", "v"])[rows.y])
    for call, message in (
        (lambda: collect_logits(LogisticRegression(), rows), "not fitted"),
        (lambda: collect_logits(named, rows), "columns using strings"),
        (
            lambda: collect_logits(two, Dataset("d", rows.x[:, :2], rows.y, rows.ids, ("a", "b"))),
            "2 features",
        ),
        (lambda: collect_logits(other, rows), "classes 'u', 'v' do not fit the 2 of blobs"),
        (lambda: unlearn("retrain", two, split), "cannot be fitted on .* samples of one class"),
        (lambda: fit_sklearn(CalibratedClassifierCV(LinearSVC(), cv=5), rare, 0), "5-fold"),
        (lambda: train_sisa(LogisticRegression(), rare, shards=6), "of one class"),
        (lambda: fit_sklearn(other, rows, 0), "do not fit"),
        (
            lambda: unlearn("certified_newton", LogisticRegression(), split),
            "certified_newton works on|not fitted",
        ),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
