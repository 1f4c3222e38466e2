"""Finding and reading the files of a data set, in its own folder and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vestige.errors import ArtefactError, InputError


def present(root: Path, *names: str, folders: Sequence[str] = ()) -> Path | None:
    """Return the first of `names` (globs allowed) that is a file in `root` or in one of its `folders`, or None.

    No other folder is looked into: a neighbour may hold another data set.
    Raises `InputError` where a glob matches several files, for one of them would have to be guessed.
    """
    for name in names:
        for folder in (root, *(root / inner for inner in folders)):
            files = sorted(path for path in folder.glob(name) if path.is_file())
            if len(files) > 1:
                listed = ", ".join(path.name for path in files)
                raise InputError(f"{folder}: one file {name} is wanted; there are {len(files)}: {listed}.")
            if files:
                return files[0]
    return None


def numbers(table: pd.DataFrame, where: Path) -> pd.DataFrame:
    """Return `table` as numbers, or raise `ArtefactError` that names the first column and row that is none."""
    checked: pd.DataFrame = table.apply(pd.to_numeric, errors="coerce")
    bad = checked.isna().to_numpy()
    if bad.any():
        row, column = (int(i[0]) for i in bad.nonzero())
        value = table.iloc[row, column]
        raise ArtefactError(f"{where}: row {row}, column {table.columns[column]}: {value!r} is no number.")
    return checked
