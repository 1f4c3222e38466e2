"""What callers bring as arrays, at one door: numbers, masks, ids and positions, or a sentence that says what is wrong.

Nothing is dropped or guessed on the way: a masked array keeps no mask, a complex number no imaginary part, so both are
refused; ids are text as it is written, and integers by their digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from numbers import Integral, Real
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError, told

CHUNK = 65_536
NAME_CHARACTERS = 1_000
"""Characters of an id or of a class's name that are read: NumPy gives every entry the room of the longest."""
FEWEST_SHARES = 20
"""Records from which on numbers that are all from 0 to 1 are taken for probabilities."""
DIGITS = 40
"""Digits of an integer that is read; a longer one is no number that anything here can mean."""


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return `value` as a NumPy array, without a copy where it is one.

    Raises `InputError` for what cannot be made one (a ragged list, a tensor on a GPU or with a gradient, bfloat16), and
    for what would lose something: masked entries, imaginary parts, fields of records.
    """
    for part in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(part, np.ma.MaskedArray) and np.ma.getmaskarray(part).any():
            count = int(np.ma.getmaskarray(part).sum())
            raise InputError(f"{name} has {count} masked entries; fill them or leave their rows out.")
    if hasattr(value, "columns"):
        _check_columns(name, value)
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever the object's own conversion raises
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        hint = "; give tensor.detach().cpu().float()" if hasattr(first, "detach") else ""
        raise InputError(f"{name} cannot be made a NumPy array: {told(error)}{hint}.") from error
    if array.ndim == 0 and array.dtype.kind == "O":
        raise InputError(f"{name} is of type {type(value).__name__}; an array or a list is wanted.")
    if array.dtype.kind == "c":
        raise InputError(f"{name} holds complex numbers ({array.dtype}); their imaginary part would be lost.")
    if array.dtype.kind == "V":
        raise InputError(f"{name} has dtype {array.dtype}; plain numbers or text are wanted.")
    return array


INDEX = re.compile(r"Unnamed: \d+(\.\d+)?|level_\d+|index|__index_level_\d+__|rownames", re.IGNORECASE)
"""Names of a column that pandas or R write for an index."""


def _check_columns(name: str, table: Any) -> None:
    """Refuse a table with a column that pandas or R wrote for the numbers of its rows."""
    for place, column in enumerate(map(str, table.columns)):
        if INDEX.fullmatch(column):
            values = table.iloc[:, place] if hasattr(table, "iloc") else table[column]
            if _are_different(np.asarray(values)):
                raise InputError(f"{name} has a column {column!r}, the numbers of the rows; leave it out.")


def _are_different(values: NDArray[Any]) -> bool:
    """Are they whole numbers, at least two, and all different?"""
    if values.dtype.kind not in "iuf" or len(values) < 2 or not (values % 1 == 0).all():
        return False
    return len(np.unique(values)) == len(values)


def check_class_order(name: str, value: Any) -> None:
    """Refuse a table whose columns are the numbers of classes in another order, such as "0", "1", "10", "2"."""
    names = [str(column) for column in getattr(value, "columns", ())]
    places = [str(place) for place in range(len(names))]
    if names != places and sorted(names) == sorted(places):
        place = next(place for place in places if names[int(place)] != place)
        raise InputError(
            f"{name} has the column {names[int(place)]!r} in the place of class {place}; bring the columns into the "
            "order of their numbers."
        )


def check_aligned(**values: Any) -> None:
    """Raise `InputError` where tables of pandas hold other rows, or the same columns in another order.

    An index that only numbers the rows says nothing of other rows, and of a table nothing at all: what a model answers
    has lost its index. As arrays all of them lose their index and their columns' names.
    """
    tables: dict[str, Any] = {}
    for name, value in values.items():
        parts = (
            enumerate(value) if isinstance(value, (list, tuple)) and len(value) < 10_000 else ((None, value),)
        )
        tables |= {
            name if place is None else f"{name}[{place}]": part
            for place, part in parts
            if type(part).__module__.partition(".")[0] == "pandas"
            and hasattr(part, "index")
            and hasattr(part, "iloc")
        }
    for axis, what in (("index", "rows"), ("columns", "columns")):
        named = [(name, getattr(table, axis)) for name, table in tables.items() if hasattr(table, axis)]
        named.sort(key=lambda pair: _counts(pair[1]))
        for name, labels in named[1:]:
            first, known = named[0]
            if labels.equals(known) or _counts(known):
                continue
            if axis == "index" and _counts(labels) and tables[name].ndim > 1:
                continue
            if len(labels) == len(known) and set(labels) == set(known):
                raise InputError(
                    f"{name} has the {what} of {first} in another order; bring both into one order, or give "
                    ".to_numpy() where it is the same."
                )
            if axis == "index" and not _counts(labels):
                raise InputError(
                    f"{name} and {first} have different indexes, those of different rows; give .to_numpy() of both "
                    "where the rows are the same."
                )


def _counts(labels: Any) -> bool:
    """Are labels of rows the numbers 0, 1, 2 and so on, also anew, as of tables that stand one behind the other?"""
    if type(labels).__name__ == "RangeIndex":
        return True
    if labels.dtype.kind not in "iu" or not len(labels):
        return False
    numbers = labels.to_numpy()
    return numbers[0] == 0 and bool(((numbers[1:] == numbers[:-1] + 1) | (numbers[1:] == 0)).all())


def as_floats(name: str, value: Any) -> NDArray[np.floating[Any]]:
    """Return finite numbers: float32 and float64 as they are, half precision as float32, all others as float64.

    Raises `InputError` for anything else, a NaN or an infinity.
    """
    array = as_array(name, value)
    if array.dtype.kind == "O" and not isinstance(value, np.ndarray):
        array = _numbers(name, array)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} has dtype {array.dtype}; numbers are wanted.")
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif array.dtype.itemsize < 4:
        array = array.astype(np.float32)
    for layer in array if array.ndim == 3 else [np.atleast_1d(array)]:
        for start in range(0, len(layer), CHUNK):
            finite = np.isfinite(layer[start : start + CHUNK])
            if not finite.all():
                row = int(np.argwhere(~finite)[0][0])
                raise InputError(
                    f"{name} holds a NaN or an infinity in row {start + row}; every value must be finite."
                )
    return array


def _numbers(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return what a list or pandas has of its own types as numbers where all are such; else as they are.

    An array of objects is given as it was made, and may hold anything.
    """
    flat = array.ravel()
    missing = np.array([is_missing(one) for one in flat], dtype=bool)
    if missing.any():
        raise InputError(f"{name} is missing in row {int(np.argwhere(missing.reshape(array.shape))[0][0])}.")
    if not all(isinstance(one, (Real, Decimal)) and not isinstance(one, bool) for one in flat):
        return array
    try:
        return array.astype(np.float64)
    except OverflowError:
        return array


def as_mask(name: str, value: Any) -> NDArray[np.bool_]:
    """Return truth values, from bool or from numbers that are all 0 or 1. Raises `InputError` for anything else."""
    array = as_array(name, value)
    if array.dtype.kind == "b":
        return array
    if array.dtype.kind == "O" and not isinstance(value, np.ndarray):
        if all(isinstance(one, (bool, np.bool_)) for one in array.ravel()):
            return array.astype(bool)
        array = _numbers(name, array)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name} has dtype {array.dtype}; True and False, or 1 and 0, are wanted.")
    strange = array[(array != 0) & (array != 1)]
    if strange.size:
        raise InputError(f"{name} holds {strange.flat[0]}; True and False, or 1 and 0, are wanted.")
    return array.astype(bool)


def as_ids(name: str, value: Any, *, distinct: bool = True) -> NDArray[np.str_]:
    """Return ids [N] as text: text exactly as it is, integers by their digits.

    Raises `InputError` for one text in place of a list, for an id that is missing, empty, of another type (a float may
    have been a text such as "1e1") or no valid text, and, with `distinct`, for one that appears twice.
    """
    if isinstance(value, (str, bytes)):
        raise InputError(f"{name}: {value!r} is one text; a list of ids is wanted, such as [{value!r}].")
    if isinstance(value, (list, tuple)):
        _check_lengths(name, value)
    array = as_array(name, value)
    if array.ndim != 1:
        raise InputError(f"{name} have shape {array.shape}; one id a sample, [N], is wanted.")
    whole = isinstance(value, np.ndarray)
    if array.dtype.kind == "U" and (whole or all(isinstance(one, str) for one in value)):
        ids = array
    elif array.dtype.kind in "iu":
        ids = np.array([str(number) for number in array.tolist()], dtype=np.str_)
    elif array.dtype.kind == "f" and np.isnan(array).any():
        raise InputError(f"{name}: the id in row {int(np.isnan(array).argmax())} is missing.")
    elif len(array) and array.dtype.kind in ("bSmM" if isinstance(value, (list, tuple)) else "bfSmM"):
        raise InputError(f"{name} are {array.dtype}; text or integers are wanted.")
    else:
        ids = _written(name, array.tolist() if whole else list(value))
    if (not whole or array.dtype.kind == "O") and any(isinstance(one, str) and "\0" in one for one in value):
        raise InputError(f"{name}: an id holds the character NUL, which is no text.")
    _check_text(name, ids)
    if distinct:
        unique, counts = np.unique(ids, return_counts=True)
        if len(unique) != len(ids):
            twice = str(unique[counts > 1][0])
            raise InputError(
                f"{name}: {twice!r} appears twice; ids must be distinct. Overlapping roles, or a repeated row?"
            )
    return ids


def _check_lengths(name: str, values: Sequence[Any]) -> None:
    for row, value in enumerate(values):
        if isinstance(value, str) and len(value) > NAME_CHARACTERS:
            raise InputError(
                f"{name}: the id in row {row} has {len(value):,} characters; at most {NAME_CHARACTERS:,} are read."
            )


def _written(name: str, values: list[Any]) -> NDArray[np.str_]:
    """Return ids of mixed types as text, each by itself: NumPy would write 1.0 for a float and "nan" for a gap."""
    _check_lengths(name, values)
    ids = []
    for row, value in enumerate(values):
        if isinstance(value, str):
            ids.append(value)
        elif isinstance(value, Integral) and not isinstance(value, bool) and abs(int(value)) < 10**DIGITS:
            ids.append(str(int(value)))
        elif isinstance(value, UUID):
            ids.append(str(value))
        elif is_missing(value):
            raise InputError(f"{name}: the id in row {row} is missing.")
        else:
            kind = type(value).__name__
            raise InputError(f"{name}: the id in row {row} is of type {kind}; text or an integer is wanted.")
    return np.array(ids, dtype=np.str_)


def is_missing(value: Any) -> bool:
    """Is it None, a NaN, or pandas' sign for a missing entry?"""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _check_text(name: str, ids: NDArray[np.str_]) -> None:
    for start in range(0, len(ids) if ids.dtype.itemsize else 0, CHUNK):
        part = np.ascontiguousarray(ids[start : start + CHUNK]).astype(
            ids.dtype.newbyteorder("="), copy=False
        )
        codes = part.view(np.uint32).reshape(len(part), -1)
        empty = codes[:, 0] == 0
        if empty.any():
            raise InputError(f"{name}: the id in row {start + int(empty.argmax())} is missing.")
        broken = ((codes >= 0xD800) & (codes <= 0xDFFF)).any(axis=1)
        if broken.any():
            row = start + int(broken.argmax())
            raise InputError(f"{name}: the id in row {row} holds half a character (a lone surrogate).")
    if len(ids) and not ids.dtype.itemsize:
        raise InputError(f"{name}: the id in row 0 is missing.")


def id_list(name: str, ids: Iterable[Any]) -> NDArray[np.str_]:
    """Return ids from any iterable, a set or a generator among them, as `as_ids` does; each may stand once."""
    if isinstance(ids, (str, bytes, np.ndarray, list, tuple)):
        return as_ids(name, ids)
    if hasattr(ids, "columns") or (hasattr(ids, "items") and not hasattr(ids, "iloc")):
        raise InputError(f"{name} are of type {type(ids).__name__}; a list of ids is wanted.")
    try:
        return as_ids(name, list(ids))
    except TypeError:
        raise InputError(f"{name} are of type {type(ids).__name__}; a list of ids is wanted.") from None


def as_rows(name: str, value: Any, n: int) -> NDArray[Any]:
    """Return which of `n` samples are meant: a mask [n] as it is, positions 0 .. n - 1 as integers.

    Raises `InputError` for anything else.
    """
    array = as_array(name, value)
    if not array.size:
        return np.zeros(0, np.int64)
    if array.dtype.kind == "b" and array.shape == (n,):
        return array
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"{name} are {array.dtype} of shape {array.shape}; positions, or a mask of {n} truth values, are wanted."
        )
    outside = array[(array < 0) | (array >= n)]
    if len(outside):
        raise InputError(f"{name} name position {outside[0]}; there are 0..{n - 1}.")
    return array


def are_probabilities(rows: NDArray[Any], total: float = 1.0) -> bool:
    """Does every row [..., C] hold numbers from 0 that sum to `total`, 100 of percentages? One row does not tell.

    Percentages that are rounded to whole numbers may miss the sum by half of one for each class.
    """
    table = rows.reshape(-1, rows.shape[-1])
    slack = 0.01 * total
    if total > 1 and (table[:CHUNK] == np.round(table[:CHUNK])).all():
        slack = max(slack, 0.5 * table.shape[1])
    if len(table) < 2 or slack >= total:
        return False
    for start in range(0, len(table), CHUNK):
        part = table[start : start + CHUNK].astype(np.float64, copy=False)
        near = np.abs(part.sum(axis=1) - total) <= slack
        if not (part.min() >= 0 and part.max() <= total and near.all()):
            return False  # a NaN is none of them
    return True


def _are_logarithms(table: NDArray[Any], base: float) -> bool:
    """Is every row [C] of numbers of one sign log(p) to a base, of probabilities p that sum to 1?

    Rows in which one class has all the probability tell nothing of the base; at least three others are wanted.
    """
    telling = 0
    for start, end in pairwise(
        [0, *range(FEWEST_SHARES, len(table), CHUNK), len(table)]
    ):  # most fail at once
        shares = np.power(base, table[start:end].astype(np.float64, copy=False))
        if not (np.abs(shares.sum(axis=1) - 1) <= 0.01).all():
            return False
        telling += int((shares.max(axis=1) < 0.9).sum())
    return telling >= 3


def no_logits(rows: NDArray[Any]) -> tuple[str, str] | None:
    """Return what every row [..., C] holds in place of logits, and how to make logits of it; None where nothing tells.

    The softmax of logits is the same with a number added to a row, so logits are rarely all from 0 to 1: where they
    are, no class stands out, or a network says the same of every record.
    """
    table = rows.reshape(-1, rows.shape[-1])
    head = table[:FEWEST_SHARES].astype(np.float64, copy=False)
    if len(table) < 2 or (head.min() < 0 < head.max()):
        return None
    if head.min() < 0:
        for base in (2.0, 10.0):
            if _are_logarithms(table, base):
                return f"logarithms to the base {base:g}", f"multiply them by np.log({base:g})"
        return None
    if are_probabilities(table, 100):
        return "percentages, rows that sum to 100", "divide them by 100 and {}"
    if are_probabilities(table):
        return "probabilities, rows of numbers from 0 to 1 that sum to 1", "{}"
    shares = len(table) >= FEWEST_SHARES and table.min() >= 0 and 0.5 < table.max() <= 1
    if shares and table.any(axis=0).all() and (table != table[0]).any():
        rows_of = "where each row tells the probabilities of all classes, divide it by its sum and {}"
        else_of = "where each tells that of its class alone, take log(p / (1 - p)); where they are logits, subtract 1"
        return "numbers from 0 to 1 alone, as probabilities are", f"{rows_of}; {else_of}"
    if _are_logarithms(table, 1 / np.e):
        return "negative logarithms of probabilities", "give their negative"
    return None
