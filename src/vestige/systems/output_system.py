"""A system without a model: outputs that are at hand, or a function that asks for them, such as an API.

    Outputs   what a model said about every record, in their order
    Asked     a function from a batch of records to what a model says about them: in batches, again where the line
              breaks, and never twice for the same record where a cache keeps what was said

Tables of outputs, a file a model, need no system: see `vestige.systems.signals_from_tables`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from vestige.arguments import OWN_CHECK, Count, NotNegative, checked
from vestige.data.labels import labels_written
from vestige.errors import InputError, told, unknown
from vestige.files import as_path
from vestige.signals.kinds import KINDS, Outputs
from vestige.store import key_of
from vestige.systems.base import Positions, Records, System
from vestige.systems.output_columns import OF_TARGETS
from vestige.systems.tables import Table, read_tables
from vestige.systems.unseen import seen_rows
from vestige.values import as_array

Retry = Annotated[tuple[type[Exception], ...], OWN_CHECK]


class Asked:
    """A model behind a line: a function from a batch of records to what the model says about them.

    Parameters
    ----------
    ask : callable
        Takes a batch of records, a part of what it is called with: of a DataFrame, an array or a list. Returns an
        answer for each, [n, C] or [n].
    kind : str
        What it answers, see `vestige.signals.kinds`.
    name : str
        Which model it is, such as "churn-api 2026-11-03"; a cache tells models apart by it.
    batch_size : int
        Records of a batch.
    tries : int
        How often a batch is asked before the call gives up.
    wait : float
        Seconds before the second try, and twice as long before each further one.
    retry : tuple of exception types
        Which errors are worth another try. Default: `OSError`; lines that break or time out are of this kind, also in
        `urllib` and `requests`.
    cache : path, optional
        A file that keeps every answer by the digest of its record: a stopped audit goes on without asking again.

    Raises
    ------
    InputError
        For a cache without a name. When it is called: where the line stays broken, and for answers that are not as many
        as the records or do not fit the kind.

    Examples
    --------
    >>> import numpy as np
    >>> from vestige.systems import Asked
    >>> api = Asked(lambda batch: 1 / (1 + np.exp(-batch.sum(axis=1))), "probabilities", batch_size=2)
    >>> api(np.arange(6).reshape(3, 2))
    Outputs(3 records, probabilities of 2 classes)
    """

    @checked
    def __init__(
        self,
        ask: Callable[[Any], Any],
        kind: str,
        *,
        name: str = "",
        batch_size: Count = 32,
        tries: Count = 5,
        wait: NotNegative = 1.0,
        retry: Retry = (OSError,),
        cache: Path | str | None = None,
    ) -> None:
        if kind not in KINDS:
            raise InputError(unknown("kind of outputs", kind, KINDS))
        if cache is not None and not name:
            raise InputError("A cache keeps the answers of one model; say which, name=, such as its version.")
        self.ask, self.kind, self.name = ask, kind, name
        self.batch_size, self.tries, self.wait, self.retry = batch_size, tries, wait, retry
        self.cache = None if cache is None else as_path(cache)

    def __call__(self, records: Any) -> Outputs:
        """Return what the model says about every record."""
        names = [key_of(self.name, digest) for digest in digests(records)]
        first = {name: row for row, name in reversed([*enumerate(names)])}
        with _kept(self.cache, first) as (said, keep):
            rows = sorted(row for name, row in first.items() if name not in said)
            for start in range(0, len(rows), self.batch_size):
                batch = rows[start : start + self.batch_size]
                answers = {
                    names[row]: one for row, one in zip(batch, self._answers(records, batch), strict=True)
                }
                keep(answers)
                said |= answers
        return Outputs(np.array([said[name] for name in names]), self.kind)

    def _answers(self, records: Any, batch: list[int]) -> list[Any]:
        """Ask one batch, again where the line breaks."""
        part = _part(records, batch)
        for attempt in range(1, self.tries + 1):
            try:
                answers = as_array("answers", self.ask(part))
                break
            except self.retry as error:
                if attempt == self.tries:
                    kept = f" What was answered is kept in {self.cache}." if self.cache else ""
                    raise InputError(
                        f"{self.name or 'The model'} did not answer for {len(batch)} records after {self.tries} tries: "
                        f"{told(error)}.{kept}"
                    ) from error
                time.sleep(self.wait * 2 ** (attempt - 1))
        if answers.ndim not in (1, 2) or len(answers) != len(batch):
            raise InputError(
                f"{self.name or 'ask'} answers with shape {list(answers.shape)} for {len(batch)} records; an answer "
                "for each, [n, C] or [n], is wanted."
            )
        rows: list[Any] = answers.tolist()
        return rows


def digests(records: Any) -> list[str]:
    """Return a digest of every record by what it holds: rows of a DataFrame or an array, or members of a list."""
    if isinstance(records, pd.DataFrame):
        records = records.to_dict("records")
    return [_digest(one) for one in records]


def _digest(record: Any) -> str:
    if isinstance(record, np.ndarray):
        head, body = f"{record.dtype.str} {record.shape}", np.ascontiguousarray(record).tobytes()
    elif isinstance(record, bytes):
        head, body = "bytes", record
    else:
        head, body = type(record).__name__, json.dumps(record, sort_keys=True, default=repr).encode()
    return hashlib.sha256(head.encode() + b"\0" + body).hexdigest()


def _part(records: Any, rows: list[int]) -> Any:
    if isinstance(records, pd.DataFrame):
        return records.iloc[rows]
    return records[rows] if isinstance(records, np.ndarray) else [records[row] for row in rows]


@contextlib.contextmanager
def _kept(
    path: Path | None, names: Mapping[str, int]
) -> Iterator[tuple[dict[str, Any], Callable[[Mapping[str, Any]], None]]]:
    """Give the answers that a cache holds of these names, and a function that keeps more."""
    if path is None:
        yield {}, lambda answers: None
        return
    try:
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute("CREATE TABLE IF NOT EXISTS answers (name TEXT PRIMARY KEY, answer TEXT)")
            said = {
                name: json.loads(answer)
                for name, answer in file.execute("SELECT name, answer FROM answers")
                if name in names
            }

            def keep(answers: Mapping[str, Any]) -> None:
                with file:
                    file.executemany(
                        "INSERT OR REPLACE INTO answers VALUES (?, ?)",
                        [(name, json.dumps(one)) for name, one in answers.items()],
                    )

            yield said, keep
    except (sqlite3.Error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: the cache of answers cannot be used ({told(error)}); name another file."
        ) from error


class OutputSystem(System):
    """Records of which outputs are known, and no model; `outputs` builds it.

    Its models are `Outputs` of all records, or `Asked`.
    """

    def __init__(
        self, table: Table, unseen: Any, kind: str, classes: Sequence[str] | None, name: str
    ) -> None:
        self.table, self.kind, self.name = table, kind, name
        if kind in OF_TARGETS:
            self.records = Records(table.ids, targets=np.asarray(table.y), cluster=table.cluster)
        else:
            known = None if classes is None else tuple(map(str, classes))
            labels, names = labels_written(pd.Series(np.asarray(table.y)), "data", known)
            self.records = Records(table.ids, labels, names, cluster=table.cluster)
        self.seen, kept = seen_rows(self.records, table.count, unseen, True)
        self.notes = (*table.notes, *kept)

    def fit(self, rows: Positions, seed: int) -> Any:
        """There is no model to train: raises `InputError` that says what to give instead."""
        raise InputError(
            f"{self.name} has outputs and no model that could be trained; give the outputs of models that never saw "
            "the request, or a system with fit."
        )

    def outputs(self, model: Any, rows: Positions) -> Outputs:
        """Return what was said about the records at `rows`, or ask for it."""
        if isinstance(model, Asked):
            answer = model(self.table.features(rows))
        elif isinstance(model, Outputs):
            if len(model) != len(self.records):
                raise InputError(
                    f"The outputs are of {len(model):,} records, and the data of {len(self.records):,}; one answer a "
                    "record, in their order, is wanted."
                )
            answer = Outputs(model.values[rows], model.kind) if len(rows) < len(model) else model
        else:
            raise InputError(f"A model is of type {type(model).__name__}; Outputs or Asked are wanted.")
        if answer.kind != self.kind:
            raise InputError(
                f"The outputs are {answer.kind}, and {self.kind} were named; all models say one kind."
            )
        return answer

    def features(self, rows: Positions) -> Any:
        """Return what the records hold, for a search of copies."""
        return self.table.features(rows)

    def fingerprint(self) -> str:
        """Return the hash of the records, what they hold, and the kind of outputs."""
        return key_of(self.name, self.kind, self.records.fingerprint, self.table.fingerprint)


def outputs(
    model: Outputs | Asked,
    data: Any,
    *,
    label: Any = None,
    id: Any = None,
    unseen: Any = None,
    cluster: Any = None,
    drop: Sequence[Any] = (),
    classes: Sequence[str] | None = None,
    name: str | None = None,
) -> OutputSystem:
    """Return the system of records whose outputs are known or asked for.

    Parameters
    ----------
    model : Outputs or Asked
        Of the model before unlearning: what it said about all records, or how it is asked.
    data
        The records: a DataFrame, or (x, y), as `vestige.systems.estimators` takes it; what `Asked` is called with.
    label, id, cluster, drop
        Columns of it, as there.
    unseen
        Ids that the model never saw, or a table of such records.
    classes : list of str
        Names of the columns of outputs in their order. Default: the sorted labels.
    name : str
        What the system is called in reports.

    Raises
    ------
    InputError
        For data that cannot be read, labels that are no class, and outputs that are of other records.

    Examples
    --------
    >>> import pandas as pd
    >>> from vestige.systems import Outputs, outputs
    >>> data = pd.DataFrame({"customer": ["a", "b", "c"], "age": [39, 50, 38], "income": ["low", "high", "low"]})
    >>> said = Outputs([[0.2, 0.8], [0.9, 0.1], [0.4, 0.6]], "probabilities")
    >>> system = outputs(said, data, label="income", id="customer", unseen=["c"])
    >>> system.records.classes, system.outputs(said, system.seen).values[:, 1].tolist()
    (('high', 'low'), [0.8, 0.1])
    """
    if not isinstance(model, (Outputs, Asked)):
        raise InputError(f"model is of type {type(model).__name__}; Outputs or Asked are wanted.")
    table = read_tables(data, label=label, id=id, unseen=unseen, cluster=cluster, drop=drop)
    system = OutputSystem(table, unseen, model.kind, classes, name or getattr(model, "name", "") or "outputs")
    if isinstance(model, Outputs):
        system.outputs(model, np.arange(len(table)))
    system.original = model
    return system
