"""Records in the forms in which users have them, read into one: a table of features, with truth and ids.

    DataFrame               its columns, among them the label; ids from a column, or from the index
    (x, y)                  x a DataFrame, an array or a sparse matrix; y as many labels or targets
    vestige.Dataset         its own ids; labels by the names of their classes
    datasets.Dataset        of Hugging Face, and whatever else has `to_pandas()`

Features stay as they are, gaps and text included: what becomes of them is the business of the user's own pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from vestige.data.columns import is_index, without
from vestige.data.dataset import Dataset
from vestige.errors import InputError, shown, unknown
from vestige.store import array_hash, key_of
from vestige.systems.base import Positions
from vestige.systems.unseen import is_data
from vestige.values import INDEX, as_array, as_ids


@dataclass(frozen=True, eq=False)
class Table:
    """Records of one form.

    Attributes
    ----------
    x : array [N, F]
        Features: a DataFrame, an array or a sparse matrix.
    y : array [N]
        Or [N, L] where several columns are labels or targets.
    ids : text [N]
        Names of the records.
    cluster : text [N] or None
        Which of them belong together; None where nothing is known of that.
    count : int
        How many of them, the first ones, are data; the others are what a model never saw.
    notes : tuple[str, ...]
        What was left out on the way.
    counted : bool
        Are the ids the numbers of the rows, for want of others?
    classes : tuple[str, ...] or None
        Names in an order of their own, where the data have one: y holds names; else None.
    """

    x: Any
    y: Any
    ids: NDArray[np.str_]
    cluster: NDArray[np.str_] | None = None
    count: int = 0
    notes: tuple[str, ...] = ()
    counted: bool = False
    classes: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def features(self, rows: Positions) -> Any:
        """Return the features of some records, in the form in which they are."""
        return self.x.iloc[rows] if isinstance(self.x, pd.DataFrame) else self.x[rows]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of names, types and content of the features."""
        if isinstance(self.x, pd.DataFrame):
            columns = [(str(name), str(kind)) for name, kind in self.x.dtypes.items()]
            return key_of(columns, array_hash(pd.util.hash_pandas_object(self.x, index=False).to_numpy()))
        return sparse_hash(self.x) if is_sparse(self.x) else array_hash(self.x)


def is_sparse(value: Any) -> bool:
    """Is it a sparse matrix or array of SciPy?"""
    return bool(sparse.issparse(value))


def sparse_hash(matrix: Any) -> str:
    """Return a hash of a sparse matrix, whatever its format."""
    rows = matrix.tocsr()
    return array_hash(rows.data, rows.indices, rows.indptr, np.array(rows.shape))


def read_tables(
    data: Any,
    *,
    label: Any = None,
    id: Any = None,
    unseen: Any = None,
    cluster: Any = None,
    drop: Iterable[Any] = (),
    features: Sequence[Any] | None = None,
) -> Table:
    """Read data, and what a model never saw where that is a table too, into one.

    Parameters
    ----------
    label
        Column of the classes or targets, or a list of columns; None where the data are (x, y) or a `vestige.Dataset`.
    id
        Column of the ids, or as many ids as there are rows; None: the index of the table.
    unseen
        Data of the same form, with the same columns in any order; anything else is left to `seen_rows`.
    cluster
        Column, or as many names, that say which records belong together.
    drop
        Columns that are no features.
    features
        Names of the columns that it was fitted on, where it knows them.
    Raises
    ------
    InputError
        For columns that are missing, repeated, or in one of two tables only, and for ids that are missing or repeated.
    """
    table = _table(data, "data", label, id, cluster, drop, features)
    if not is_data(unseen):
        return table
    for option, value in (("id", id), ("cluster", cluster)):
        if value is not None and not _names_column(value):
            raise InputError(
                f"{option} is a list, and unseen is a table; name a column of both, or set their index."
            )
    return _joined(table, _table(unseen, "unseen", label, id, cluster, drop, features or _columns(table.x)))


def _names_column(value: Any) -> bool:
    return isinstance(value, (str, int, np.integer)) and not isinstance(value, bool)


def _columns(x: Any) -> list[Any] | None:
    return list(x.columns) if isinstance(x, pd.DataFrame) else None


def _table(
    data: Any,
    what: str,
    label: Any,
    id: Any,
    cluster: Any,
    drop: Iterable[Any],
    features: Sequence[Any] | None,
) -> Table:
    """Read one form of data; `what` it is called."""
    if isinstance(data, Mapping):  # of Hugging Face: the parts of a data set
        raise InputError(
            f"{what} is a mapping with {', '.join(map(str, list(data)[:5]))}; give one of its tables."
        )
    if isinstance(data, Dataset):
        return _of_dataset(data, what, label, id, cluster)
    if isinstance(data, (tuple, list)) and len(data) == 2:
        x, y = data
        return _of_pair(x, y, what, label, id, cluster, drop, features)
    if not isinstance(data, pd.DataFrame) and hasattr(data, "to_pandas"):
        data = data.to_pandas()
    if not isinstance(data, pd.DataFrame):
        raise InputError(
            f"{what} is {shown(data)}; a DataFrame, (x, y), a vestige.Dataset or a datasets.Dataset is wanted."
        )
    if label is None:
        raise InputError(
            f"label is missing; name the column of {what} that holds the classes or the targets."
        )
    labels = list(label) if isinstance(label, (list, tuple)) else [label]
    for name in labels:
        _expect_column(data, name, what, "label")
    y = data[labels] if isinstance(label, (list, tuple)) else data[label]
    return _of_frame(data, y, what, id, cluster, [*labels], drop, features)


def _of_dataset(data: Dataset, what: str, label: Any, id: Any, cluster: Any) -> Table:
    given = [name for name, value in (("label", label), ("id", id)) if value is not None]
    if given:
        raise InputError(
            f"{what} is a vestige.Dataset, which has its own labels and ids; leave out {', '.join(given)}."
        )
    names = tuple(str(name) for name in data.classes)
    groups = None if cluster is None else _as_many("cluster", cluster, len(data), distinct=False)
    x, y = data.x.reshape(len(data), -1), np.array(names)[data.y]
    return Table(x, y, data.ids, groups, len(data), data.notes, classes=names)


def _of_pair(
    x: Any,
    y: Any,
    what: str,
    label: Any,
    id: Any,
    cluster: Any,
    drop: Iterable[Any],
    features: Sequence[Any] | None,
) -> Table:
    if label is not None:
        raise InputError(f"{what} is (x, y), and y holds the labels; leave out label.")
    if isinstance(y, pd.DataFrame) and len(y.columns) == 1:
        y = y.iloc[:, 0]
    if not isinstance(x, pd.DataFrame) and not is_sparse(x):
        x = as_array(f"{what}: x", x)
    if len(x.shape) < 2:
        raise InputError(
            f"{what}: x has shape {list(x.shape)}; a row of features a record, [N, F], is wanted."
        )
    if not isinstance(y, (pd.Series, pd.DataFrame)):
        y = as_array(f"{what}: y", y)
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if x.shape[0] != len(y):
        raise InputError(f"{what}: x has {x.shape[0]:,} rows and y {len(y):,}; they must be as many.")
    if isinstance(x, pd.DataFrame):
        if (
            isinstance(y, (pd.Series, pd.DataFrame))
            and not y.index.equals(x.index)
            and set(y.index) == set(x.index)
        ):
            raise InputError(f"{what}: the indexes of x and y differ in their order; give y.loc[x.index].")
        return _of_frame(x, y, what, id, cluster, [], drop, features)
    if list(drop):
        raise InputError(f"drop names columns, and {what} has none; give x as a DataFrame.")
    for option, value in (("id", id), ("cluster", cluster)):
        if value is not None and _names_column(value):
            raise InputError(
                f"{option} is {value!r}, and {what} has no columns; give a list, or x as a DataFrame."
            )
    n = x.shape[0]
    ids = np.arange(n).astype(str) if id is None else _as_many("id", id, n)
    groups = None if cluster is None else _as_many("cluster", cluster, n, distinct=False)
    return Table(x.tocsr() if is_sparse(x) else x, y, ids, groups, n, counted=id is None)


def _of_frame(
    frame: pd.DataFrame,
    y: Any,
    what: str,
    id: Any,
    cluster: Any,
    labels: list[Any],
    drop: Iterable[Any],
    features: Sequence[Any] | None,
) -> Table:
    if not len(frame):
        raise InputError(f"{what} has no rows.")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{what}: the column {twice!r} is there twice.")
    ids, counted = _ids(frame, what, id)
    groups = None
    if cluster is not None:
        named = _names_column(cluster)
        if named:
            _expect_column(frame, cluster, what, "cluster")
        groups = _as_many(
            "cluster", frame[cluster].to_numpy() if named else cluster, len(frame), distinct=False
        )
    beside = [*labels, *(name for name in (id, cluster) if name is not None and _names_column(name))]
    x = without(frame, drop, what)
    x = x.drop(columns=[name for name in dict.fromkeys(beside) if name in x])
    x, notes = _plain(x, what) if features is None else _known(x, features, what)
    if not len(x.columns):
        raise InputError(f"{what}: no column is left to be a feature.")
    return Table(x, y, ids, groups, len(x), notes, counted)


def _expect_column(frame: pd.DataFrame, name: Any, what: str, option: str) -> None:
    if not pd.api.types.is_hashable(name) or name not in frame:
        raise InputError(f"{option}: {unknown(f'column of {what}', name, map(str, frame.columns))}")


def _ids(frame: pd.DataFrame, what: str, id: Any) -> tuple[NDArray[np.str_], bool]:
    """Return the ids of a table, and whether they are no more than the numbers of its rows."""
    if id is None:
        if isinstance(frame.index, pd.MultiIndex):
            raise InputError(f"{what}: the index has {frame.index.nlevels} levels; name a column by id=.")
        counted = isinstance(frame.index, pd.RangeIndex) and (frame.index.start, frame.index.step) == (0, 1)
        return as_ids(f"{what}: the index", frame.index.to_numpy()), counted
    if not _names_column(id):
        return _as_many("id", id, len(frame)), False
    if id not in frame and id == frame.index.name:
        return as_ids(f"{what}: the index {id!r}", frame.index.to_numpy()), False
    _expect_column(frame, id, what, "id")
    return as_ids(f"{what}: the column {id!r}", frame[id].to_numpy()), False


def _as_many(option: str, values: Any, n: int, distinct: bool = True) -> NDArray[np.str_]:
    values = values.to_numpy() if isinstance(values, (pd.Series, pd.Index)) else values
    names = as_ids(option, values, distinct=distinct)
    if len(names) != n:
        raise InputError(f"{option} has {len(names):,} entries for {n:,} records; they must be as many.")
    return names


def _plain(x: pd.DataFrame, what: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return features without a column that numbers the rows. Raises `InputError` where its name does not say so."""
    numbers = [name for name in x if pd.api.types.is_numeric_dtype(x[name]) or INDEX.fullmatch(str(name))]
    left = [name for name in numbers if is_index(str(name), x[name], f"{what}: column {name!r}")]
    names = ", ".join(map(str, left))
    return x.drop(columns=left), (f"Left out, for it numbers the rows: {names}.",) if left else ()


def _known(x: pd.DataFrame, features: Sequence[Any], what: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the columns by name, in the order in which a model was fitted on them, or another table has them.

    LightGBM writes "mean_radius" for "mean radius".
    """
    written = {str(name).replace(" ", "_"): name for name in x}
    features = [name if name in x else written.get(name, name) for name in features]
    lacking = [name for name in features if name not in x]
    if lacking:
        more = f", and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise InputError(f"{what} has no column {lacking[0]!r}{more}, which the model knows.")
    extra = [name for name in x if name not in set(features)]
    index = [name for name in extra if INDEX.fullmatch(str(name))]
    strange = [name for name in extra if name not in index]
    if strange:
        names = ", ".join(repr(name) for name in strange[:5])
        raise InputError(
            f"{what} has columns that the model does not know, {names}; leave them out by drop={strange[:5]}."
        )
    notes = (f"Left out, for it numbers the rows: {', '.join(map(str, index))}.",) if index else ()
    return x[list(features)], notes


def _joined(data: Table, unseen: Table) -> Table:
    """Return one table of what a model saw and what it did not."""
    ids, notes = unseen.ids, tuple(dict.fromkeys((*data.notes, *unseen.notes)))
    both = np.intersect1d(data.ids, ids)
    if len(both) and unseen.counted:
        ids = np.char.add("unseen-", ids)
        notes = (*notes, "Unseen records have no ids of their own; they are called 'unseen-0' and so on.")
    elif len(both):
        raise InputError(
            f"{len(both):,} ids are in data and in unseen, among them {str(both[0])!r}; a record is in one of them."
        )
    if data.classes != unseen.classes:
        raise InputError(
            f"The classes of data are {data.classes}, and those of unseen {unseen.classes}; give the same."
        )
    if (data.cluster is None) != (unseen.cluster is None):
        raise InputError("cluster is known of data or of unseen alone; it is wanted of both.")
    cluster = (
        None
        if data.cluster is None or unseen.cluster is None
        else np.concatenate([data.cluster, unseen.cluster])
    )
    return Table(
        _stacked(data.x, unseen.x), _stacked_truth(data.y, unseen.y), np.concatenate([data.ids, ids]), cluster,
        len(data), notes, classes=data.classes,
    )  # fmt: skip


def _stacked(one: Any, two: Any) -> Any:
    if isinstance(one, pd.DataFrame) != isinstance(two, pd.DataFrame):
        raise InputError(
            "data has columns with names and unseen has none, or the reverse; give both in one form."
        )
    if isinstance(one, pd.DataFrame):
        return pd.DataFrame({name: _column(name, one[name], two[name]) for name in one})
    if one.shape[1:] != two.shape[1:]:
        raise InputError(f"data has rows of shape {list(one.shape[1:])} and unseen of {list(two.shape[1:])}.")
    if is_sparse(one) or is_sparse(two):
        return sparse.vstack([one, two]).tocsr()
    return np.concatenate([one, two])


def _column(name: Any, one: pd.Series[Any], two: pd.Series[Any]) -> Any:
    """Return a column of both tables. Raises `InputError` where it is numbers in one of them alone."""
    if isinstance(one.dtype, pd.CategoricalDtype) and isinstance(two.dtype, pd.CategoricalDtype):
        return pd.api.types.union_categoricals([one, two], ignore_order=not one.cat.ordered)
    numbers = [pd.api.types.is_numeric_dtype(column) for column in (one, two)]
    if numbers[0] != numbers[1] and not one.isna().all() and not two.isna().all():
        raise InputError(
            f"The column {name!r} is {one.dtype} in data and {two.dtype} in unseen; make them alike."
        )
    return pd.concat([one, two], ignore_index=True).array


def _stacked_truth(one: Any, two: Any) -> Any:
    if np.ndim(one) != np.ndim(two):
        raise InputError("The labels of data and of unseen have different shapes; give both in one form.")
    if isinstance(one, pd.DataFrame) and isinstance(two, pd.DataFrame):
        return pd.concat([one, two[list(one.columns)]], ignore_index=True)
    if np.ndim(one) == 1:
        return pd.concat([pd.Series(part).reset_index(drop=True) for part in (one, two)], ignore_index=True)
    return np.concatenate([np.asarray(one), np.asarray(two)])
