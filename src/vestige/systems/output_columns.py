"""One model's outputs as a table: its ids, its columns of outputs, and what else it says of the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.data.labels import class_index, labels_written
from vestige.errors import InputError, unknown
from vestige.files import first_row, numbered_plainly, read_table
from vestige.values import INDEX, as_ids

PREFIX = "p_"
ROLE, SOURCE = "role", "source"
"""Columns that are read under their own names where they are there."""
OF_TARGETS = ("predictions", "multilabel")
Table = str | Path | pd.DataFrame


@dataclass(frozen=True, eq=False)
class OutputTable:
    """What one model says, as a table.

    Attributes
    ----------
    where : str
        The file, or the name of the argument, for messages.
    ids : text [n]
    outputs : DataFrame [n, C]
        A column each, by its name without the prefix "p_".
    others : dict of str to Series
        Label, role, source and cluster, where they are there.
    """

    where: str
    ids: NDArray[np.str_]
    outputs: pd.DataFrame
    others: Mapping[str, pd.Series[Any]]

    def along(self, first: OutputTable) -> OutputTable:
        """Return the same table with the rows and columns of another, in its order.

        Raises `InputError` where an id or a column is in one of them alone.
        """
        for one, other in ((first, self), (self, first)):
            lacking = one.ids[~np.isin(one.ids, other.ids)]
            if len(lacking):
                raise InputError(
                    f"{other.where} lacks {first_of(lacking)} of the {len(one.ids):,} ids of {one.where}; all tables "
                    "are of the same records."
                )
            columns = [name for name in one.outputs if name not in other.outputs]
            if columns:
                raise InputError(
                    f"{other.where} has no column {columns[0]!r}, which {one.where} has; the outputs of all tables "
                    f"have the same names. Its own: {', '.join(map(str, other.outputs))}."
                )
        order = pd.Index(self.ids).get_indexer(pd.Index(first.ids))
        others = {name: column.iloc[order].reset_index(drop=True) for name, column in self.others.items()}
        return OutputTable(self.where, first.ids, self.outputs.iloc[order][list(first.outputs)], others)


def first_of(ids: NDArray[np.str_]) -> str:
    return f"{str(ids[0])!r}" + (f" and {len(ids) - 1:,} more" if len(ids) > 1 else "")


def read_outputs(table: Table, name: str, id: str, named: Sequence[str], kind: str) -> OutputTable:
    """Return a table whose columns are told apart. Raises `InputError`."""
    if isinstance(table, pd.DataFrame):
        where, frame = name, table
        frame = frame.reset_index() if id not in frame and frame.index.name == id else frame
        frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    else:
        where, texts = str(table), [id, *(n for n in named if kind not in OF_TARGETS or n in (ROLE, SOURCE))]
        if kind == "labels" and Path(table).suffix.lower() == ".csv":
            texts = first_row(Path(table))
        frame = read_table(Path(table), written=texts)
    if not numbered_plainly(frame) and not isinstance(table, pd.DataFrame):
        raise InputError(f"{where}: its index has no name; name it {id!r} or write the table without it.")
    if id not in frame:
        raise InputError(f"{where}: {unknown('column', id, map(str, frame.columns))}")
    frame = frame.reset_index(drop=True)
    ids = as_ids(f"{where}, column {id!r}", frame[id].to_numpy())
    others = {column: frame[column] for column in named if column in frame}
    outputs = frame.drop(columns=[id, *others])
    _expect_outputs(outputs, where, kind)
    columns = list(map(str, outputs.columns))
    others_too = [column for column in columns if not column.startswith(PREFIX)]
    if kind not in OF_TARGETS and others_too and len(others_too) < len(columns) / 2:
        raise InputError(
            f"{where}: column {others_too[0]!r} is no output, for outputs begin with {PREFIX!r} here; leave it out."
        )
    if not others_too:
        outputs = outputs.set_axis([column.removeprefix(PREFIX) for column in columns], axis=1)
    return OutputTable(where, ids, outputs, others)


def _expect_outputs(outputs: pd.DataFrame, where: str, kind: str) -> None:
    if not len(outputs.columns):
        raise InputError(f"{where}: there is no column of outputs, such as one for each class.")
    for name in map(str, outputs.columns):
        if INDEX.fullmatch(name):
            what = "has no name in the file" if name.startswith("Unnamed") else "is an index, and no output"
            raise InputError(f"{where}: column {name!r} {what}; write the table without its index.")
        if kind != "labels" and outputs[name].dtype.kind not in "fiu":
            what = "text" if pd.api.types.is_string_dtype(outputs[name]) else str(outputs[name].dtype)
            raise InputError(
                f"{where}: column {name!r} holds {what}; every column that id, label and cluster do not name is an "
                "output, a number."
            )


def shared_column(name: str, tables: Sequence[OutputTable]) -> pd.Series[Any] | None:
    """Return a column that several tables may have; None where none has it. Raises `InputError` where they differ."""
    having = [table for table in tables if name in table.others]
    for table in having[1:]:
        ours, theirs = having[0].others[name].astype(str), table.others[name].astype(str)
        other = np.flatnonzero(ours.to_numpy() != theirs.to_numpy())
        if len(other):
            row = int(other[0])
            raise InputError(
                f"{table.where} says {name} {theirs.iloc[row]!r} of {str(table.ids[row])!r}, {having[0].where} says "
                f"{ours.iloc[row]!r}; what is known of a record is the same in all tables."
            )
    return having[0].others[name] if having else None


# what is true, and what the models say

Reading = tuple[NDArray[Any] | None, list[NDArray[Any]], tuple[str, ...]]
Known = Mapping[str, "pd.Series[Any] | None"]


def _label(labels: Sequence[str], known: Known, tables: Sequence[OutputTable]) -> pd.Series[Any]:
    if len(labels) != 1:
        raise InputError(f"There are {len(labels)} columns of labels; for classes one is wanted.")
    column = known[labels[0]]
    if column is None:
        raise InputError(f"{tables[0].where}: {unknown('column', labels[0], map(str, tables[0].outputs))}")
    return column


def _numbers(tables: Sequence[OutputTable]) -> list[NDArray[Any]]:
    return [table.outputs.to_numpy(dtype=np.float64, na_value=np.nan) for table in tables]


def _of_classes(labels: Sequence[str], known: Known, tables: Sequence[OutputTable]) -> Reading:
    """Read a column a class, or one of two; the truth as places of the columns."""
    column, names = _label(labels, known, tables), tuple(map(str, tables[0].outputs))
    where = f"{tables[0].where}, column {labels[0]!r}"
    if len(names) == 1:
        return _one_of_two(column, where, names[0], tables)
    truth, _ = labels_written(column, where, names)
    absent = [name for place, name in enumerate(names) if place not in truth]
    note = f"No record is of {', '.join(absent)}; these columns were read as outputs of classes all the same."
    return truth, _numbers(tables), (note,) if absent else ()


def _one_of_two(column: pd.Series[Any], where: str, name: str, tables: Sequence[OutputTable]) -> Reading:
    own, classes = labels_written(column, where)
    try:
        second = class_index(classes, name)
    except InputError:
        second = -1
    if second < 0 or len(classes) > 2:
        raise InputError(
            f"{where}: the one column of outputs, {name!r}, is named after none of two classes ({', '.join(classes)}); "
            "name it after the class whose probability it tells."
        )
    return (own == second).astype(np.int64), [values[:, 0] for values in _numbers(tables)], ()


def _one_column(tables: Sequence[OutputTable], what: str) -> str:
    names = list(map(str, tables[0].outputs))
    if len(names) != 1:
        raise InputError(
            f"{tables[0].where} has the outputs {', '.join(names)}; for {what} one column is wanted."
        )
    return names[0]


def _of_labels(labels: Sequence[str], known: Known, tables: Sequence[OutputTable]) -> Reading:
    """Read predicted classes by their names, as the true ones are written."""
    column, name = _label(labels, known, tables), _one_column(tables, "labels")
    parts = [column, *(table.outputs[name] for table in tables)]
    places, _ = labels_written(
        pd.concat(parts, ignore_index=True), f"{tables[0].where}, {labels[0]!r} and {name!r}"
    )
    truth, *values = np.split(places, len(parts))
    return truth, values, ()


def _of_losses(labels: Sequence[str], known: Known, tables: Sequence[OutputTable]) -> Reading:
    _one_column(tables, "losses")
    column = known[labels[0]] if labels else None
    truth = None if column is None else as_ids(f"column {labels[0]!r}", column.to_numpy(), distinct=False)
    return truth, [values[:, 0] for values in _numbers(tables)], ()


def _of_targets(labels: Sequence[str], known: Known, tables: Sequence[OutputTable]) -> Reading:
    """Read a target each; outputs of several are matched to them by name."""
    names, columns = list(map(str, tables[0].outputs)), [known[label] for label in labels]
    for label, column in zip(labels, columns, strict=True):
        if column is None:
            raise InputError(f"{tables[0].where}: {unknown('column', label, names)}")
        if column.dtype.kind not in "fiub":
            raise InputError(f"{tables[0].where}: column {label!r} holds {column.dtype}; numbers are wanted.")
    if len(labels) != len(names) or (len(names) > 1 and set(names) != set(labels)):
        raise InputError(
            f"{tables[0].where} has the targets {', '.join(labels)} and the outputs {', '.join(names)}; of several, "
            f"each output is called {PREFIX!r} and the name of its target."
        )
    truth = np.stack([column.to_numpy(np.float64) for column in columns if column is not None], axis=1)
    order = [names.index(label) for label in labels] if len(names) > 1 else [0]
    return truth, [values[:, order] for values in _numbers(tables)], ()


READERS: Mapping[str, Callable[[Sequence[str], Known, Sequence[OutputTable]], Reading]] = {
    "logits": _of_classes, "log_probabilities": _of_classes, "probabilities": _of_classes, "labels": _of_labels,
    "losses": _of_losses, "predictions": _of_targets, "multilabel": _of_targets,
}  # fmt: skip
"""How each kind of output is read: from the labels' columns and the tables, the truth, the outputs, and what to say."""
