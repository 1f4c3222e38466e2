"""Near copies: rows whose numbers differ by little, images whose perceptual hashes differ in few bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.data.pictures import picture
from vestige.errors import need

BITS, APART = 4, 0.01
"""How far near copies are apart at most: bits of an image's hash, of 64; standard deviations of a number's column."""
SOME, BLOCK = 32_768, 256

Positions = NDArray[np.int64]
Distance = Callable[[int, Positions], NDArray[np.float64]]
"""How far positions are from the forgotten record at a place."""
Near = Callable[[Positions, Positions, float | None], tuple[str, list[Positions], Distance]]
"""From forgotten and retained positions and a limit: what near means, the near ones of each, and their distance."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table: numbers [N], or the place of each value among the distinct ones."""

    values: NDArray[Any]
    is_number: bool = True


def near_rows(
    columns: list[Column], gone: Positions, kept: Positions, most: float | None
) -> tuple[str, list[Positions], Distance]:
    """Find rows whose numbers are at most `most` standard deviations away, and whose other values are equal."""
    most = APART if most is None else most
    rows = np.concatenate([gone, kept])
    scales = [_scale(column, rows, most) for column in columns]
    order = sorted(range(len(columns)), key=lambda place: -scales[place].grades)
    ordered = [(columns[place].values, scales[place].spread) for place in order]
    words = f"those no number of which is further away than {most:g} standard deviations of its column"

    def distance(place: int, positions: Positions) -> NDArray[np.float64]:
        apart = [_apart(values, spread, positions, gone[place]) for values, spread in ordered]
        return np.max(apart, axis=0) if len(positions) else np.zeros(0)

    if not any(scale.is_fine for scale in scales):
        return words, [kept[:0]] * len(gone), distance
    first, spread = ordered[0]
    by_first = kept[np.argsort(first[kept], kind="stable")]  # a NaN comes last
    sorted_values = first[by_first].astype(np.float64)
    copies = []
    for row in gone:
        value, width = float(first[row]), most * spread * (1 + 1e-9)
        low, high = (value, value) if np.isnan(value) else (value - width, value + width)
        start, end = (
            np.searchsorted(sorted_values, low, "left"),
            np.searchsorted(sorted_values, high, "right"),
        )
        rows = by_first[start:end]
        for values, spread_of in ordered:
            rows = rows[_apart(values, spread_of, rows, row) <= most]
            if not len(rows):
                break
        copies.append(np.sort(rows))
    return words, copies, distance


@dataclass(frozen=True)
class Scale:
    """How a column's values spread.

    Attributes
    ----------
    spread : float
        The standard deviation of the finite ones; 0 where values are no numbers, or all the same.
    is_fine : bool
        Whether two different values can be near.
    grades : int
        How many different ones there are among some.
    """

    spread: float
    is_fine: bool
    grades: int


def _scale(column: Column, rows: Positions, most: float) -> Scale:
    values = column.values[rows]
    values = values[np.isfinite(values)]
    some = np.unique(values[:SOME])
    if not column.is_number or not len(values):
        return Scale(0.0, False, len(some))
    spread = float(np.std(values, dtype=np.float64))

    def is_fine(distinct: NDArray[Any]) -> bool:
        return bool((np.diff(distinct.astype(np.float64)) <= most * spread).any())

    return Scale(spread, is_fine(some) or is_fine(np.sort(pd.unique(values))), len(some))


def _apart(values: NDArray[Any], spread: float, rows: Positions, row: np.int64) -> NDArray[np.float64]:
    """Return how far the values of rows are from that of one row; infinite where they differ and have no spread."""
    one, many = values[row], values[rows]
    same = np.isnan(many) if np.isnan(one) else many == one
    if not spread:
        return np.where(same, 0.0, np.inf)
    with np.errstate(invalid="ignore"):  # of infinite numbers
        apart = np.abs(many.astype(np.float64) - float(one)) / spread
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def near_images(
    images: NDArray[Any], gone: Positions, kept: Positions, bits: float | None
) -> tuple[str, list[Positions], Distance]:
    """Find images whose perceptual hashes differ in few bits."""
    bits = BITS if bits is None else bits
    own, others = _signs(images, gone), _signs(images, kept)
    copies = []
    for start in range(0, len(own), BLOCK):
        apart = _differing(own[start : start + BLOCK], others)
        copies += [kept[row <= bits] for row in apart]
    places = np.full(len(images), -1)
    places[kept] = np.arange(len(kept))

    def distance(place: int, positions: Positions) -> NDArray[np.float64]:
        return np.asarray(_differing(own[place : place + 1], others[places[positions]])[0], dtype=np.float64)

    return f"those whose perceptual hashes differ in at most {bits:g} of 64 bits", copies, distance


def _differing(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return in how many bits hashes differ, [n, m], from bits [n, 64] and [m, 64] that are written as 1 and -1."""
    return np.asarray((one.shape[1] - one @ two.T) / 2, dtype=np.float32)


def _signs(images: NDArray[Any], rows: Positions) -> NDArray[np.float32]:
    """Return the perceptual hash of each image, its bits as 1 and -1: float32 [n, 64]."""
    imagehash = need("imagehash", "copies", "Finding near copies of images")
    if images.ndim == 4 and images.shape[1] not in (1, 3, 4) and images.shape[3] in (1, 3, 4):
        images = np.moveaxis(images, 3, 1)
    bits = [imagehash.phash(picture(_pixels(images[row]))).hash.ravel() for row in rows]
    return np.where(np.stack(bits), 1, -1).astype(np.float32)


def _pixels(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image [C, H, W] or [H, W] as uint8 [C, H, W]; other numbers become 0 to 255."""
    image = image if image.ndim == 3 else image[None]
    if image.dtype == np.uint8:
        return image
    numbers = np.nan_to_num(image.astype(np.float64))
    low, high = numbers.min(), numbers.max()
    return np.asarray((numbers - low) * (255 / (high - low or 1)), dtype=np.uint8)
