"""Texts and where they come from: a JSON Lines or JSON file, or a list of strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.errors import InputError
from vestige.files import parse_json, read_text
from vestige.values import as_ids, told


@dataclass(frozen=True)
class Texts:
    """n texts with their ids; ids are distinct, texts are not empty.

    Raises `InputError` otherwise.
    """

    texts: tuple[str, ...]
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.texts:
            raise InputError("There are no texts.")
        if len(self.ids) != len(self.texts):
            raise InputError(
                f"There are {len(self.texts)} texts and {len(self.ids)} ids; as many are wanted."
            )
        for name, text in zip(self.ids, self.texts, strict=True):
            if not text.strip():
                raise InputError(f"Text {name!r} is empty; there is nothing to measure in it.")
        seen: set[str] = set()
        for name in self.ids:
            if name in seen:
                raise InputError(f"Two texts have the id {name!r}; ids must be distinct.")
            seen.add(name)

    def __len__(self) -> int:
        return len(self.texts)


def as_texts(given: Texts | Sequence[str]) -> Texts:
    """Return texts as they are, or a list of strings with their numbers as ids."""
    if isinstance(given, Texts):
        return given
    if isinstance(given, str):
        raise InputError("One string was given; a list of texts is wanted.")
    return Texts(tuple(given), tuple(map(str, range(len(given)))))


def read_texts(path: Path | str) -> Texts:
    """Read texts from a `.jsonl` file of strings or of objects with "text" (and "id"), or a `.json` list of them.

    A line ends with a newline alone, as JSON Lines says: what Unicode calls a line end may stand in a text.

    Raises `InputError` for a file that is missing, no regular file, not UTF-8, or holds something else; the line is
    named.
    """
    path = Path(path)
    content = read_text(path)
    if path.suffix.lower() == ".json":
        rows = _parsed(path, content, 1)
        if not isinstance(rows, list):
            raise InputError(f"{path}: a JSON list of texts is wanted.")
        numbered: Iterable[tuple[int, Any]] = enumerate(rows, 1)
    else:
        numbered = (
            (number, _parsed(path, line, number))
            for number, line in enumerate(content.split("\n"), 1)
            if line.strip()
        )
    texts: list[str] = []
    ids: list[Any] = []
    for number, row in numbered:
        text = row.get("text") if isinstance(row, dict) else row
        if not isinstance(text, str):
            raise InputError(f'{path}, entry {number}: a string, or an object with "text", is wanted.')
        texts.append(text)
        ids.append(row["id"] if isinstance(row, dict) and "id" in row else len(ids))
    if not texts:
        raise InputError(f"{path} holds no texts.")
    try:
        return Texts(tuple(texts), tuple(as_ids("ids", ids).tolist()))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def expect_disjoint(**groups: Texts) -> None:
    """Raise `InputError` where a text is in two groups: it cannot be both forgotten and retained."""
    owner: dict[str, str] = {}
    for group, given in groups.items():
        for name, text in zip(given.ids, given.texts, strict=True):
            if owner.setdefault(text, group) != group:
                raise InputError(
                    f"Text {name!r} is both in {owner[text]} and in {group}; it can be in one only."
                )


def gathered(groups: Mapping[str, Texts]) -> Texts:
    """Return the texts of all groups, one after another, with the ids "forget-0" and so on.

    Raises `InputError` where a text is in two groups.
    """
    expect_disjoint(**groups)
    return Texts(
        tuple(t for g in groups.values() for t in g.texts),
        tuple(f"{name}-{i}" for name, g in groups.items() for i in g.ids),
    )


def _parsed(path: Path, text: str, number: int) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise InputError(f"{path}, line {number}: not valid JSON ({told(error)}).") from None
