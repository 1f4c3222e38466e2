"""What the verbs return: plain records of requests, commitments and model versions."""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import RowMapping

from vestige.errors import InputError
from vestige.ledger.projections import ENDED

Row = Mapping[str, Any] | RowMapping
NAME = re.compile(r"[\w][\w.-]{0,99}")
"""Of a model line, or of a version in it."""
WORD = re.compile(r"[\w .-]{0,40}")


@dataclass(frozen=True)
class Version:
    """A model version.

    Attributes
    ----------
    id : str
        "line@name", as a git tag would be.
    line, name, parent : str
        The model, its version, and the id of the version that it was made from ("" where there is none).
    state : "candidate", "live" or "retired"
    place : str
        Folder or file of the weights; `digest` is the SHA-256 over names and contents of its files.
    manifest : str
        SHA-256 of the list of records that it saw, as pseudonyms; `records` says how many they are.
    event : int
        The last event about it.
    """

    id: str
    line: str
    name: str
    parent: str
    state: str
    place: str
    digest: str
    manifest: str
    records: int
    event: int

    @classmethod
    def of(cls, row: Row) -> Version:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Commitment:
    """A request and a model line: no live version of this model shall bear a trace of these records.

    Attributes
    ----------
    request, line, state : str
        The state is one of "scoped", "executed", "audited", "certified", "monitored", "closed" and "re-opened".
    saw : tuple of str
        Versions that saw any of the records; `open` are those of them that are live.
    way, version : str
        How they were forgotten, and the version without them.
    folder : str
        Where models, outputs and audit are.
    verdict : str
        Of the audit: "unlearned", "under", "over" or "undecided"; "" before.
    audit, evidence, plan : dict
        What the events say of them.
    failed : str
        The step that failed last and may be tried again; "" where none did.
    """

    request: str
    line: str
    state: str
    saw: tuple[str, ...]
    open: tuple[str, ...]
    way: str
    version: str
    folder: str
    verdict: str
    audit: dict[str, Any]
    evidence: dict[str, Any]
    plan: dict[str, Any]
    failed: str

    @classmethod
    def of(cls, row: Row, live: Mapping[str, str]) -> Commitment:
        """Return the record of a row; `live` has the live versions by id."""
        saw = tuple(json.loads(row["saw"]))
        parsed = {name: json.loads(row[name] or "{}") for name in ("audit", "evidence", "plan")}
        same = {
            name: row[name]
            for name in ("request", "line", "state", "way", "version", "folder", "verdict", "failed")
        }
        return cls(saw=saw, open=tuple(name for name in saw if name in live), **same, **parsed)


@dataclass(frozen=True)
class Request:
    """A wish to delete.

    Attributes
    ----------
    id : str
        "R" and the number of the event by which it came.
    subject, external : str
        Keyed pseudonyms of the person, and of the caller's own id.
    records : tuple of str
        Keyed pseudonyms of the records; empty where the subject alone is known until `scope`.
    state : str
        See `vestige.ledger.projections`. That of a duplicate is the state of the request that it repeats.
    received, due : str
        Dates, UTC.
    days_left : int
        Until `due`; negative where it is overdue. Of a request that has come to its end it tells nothing.
    overdue : bool
        Is it due, and not at its end?
    extended : int
        Months by which it was extended.
    reason : str
        Of a denial.
    custody : "escrow", "supplied" or "none"
        How its records can be audited later, `until` when.
    duplicate_of : str
        The request that it repeats, "" where it is the first; `duplicates` are those that repeat it.
    commitments : tuple of Commitment
        One for each model line that saw its records.
    failed : str
        The step that failed last, with its line; "" where none did.
    """

    id: str
    subject: str
    external: str
    records: tuple[str, ...]
    source: str
    state: str
    received: str
    due: str
    days_left: int
    overdue: bool
    extended: int
    reason: str
    custody: str
    until: str
    duplicate_of: str
    duplicates: tuple[str, ...]
    commitments: tuple[Commitment, ...]
    failed: str

    @property
    def open(self) -> tuple[str, ...]:
        """Live model versions that saw its records: while there is one, nothing is done."""
        return tuple(dict.fromkeys(name for commitment in self.commitments for name in commitment.open))

    def commitment(self, line: str | None = None) -> Commitment:
        """Return the commitment of a line; without its name, the only one. Raises `InputError` for none or several."""
        lines = [commitment.line for commitment in self.commitments]
        if not lines:
            raise InputError(f"{self.id} is {self.state} and has no model line yet; scope it first.")
        if line is None and len(lines) > 1:
            raise InputError(f"{self.id} concerns the lines {', '.join(lines)}; name one of them.")
        if line is not None and line not in lines:
            raise InputError(f"{self.id} does not concern the line {line!r}, but {', '.join(lines)}.")
        return self.commitments[0 if line is None else lines.index(line)]

    @classmethod
    def of(
        cls,
        row: Row,
        today: date,
        *,
        state: str | None = None,
        commitments: Sequence[Commitment] = (),
        duplicates: Sequence[str] = (),
    ) -> Request:
        """Return the record of a row; `state` is that of the request which it repeats."""
        state = state or row["state"]
        left = (date.fromisoformat(row["due"]) - today).days
        names = (
            "id",
            "subject",
            "external",
            "source",
            "received",
            "due",
            "extended",
            "reason",
            "custody",
            "failed",
        )
        return cls(
            records=tuple(json.loads(row["records"])), state=state, days_left=left, until=row["until_date"],
            overdue=left < 0 and state not in (*ENDED, "monitored"), duplicate_of=row["duplicate_of"],
            duplicates=tuple(duplicates), commitments=tuple(commitments), **{name: row[name] for name in names},
        )  # fmt: skip


def months_after(day: date, months: int) -> date:
    """Return the same day of the month some months later, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def as_date(name: str, value: str | date) -> date:
    """Return a date from "2026-11-29" or a date. Raises `InputError` for anything else."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise InputError(f"{name} is {value!r}; a date such as 2026-11-29 is wanted.") from None


def as_word(name: str, value: str) -> str:
    """Return a word for the chain, where it stands for good. Raises `InputError` for what may be an address."""
    if not WORD.fullmatch(value):
        raise InputError(
            f"{name} stands in the chain for good: a word of at most 40 letters, no address or name."
        )
    return value
