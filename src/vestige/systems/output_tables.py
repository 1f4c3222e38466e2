"""Tables of outputs: what several models say about the same records, a file a model, joined by the records' ids.

    id       names a record, as it is written; the order of the rows is free
    label    what is true: the class, or the target of a regression; in one table at least
    role     "forget", "retain" or "holdout", where no lists of ids say it; `source` as in `Signals`
    others   the outputs, a column a class, named after it: "no" and "yes", or "p_no" and "p_yes"

A single column is of two classes, and tells the probability of the one that it is named after. Of predicted classes and
of losses there is one column of any name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.errors import InputError, unknown
from vestige.evaluation import Audit
from vestige.evaluation.folder import audit_into
from vestige.files import as_path, first_row, read_ids, read_table
from vestige.signals import KINDS, ROLES, Signals
from vestige.signals.kinds import fitted
from vestige.store import file_hash
from vestige.systems.output_columns import (
    READERS,
    ROLE,
    SOURCE,
    OutputTable,
    Table,
    first_of,
    read_outputs,
    shared_column,
)
from vestige.values import as_ids, id_list

TABLES = ("before", "shadows", "retrained")
FILES = (*TABLES, "forget", "retain", "holdout")
"""Arguments of `signals_from_tables` that take files; text in them is a path."""
MOST_SAID = 50
"""Ids of a list that the manifest of an audit repeats."""
Ids = str | Path | Iterable[str]


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
    first = read_outputs(after, "after", id, named, kind)

    def read(tables: Table | Sequence[Table], name: str) -> list[OutputTable]:
        several = [tables] if isinstance(tables, (str, Path, pd.DataFrame)) else tables
        return [
            read_outputs(table, f"{name} {k + 1}" if len(several) > 1 else name, id, named, kind).along(first)
            for k, table in enumerate(several)
        ]

    groups = {
        "unlearned": [first], "original": read(() if before is None else before, "before"),
        "shadow_out": read(shadows, "shadow"), "retrained": read(retrained, "retrained"),
    }  # fmt: skip
    every = [table for group in groups.values() for table in group]
    _expect_other_files(after, before, shadows, retrained)
    known = {name: shared_column(name, every) for name in named}
    role, notes = _roles(first, known[ROLE], id, forget=forget, retain=retain, holdout=holdout)
    truth, values, more = READERS[kind](labels, known, every)
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


def _expect_other_files(after: Any, before: Any, shadows: Any, retrained: Any) -> None:
    """Refuse one file in the place of two models, but for the one before and after."""
    names = [str(one) for one in (after, before) if isinstance(one, (str, Path))]
    for tables in (shadows, retrained):
        for one in [tables] if isinstance(tables, (str, Path)) else tables:
            if isinstance(one, (str, Path)) and str(one) in names:
                raise InputError(f"{one} is given as the outputs of two models; each has a file of its own.")
            names.append(str(one) if isinstance(one, (str, Path)) else "")


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
                f"{first_of(first.ids[twice])} stand in two of the lists forget, retain and holdout."
            )
        role[places] = one
    left = int((role == "").sum())
    return role, ((f"{left:,} records stand in no list and were left out.",) if left else ())


def _positions(name: str, ids: Ids, first: OutputTable, id: str) -> NDArray[np.int64]:
    if isinstance(ids, (str, Path)):
        where, wanted = str(ids), _listed(as_path(ids), id)
    else:
        where, wanted = name, id_list(name, ids)
    if not len(wanted) and (name == "forget" or isinstance(ids, (str, Path))):
        raise InputError(f"{where} names no record; at least one id is wanted.")
    places = pd.Index(first.ids).get_indexer(pd.Index(wanted))
    unknown_ids = wanted[places < 0]
    if len(unknown_ids):
        raise InputError(
            f"{where}: {first_of(unknown_ids)} of its {len(wanted):,} ids are not among the {len(first.ids):,} of "
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
