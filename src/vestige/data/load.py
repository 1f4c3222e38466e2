"""`load_dataset`: from a name, or a path of the user's own, to a `Dataset`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from vestige.config import Named
from vestige.data.dataset import Dataset
from vestige.data.download import fetch, trusted
from vestige.data.registry import DATASETS, Source
from vestige.errors import InputError
from vestige.files import as_path, looked_at
from vestige.store import cache_folder


class DataConfig(Named):
    """Which data set, with its reader's options; `root`, the folder that it is read from."""

    REGISTRY = DATASETS

    root: Path | None = None

    def check(self) -> None:
        """Raise `InputError` for an unknown name, and for options that are not its reader's; paths are read later."""
        if not is_path(self.name):
            super().check()


FILES = (".npz", ".csv", ".parquet", ".pkl", ".pickle")


def load_dataset(name: str | Path, root: str | Path | None = None, **options: Any) -> Dataset:
    """Load a data set by name, or the user's own file or image folder by path.

    Parameters
    ----------
    name : str or Path
        A registered name (`vestige list datasets`), or a path to `.npz`, `.csv`, `.parquet` or a folder of
        images with one subfolder a class. A registered name is never taken for a path: write "./digits" for a
        folder of your own that is called so.
    root : str or Path or None
        A local folder: the data set's own, or one that holds a folder of its name; default: the environment
        variable VESTIGE_DATA. With either, nothing is downloaded. Without, the original is downloaded from
        its public home, checked, and kept in VESTIGE_CACHE (default ~/.cache/vestige).
    options : Any
        The reader's own, for example part="test" for "cifar10", label="income" for a table.

    Raises
    ------
    InputError
        For an unknown name or option, and for files that are missing or cannot be read.
    """
    as_path(name)
    if root is not None:
        as_path(root)
    if is_path(name):
        from vestige.data.own import load_own

        if root is not None:
            raise InputError(
                f"{name}: root is {str(root)!r}, but it is for named data sets; a path has none."
            )
        return load_own(Path(name).expanduser(), **options)
    source = DATASETS[str(name)]
    values = source.resolve(options)
    folder = _folder(source, root)
    data: Dataset = source.function(folder, **values)
    if folder != cache_folder() / source.name:
        return data
    return replace(data, notes=(*data.notes, *trusted(source.name, source.downloads)))


def is_path(name: str | Path) -> bool:
    """Is it a path of the user's own, and no name of a data set?"""
    if isinstance(name, Path) or "/" in name or os.sep in name or Path(name).suffix.lower() in FILES:
        return True
    return bool(name) and name not in DATASETS and looked_at(Path(name)) is not None


def _folder(source: Source, root: str | Path | None) -> Path:
    """Return the folder that holds the data set: given, from the environment, or downloaded."""
    if source.embedded:
        return Path()
    given = root if root is not None else os.environ.get("VESTIGE_DATA")
    if given:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            origin = "root" if root is not None else "VESTIGE_DATA"
            raise InputError(f"{origin} is {str(folder)!r}: no such folder.")
        inner = folder / source.name
        return inner if inner.is_dir() else folder
    if not source.downloads:
        raise InputError(
            f"{source.name} is not downloaded; get it from {source.home}, put it into a folder "
            "and name that by root= or VESTIGE_DATA."
        )
    return fetch(source.name, source.downloads)
