"""Systems of scikit-learn: estimators and pipelines on tables as users have them, LightGBM and XGBoost among them.

A pipeline is fitted again as a whole: a scaler or an encoder that was fitted on forgotten records is a trace of them.

    predict_proba        probabilities; 0 for a class that a model never saw
    decision_function    logits [n, C]; of two classes the margin is that of the second. A class that a model never saw
                         has the probability 1e-12
    predict              of a regression
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from vestige.data.dataset import Dataset
from vestige.data.labels import labels_of
from vestige.data.split import Split
from vestige.errors import InputError, shown, told
from vestige.estimators import (
    PLACES,
    asked,
    by_class,
    entries,
    entries_for,
    entry_name,
    fitted_clone,
    places_in,
)
from vestige.signals.kinds import Outputs
from vestige.store import array_hash, key_of
from vestige.systems.base import Positions, Records, System, ways
from vestige.systems.estimator_files import described, load_estimator, save_estimator, versions_of
from vestige.systems.tables import Table, read_tables
from vestige.systems.unseen import seen_rows
from vestige.values import as_array, as_floats

Question = Literal["predict_proba", "decision_function", "predict"]
CHUNK = 65_536
"""Records that a model is asked about at once."""
NEVER = np.log(1e-12)
"""Logit of a class that a model never saw, beside all others together."""


def estimators(
    model: Any,
    data: Any,
    *,
    label: Any = None,
    id: Any = None,
    unseen: Any = None,
    cluster: Any = None,
    drop: Iterable[Any] = (),
    name: str | None = None,
    forget: Iterable[str] = (),
) -> Estimators:
    """Return the system of a scikit-learn estimator and its data.

    Parameters
    ----------
    model
        A classifier or regressor of scikit-learn, LightGBM or XGBoost, or a pipeline. A fitted one is the original;
        one that is not fitted is fitted on the records that are not kept from it. It stays as it is.
    data
        What it was trained on: a DataFrame with the label among its columns; (x, y); a `vestige.Dataset`; a
        `datasets.Dataset`. The label, the id, the cluster and `drop` are no features, all else is given to the model
        as it is: text, gaps and all.
    label
        Column of the classes or of the number to predict; a list of columns for several numbers.
    id
        Column of the ids, or as many ids; None: the index, by default "0", "1" and so on.
    unseen
        What the model never saw: a table like `data`, with the same columns in any order; or ids among `data`; or, for
        a model that is not fitted, a share of `data`, by default half. At least as many records as the model was
        trained on are useful: models are trained on some of them.
    cluster
        Column that says which records belong together.
    drop
        Columns that are no features.
    name
        What the system is called in reports; default: the class of the estimator.
    forget
        Ids that will be forgotten: a model that is not fitted yet shall see them.

    Returns
    -------
    Estimators
        See `vestige.systems.System`.

    Raises
    ------
    InputError
        For data that cannot be read, and for a model that is no classifier and no regressor, that answers with one
        label alone, or that knows other classes or columns than the data have.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from vestige.systems import estimators
    >>> table = load_breast_cancer(as_frame=True).frame
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table[:300].drop(columns="target"),
    ...                                                                   table[:300].target)
    >>> system = estimators(model, table[:300], label="target", unseen=table[300:])
    >>> system.outputs(model, system.seen[:2]).values.round(2)
    array([[1., 0.],
           [1., 0.]])
    """
    question = _question(model)
    fitted = _is_fitted(model)
    table = read_tables(
        data, label=label, id=id, unseen=unseen, cluster=cluster, drop=drop,
        features=_feature_names(model) if fitted else None,
    )  # fmt: skip
    return Estimators(model, table, unseen, question, fitted, name or _name(model), forget)


class Estimators(System):
    """The system of a scikit-learn estimator; `estimators` builds it.

    Attributes
    ----------
    table : Table
        The records, with features as the estimator takes them.
    template : estimator
        A clone that is not fitted.
    question : str
        The method by which a model is asked.
    by_place : bool
        Are models fitted on the places of classes, for they take numbers alone?
    """

    def __init__(
        self,
        model: Any,
        table: Table,
        unseen: Any,
        question: Question,
        fitted: bool,
        name: str,
        forget: Iterable[str],
    ) -> None:
        self.name, self.table, self.question = name, table, question
        self.template = _cloned(model)
        self.original = model if fitted else None
        self.by_place = False
        given: Any = None
        if question == "predict":
            self.records = Records(table.ids, targets=_targets(table), cluster=table.cluster)
        else:
            given, places, classes = _labels(table, self.original)
            self.records = Records(table.ids, places, classes, cluster=table.cluster)
        self.seen, kept = seen_rows(self.records, table.count, unseen, fitted, forget=forget)
        notes = [*table.notes, *kept]
        self._targets = self.records.truth if given is None else self._as_known(model, given, fitted, notes)
        if question == "decision_function":
            notes.append(
                f"{name} gives margins, which are no calibrated log-odds: they are compared with those of models of "
                "its kind alone."
            )
        self.notes = tuple(notes)
        if fitted:
            self.outputs(model, self.seen[:1])

    def _as_known(self, model: Any, given: NDArray[Any], fitted: bool, notes: list[str]) -> NDArray[Any]:
        """Return labels [N] as the estimator is given them: as they are, as a fitted one knows them, or as numbers."""
        records = self.records
        assert records.labels is not None
        classes = ", ".join(repr(one) for one in records.classes[:5]) + (
            ", ..." if len(records.classes) > 5 else ""
        )
        if not fitted:
            if type(_last(model)).__module__.startswith("xgboost") and not np.array_equal(
                given, records.labels
            ):
                notes.append(f"XGBoost knows classes by numbers alone: 0, 1 and so on are {classes}.")
                self.by_place = True
                return records.labels
            return given
        places = places_in(model, records.classes, "the data", named=True)
        known = entries(model)
        if [entry_name(entry) for entry in known.tolist()] != [records.classes[place] for place in places]:
            notes.append(f"The model knows classes by numbers; 0, 1 and so on are taken for {classes}.")
        seen = self.seen
        entries_for(
            model, places, records.labels[seen], records.classes, records.ids[seen]
        )  # it knows all of them
        able = np.isin(records.labels, places)
        if not able.all():
            strange = int(np.argmin(able))
            raise InputError(
                f"{int((~able).sum()):,} records that the model never saw have classes that it does not know, such as "
                f"{records.classes[records.labels[strange]]!r} of {str(records.ids[strange])!r}; its classes are "
                f"{', '.join(repr(records.classes[place]) for place in places[:5])}. Write labels in one way, or leave "
                "these records out."
            )
        labels = given.astype(object)
        labels[able] = entries_for(model, places, records.labels[able], records.classes, records.ids[able])
        return labels.astype(known.dtype) if able.all() else np.asarray(labels.tolist())

    def fit(self, rows: Positions, seed: int) -> Any:
        """Fit a clone on the records at `rows`; every `random_state` in it becomes the seed."""
        y = self._targets[rows]
        what = f"{len(rows):,} records"
        if self.records.labels is not None:
            present = len(np.unique(self.records.labels[rows]))
            what += f" of {'one class' if present == 1 else f'{present} classes'}"
        model = fitted_clone(self.template, self.table.features(rows), y, seed, what)
        if self.by_place:
            setattr(model, PLACES, True)
        return model

    def outputs(self, model: Any, rows: Positions) -> Outputs:
        """Return probabilities or logits [n, C] in the order of the classes, or predictions."""
        rows = np.asarray(rows)
        parts = [self._answers(model, rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK)]
        kind = {"predict_proba": "probabilities", "decision_function": "logits", "predict": "predictions"}
        return Outputs(np.concatenate(parts), kind[self.question])

    def _answers(self, model: Any, rows: Positions) -> NDArray[np.float64]:
        answers = asked(model, self.question, self.table.features(rows), self.name)
        if self.question == "predict":
            targets = np.asarray(self.records.targets)[rows]
            if answers.size != targets.size or len(answers) != len(rows):
                raise InputError(
                    f"{self.name}: predict gives {list(answers.shape)} for {len(rows)} records; {list(targets.shape)} "
                    "is wanted."
                )
            return answers.reshape(targets.shape)
        count = len(self.records.classes)
        places = places_in(model, self.records.classes, "the data", named=True)
        if self.question == "predict_proba":
            p = np.clip(by_class(model, answers, places, count, self.records.ids[rows]), 0, 1)
            p[p.sum(axis=1) == 0] = 1 / count  # one class against the rest, and none is favoured
            return p
        return _margins(self.name, answers, places, count, len(rows))

    def features(self, rows: Positions) -> Any:
        """Return the features of some records: a DataFrame or an array; None of a sparse matrix."""
        return None if sparse.issparse(self.table.x) else self.table.features(rows)

    def save(self, model: Any, folder: Path) -> None:
        """Write a model by skops, whose files run no code when they are read."""
        save_estimator(model, folder)

    def load(self, folder: Path) -> Any:
        """Return the model that `save` wrote; types that are no part of the user's own model are refused."""
        return load_estimator(folder, self.template if self.original is None else self.original)

    def fingerprint(self) -> str:
        """Return a hash of features, truth, the estimator's parameters and code, and the libraries' versions."""
        given = self._targets if self._targets.dtype.kind in "fiub" else self._targets.astype(str)
        return key_of(
            self.name, self.question, self.records.fingerprint, self.records.classes, self.table.fingerprint,
            array_hash(given), described(self.template), versions_of(self.template),
        )  # fmt: skip

    def unlearn(
        self, method: str, model: Any, forget: Positions, retain: Positions, *, seed: int, **options: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Unlearn by a method that works on scikit-learn classifiers, where the features are numbers without gaps.

        Raises `InputError` where they are not, and as the method does.
        """
        from vestige.unlearning import unlearn

        self.expect_method(method)
        nobody = np.zeros(0, np.int64)
        split = Split(self._dataset, forget, retain, nobody, nobody)
        done = unlearn(method, model, split, seed=seed, **options)
        return done.model, {"retrain_epochs": done.epochs}

    def expect_method(self, method: str) -> None:
        """Raise `InputError` for a method that does not work on this model or on its features."""
        from vestige.unlearning.registry import methods_on, refusal

        reason, able = refusal(method, self.template, unseen=False), methods_on(self.template, unseen=False)
        try:
            _ = self._dataset
        except InputError as error:
            reason, able = reason or f"{method} {error}", []
        if reason:
            raise InputError(f"{reason} {ways(self.name, able)}")

    @cached_property
    def _dataset(self) -> Dataset:
        """The records as methods take them. Raises `InputError` with the end of a sentence where they cannot."""
        if self.records.labels is None:
            raise InputError(f"works on classifiers; {self.name} predicts numbers.")
        try:
            x = as_floats("x", self.table.x.to_numpy() if hasattr(self.table.x, "to_numpy") else self.table.x)
        except InputError as error:
            raise InputError(f"wants features that are numbers without gaps: {error}") from None
        return Dataset(
            self.name,
            np.ascontiguousarray(x, np.float32),
            self.records.labels,
            self.records.ids,
            self.records.classes,
        )


def _question(model: Any) -> Question:
    """Return how a model is asked. Raises `InputError` for what is no classifier and no regressor."""
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise InputError(
            f"model is {shown(model)}; a scikit-learn estimator is wanted, such as LogisticRegression()."
        )
    if is_regressor(model):
        return "predict"
    if hasattr(model, "predict_proba"):
        return "predict_proba"
    if is_classifier(model) and hasattr(model, "decision_function"):
        last = _last(model)
        if getattr(last, "decision_function_shape", "ovr") == "ovo":
            raise InputError(
                f"{type(last).__name__} gives a margin for each pair of classes; set decision_function_shape='ovr'."
            )
        return "decision_function"
    if is_classifier(model):
        raise InputError(
            f"{_name(model)} has neither predict_proba nor decision_function, only the predicted class; write a System "
            "whose outputs are of the kind 'labels'."
        )
    raise InputError(f"{_name(model)} is neither a classifier nor a regressor; one of them is wanted.")


def _is_fitted(model: Any) -> bool:
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    except Exception as error:
        raise InputError(f"{_name(model)} is no estimator that can be used: {told(error)}.") from error
    return True


def _feature_names(model: Any) -> list[str] | None:
    """Return the names of the columns that a model was fitted on; None where it knows none."""
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    first = next((step for step in steps if step not in ("passthrough", None)), None)
    known = getattr(first, "feature_names_in_", None)
    return None if known is None else list(np.asarray(known).tolist())


def _cloned(model: Any) -> Any:
    try:
        return clone(model)
    except Exception as error:  # a constructor that changes what it is given
        raise InputError(f"{_name(model)} cannot be fitted anew: {told(error)}.") from error


def _last(model: Any) -> Any:
    """Return the estimator that does the work: the last of a pipeline, the one inside a search."""
    while True:
        inner = model.steps[-1][1] if hasattr(model, "steps") else getattr(model, "estimator", None)
        if not hasattr(inner, "get_params"):
            return model
        model = inner


def _name(model: Any) -> str:
    kind, steps = type(model).__name__, getattr(model, "steps", None)
    return f"{kind} with {type(steps[-1][1]).__name__}" if steps else kind


def _labels(table: Table, original: Any) -> tuple[NDArray[Any], NDArray[np.int64], tuple[str, ...]]:
    """Return the labels as they are, their places, and the classes' names: those of the data and of a fitted model."""
    if np.ndim(table.y) != 1:
        raise InputError("Several columns of labels are given; a classifier of one label a record is wanted.")
    values = _written(table)
    places, classes = labels_of(values, "The labels", table.classes)
    if original is None:
        return values, places, classes
    known = entries(original)
    names = [entry_name(entry) for entry in known.tolist()]
    if known.dtype.kind in "UO" or set(classes) <= set(names):
        classes = (*classes, *(one for one in names if one not in classes))
    return values, places, classes


def _written(table: Table) -> NDArray[Any]:
    """Return labels [N] as plain numbers, truth values or text. Raises `InputError` for one that is missing."""
    column = table.y if isinstance(table.y, pd.Series) else pd.Series(np.asarray(table.y))
    if column.isna().any():
        row = int(np.flatnonzero(column.isna())[0])
        raise InputError(f"The label of record {str(table.ids[row])!r} is missing.")
    values = np.asarray(column.astype(object).to_numpy())
    kinds = {type(value) for value in values.tolist()}
    if kinds == {str}:
        return values.astype(str)
    if kinds == {bool}:
        return values.astype(bool)
    if kinds <= {int, float}:
        return as_array("The labels", values.tolist())
    raise InputError(
        f"The labels are of type {' and '.join(sorted(kind.__name__ for kind in kinds))}; numbers or text are wanted."
    )


def _targets(table: Table) -> NDArray[np.floating[Any]]:
    values = table.y.to_numpy() if hasattr(table.y, "to_numpy") else table.y
    return as_floats("The numbers to predict", values)


def _margins(
    name: str, answers: NDArray[np.float64], places: NDArray[np.int64], count: int, n: int
) -> NDArray[np.float64]:
    """Return `decision_function`'s answers as logits [n, count] in the order of the classes."""
    if answers.shape == (n,) and len(places) == 2:
        answers = np.stack([np.zeros(n), answers], axis=1)
    if answers.shape != (n, len(places)) or not np.isfinite(answers).all():
        raise InputError(
            f"{name}: decision_function gives {list(answers.shape)} for {n} records of {len(places)} classes, or what "
            f"is not finite; [{n}, {len(places)}] is wanted."
        )
    full = np.repeat(logsumexp(answers, axis=1)[:, None] + NEVER, count, axis=1)
    full[:, places] = answers
    return full
