"""`Signals` on disk: the library's own folder, and the files that users bring (npz, CSV, Parquet).

The folder holds `arrays.safetensors`, `rows.parquet` (id, role, label) and, written last, `signals.json`
with the hashes of both. Attached records (`population`, `calibration`) are folders inside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from vestige.errors import ArtefactError, InputError, unknown
from vestige.signals.record import Signals
from vestige.store import file_hash, published, read_json, read_npz, write_json

ARRAYS = ("unlearned", "original", "shadow_out", "shadow_fit", "retrained", "population_in", "sensitivity")
ROWS = ("labels", "role", "ids", "shadow_ids", "source", "cluster")
NAMES = ("source", "cluster")
ATTACHED = ("population", "calibration")
PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".joblib"}


def save(signals: Signals, folder: Path) -> Path:
    """Write `signals` to `folder`; the manifest comes last, so a half-written folder is never read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "signals.json").unlink(missing_ok=True)
    arrays = {name: np.ascontiguousarray(a) for name in ARRAYS if (a := getattr(signals, name)) is not None}
    with published(folder / "arrays.safetensors") as temporary:
        save_file(arrays, temporary)
    rows = pd.DataFrame({"id": signals.names, "role": signals.roles, "label": signals.labels})
    for name in NAMES:
        if getattr(signals, name) is not None:
            rows[name] = getattr(signals, name)
    with published(folder / "rows.parquet") as temporary:
        rows.to_parquet(temporary, index=False)
    files = ["arrays.safetensors", "rows.parquet"]
    if signals.shadow_ids is not None:
        files.append("shadow_ids.parquet")
        with published(folder / files[-1]) as temporary:
            pd.DataFrame({"id": signals.shadow_ids}).to_parquet(temporary, index=False)
    attached = [name for name in ATTACHED if getattr(signals, name) is not None]
    for name in attached:
        save(getattr(signals, name), folder / name)
    write_json(
        folder / "signals.json",
        {"sha256": {name: file_hash(folder / name) for name in files}, "attached": attached},
    )
    return folder


def load(folder: Path) -> Signals:
    """Read what `save` wrote. Raises `ArtefactError` for a missing, truncated or changed file."""
    manifest = read_json(folder / "signals.json")
    for name, digest in manifest["sha256"].items():
        if not (folder / name).is_file():
            raise ArtefactError(f"{folder / name}: no such file; the signals were not written completely.")
        if file_hash(folder / name) != digest:
            raise ArtefactError(f"{folder / name} was changed or damaged after it was written.")
    rows = pd.read_parquet(folder / "rows.parquet")
    fields: dict[str, Any] = dict(load_file(folder / "arrays.safetensors"))
    fields |= {"labels": rows["label"].to_numpy(), "role": _text(rows["role"]), "ids": _text(rows["id"])}
    fields |= {name: _text(rows[name]) for name in NAMES if name in rows}
    if "shadow_ids.parquet" in manifest["sha256"]:
        fields["shadow_ids"] = _text(pd.read_parquet(folder / "shadow_ids.parquet")["id"])
    fields |= {name: load(folder / name) for name in manifest["attached"]}
    return Signals(**fields)


def read(path: Path) -> Signals:
    """Read signals from a folder that vestige wrote, an `.npz`, a `.csv` or a `.parquet` file."""
    if path.suffix.lower() in PICKLES:
        raise InputError(
            f"{path}: pickle files are refused, for reading one runs its code; "
            "save the arrays with numpy.savez instead."
        )
    if not path.exists():
        raise InputError(f"{path}: no such file or folder.")
    if path.is_dir():
        return load(path)
    if path.suffix.lower() == ".npz":
        return from_npz(path)
    if path.suffix.lower() in (".csv", ".parquet"):
        return from_table(path)
    raise InputError(f"{path}: a folder of signals, .npz, .csv or .parquet is wanted.")


def from_npz(path: Path) -> Signals:
    """Read a user's `.npz`: keys as the fields of `Signals`; "population/labels" fills an attached record."""
    return from_arrays(read_npz(path), str(path))


def from_arrays(arrays: Mapping[str, NDArray[Any]], where: str) -> Signals:
    """Build `Signals` from named arrays; unknown or missing names are an `InputError` that names `where`."""
    fields: dict[str, Any] = {}
    nested: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        head, _, tail = name.partition("/")
        if tail and head in ATTACHED:
            nested.setdefault(head, {})[tail] = array
        elif name in ARRAYS + ROWS:
            fields[name] = array
        else:
            raise InputError(f"{where}: {unknown('array', name, ARRAYS + ROWS)}")
    for name in ("labels", "unlearned"):
        if name not in fields:
            raise InputError(f"{where}: the array {name!r} is missing; found {', '.join(sorted(arrays))}.")
    try:
        return Signals(**fields | {name: from_arrays(part, where) for name, part in nested.items()})
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def from_table(path: Path) -> Signals:
    """Read one row per sample from CSV or Parquet.

    Columns: label; unlearned_0 .. unlearned_{C-1}; optionally id, role, source, cluster, original_0 .., and
    shadow0_0 .., shadow1_0 .., retrained0_0 .. for each shadow and retrained model.
    """
    try:
        table = pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path}: not readable ({error}).") from None
    if "label" not in table:
        raise InputError(f"{path}: {unknown('column', 'label', map(str, table.columns))}")
    fields: dict[str, Any] = {"labels": table["label"].to_numpy()}
    for column, field in (("id", "ids"), ("role", "role"), *((name, name) for name in NAMES)):
        if column in table:
            fields[field] = _text(table[column])
    columns = [str(c) for c in table.columns]
    fields["unlearned"] = _columns(table, columns, "unlearned", path)
    if any(c.startswith("original_") for c in columns):
        fields["original"] = _columns(table, columns, "original", path)
    for prefix, field in (("shadow", "shadow_out"), ("retrained", "retrained")):
        numbers = sorted({int(m[1]) for c in columns if (m := re.fullmatch(rf"{prefix}(\d+)_\d+", c))})
        if numbers:
            fields[field] = np.stack([_columns(table, columns, f"{prefix}{k}", path) for k in numbers])
    try:
        return Signals(**fields)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _columns(table: pd.DataFrame, columns: list[str], prefix: str, path: Path) -> NDArray[np.float64]:
    found = sorted((int(m[1]), c) for c in columns if (m := re.fullmatch(rf"{prefix}_(\d+)", c)))
    if not found or [number for number, _ in found] != list(range(len(found))):
        raise InputError(f"{path}: columns {prefix}_0, {prefix}_1, ... without a gap are wanted.")
    part = table[[name for _, name in found]]
    wrong = [name for name in part if part[name].dtype.kind not in "fiu"]
    if wrong:
        raise InputError(f"{path}: column {str(wrong[0])!r} holds text; numbers are wanted.")
    return part.to_numpy(dtype=np.float64)


def _text(column: pd.Series[Any]) -> NDArray[np.str_]:
    return column.to_numpy().astype(str)
