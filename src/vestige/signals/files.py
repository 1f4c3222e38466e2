"""`Signals` on disk: the library's own folder, and the files that users bring (npz, CSV, Parquet).

The folder holds `arrays.safetensors`, `rows.parquet` (id, role, label) and, written last, `signals.json`
with the hashes of both. Attached records (`population`, `calibration`) are folders inside it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save_file

from vestige.errors import ArtefactError, InputError, unknown
from vestige.files import (
    looked_at,
    numbered_plainly,
    read_npz,
    read_safetensors,
    read_table,
    regular,
)
from vestige.signals.checks import ATTACHED
from vestige.store import file_hash, folder_at, published, read_record, write_json

if TYPE_CHECKING:
    from vestige.signals.record import Signals

ARRAYS = ("unlearned", "original", "shadow_out", "shadow_fit", "retrained", "population_in", "sensitivity")
ROWS = ("labels", "role", "ids", "shadow_ids", "source", "cluster", "group")
AUDITED = ("shadow_train",)
"""Attached records that hold outputs of the audited model too."""
FILES = ("arrays.safetensors", "rows.parquet")
OWN = "unlearned.safetensors"
"""The file of the audited model's logits where the other arrays are shared; else they stand among them."""
MORE_FILES = {"shadow_ids.parquet": "shadow_ids"}
ROW_COLUMNS = {"id": "ids", "role": "role", "source": "source", "cluster": "cluster", "group": "group"}
"""Columns of a table beside its label and its logits, and the field of `Signals` that each fills."""
STACKS = {"shadow": "shadow_out", "retrained": "retrained"}
DEEPEST = 4
"""Levels of records that are attached to each other."""
PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".joblib"}


def save(
    signals: Signals, folder: Path | str, references: Path | None = None, *, apart: bool = False
) -> Path:
    """Write `signals` to `folder`; the manifest comes last, so a half-written folder is never read.

    Parameters
    ----------
    apart : bool
        Write `unlearned` to a file of its own, so that other records may share the rest.
    references : Path or None
        A folder that was written so, of signals that differ in `unlearned` alone: the rest is linked, not
        written again.
    """
    folder = folder_at(folder)
    (folder / "signals.json").unlink(missing_ok=True)
    own = [OWN] if apart or references is not None else []
    for name in own:
        with published(folder / name) as temporary:
            save_file({"unlearned": np.ascontiguousarray(signals.unlearned)}, temporary)
    if references is None:
        files, attached = _save_rest(signals, folder, apart)
    else:
        manifest = read_record(references / "signals.json")
        files = [name for name in manifest["sha256"] if name != OWN]
        attached = [name for name in manifest["attached"] if getattr(signals, name) is not None]
        alike = [name for name in attached if name not in AUDITED]
        for source in (path for name in (*files, *alike) for path in _files_in(references / name)):
            _link(source, folder / source.relative_to(references))
        for name in set(attached) - set(alike):
            save(getattr(signals, name), folder / name, references / name)
    write_json(
        folder / "signals.json",
        {
            "sha256": {name: file_hash(folder / name) for name in (*own, *files)},
            "attached": attached,
            "kind": signals.kind,
            "notes": list(signals.notes),
        },
    )
    return folder


def _files_in(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(inner for inner in path.rglob("*") if inner.is_file())


def _link(source: Path, path: Path) -> None:
    """Give a file a second name; copy it where the file system has no links."""
    with published(path, flush=False) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def _save_rest(signals: Signals, folder: Path, apart: bool) -> tuple[list[str], list[str]]:
    """Write the arrays, the rows and the attached records; return the files, and what is attached.

    Parameters
    ----------
    apart : bool
        Leave the outputs of the audited model out, and give those in attached records a file of their own.
    """
    names = ARRAYS[1:] if apart else ARRAYS
    arrays = {name: np.ascontiguousarray(a) for name in names if (a := getattr(signals, name)) is not None}
    with published(folder / "arrays.safetensors") as temporary:
        save_file(arrays, temporary)
    rows = pd.DataFrame({"id": signals.names, "role": signals.roles, "label": signals.labels})
    for name in ("source", "cluster", "group"):
        if getattr(signals, name) is not None:
            rows[name] = getattr(signals, name)
    with published(folder / "rows.parquet") as temporary:
        rows.to_parquet(temporary, index=False)
    files = list(FILES)
    if signals.shadow_ids is not None:
        files.append("shadow_ids.parquet")
        with published(folder / files[-1]) as temporary:
            pd.DataFrame({"id": signals.shadow_ids}).to_parquet(temporary, index=False)
    attached = [name for name in ATTACHED if getattr(signals, name) is not None]
    for name in attached:
        save(getattr(signals, name), folder / name, apart=apart and name in AUDITED)
    return files, attached


def load(kind: type[Signals], folder: Path, depth: int = 0) -> Signals:
    """Read what `save` wrote. Raises `ArtefactError` for a missing, truncated or changed file."""
    path = folder / "signals.json"
    manifest = read_record(path)
    hashes, attached = manifest.get("sha256"), manifest.get("attached")
    if not isinstance(hashes, dict) or not set(FILES) <= set(hashes) <= {*FILES, *MORE_FILES, OWN}:
        raise ArtefactError(f"{path}: it does not hold the hashes of {', '.join(FILES)}; was it edited?")
    if not isinstance(attached, list) or not all(name in ATTACHED for name in attached):
        raise ArtefactError(f"{path}: 'attached' is no list of {', '.join(ATTACHED)}; was it edited?")
    if depth > DEEPEST:
        raise ArtefactError(f"{folder}: records are attached to each other more than {DEEPEST} levels deep.")
    for name, digest in hashes.items():
        if looked_at(folder / name) is None:
            raise ArtefactError(f"{folder / name}: no such file; the signals were not written completely.")
        if file_hash(regular(folder / name)) != digest:
            raise ArtefactError(f"{folder / name} was changed or damaged after it was written.")
    fields: dict[str, Any] = {}
    for name in (FILES[0], *([OWN] if OWN in hashes else [])):
        arrays = read_safetensors(folder / name)
        if set(arrays) - set(ARRAYS) or set(arrays) & set(fields):
            raise ArtefactError(
                f"{folder / name}: the arrays of signals are wanted, each once; it holds {sorted(arrays)}."
            )
        fields |= arrays
    if "unlearned" not in fields:
        raise ArtefactError(f"{folder}: the logits of the audited model are in none of its files.")
    rows = _rows_of(folder / FILES[1], "label", "id", "role")
    fields["labels"] = rows["label"].to_numpy()
    fields |= {field: rows[column].to_numpy() for column, field in ROW_COLUMNS.items() if column in rows}
    for name, field in MORE_FILES.items():
        if name in hashes:
            fields[field] = _rows_of(folder / name, "id")["id"].to_numpy()
    fields |= {name: load(kind, folder / name, depth + 1) for name in attached}
    fields |= {
        name: manifest[name] for name in ("kind", "notes") if name in manifest
    }  # not in those of 0.2.0
    return kind(**fields)


def _rows_of(path: Path, *columns: str) -> pd.DataFrame:
    rows = read_table(path)
    for column in columns:
        if column not in rows:
            raise ArtefactError(f"{path}: {unknown('column', column, map(str, rows.columns))}")
    return rows


def read(kind: type[Signals], path: Path) -> Signals:
    """Read signals from a folder that vestige wrote, an `.npz`, a `.csv` or a `.parquet` file."""
    if path.suffix.lower() in PICKLES:
        raise InputError(
            f"{path}: pickle files are refused, for reading one runs its code; "
            "save the arrays with numpy.savez instead."
        )
    if looked_at(path) is None:
        raise InputError(f"{path}: no such file or folder.")
    if path.is_dir():
        return load(kind, path)
    regular(path)
    if path.suffix.lower() == ".npz":
        return from_npz(kind, path)
    if path.suffix.lower() in (".csv", ".parquet"):
        return from_table(kind, path)
    raise InputError(f"{path}: a folder of signals, .npz, .csv or .parquet is wanted.")


def from_npz(kind: type[Signals], path: Path) -> Signals:
    """Read a user's `.npz`: keys as the fields of `Signals`; "population/labels" fills an attached record."""
    return from_arrays(kind, read_npz(path), str(path))


def from_arrays(
    kind: type[Signals], arrays: Mapping[str, NDArray[Any]], where: str, depth: int = 0
) -> Signals:
    """Build `Signals` from named arrays; unknown or missing names are an `InputError` that names `where`."""
    if depth > DEEPEST:
        raise InputError(f"{where}: records are attached to each other more than {DEEPEST} levels deep.")
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
        return kind(
            **fields | {name: from_arrays(kind, part, where, depth + 1) for name, part in nested.items()}
        )
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def from_table(kind: type[Signals], path: Path) -> Signals:
    """Read one row per sample from CSV or Parquet.

    Columns: label; unlearned_0 .. unlearned_{C-1}; optionally id, role, source, cluster, original_0 .., and
    shadow0_0 .., shadow1_0 .., retrained0_0 .. for each shadow and retrained model. Ids are read as they are written.

    Raises `InputError` for a column that is none of these, and for an index without a name that numbers the rows anew.
    """
    table = read_table(path, written=list(ROW_COLUMNS))
    if not numbered_plainly(table):
        raise InputError(f"{path}: its index has no name; name it 'id' or write the table without it.")
    columns = [str(c) for c in table.columns]
    _check_known(columns, path)
    if not len(table):
        raise InputError(f"{path}: there are no rows.")
    fields: dict[str, Any] = {"labels": table["label"].to_numpy()}
    fields |= {field: table[column].to_numpy() for column, field in ROW_COLUMNS.items() if column in table}
    fields["unlearned"] = _columns(table, columns, "unlearned", path)
    if any(c.startswith("original_") for c in columns):
        fields["original"] = _columns(table, columns, "original", path)
    for prefix, field in STACKS.items():
        models = sorted({int(m[1]) for c in columns if (m := re.fullmatch(rf"{prefix}(\d+)_\d+", c))})
        if models != list(range(len(models))):
            raise InputError(f"{path}: columns {prefix}0_0, {prefix}1_0, ... without a gap are wanted.")
        if models:
            fields[field] = np.stack([_columns(table, columns, f"{prefix}{k}", path) for k in models])
    try:
        return kind(**fields)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _check_known(columns: list[str], path: Path) -> None:
    """Refuse a column that no field of `Signals` is read from: what it holds would be lost."""
    stacks = "|".join(rf"{prefix}(0|[1-9][0-9]{{0,5}})" for prefix in STACKS)
    logits = re.compile(rf"(unlearned|original|{stacks})_[0-9]{{1,6}}")
    known = ["label", *ROW_COLUMNS, "unlearned_0", "original_0", *(f"{prefix}0_0" for prefix in STACKS)]
    if "label" not in columns:
        raise InputError(f"{path}: {unknown('column', 'label', columns)}")
    for name in columns:
        if name.startswith("Unnamed: "):
            raise InputError(
                f"{path}: column {name!r} has no name in the file; write the table without its index."
            )
        if name not in known and not logits.fullmatch(name):
            raise InputError(f"{path}: {unknown('column', name, known)}")


def _columns(table: pd.DataFrame, columns: list[str], prefix: str, path: Path) -> NDArray[np.float64]:
    places = sorted((int(m[1]), c) for c in columns if (m := re.fullmatch(rf"{prefix}_(\d+)", c)))
    if not places or [place for place, _ in places] != list(range(len(places))):
        raise InputError(f"{path}: columns {prefix}_0, {prefix}_1, ... without a gap are wanted.")
    part = table[[name for _, name in places]]
    wrong = [name for name in part if part[name].dtype.kind not in "fiu"]
    if wrong:
        kind = "text" if pd.api.types.is_string_dtype(part[wrong[0]]) else str(part[wrong[0]].dtype)
        raise InputError(f"{path}: column {str(wrong[0])!r} holds {kind}; numbers are wanted.")
    return part.to_numpy(dtype=np.float64, na_value=np.nan)
