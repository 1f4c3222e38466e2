"""A folder belongs to one run: what is finished there is not overwritten by another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vestige.errors import ArtefactError, InputError
from vestige.store import plain, read_record

RECORDS = {"run": "manifest.json", "leaks": "leaks.json", "llm": "llm.json"}
"""The record of each kind of run, which it writes last or fills in last."""
FREE = ("title",)
"""Keys of a configuration that decide no result."""


def expect_kind(folder: Path, kind: str) -> None:
    """Raise `InputError` where a folder is a file, or holds a run of another kind."""
    if folder.is_file():
        raise InputError(f"{folder} is a file; a folder for the results is wanted.")
    for other, name in RECORDS.items():
        if other != kind and _of_kind(folder, other) is not None:
            raise InputError(f"{folder} holds a run of another kind ({name}); name another folder.")


def expect_own(folder: Path, kind: str, config: Mapping[str, Any], of: str = "config") -> None:
    """Raise `InputError` where a folder holds a run of another kind, or a finished one of another configuration.

    Parameters
    ----------
    of : str
        Where the record names what it is a run of.
    """
    expect_kind(folder, kind)
    record = _of_kind(folder, kind)
    if record is None:
        return
    if not isinstance(record.get(of), dict):
        raise InputError(f"{folder} holds another run; name another folder with --out.")
    if change := difference(record[of], config):
        raise InputError(f"{folder} holds another run ({change}); name another folder.")


def _of_kind(folder: Path, kind: str) -> dict[str, Any] | None:
    """Return the record of a run of a kind in a folder; None where there is none that can be read."""
    try:
        record = read_record(folder / RECORDS[kind])
    except ArtefactError:
        return None
    return record if record.get("kind") == kind else None


def difference(before: Any, now: Any, free: tuple[str, ...] = FREE) -> str:
    """Return the first place in which two configurations differ, in words; "" where there is none but the free ones."""
    old, new = ({k: v for k, v in flat(c).items() if k not in free} for c in (before, now))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            return f"{key} is {old.get(key)!r} there and {new.get(key)!r} here"
    return ""


def kind_in(folder: Path) -> str:
    """Return what a folder holds: "run", "leaks", "llm", or "audit" for anything else that has a record.

    Raises `InputError` where no record is there, `ArtefactError` where it is damaged.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; the folder of a run or of an audit is wanted.")
    for kind, name in RECORDS.items():
        if (folder / name).exists():
            return kind if read_record(folder / name).get("kind") == kind else "audit"
    raise InputError(
        f"{folder} holds no finished run and no audit: it has none of {', '.join(RECORDS.values())}."
    )


def recorded(folder: Path, kind: str) -> dict[str, Any]:
    """Return the configuration that the record of a run names. Raises `ArtefactError` where it names none."""
    config = read_record(folder / RECORDS[kind]).get("config")
    if not isinstance(config, dict):
        raise ArtefactError(
            f"{folder / RECORDS[kind]}: it names no configuration as a run's does; was it edited?"
        )
    return config


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a configuration by their place, such as "recipe.epochs"."""
    value = plain(value)
    if not isinstance(value, dict) or not value:
        return {prefix.rstrip("."): value}
    return {
        place: leaf for key, inner in value.items() for place, leaf in flat(inner, f"{prefix}{key}.").items()
    }
