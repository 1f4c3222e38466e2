"""`load_dataset`: from a name, or a path of the user's own, to a `Dataset`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vestige.data.dataset import Dataset
from vestige.data.download import fetch
from vestige.data.registry import DATASETS, Source
from vestige.errors import InputError, unknown


def load_dataset(name: str | Path, root: str | Path | None = None, **options: Any) -> Dataset:
    """Load a data set by name, or the user's own file or image folder by path.

    name     a registered name (`vestige list datasets`), or a path to `.npz`, `.csv`, `.parquet` or a folder
             of images with one subfolder a class
    root     a local folder that holds the data set or a folder of its name; default: the environment variable
             VESTIGE_DATA. Without either, the original is downloaded from its public home, checked, and kept in
             VESTIGE_CACHE (default ~/.cache/vestige)
    options  the reader's own, for example part="test" for "cifar10", label="income" for a table

    Raises `InputError` for an unknown name or option, and for files that are missing or cannot be read.
    """
    text = str(name)
    if os.sep in text or Path(text).suffix.lower() in (".npz", ".csv", ".parquet", ".pkl", ".pickle"):
        from vestige.data.own import load_own

        return load_own(Path(text), **options)
    source = DATASETS[text]
    for option in options:
        if option not in source.options:
            raise InputError(f"{text}: {unknown('option', option, source.options)}")
    return source.read(_folder(source, root), **options)


def _folder(source: Source, root: str | Path | None) -> Path:
    """Return the folder that holds the data set: given, from the environment, or downloaded."""
    given = root if root is not None else os.environ.get("VESTIGE_DATA")
    if source.name == "digits":
        return Path()
    if given:
        folder = Path(given)
        if not folder.is_dir():
            origin = "root" if root is not None else "VESTIGE_DATA"
            raise InputError(f"{origin} is {str(folder)!r}: no such folder.")
        inner = folder / source.name
        if inner.is_dir():
            return inner
        if root is not None or not source.downloads:
            return folder
    if not source.downloads:
        raise InputError(
            f"{source.name} cannot be downloaded: {source.home}. Put it into a folder and name it by root=."
        )
    return fetch(source.name, source.downloads)
