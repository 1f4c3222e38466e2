"""The user's own data: an `.npz`, a CSV or Parquet table, or a folder of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vestige.data.columns import features, loses, without
from vestige.data.dataset import Dataset, numbered
from vestige.data.labels import labels_of, labels_written
from vestige.data.pictures import decode
from vestige.errors import InputError, unknown
from vestige.files import GAPS, looked_at, numbered_plainly, read_bytes, read_npz, read_table, regular
from vestige.registry import Entry
from vestige.values import as_array, as_ids

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def load_own(path: Path, **options: Any) -> Dataset:
    """Load the data set at `path`: see `npz`, `table` and `image_folder` for their options."""
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise InputError(
            f"{path}: pickle files are refused, for reading one runs its code; use .npz, .csv or .parquet."
        )
    if looked_at(path) is None:
        raise InputError(f"{path}: no such file or folder.")
    reader: Callable[..., Dataset]
    if path.is_dir():
        reader = image_folder
    elif path.suffix.lower() == ".npz":
        reader = npz
    elif path.suffix.lower() in (".csv", ".parquet"):
        reader = table
    else:
        regular(path)
        raise InputError(f"{path}: .npz, .csv, .parquet or a folder of images is wanted.")
    data = reader(path, **Entry(name=str(path), function=reader, cites="").resolve(options))
    if len(data.classes) < 2:
        raise InputError(
            f"{path}: every record is of the class {data.classes[0]!r}; two classes at least are wanted."
        )
    return data


def npz(path: Path) -> Dataset:
    """Read x ([N, ...] features, or uint8 images [N, C, H, W]), y [N], and optionally ids [N] and classes.

    Features of more axes are flattened, which the notes say. Raises `InputError` for any other array.
    """
    arrays = read_npz(path)
    for name in arrays:
        if name not in ("x", "y", "ids", "classes"):
            raise InputError(f"{path}: {unknown('array', name, ('x', 'y', 'ids', 'classes'))}")
    for name in ("x", "y"):
        if name not in arrays:
            raise InputError(f"{path}: {unknown('array', name, arrays)}")
    x = as_array(f"{path}: x", arrays["x"])
    if x.dtype.kind not in "fiub" or not x.ndim:
        raise InputError(f"{path}: x is {x.dtype} of shape {x.shape}; numbers [N, ...] are wanted.")
    notes: tuple[str, ...] = ()
    if not (x.ndim == 4 and x.dtype == np.uint8):
        if not x.size:
            raise InputError(f"{path}: x has shape {x.shape}; it holds no numbers.")
        if x.ndim != 2:
            notes = (f"Samples of shape {list(x.shape[1:])} were flattened to {x[0].size:,} features.",)
        with np.errstate(over="ignore"):  # what becomes infinite is refused by the data set, by sample
            single = x.reshape(len(x), -1).astype(np.float32)
        if loses(x.reshape(single.shape), single):
            notes = (*notes, "Features were rounded to single precision.")
        x = single
    names = tuple(as_ids(f"{path}: classes", arrays["classes"]).tolist()) if "classes" in arrays else None
    y, classes = labels_of(arrays["y"], f"{path}: y", names)
    ids = as_ids(f"{path}: ids", arrays["ids"]) if "ids" in arrays else numbered(path.stem, len(y))
    return Dataset(path.stem, np.ascontiguousarray(x), y, ids, classes, notes)


def table(
    path: Path,
    *,
    label: str = "label",
    id: str | None = None,
    drop: list[str] | tuple[str, ...] = (),
    like: Dataset | None = None,
) -> Dataset:
    """Read a table: the column `label` holds the classes, `id` the names of the samples.

    Numbers stay as they are, text of few categories becomes one-hot columns, in sorted order; missing numbers are an
    error, missing text is a category of its own. What was done stands in the notes, the features by name in `features`.

    Parameters
    ----------
    label : str
        The column of the classes; whole numbers, also as text, are sorted by value.
    id : str or None
        The column of the ids, read as text exactly as it is written; default: the file's name and the row.
    drop : list[str] or tuple[str, ...]
        Columns to leave out.
    like : Dataset or None
        A data set read from another table: the same features in the same order, and the same classes.

    Raises
    ------
    InputError
        For a column that is neither numbers nor text of few categories, for one that numbers the rows, for
        labels that are not classes, and where `like` has other features or classes.
    """
    frame = read_table(path, written=[label] if id is None else [label, id])
    notes = []
    if not numbered_plainly(frame):
        notes.append("The index of the file has no name and was left out.")
        frame = frame.reset_index(drop=True)
    for column in (label, *([id] if id is not None else [])):
        if column not in frame:
            raise InputError(f"{path}: {unknown('column', column, map(str, frame.columns))}")
    if not len(frame):
        raise InputError(f"{path}: there are no rows.")
    frame = without(frame, drop, path)
    if label not in frame or (id is not None and id not in frame) or label == id:
        raise InputError(f"{path}: label, id and drop name one column twice.")
    if like is not None and not like.features:
        raise InputError(f"{path}: like is no data set that was read from a table.")
    if path.suffix.lower() == ".csv":
        _check_gaps(frame[label], f"{path}, column {label!r}")
    y, classes = labels_written(frame.pop(label), f"{path}, column {label!r}", like.classes if like else None)
    ids = (
        as_ids(f"{path}, column {id!r}", frame.pop(id).to_numpy())
        if id is not None
        else numbered(path.stem, len(y))
    )
    if not len(frame.columns):
        raise InputError(f"{path}: there is no column besides {label!r}.")
    made = features(frame, path, like.features if like else None)
    return Dataset(path.stem, made.x, y, ids, classes, (*notes, *made.notes), made.names)


def _check_gaps(labels: pd.Series[Any], where: str) -> None:
    """Refuse labels of a CSV file that are missing, or that stand for a missing entry in other columns."""
    gaps = np.flatnonzero(labels.isin(GAPS))
    if len(gaps):
        row, text = int(gaps[0]), labels.iloc[gaps[0]]
        sign = f" (it is {text!r}; if this is the name of a class, write another one)" if text else ""
        raise InputError(f"{where}: the label of row {row} is missing{sign}.")


def image_folder(
    folder: Path, *, size: tuple[int, int] | None = None, name: str | None = None, prefix: str | None = None
) -> Dataset:
    """Read a folder of images, one subfolder a class, in sorted order; `size` (H, W) resizes them.

    What is hidden is not looked at; what holds no images stands in the notes. Raises
    `InputError` for images that lie elsewhere, and for what `decode` refuses.
    """
    classes = [p.name for p in _inside(folder) if p.is_dir()]
    listed = [(i, p) for i, c in enumerate(classes) for p in _inside(folder / c)]
    files = [(i, p) for i, p in listed if p.suffix.lower() in PICTURES]
    others = [p for p in _inside(folder) if not p.is_dir()] + [
        p for i, p in listed if (i, p) not in set(files)
    ]
    elsewhere = [
        path
        for other in others
        for path in (other, *sorted(other.rglob("*")))
        if path.suffix.lower() in PICTURES and not path.name.startswith(".")
    ]
    if not files:
        raise InputError(f"{folder}: no images; one subfolder a class with .png or .jpg files is wanted.")
    if elsewhere:
        raise InputError(
            f"{elsewhere[0]} lies in no subfolder of its own class; every image lies in {folder.name}/CLASS/."
        )
    names = [p.relative_to(folder).as_posix() for _, p in files]
    pixels = decode((read_bytes(p) for _, p in files), where=str(folder), names=names, size=size)
    stem = f"{folder.name}/" if prefix is None else prefix
    labels = np.array([i for i, _ in files], dtype=np.int64)
    absent = [c for i, c in enumerate(classes) if i not in labels]
    notes = [f"No image is of the class {', '.join(absent)}."] if absent else []
    if others:
        notes.append(f"Left out, for they are no images: {len(others):,} files, among them {others[0].name}.")
    ids = np.array([f"{stem}{one}" for one in names])
    return Dataset(name or folder.name, pixels, labels, ids, tuple(classes), tuple(notes))


def _inside(folder: Path) -> list[Path]:
    """Return what lies in a folder and is not hidden, in sorted order."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
