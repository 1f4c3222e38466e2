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


def expect_own(folder: Path, kind: str, config: Mapping[str, Any]) -> None:
    """Raise `InputError` where a folder holds a run of another kind, or a finished one of another configuration."""
    for other, name in RECORDS.items():
        try:
            record = read_record(folder / name)
        except ArtefactError:
            continue
        if record.get("kind") != other:
            continue
        if other != kind:
            raise InputError(f"{folder} holds a run of another kind ({name}); name another folder.")
        before, now = (
            {k: v for k, v in flat(c).items() if k not in FREE} for c in (record.get("config"), config)
        )
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                raise InputError(
                    f"{folder} holds another run ({key} is {before.get(key)!r} there and {now.get(key)!r} here); name "
                    "another folder."
                )


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
