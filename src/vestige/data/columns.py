"""The columns of a user's table, made features: numbers as they are, text of few categories one-hot.

A column that is neither is refused by its name and the number of its values: dates, decimals with a comma, names and
ids would become a feature for almost every row, and a column that numbers the rows gives each of them away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.errors import InputError, shown, unknown
from vestige.values import INDEX

CATEGORIES = 1_000
"""Categories of a column of text that become one-hot columns."""
FEW = 10
"""Up to so many values a column may hold another one in almost every row."""
IDENTIFIER = re.compile(r"(?i:(.*[_\s.-])?(id|ids|uid|uuid|guid)|.*[a-z]id)")
NUMBER = re.compile(r"(?i:(.*[_\s.-])?(no|nr|number|key|row))|.*[a-z](No|Nr|Number|Key)")
QUANTITY = re.compile(r"(?i:.*(paid|acid|lipid|fluid|liquid|solid)|(.*[_\s.-])?bid)")
"""Names of a column that says which record a row is of, by an id or by a whole number; words that only end like one."""
UNLIKELY = 0.01
"""Probability of a chance that is taken for none."""
COMMA = re.compile(r"[+-]?[0-9][0-9.\s]*,[0-9]+")
DATE = re.compile(
    r"\d{4}-\d\d?-\d\d?([ T].*)?|\d\d?([/-])\d\d?\2\d{2,4}( .*)?|\d\d?\.\d\d?\.\d{4}( .*)?|\d\d?:\d\d(:\d\d.*)?"
)
MISSING = "missing"


@dataclass(frozen=True, eq=False)
class Features:
    """What a table's columns became: x float32 [N, F], the name of each feature, and what was done, in sentences."""

    x: NDArray[np.float32]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def without(frame: pd.DataFrame, drop: Any, path: Path | str) -> pd.DataFrame:
    """Return the table without the columns `drop`. Raises `InputError` for one that is not there."""
    if isinstance(drop, str) or not isinstance(drop, (list, tuple, set, frozenset, np.ndarray, pd.Index)):
        raise InputError(f"{path}: drop is {drop!r}; a list of columns is wanted, such as [{str(drop)!r}].")
    for name in drop:
        if name not in frame:
            raise InputError(f"{path}: {unknown('column', name, map(str, frame.columns))}")
    return frame.drop(columns=list(drop))


def features(frame: pd.DataFrame, path: Path, like: Sequence[str] | None = None) -> Features:
    """Make the columns of a table features.

    Parameters
    ----------
    like : Sequence[str] or None
        The names of the features of another table: the same come out, in its order.

    Raises
    ------
    InputError
        For a column that is not understood, naming it and how many values it has, and for one that the other
        table does not have.
    """
    columns: dict[str, NDArray[np.float32]] = {}
    encoded, absent, left, rounded = [], [], [], []
    for name in map(str, frame.columns):
        where = f"{path}: column {name!r}"
        values = _plain(frame[name], where)
        if is_index(name, values, where):
            left.append(name)
        elif pd.api.types.is_numeric_dtype(values):
            number = _number(values, where)
            if loses(values.to_numpy(), number):
                rounded.append(name)
            _add(columns, {name: number}, path)
        else:
            gaps = int(values.isna().sum())
            if gaps and (values == MISSING).any():
                raise InputError(
                    f"{where} holds {MISSING!r} as a category and {gaps:,} missing entries, which would become one; "
                    "write one of them otherwise."
                )
            if gaps:
                absent.append(f"{name} ({gaps:,} rows)")
            categories = _categories(values.fillna(MISSING).astype(str), name, where, like)
            _add(columns, categories, path)
            encoded.append(f"{name} ({', '.join(c.removeprefix(f'{name}=') for c in categories)})")
    if not columns:
        raise InputError(f"{path}: no column is left to be a feature.")
    if like is not None:
        columns = _as(like, columns, path)
    sentences = (
        ("One-hot encoded: {}.", encoded),
        (f"Missing entries are a category {MISSING!r} of their own: {{}}.", absent),
        ("Left out, for it numbers the rows: {}.", left),
        ("Rounded to single precision: {}.", rounded),
    )
    notes = tuple(sentence.format(", ".join(names)) for sentence, names in sentences if names)
    x = np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(frame), 0), np.float32)
    return Features(x, tuple(columns), notes)


def _add(columns: dict[str, NDArray[np.float32]], more: dict[str, NDArray[np.float32]], path: Path) -> None:
    twice = [name for name in more if name in columns]
    if twice:
        raise InputError(
            f"{path}: two columns become the feature {twice[0]!r}, a category of one and the name of the other; rename "
            "one."
        )
    columns |= more


def loses(values: NDArray[Any], single: NDArray[np.float32]) -> bool:
    """Does single precision make other numbers of whole ones, or few of many that lie close together?

    Parameters
    ----------
    values, single : array [N] or [N, F]
        The numbers, and the same in single precision.
    """
    if values.dtype.kind in "iu":
        large = bool(len(values)) and max(-int(values.min()), int(values.max())) > 2**53
        return large or bool((single.astype(np.float64) != values).any())
    if values.dtype != np.float64 or not len(values):
        return False
    with np.errstate(invalid="ignore"):  # of what is infinite
        span, step = np.ptp(values, axis=0), np.spacing(np.abs(single).max(axis=0))
    return bool(((span > 0) & (span < 1000 * step)).any())


def _plain(values: pd.Series[Any], where: str) -> pd.Series[Any]:
    """Return a column as numbers, truth values or text. Raises `InputError` where it is neither."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if pd.api.types.is_numeric_dtype(values) and values.dtype.kind != "c":
        return values
    known = values.dropna()
    types = {type(value) for value in known}
    if all(issubclass(t, (str, bool, np.bool_)) for t in types):
        return values.astype(object)
    if all(issubclass(t, (Decimal, int, float, np.integer, np.floating)) for t in types):
        return _kept(values, where)
    try:
        count = f"{known.astype(str).nunique():,} different"
    except (TypeError, ValueError):
        count = f"{len(known):,}"
    kinds = " and ".join(sorted(t.__name__ for t in types))
    raise InputError(
        f"{where} holds {count} values of type {kinds}, neither numbers nor text; make numbers of them, or leave the "
        "column out by drop=."
    )


def _kept(values: pd.Series[Any], where: str) -> pd.Series[Any]:
    """Return objects as numbers. Raises `InputError` for integers of more digits than a number keeps."""
    numbers = values.astype(np.float64)
    for one, number in zip(values, numbers, strict=True):
        if isinstance(one, int) and int(number) != one:
            raise InputError(
                f"{where} holds integers of more digits than a number keeps, such as {shown(one)}; name it by id=, or "
                "leave it out by drop=."
            )
    return numbers


def is_index(name: str, values: pd.Series[Any], where: str) -> bool:
    """Does the column number the rows, by its name too? Raises `InputError` where its name says otherwise."""
    if name.startswith("Unnamed: ") and values.isna().all():
        return True
    whole = values.dtype.kind in "iuf" and not values.isna().any() and bool((values % 1 == 0).all())
    distinct, enough = whole and bool(values.is_unique), len(values) > FEW
    counts = distinct and bool(values.max() - values.min() == len(values) - 1)
    if INDEX.fullmatch(name):
        if counts:
            return True
        if name.startswith("Unnamed: "):
            raise InputError(f"{where} has no name in the file; name it, or leave it out by drop=[{name!r}].")
        if enough and distinct:
            raise InputError(f"{where} is an index, a number for each row; leave it out by drop=[{name!r}].")
    if not (enough and distinct):
        return False
    integers = values.dtype.kind in "iu"  # 1.0, 2.0 and so on is how a quantity is written
    numbers = integers and (counts or _rises(values))
    record = IDENTIFIER.fullmatch(name) or (integers and NUMBER.fullmatch(name))
    named = bool(record) and not QUANTITY.fullmatch(name)
    if numbers or named:
        what = "numbers the rows" if numbers else f"names the rows ({len(values):,} different numbers)"
        other = "give it another name" if named else f"write it as {values.iloc[0]}.0"
        raise InputError(
            f"{where} {what}, and as a feature would give each of them away; give id={name!r}, or leave it out by "
            f"drop=[{name!r}]; where it is a quantity, {other}."
        )
    return False


def _rises(values: pd.Series[Any]) -> bool:
    """Are different integers in order, and so close together that by chance some would hardly fail to be equal?

    Of n numbers from so many values, all differ with a probability of about exp(-n (n - 1) / (2 values)).
    """
    ordered = values.is_monotonic_increasing or values.is_monotonic_decreasing
    choices, n = int(values.max()) - int(values.min()) + 1, len(values)
    return ordered and math.exp(-n * (n - 1) / (2 * choices)) < UNLIKELY


def _number(values: pd.Series[Any], where: str) -> NDArray[np.float32]:
    if values.isna().any():
        row = int(np.flatnonzero(values.isna())[0])
        raise InputError(f"{where} is empty in row {row}; fill it or drop the row.")
    with np.errstate(over="ignore"):  # what becomes infinite is refused by the data set, by sample
        return values.to_numpy(np.float32)


def _categories(
    values: pd.Series[Any], name: str, where: str, like: Sequence[str] | None
) -> dict[str, NDArray[np.float32]]:
    """Return one-hot columns, in sorted order of the categories, or those of another table."""
    distinct = list(pd.unique(values))
    if like is not None:
        known = [feature.removeprefix(f"{name}=") for feature in like if feature.startswith(f"{name}=")]
        strange = [value for value in distinct if value not in known]
        if strange:
            row = int(np.flatnonzero(values == strange[0])[0])
            raise InputError(
                f"{where} is {strange[0]!r} in row {row}, which is no category of the other table."
            )
        return {f"{name}={one}": (values == one).to_numpy().astype(np.float32) for one in known}
    if all(COMMA.fullmatch(str(value)) for value in distinct):
        raise InputError(
            f"{where} holds {len(distinct):,} different texts such as {distinct[0]!r}, numbers with a comma; write "
            "them with a point, or leave the column out by drop=."
        )
    if len(distinct) > max(FEW, len(values) / FEW) and all(DATE.fullmatch(str(value)) for value in distinct):
        raise InputError(
            f"{where} holds {len(distinct):,} different dates or times such as {distinct[0]!r}; make numbers of them, "
            f"or leave the column out by drop=[{name!r}]."
        )
    if len(distinct) > CATEGORIES or (len(distinct) > FEW and len(distinct) > len(values) / 2):
        raise InputError(
            f"{where} holds {len(distinct):,} different texts in {len(values):,} rows, such as {_odd(distinct)!r}; "
            f"that is no category. Make numbers of it, name it by id=, or leave it out by drop=[{name!r}]."
        )
    one_hot = pd.get_dummies(values)
    return {f"{name}={c}": one_hot[c].to_numpy(np.float32) for c in one_hot}


def _odd(distinct: list[str]) -> str:
    """Return a text that shows why the column is none of numbers: where most are numbers, one that is not."""
    other = [value for value in distinct if pd.isna(pd.to_numeric(value, errors="coerce"))]
    return (other if len(other) < len(distinct) / 2 and other else distinct)[0][:40]


def _as(like: Sequence[str], columns: dict[str, Any], path: Path) -> dict[str, Any]:
    for kind, ours, theirs in (
        ("is not in this table", like, columns),
        ("is not in the other", columns, like),
    ):
        lacking = [name for name in ours if name not in theirs]
        if lacking:
            raise InputError(
                f"{path}: the feature {lacking[0]!r} {kind}; two tables to compare have the same columns."
            )
    return {name: columns[name] for name in like}
