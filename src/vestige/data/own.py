"""The user's own data: an `.npz`, a CSV or Parquet table, or a folder of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.data.dataset import Dataset
from vestige.data.files import read_table
from vestige.data.images import decode
from vestige.errors import InputError, unknown
from vestige.store import read_npz

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


def load_own(path: Path, **options: Any) -> Dataset:
    """Load the data set at `path`: see `npz`, `table` and `image_folder` for their options."""
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise InputError(
            f"{path}: pickle files are refused, for reading one runs its code; use .npz, .csv or .parquet."
        )
    if not path.exists():
        raise InputError(f"{path}: no such file or folder.")
    reader: Callable[..., Dataset]
    if path.is_dir():
        reader, allowed = image_folder, {"size"}
    elif path.suffix.lower() == ".npz":
        reader, allowed = npz, set()
    elif path.suffix.lower() in (".csv", ".parquet"):
        reader, allowed = table, {"label", "id"}
    else:
        raise InputError(f"{path}: .npz, .csv, .parquet or a folder of images is wanted.")
    for option in options:
        if option not in allowed:
            raise InputError(f"{path}: {unknown('option', option, allowed)}")
    return reader(path, **options)


def npz(path: Path) -> Dataset:
    """Read x ([N, ...] features, or uint8 images [N, C, H, W]), y [N], and optionally ids [N] and classes."""
    arrays = read_npz(path)
    for name in ("x", "y"):
        if name not in arrays:
            raise InputError(f"{path}: {unknown('array', name, arrays)}")
    x = arrays["x"]
    if x.dtype.kind not in "fiub":
        raise InputError(f"{path}: x is {x.dtype}; numbers are wanted.")
    if not (x.ndim == 4 and x.dtype == np.uint8):
        x = x.reshape(len(x), -1).astype(np.float32)
    names = tuple(map(str, arrays["classes"])) if "classes" in arrays else None
    y, classes = _labels(arrays["y"], str(path), names)
    ids = arrays["ids"].astype(str) if "ids" in arrays else _ids(path.stem, len(y))
    return Dataset(path.stem, np.ascontiguousarray(x), y, ids, classes)


def table(path: Path, *, label: str = "label", id: str | None = None) -> Dataset:
    """Read a table: the column `label` holds the classes, `id` the names of the samples.

    Numbers stay as they are, text becomes one-hot columns; missing numbers are an error, missing text is a
    category of its own.
    """
    frame = read_table(path)
    for column in (label, *([id] if id else [])):
        if column not in frame:
            raise InputError(f"{path}: {unknown('column', column, map(str, frame.columns))}")
    y, classes = _labels(frame.pop(label).to_numpy(), f"{path}, column {label!r}")
    ids = frame.pop(id).astype(str).to_numpy().astype(str) if id else _ids(path.stem, len(y))
    columns, texts = [], []
    for name in frame:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            if values.isna().any():
                row = int(np.flatnonzero(values.isna())[0])
                raise InputError(
                    f"{path}: column {str(name)!r} is empty in row {row}; fill it or drop the row."
                )
            columns.append(values.to_numpy(np.float32)[:, None])
        else:
            texts.append(str(name))
            columns.append(pd.get_dummies(values.fillna("missing").astype(str)).to_numpy(np.float32))
    if not columns:
        raise InputError(f"{path}: there is no column besides {label!r}.")
    notes = (f"One-hot encoded: {', '.join(texts)}.",) if texts else ()
    return Dataset(path.stem, np.concatenate(columns, axis=1), y, ids, classes, notes)


def image_folder(
    folder: Path, *, size: tuple[int, int] | None = None, name: str | None = None, prefix: str | None = None
) -> Dataset:
    """Read a folder of images, one subfolder a class, in sorted order; `size` (H, W) resizes them."""
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir())
    files = [
        (i, p)
        for i, c in enumerate(classes)
        for p in sorted((folder / c).iterdir())
        if p.suffix.lower() in PICTURES
    ]
    if not files:
        raise InputError(f"{folder}: no images; one subfolder a class with .png or .jpg files is wanted.")
    pixels = decode((p.read_bytes() for _, p in files), where=str(folder), size=size)
    stem = f"{folder.name}/" if prefix is None else prefix
    ids = np.array([f"{stem}{p.relative_to(folder).as_posix()}" for _, p in files])
    labels = np.array([i for i, _ in files], dtype=np.int64)
    return Dataset(name or folder.name, pixels, labels, ids, tuple(classes))


def _labels(
    values: NDArray[Any], where: str, classes: tuple[str, ...] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return labels 0 .. C - 1 and the name of each class.

    With `classes`, a label is a position in it, or one of its names. Without, the distinct labels are sorted and
    give the names, whatever they are: 1 and 7 become the classes "1" and "7".
    """
    if values.ndim != 1:
        raise InputError(f"{where}: labels have shape {list(values.shape)}; one per sample is wanted.")
    if pd.isna(values).any():
        raise InputError(f"{where}: the label of row {int(np.flatnonzero(pd.isna(values))[0])} is missing.")
    if classes is None:
        names, labels = np.unique(
            values if values.dtype.kind in "iu" else values.astype(str), return_inverse=True
        )
        return labels.astype(np.int64), tuple(map(str, names))
    if values.dtype.kind in "iub":
        outside = (values < 0) | (values.astype(np.int64) >= len(classes))
        if outside.any():
            row = int(outside.argmax())
            raise InputError(
                f"{where}: the label of row {row} is {values[row]}; there are {len(classes)} classes."
            )
        return values.astype(np.int64), classes
    place = {name: i for i, name in enumerate(classes)}
    for row, value in enumerate(values.astype(str)):
        if value not in place:
            raise InputError(f"{where}: the label of row {row}: {unknown('class', value, classes)}")
    return np.array([place[value] for value in values.astype(str)], dtype=np.int64), classes


def _ids(stem: str, n: int) -> NDArray[np.str_]:
    width = len(str(max(n - 1, 0)))
    return np.array([f"{stem}/{i:0{width}d}" for i in range(n)])
