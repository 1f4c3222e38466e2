"""Copies of forgotten records among those that are retained: deleting one of two copies deletes nothing.

An exact copy equals the record in every feature, every pixel or every word. A near copy is, of images, one whose
perceptual hash differs in few bits, and of tables one whose numbers differ by little.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.arguments import OWN_CHECK, Array, NotNegative, checked
from vestige.data.dataset import Dataset
from vestige.data.near_copies import Column, Distance, Near, Positions, near_images, near_rows
from vestige.data.split import Split
from vestige.data.texts import Texts, as_texts
from vestige.errors import InputError, MissingExtra
from vestige.values import as_array, as_ids, as_rows

CHUNK = 32_768
MOST = 100
"""Copies of one record that are listed; all of them are counted."""
NAMED = 3
"""Pairs that a sentence names."""

Keys = Callable[[Positions], Sequence[Hashable]]
Records: TypeAlias = Annotated[Dataset | Texts | pd.DataFrame | Sequence[str] | NDArray[Any], OWN_CHECK]


@dataclass(frozen=True, eq=False)
class Copies:
    """Which retained records are copies of which forgotten ones.

    Attributes
    ----------
    table : pd.DataFrame
        A row for each pair, at most 100 exact and 100 near ones of a forgotten record: `forgotten` and
        `retained` (ids), `kind` ("same" or "near") and `distance`: 0 where they are the same; bits of the
        perceptual hash, of 64; or the largest difference of a number, in standard deviations of its column.
    counts : int [F, 2]
        How many exact and near copies each forgotten record has.
    nearness : str
        What counts as near, in words; "" where near copies were not looked for.
    unsought : str
        Why near copies were not looked for, in words; "" where they were, or where nobody asked for them.
    """

    table: pd.DataFrame
    counts: Positions
    nearness: str = ""
    unsought: str = ""

    def __repr__(self) -> str:
        return f"Copies: {self.sentence}"

    @property
    def sentence(self) -> str:
        """What was looked for and what is there, in sentences: for the plan of a request."""
        return self.limit or f"No retained record is a copy of a forgotten one. {self._scope}"

    @property
    def limit(self) -> str:
        """What the copies mean for an audit, in sentences; "" where there are none."""
        copied = int(self.counts.any(axis=1).sum())
        if not copied:
            return ""
        have = "has a copy" if copied == 1 else "have copies"
        exact = int((self.counts[:, 0] > 0).sum())
        pairs = self.table[["forgotten", "retained", "kind"]].head(NAMED).itertuples(index=False)
        names = ", ".join(f"{one!r} by {two!r} ({kind})" for one, two, kind in pairs)
        more = " and others" if len(self.table) > NAMED else ""
        return (
            f"{copied:,} of {len(self.counts):,} forgotten records {have} among the retained ones, {exact:,} an exact "
            f"one: {names}{more}. The model still learns from the copies what such a record says, so that it cannot "
            f"look deleted: forget its copies too. {self._scope}"
        )

    @property
    def _scope(self) -> str:
        if self.unsought:
            return f"Near copies were not looked for: {self.unsought}."
        return f"Near copies are {self.nearness}." if self.nearness else "Near copies were not looked for."


@checked
def find_copies(
    data: Records, forget: Array, retain: Array, *, near: bool | NotNegative = True, ids: Array | None = None
) -> Copies:
    """Find the retained records that equal a forgotten one, or nearly do.

    Parameters
    ----------
    data : Dataset, Texts, DataFrame, list of str, or array [N, ...]
        Texts are the same where they differ in whitespace alone. Images are uint8 [N, H, W], or [N, C, H, W] of any
        numbers; columns of a DataFrame that are no numbers must be equal in near copies too.
    forget, retain : int [F], [R]
        Positions in `data`, or masks [N].
    near : bool or float
        True: near copies too, of images where at most 4 of the 64 bits of their hash differ (`imagehash.phash`), of
        tables where no number differs by more than 0.01 standard deviations of its column. A number: so many bits, or
        standard deviations. False: exact ones alone. Texts have exact copies only. Images that are mirrored or shifted
        are not near.
    ids : str or int [N], optional
        Names of the records; default: those of the data, the index of a DataFrame, the positions.

    Returns
    -------
    Copies
        `table` with a row for each pair, and a `sentence` that says what it means.

    Raises
    ------
    InputError
        For data that are none of these, for positions that are not there, and for a `near` below 0.
    MissingExtra
        Where `near` is a number, and the library for images is missing; with True the result says so.

    Examples
    --------
    >>> import numpy as np
    >>> from vestige.data import find_copies
    >>> rows = np.array([[0.1, 5.0], [0.9, 2.0], [0.1, 5.0], [0.9, 2.0001]])
    >>> find_copies(rows, [0, 1], [2, 3]).table[["forgotten", "retained", "kind"]].values.tolist()
    [['0', '2', 'same'], ['1', '3', 'near']]
    """
    names, keys, look = _read(data)
    if ids is not None:
        own = as_ids("ids", ids)
        if len(own) != len(names):
            raise InputError(f"There are {len(names):,} records and {len(own):,} ids; they must be as many.")
        names = own
    gone, kept = _positions("forget", forget, len(names)), _positions("retain", retain, len(names))
    same = _equal(keys, gone, kept)
    nearness, unsought = "", ""
    pairs = [_pairs("same", same, lambda place, positions: np.zeros(len(positions)))]
    close = [same[0][:0]] * len(gone)
    if near is not False and look is not None:
        try:
            nearness, close, distance = look(gone, kept, None if near is True else near)
        except MissingExtra as error:
            if near is not True:
                raise
            unsought = str(error)
        else:
            close = [_without(*both) for both in zip(close, same, strict=True)]
            pairs.append(_pairs("near", close, distance))
    table = pd.concat(pairs, ignore_index=True).sort_values("forgotten", kind="stable", ignore_index=True)
    table = table.assign(forgotten=names[gone[table.forgotten]], retained=names[table.retained])
    counts = np.array([[len(one), len(two)] for one, two in zip(same, close, strict=True)], dtype=np.int64)
    return Copies(table, counts, nearness, unsought)


def copies_in(split: Split) -> Copies:
    """Find the copies of what a split forgets among what it retains; see `find_copies`."""
    return find_copies(split.data, split.forget, split.retain)


def _read(data: Any) -> tuple[NDArray[np.str_], Keys, Near | None]:
    """Return the records' ids, what makes equal records equal, and what looks for near ones, if anything does."""
    if isinstance(data, Dataset):
        return data.ids, *_of_array(data.x)
    if isinstance(data, pd.DataFrame):
        return as_ids("The index of the table", data.index.to_numpy()), *_of_table(_columns(data))
    if isinstance(data, Texts) or (isinstance(data, (list, tuple)) and data and isinstance(data[0], str)):
        texts = as_texts(data)
        return np.array(texts.ids), lambda rows: [" ".join(texts.texts[row].split()) for row in rows], None
    array = as_array("The data", data)
    if not array.ndim or not array.size:
        raise InputError(f"The data have shape {array.shape}; records [N, ...] are wanted.")
    return np.arange(len(array)).astype(str), *_of_array(array)


def _of_array(array: NDArray[Any]) -> tuple[Keys, Near]:
    flat = array.reshape(len(array), -1)
    if array.dtype.kind not in "fiub":
        return _of_table(_columns(pd.DataFrame(flat)))
    if array.ndim == 4 or (array.ndim == 3 and array.dtype == np.uint8):
        return lambda rows: _bytes(flat[rows]), functools.partial(near_images, array)
    return lambda rows: _bytes(flat[rows]), functools.partial(near_rows, [Column(each) for each in flat.T])


def _of_table(columns: list[Column]) -> tuple[Keys, Near]:
    def keys(rows: Positions) -> list[bytes]:
        return _bytes(np.stack([_words(column.values[rows]) for column in columns], axis=1))

    return keys, functools.partial(near_rows, columns)


def _columns(frame: pd.DataFrame) -> list[Column]:
    columns = []
    for name, values in frame.items():
        kind = getattr(values.dtype, "kind", "O")
        if kind in "iuf":
            whole = kind != "f" and not values.isna().any()
            columns.append(Column(values.to_numpy(np.int64 if whole else np.float64)))
            continue
        try:
            columns.append(Column(pd.factorize(values)[0], is_number=False))
        except TypeError:
            raise InputError(
                f"The column {str(name)!r} holds values that cannot be compared, such as lists; leave it out."
            ) from None
    if not columns:
        raise InputError("The table has no columns to compare.")
    return columns


def _words(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return numbers as words that are equal where the numbers are."""
    if values.dtype.kind != "f":
        return values.astype(np.int64)
    return _canonical(values.astype(np.float64)).view(np.int64)


def _canonical(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers that have one bit pattern each: -0.0 is 0.0, and a NaN equals a NaN."""
    return np.asarray(np.where(np.isnan(values), values.dtype.type(np.nan), values + values.dtype.type(0)))


def _bytes(block: NDArray[Any]) -> list[bytes]:
    """Return each row of numbers [n, W] as bytes that are equal where the rows are."""
    if block.dtype.kind == "f":
        block = _canonical(block)
    block = np.ascontiguousarray(block)
    rows: list[bytes] = block.view(f"S{block.shape[1] * block.itemsize}").ravel().tolist()
    return rows  # without zeros at the end, which tell rows of one length no better apart


def _equal(keys: Keys, gone: Positions, kept: Positions) -> list[Positions]:
    """Return of each forgotten record the positions of the retained ones that equal it."""
    own = list(keys(gone))
    places: dict[Hashable, list[int]] = {key: [] for key in own}
    for start in range(0, len(kept), CHUNK):
        block = kept[start : start + CHUNK]
        for position, key in zip(block.tolist(), keys(block), strict=True):
            if key in places:
                places[key].append(position)
    positions = {key: np.array(rows, dtype=np.int64) for key, rows in places.items()}
    return [positions[key] for key in own]


def _without(positions: Positions, others: Positions) -> Positions:
    return positions[~np.isin(positions, others)] if len(others) else positions


def _pairs(kind: str, copies: Sequence[Positions], distance: Distance) -> pd.DataFrame:
    """Return a row for each of the first copies of each forgotten record, with places and positions."""
    listed = [positions[:MOST] for positions in copies]
    some = [(place, positions) for place, positions in enumerate(listed) if len(positions)]
    apart = [distance(place, positions) for place, positions in some]
    return pd.DataFrame({
        "forgotten": np.repeat(np.arange(len(listed)), [len(positions) for positions in listed]),
        "retained": np.concatenate([np.zeros(0, np.int64), *(positions for _, positions in some)]),
        "kind": kind, "distance": np.concatenate([np.zeros(0), *apart]),
    })  # fmt: skip


def _positions(name: str, value: Any, n: int) -> Positions:
    rows = as_rows(name, value, n)
    rows = np.flatnonzero(rows) if rows.dtype.kind == "b" else rows.astype(np.int64)
    if not len(rows):
        raise InputError(f"{name} names no record; at least one is wanted.")
    return rows
