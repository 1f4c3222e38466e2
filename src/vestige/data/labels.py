"""From what a user calls classes to labels 0 .. C - 1: names, their order, and which one a number means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.errors import InputError, unknown
from vestige.values import NAME_CHARACTERS, as_array

Labels = tuple[NDArray[np.int64], tuple[str, ...]]
NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,2})?")
PLAIN = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?|[+-]?inf(inity)?", re.IGNORECASE)
"""A number as a table writes it; what has leading zeros, or more digits than a float, is a name."""
FEW, MOST_GRADES = 20, 100


def number_of(name: object) -> float | int | None:
    """Return the number that a class's name is, None where it is none."""
    text = str(name)
    if not NUMBER.fullmatch(text):
        return None
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def class_index(classes: Sequence[object], label: object) -> int:
    """Return the place of the class that `label` means: a name, or a number.

    A number is the class of that name where class names are numbers, by value: 2 is "2", "02", "2.0" and "2e0". Where
    no class name is a number it is a place in their order. Raises `InputError` for an unknown name, and for a number
    that could mean one or the other: also 2 where the class at place 2 is "digit 10", and another one is "digit 2".
    """
    known = {name: place for place, name in enumerate(classes)}
    if isinstance(label, (bool, np.bool_)):
        return _of_truth_value(list(map(str, classes)), bool(label))
    if isinstance(label, str):
        if label in known:
            return known[label]
        if label in map(str, classes):
            raise InputError(
                f"There is no class {label!r}, a text; the class of that name is a number: label={label}."
            )
        raise InputError(unknown("class", label, map(str, classes)))
    if not isinstance(label, Real):
        raise InputError(unknown("class", label, map(str, classes)))
    values = [number_of(name) for name in classes]
    same = [place for place, value in enumerate(values) if value is not None and value == label]
    exact = [place for place in same if str(classes[place]) == str(label)]
    if len(exact or same) == 1:
        return (exact or same)[0]
    if len(same) > 1:
        names = ", ".join(repr(classes[place]) for place in same)
        raise InputError(f"The class {label!r} is ambiguous, {names} are that number; name one as text.")
    if (
        all(value is None for value in values)
        and isinstance(label, Integral)
        and 0 <= int(label) < len(classes)
    ):
        _expect_one_meaning(list(map(str, classes)), int(label))
        return int(label)
    if any(value is None for value in values) and any(value is not None for value in values):
        raise InputError(
            f"The class {label!r} is ambiguous: some class names are numbers, none is that one; name it as text. "
            f"Known: {', '.join(map(str, classes))}."
        )
    raise InputError(unknown("class", label, map(str, classes)))


def _of_truth_value(names: list[str], label: bool) -> int:
    """Return the place of the class that is called True, or False. YAML reads `yes`, `on` and `no` as truth values."""
    if str(label) in names:
        return names.index(str(label))
    raise InputError(
        f"There is no class {label}, which is a truth value; write the name as a text, in YAML in quotes, such as "
        f"{names[0]!r}. Known: {', '.join(names)}."
    )


def _expect_one_meaning(names: list[str], place: int) -> None:
    """Refuse a place that stands as a number in the names of other classes and not in that of its own."""
    having = [name for name in names if place in map(int, re.findall(r"\d{1,18}", name))]
    if having and names[place] not in having:
        raise InputError(
            f"The class {place} is ambiguous: at place {place} is {names[place]!r}, and {having[0]!r} has that number; "
            "name it as text."
        )


def labels_written(column: pd.Series[Any], where: str, classes: tuple[str, ...] | None = None) -> Labels:
    """Return the labels of a table's column, and the classes' names.

    Parameters
    ----------
    classes : tuple[str, ...] or None
        Those of another table: each label must be the name of one.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if column.isna().any():
        raise InputError(f"{where}: the label of row {int(np.flatnonzero(column.isna())[0])} is missing.")
    values = column.to_numpy()
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values):
        longest = max(map(len, values), default=0)
        if longest > NAME_CHARACTERS:
            raise InputError(
                f"{where}: a label has {longest:,} characters; at most {NAME_CHARACTERS:,} are read."
            )
        values = values.astype(str)
        if all(PLAIN.fullmatch(text.strip()) for text in set(values.tolist())):
            values = pd.to_numeric(column).to_numpy()
    elif values.dtype.kind == "O" and all(isinstance(value, (Decimal, bool)) for value in values):
        values = values.astype(type(values[0]) if isinstance(values[0], bool) else np.float64)
    if values.dtype.kind not in "iubfU":
        kind = type(values[0]).__name__ if values.dtype.kind == "O" else str(values.dtype)
        raise InputError(f"{where}: labels are of type {kind}; numbers or text are wanted.")
    own, names = _named(values, where)
    if classes is None:
        return own, names
    try:
        places = [class_index(classes, name) for name in names]
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return np.array(places, dtype=np.int64)[own], classes


def labels_of(values: NDArray[Any], where: str, classes: tuple[str, ...] | None = None) -> Labels:
    """Return labels 0 .. C - 1 and the name of each class.

    With `classes`, a label is a position in it, or one of its names. Without, the distinct labels are sorted, whole
    numbers by value, and give the names, whatever they are: 1 and 7 become the classes "1" and "7".
    """
    values = as_array(where, values)
    if values.ndim != 1:
        raise InputError(f"{where}: labels have shape {list(values.shape)}; one per sample is wanted.")
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{where}: labels are bytes that are no UTF-8; text is wanted.") from None
    if values.dtype.kind not in "iubfU":
        raise InputError(f"{where}: labels are {values.dtype}; numbers or text are wanted.")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise InputError(f"{where}: the label of row {int(np.isnan(values).argmax())} is missing.")
    return _named(values, where) if classes is None else _placed(values, where, classes)


def _named(values: NDArray[Any], where: str) -> Labels:
    """Return labels by sorted names. Raises `InputError` where they are not classes but a target or names of rows."""
    if values.dtype.kind == "f":
        values = _whole(values, where)
    if values.dtype.kind not in "iuf":
        values = values.astype(str)
    distinct, labels = np.unique(values, return_inverse=True)
    grades = values.dtype.kind == "f"
    most = max(2, min(len(values) / 2, MOST_GRADES)) if grades else max(FEW, len(values) / 2)
    if len(distinct) > most:
        why = (
            "numbers: a target to regress on"
            if grades
            else "values: names of the rows or a target to regress on"
        )
        raise InputError(
            f"{where}: the labels are {len(distinct):,} different {why}; vestige measures classifiers, make classes "
            "of it."
        )
    names = distinct.astype(str).tolist()
    if any(not name.strip() for name in names):
        raise InputError(f"{where}: a label is empty.")
    numbers = [number_of(name) for name in names]
    if distinct.dtype.kind == "U" and all(number is not None for number in numbers):
        order = sorted(range(len(names)), key=lambda k: (numbers[k], names[k]))
        labels, names = np.argsort(order)[labels], [names[k] for k in order]
    return labels.astype(np.int64), tuple(names)


def _whole(values: NDArray[Any], where: str) -> NDArray[Any]:
    """Return floats that are whole numbers as integers, others as they are."""
    if not np.isfinite(values).all():
        raise InputError(f"{where}: the label of row {int((~np.isfinite(values)).argmax())} is not finite.")
    whole = (values == np.trunc(values)).all() and (not values.size or np.abs(values).max() < 2**53)
    return values.astype(np.int64) if whole else values


def _placed(values: NDArray[Any], where: str, classes: tuple[str, ...]) -> Labels:
    """Return labels that are places in `classes` or names of it; numbers that could be both are refused."""
    if values.dtype.kind == "f":
        values = _whole(values, where)
    place = {name: i for i, name in enumerate(classes)}
    texts = values.astype(str)
    by_name = np.array([place.get(text, -1) for text in texts.tolist()], dtype=np.int64)
    if values.dtype.kind in "iub":
        inside = (values >= 0) & (values < len(classes))
        named = (by_name >= 0).all()
        if inside.all():
            labels = values.astype(np.int64)
            if named and (labels != by_name).any():
                row = int((labels != by_name).argmax())
                raise InputError(
                    f"{where}: the label {values[row]} of row {row} is a place in `classes` and the name of another; "
                    "write labels as text to name classes."
                )
            return labels, classes
        if not named:
            row = int((~inside).argmax())
            raise InputError(
                f"{where}: the label of row {row} is {values[row]}; there are {len(classes)} classes."
            )
    if (by_name < 0).any():
        row = int((by_name < 0).argmax())
        raise InputError(f"{where}: the label of row {row}: {unknown('class', texts[row], classes)}")
    return by_name, classes
