"""scikit-learn classifiers: read by class, fitted again on the same classes. No other file looks at `classes_`.

The columns of `predict_proba` belong to the entries of `classes_`, which may be text, negative, or have gaps. An entry
is the class of that name, or the place of a class in `Dataset.classes`, which is what `Dataset.y` holds:

    text             the class of that name
    numbers, bools   the places 0, 1, ... where they can be, bools those of two classes; else the classes of those names
                     ("1", "-1", ...)
    both             refused where the two readings differ and the classifier was not fitted here: with the classes
                     "1", "2", "3", the entries 1 and 2 may be either
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from vestige.data.dataset import Dataset
from vestige.errors import InputError, shown, told
from vestige.values import as_array

Estimator = TypeVar("Estimator")
Floats = NDArray[np.float64]
PLACES = "vestige_places_"
"""Attribute of a classifier that was fitted here on `Dataset.y`: its classes are places."""


def expect_classifier(model: Any) -> Any:
    """Return an unfitted scikit-learn classifier as it is. Raises `InputError` for anything else."""
    able = not isinstance(model, type) and all(
        hasattr(model, n) for n in ("fit", "predict_proba", "get_params")
    )
    if not able:
        raise InputError(
            f"{shown(model)} is no classifier; a scikit-learn estimator with fit and predict_proba is wanted."
        )
    return model


def fit_sklearn(estimator: Estimator, rows: Dataset, seed: int, *, places: bool = False) -> Estimator:
    """Return a fitted clone of a classifier or pipeline; the one that is given stays as it is.

    The clone has the classes that a fitted one was fitted on, by name or by place. Raises `InputError` where
    scikit-learn refuses the samples, for example because one class is left, or a fold has none of a class.

    Parameters
    ----------
    rows : Dataset
        Images are flattened to [N, C * H * W], their bytes as they are.
    seed : int
        Becomes every `random_state` among the parameters, those of inner steps included.
    places : bool
        Fit on `rows.y` whatever classes a fitted estimator knows.
    """
    y: NDArray[Any] = rows.y
    known = None if places else getattr(estimator, "classes_", None)
    if known is not None and not np.array_equal(class_places(estimator, rows), known):
        y = labels_for(estimator, rows)
    left = len(np.unique(rows.y))
    what = f"{len(rows):,} samples of {'one class' if left == 1 else f'{left} classes'}"
    fresh = fitted_clone(estimator, flat(rows), y, seed, what)
    if y is rows.y:
        setattr(fresh, PLACES, True)
    return fresh


def fitted_clone(estimator: Estimator, x: Any, y: Any, seed: int, what: str) -> Estimator:
    """Return a clone of an estimator, fitted on x, a table of any kind; `seed` becomes every `random_state` in it.

    Raises `InputError` where it cannot be fitted on them, which are called `what`.
    """
    try:
        fresh = clone(estimator)
        states = {key: seed for key in fresh.get_params() if key.split("__")[-1] == "random_state"}
        fresh.set_params(**states).fit(x, y)
    except InputError:
        raise
    except Exception as error:  # foreign code: whatever it refuses is a fault of what it was given
        name = type(estimator).__name__
        raise InputError(f"{name} cannot be fitted on {what}: {told(error, 300)}.") from error
    return fresh  # type: ignore[no-any-return]


def probabilities(model: Any, rows: Dataset) -> Floats:
    """Return class probabilities [N, C] in the order of `rows.classes`; 0 for a class that the model never saw.

    A row may sum to 0, where a classifier of one class against the rest favours none. Raises `InputError` where the
    model is not fitted, does not take the samples, knows other classes, or gives no probabilities.
    """
    _expect_columns(model, rows)
    answers = asked(model, "predict_proba", flat(rows), rows.name)
    return by_class(model, answers, class_places(model, rows), len(rows.classes), rows.ids)


def asked(model: Any, question: str, x: Any, of: str) -> Floats:
    """Return the numbers that a method of the model, such as "predict_proba", says of x.

    Raises `InputError` where the model is not fitted, or does not take x, the samples `of` something.
    """
    try:
        values = getattr(model, question)(x)
    except InputError:
        raise
    except Exception as error:  # foreign code, as above
        raise InputError(
            f"{type(model).__name__} does not take the samples of {of}: {told(error, 300)}."
        ) from error
    what = f"What {type(model).__name__}.{question} returns"
    array = as_array(what, values)
    if array.dtype.kind not in "biuf" and not all(isinstance(one, Real) for one in array.ravel().tolist()):
        raise InputError(f"{what} has dtype {array.dtype}; numbers are wanted.")
    return array.astype(np.float64)


def _expect_columns(model: Any, rows: Dataset) -> None:
    """Refuse a table whose features have another order than those that the model was fitted on; they have no names."""
    known = [str(name) for name in getattr(model, "feature_names_in_", ())]
    if rows.features and known and known != list(rows.features) and len(known) == len(rows.features):
        place = next(at for at, name in enumerate(known) if name != rows.features[at])
        raise InputError(
            f"{type(model).__name__} was fitted on the column {known[place]!r} where {rows.name} has "
            f"{rows.features[place]!r}; bring both tables into one order, or fit it on data.x."
        )


def by_class(model: Any, p: Floats, places: NDArray[np.int64], classes: int, ids: NDArray[np.str_]) -> Floats:
    """Return p [N, K], what `predict_proba` says, as [N, classes], by the places of the model's classes.

    Raises `InputError` where the answers are no probabilities of N samples.
    """
    name = type(model).__name__
    if p.shape != (len(ids), len(places)):
        raise InputError(
            f"{name}.predict_proba returns {list(p.shape)} for {len(ids)} samples; [{len(ids)}, {len(places)}] is "
            "wanted, a probability for each of its classes."
        )
    total = p.sum(axis=1)
    fine = np.isfinite(p).all(axis=1) & (p >= -1e-6).all(axis=1)
    fine &= (np.abs(total - 1) <= 1e-3) | (total == 0)
    if not fine.all():
        row = int(np.flatnonzero(~fine)[0])
        raise InputError(
            f"{name}.predict_proba gives sample {str(ids[row])!r} values that sum to {total[row]:.4g}, the least "
            f"of them {p[row].min():.4g}; probabilities, which sum to 1, are wanted."
        )
    full = np.zeros((len(ids), classes))
    full[:, places] = p
    return full


def class_places(model: Any, rows: Dataset) -> NDArray[np.int64]:
    """Return, for each entry of the model's `classes_`, the place of that class in `rows.classes`; see above.

    Raises `InputError` where an entry is none of the classes, and where it may be either of two.
    """
    return places_in(model, [str(c) for c in rows.classes], rows.name)


def places_in(model: Any, names: Sequence[str], of: str, *, named: bool = False) -> NDArray[np.int64]:
    """Return, for each entry of the model's `classes_`, the place of that class in `names`; see `class_places`.

    Parameters
    ----------
    named : bool
        An entry that is the name of a class is that class: the labels themselves were what the model was
        fitted on.
    """
    known = entries(model)
    where = {name: place for place, name in enumerate(names)}
    by_name = [where.get(entry_name(entry)) for entry in known.tolist()]
    numbers = known.dtype.kind in "iub" or (
        known.dtype.kind == "f" and bool((known == np.trunc(known)).all())
    )
    numbers = numbers and not (known.dtype.kind == "b" and len(names) != 2)
    by_place = [int(c) for c in known] if numbers else []
    if numbers and (min(by_place) < 0 or max(by_place) >= len(names)):
        by_place = []
    if named and None not in by_name and not getattr(model, PLACES, False):
        return np.array(by_name, np.int64)
    if by_place and (getattr(model, PLACES, False) or None in by_name or by_place == by_name):
        return np.array(by_place, np.int64)
    if by_place:
        raise InputError(
            f"The classes {known.tolist()} of {type(model).__name__} may be the names or the places of the classes "
            f"{_some(names)} of {of}, which differ; fit it on the names as text, np.array(data.classes)[data.y]."
        )
    if None in by_name:
        raise InputError(
            f"The classifier's classes {_some(known.tolist())} do not fit the {len(names)} of {of}, "
            f"{_some(names)}; fit it on data.y, or on the names of the classes."
        )
    return np.array(by_name, np.int64)


def labels_for(model: Any, rows: Dataset) -> NDArray[Any]:
    """Return the labels [N] of `rows` as the fitted model knows them: entries of its `classes_`.

    Raises `InputError` for a sample of a class that the model does not know.
    """
    return entries_for(model, class_places(model, rows), rows.y, [str(c) for c in rows.classes], rows.ids)


def entries_for(
    model: Any, places: NDArray[np.int64], y: NDArray[np.int64], names: Sequence[str], ids: NDArray[np.str_]
) -> NDArray[Any]:
    """Return labels, places [N] in `names`, as entries of the model's `classes_`; see `labels_for`.

    Parameters
    ----------
    places : array of int64
        Of each of its entries, see `places_in`.
    """
    known = entries(model)
    entry = np.full(len(names), -1)
    entry[places] = np.arange(len(places))
    strange = np.flatnonzero(entry[y] < 0)
    if len(strange):
        raise InputError(
            f"{type(model).__name__} does not know the class {names[y[strange[0]]]!r} of sample "
            f"{str(ids[strange[0]])!r}; its classes are {_some(known.tolist())}."
        )
    return np.asarray(known[entry[y]])


def flat(rows: Dataset) -> NDArray[np.generic]:
    """Return the samples as scikit-learn takes them, [N, F]."""
    return rows.x.reshape(len(rows), -1)


def entries(model: Any) -> NDArray[Any]:
    """Return the `classes_` of a classifier. Raises `InputError` where it has none."""
    known = np.asarray(getattr(model, "classes_", None))
    if known.ndim != 1 or not len(known) or (known.dtype.kind == "f" and not np.isfinite(known).all()):
        raise InputError(
            f"{type(model).__name__} has no list of classes (classes_), which its columns are matched by; is it "
            "fitted, on one label a sample?"
        )
    if len(set(known.tolist())) < len(known):
        raise InputError(
            f"{type(model).__name__} has the classes (classes_) {_some(known.tolist())}, one of them twice; each is "
            "wanted once."
        )
    return known


def entry_name(entry: Any) -> str:
    """Return an entry as the name of a class: 3.0 is "3"."""
    return str(int(entry)) if isinstance(entry, float) and entry == int(entry) else str(entry)


def _some(values: Sequence[Any]) -> str:
    text = ", ".join(repr(value) for value in values[:5])
    return f"{text}, ..." if len(values) > 5 else text
