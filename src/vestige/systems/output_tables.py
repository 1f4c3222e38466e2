"""Tables of outputs: what several models say about the same records, a file a model, joined by the records' ids.

    id       names a record, as it is written; the order of the rows is free
    label    what is true: the class, or the target of a regression; in one table at least
    role     "forget", "retain" or "holdout", where no lists of ids say it; `source` as in `Signals`
    others   the outputs, a column a class, named after it: "no" and "yes", or "p_no" and "p_yes"

A single column is of two classes, and tells the probability of the one that it is named after. Of predicted classes and
of losses there is one column of any name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.data.labels import class_index, labels_written
from vestige.errors import InputError, unknown
from vestige.evaluation import Audit
from vestige.evaluation.folder import audit_into
from vestige.files import as_path, first_row, numbered_plainly, read_ids, read_table
from vestige.signals import KINDS, ROLES, Signals
from vestige.signals.kinds import fitted
from vestige.store import file_hash
from vestige.values import as_ids, id_list

PREFIX = "p_"
ROLE, SOURCE = "role", "source"
"""Columns that are read under their own names where they are there."""
OF_TARGETS = ("predictions", "multilabel")
TABLES = ("before", "shadows", "retrained")
FILES = (*TABLES, "forget", "retain", "holdout")
"""Arguments of `signals_from_tables` that take files; text in them is a path."""
MOST_SAID = 50
"""Ids of a list that the manifest of an audit repeats."""
Table = str | Path | pd.DataFrame
Ids = str | Path | Iterable[str]


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
                    f"{other.where} lacks {_first_of(lacking)} of the {len(one.ids):,} ids of {one.where}; all tables "
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


def signals_from_tables(
    after: Table,
    *,
    before: Table | None = None,
    shadows: Table | Sequence[Table] = (),
    retrained: Table | Sequence[Table] = (),
    forget: Ids | None = None,
    retain: Ids | None = None,
    holdout: Ids | None = None,
    label: str | Sequence[str] = "label",
    id: str = "id",
    cluster: str | None = None,
    kind: str = "logits",
    scale: Any = None,
) -> Signals:
    """Build `Signals` from tables of outputs, CSV, Parquet or DataFrames, a table a model; see above.

    Parameters
    ----------
    after, before : path or DataFrame
        Of the model under audit, and of the one before unlearning.
    shadows, retrained : path or DataFrame, or a list of them
        Of models that saw none of the records, and of models trained again without the forgotten ones.
    forget, retain, holdout : path or list of ids
        Who was forgotten, was kept, was never seen. Where one of the last two is given all other records are the other;
        where both are, records of neither are left out, which the notes say. A file has one id a line, or a column of
        ids.
    label : str or list of str
        Column of the true class, or of the target. For several targets, and for multilabel, a column each, and the
        outputs are called "p_" and the same name.
    id, cluster : str
        Columns of the records' names, and of which records belong together, such as one person's.
    kind : str
        What the outputs are, see `vestige.signals.kinds`. It is never guessed.
    scale
        Of the residuals of predictions; see `Signals.from_outputs`.

    Returns
    -------
    Signals
        In the order of `after`.

    Raises
    ------
    InputError
        For ids that are missing, repeated or unknown, columns or labels that differ between tables, labels that no
        column is named after, and outputs that do not fit their kind.

    Examples
    --------
    >>> import pandas as pd
    >>> from vestige.systems import signals_from_tables
    >>> after = pd.DataFrame({"id": ["a", "b"], "label": ["no", "yes"], "no": [0.9, 0.3], "yes": [0.1, 0.7]})
    >>> signals_from_tables(after, forget=["a"], retain=["b"], kind="probabilities")
    Signals(2 samples of 2 classes: 1 forget, 1 retain)
    """
    if kind not in KINDS:
        raise InputError(unknown("kind of outputs", kind, KINDS))
    labels = [label] if isinstance(label, str) else list(label)
    named = [*labels, ROLE, SOURCE, *([cluster] if cluster else [])]
    first = _read(after, "after", id, named, kind)

    def read(tables: Table | Sequence[Table], name: str) -> list[OutputTable]:
        several = [tables] if isinstance(tables, (str, Path, pd.DataFrame)) else tables
        return [
            _read(table, f"{name} {k + 1}" if len(several) > 1 else name, id, named, kind).along(first)
            for k, table in enumerate(several)
        ]

    groups = {
        "unlearned": [first], "original": read(() if before is None else before, "before"),
        "shadow_out": read(shadows, "shadow"), "retrained": read(retrained, "retrained"),
    }  # fmt: skip
    every = [table for group in groups.values() for table in group]
    known = {name: _shared(name, every) for name in named}
    role, notes = _roles(first, known[ROLE], id, forget=forget, retain=retain, holdout=holdout)
    truth, values, more = _READERS[kind](labels, known, every)
    rows = np.flatnonzero(role != "")
    outputs = iter([fitted(table.where, one, kind) for table, one in zip(every, values, strict=True)])
    models: dict[str, Any] = {
        name: [next(outputs)[rows] for _ in group] for name, group in groups.items() if group
    }
    models |= {name: models[name][0] for name in ("unlearned", "original") if name in models}
    if cluster is not None and known[cluster] is None:
        raise InputError(f"{first.where}: {unknown('column', cluster, [*first.others, *first.outputs])}")
    for field, column in ((SOURCE, known[SOURCE]), ("cluster", known[cluster] if cluster else None)):
        if column is not None:
            models[field] = as_ids(f"column {field!r}", column.to_numpy()[rows], distinct=False)
    return Signals.from_outputs(
        kind, None if truth is None else truth[rows], role=role[rows], ids=first.ids[rows], scale=scale,
        notes=(*notes, *more), **models,
    )  # fmt: skip


def audit_tables(
    folder: Path | str,
    after: str | Path,
    measures: Iterable[Any] | None = None,
    *,
    preset: str = "recommended",
    alpha: float = 0.05,
    tolerance: float = 0.1,
    **tables: Any,
) -> Audit:
    """Audit tables of outputs into a folder, as `vestige audit --after` does.

    Parameters
    ----------
    folder : path
        Empty, new, or that of this very audit: gets the audit's data, manifest.json and report.html.
    after : path
        The outputs of the model under audit.
    measures, preset, alpha, tolerance
        As of `vestige.audit`.
    tables
        All else that `signals_from_tables` takes: paths, and how the columns are called.

    Returns
    -------
    Audit
        Named after the file of the audited model.

    Raises
    ------
    InputError
        Before any work where the folder holds something else, and as `signals_from_tables` and `vestige.audit` do.
    """
    after = as_path(after)
    tables = {name: _read_once(name, value) for name, value in tables.items()}
    signals = signals_from_tables(after, **tables)
    files = [after, *(one for value in tables.values() for one in _paths(value))]
    hashes = {str(path): file_hash(path) for path in files}
    source = [*hashes.values(), {name: _said(value, lambda path: "a file") for name, value in tables.items()}]
    config = {"after": str(after), **{name: _said(value, str, MOST_SAID) for name, value in tables.items()}}
    return audit_into(
        folder, signals, after.stem, source, config, hashes, measures, preset=preset, alpha=alpha, tolerance=tolerance,
    )  # fmt: skip


def _read_once(name: str, value: Any) -> Any:
    """Return an argument with its files as paths, and what can be read but once as a list.

    Raises `InputError` for tables that are no files: an audit's folder names those by their hashes.
    """
    if isinstance(value, str):
        return as_path(value) if name in FILES else value
    if name in TABLES and value is not None:
        listed = isinstance(value, Iterable) and not isinstance(value, pd.DataFrame)
        return [as_path(one) for one in value] if listed else as_path(value)
    return list(value) if isinstance(value, Iterable) else value


def _paths(value: Any) -> list[Path]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Path)]


def _said(value: Any, of_path: Callable[[Path], str], most: int | None = None) -> Any:
    """Return an argument as a record holds it; of more than `most` ids their number."""
    if isinstance(value, list):
        if most is not None and len(value) > most:
            return f"{len(value):,} ids"
        return [_said(one, of_path) for one in value]
    return of_path(value) if isinstance(value, Path) else value


def _first_of(ids: NDArray[np.str_]) -> str:
    return f"{str(ids[0])!r}" + (f" and {len(ids) - 1:,} more" if len(ids) > 1 else "")


def _read(table: Table, name: str, id: str, named: Sequence[str], kind: str) -> OutputTable:
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
    if all(column.startswith(PREFIX) for column in columns):
        outputs = outputs.set_axis([column.removeprefix(PREFIX) for column in columns], axis=1)
    return OutputTable(where, ids, outputs, others)


def _expect_outputs(outputs: pd.DataFrame, where: str, kind: str) -> None:
    if not len(outputs.columns):
        raise InputError(f"{where}: there is no column of outputs, such as one for each class.")
    for name in map(str, outputs.columns):
        if name.startswith("Unnamed: "):
            raise InputError(
                f"{where}: column {name!r} has no name in the file; write the table without its index."
            )
        if kind != "labels" and outputs[name].dtype.kind not in "fiu":
            what = "text" if pd.api.types.is_string_dtype(outputs[name]) else str(outputs[name].dtype)
            raise InputError(
                f"{where}: column {name!r} holds {what}; every column that id, label and cluster do not name is an "
                "output, a number."
            )


def _shared(name: str, tables: Sequence[OutputTable]) -> pd.Series[Any] | None:
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


# who was forgotten


def _roles(
    first: OutputTable, column: pd.Series[Any] | None, id: str, **lists: Ids | None
) -> tuple[NDArray[np.str_], tuple[str, ...]]:
    """Return the role of every record, "" of those that are left out, and what was left out, in a sentence."""
    rows = {role: _positions(role, ids, first, id) for role, ids in lists.items() if ids is not None}
    if column is not None:
        if set(rows) - {"forget"}:
            raise InputError(
                f"{first.where} has a column {ROLE!r} and there are lists of ids; one of them says it."
            )
        role = as_ids(f"{first.where}, column {ROLE!r}", column.to_numpy(), distinct=False).astype("<U7")
        role[rows.get("forget", [])] = "forget"
        return role, ()
    if "forget" not in rows:
        raise InputError(
            f"Who was forgotten is not said; give the ids of the request, forget=, or a column {ROLE!r} of "
            f"{', '.join(ROLES)}."
        )
    if len(rows) == 1:
        raise InputError(
            "Who was never seen is not said; give the ids of those, holdout=, or the ids of those that were kept, "
            "retain=."
        )
    rest = "retain" if "retain" not in rows else "holdout" if "holdout" not in rows else ""
    role = np.full(len(first.ids), rest, "<U7")
    for one, places in rows.items():
        twice = places[(role[places] != rest) & (role[places] != "")]
        if len(twice):
            raise InputError(
                f"{_first_of(first.ids[twice])} stand in two of the lists forget, retain and holdout."
            )
        role[places] = one
    left = int((role == "").sum())
    return role, ((f"{left:,} records stand in no list and were left out.",) if left else ())


def _positions(name: str, ids: Ids, first: OutputTable, id: str) -> NDArray[np.int64]:
    file = as_path(ids) if isinstance(ids, (str, Path)) else None
    where = name if file is None else str(file)
    wanted = id_list(name, ids) if file is None else _listed(file, id)
    places = pd.Index(first.ids).get_indexer(pd.Index(wanted))
    unknown_ids = wanted[places < 0]
    if len(unknown_ids):
        raise InputError(
            f"{where}: {_first_of(unknown_ids)} of its {len(wanted):,} ids are not among the {len(first.ids):,} of "
            f"{first.where}, which look like {str(first.ids[0])!r}."
        )
    return places.astype(np.int64)


def _listed(path: Path, id: str) -> NDArray[np.str_]:
    """Return the ids of a file: its column of ids, or one id a line."""
    suffix = path.suffix.lower()
    header = first_row(path) if suffix == ".csv" else []
    if suffix != ".parquet" and len(header) < 2 and header != [id]:
        return as_ids(str(path), np.array(read_ids(path), np.str_))
    frame = read_table(path, written=[id])
    if id not in frame:
        raise InputError(f"{path}: {unknown('column', id, map(str, frame.columns))}")
    return as_ids(f"{path}, column {id!r}", frame[id].to_numpy())


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


_READERS: Mapping[str, Callable[[Sequence[str], Known, Sequence[OutputTable]], Reading]] = {
    "logits": _of_classes, "log_probabilities": _of_classes, "probabilities": _of_classes, "labels": _of_labels,
    "losses": _of_losses, "predictions": _of_targets, "multilabel": _of_targets,
}  # fmt: skip
