"""Texts and where they come from: a JSON Lines or JSON file, or a list of strings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from vestige.arguments import OWN_CHECK
from vestige.errors import InputError, shown, told
from vestige.files import as_path, parse_json, read_text
from vestige.values import as_ids


@dataclass(frozen=True)
class Texts:
    """n texts with their ids; ids are distinct, texts are not empty.

    Raises `InputError` otherwise.
    """

    texts: tuple[str, ...]
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", _strings(self.texts, "texts"))
        object.__setattr__(self, "ids", tuple(as_ids("ids", self.ids, distinct=False).tolist()))
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

    def __repr__(self) -> str:
        return f"Texts({len(self):,} texts: {self.ids[0]!r}{', ...' if len(self) > 1 else ''})"

    @property
    def hashes(self) -> tuple[str, ...]:
        """What each text is, in 16 hex digits: signals carry it, so that those of other texts are known as such."""
        return tuple(map(hash_of, self.texts))


TextList: TypeAlias = Annotated[Texts | Sequence[str], OWN_CHECK]
"""Texts with their ids, or a list of strings; see `as_texts`."""


def hash_of(text: str) -> str:
    """Return the first 16 hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def content_ids(texts: Sequence[str]) -> tuple[str, ...]:
    """Return an id for each text from what it says, never from its position; a text that comes again gets "-2"."""
    ids, times = [], Counter[str]()
    for name in map(hash_of, texts):
        times[name] += 1
        ids.append(name if times[name] == 1 else f"{name}-{times[name]}")
    return tuple(ids)


def as_texts(given: Texts | Sequence[str]) -> Texts:
    """Return texts as they are; those of a list of strings get ids from what they say, see `content_ids`.

    Raises `InputError` where there is something else than texts.
    """
    if isinstance(given, Texts):
        return given
    texts = _strings(given, "texts")
    return Texts(texts, content_ids(texts))


def _listed(values: Any, what: str) -> list[Any]:
    if isinstance(values, (str, bytes)):
        raise InputError(f"One string was given as {what}; a list is wanted.")
    if isinstance(values, Mapping) or not isinstance(values, Iterable) or hasattr(values, "columns"):
        raise InputError(f"{what} are {shown(values)}; a list is wanted.")
    return list(values)


def _strings(values: Any, what: str) -> tuple[str, ...]:
    texts = _listed(values, what)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"{what}[{place}] is {shown(text)}; a string is wanted.")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise InputError(f"{what}[{place}] holds half a character (a lone surrogate); it is no text.")
    return tuple(texts)


IDS = ("id", "ids", "_id")
"""Keys, in small letters, that would be those of ids."""


def read_texts(path: Path | str) -> Texts:
    """Read texts from a `.jsonl` file of strings or of objects with "text" (and "id"), or a `.json` list of them.

    Lines end with a newline alone: what Unicode calls a line end may stand in a text. A byte-order mark is left out.
    Ids stand in the file for every text or for none: then they are made of what the texts say.

    Raises `InputError` for a file that is missing, no regular file, not UTF-8, or holds something else; the line is
    named.
    """
    path = as_path(path)
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
        strange = [key for key in row if key != "id" and key.lower() in IDS] if isinstance(row, dict) else []
        if strange:
            raise InputError(
                f"{path}, entry {number}: the key {strange[0]!r} is not read; did you mean 'id'?"
            )
        if isinstance(row, dict) and "id" in row:
            ids.append(row["id"])
        texts.append(text)
        if len(ids) not in (0, len(texts)):
            raise InputError(f"{path}, entry {number}: ids are wanted for every text, or for none.")
    if not texts:
        raise InputError(f"{path} holds no texts.")
    try:
        return Texts(tuple(texts), tuple(ids)) if ids else as_texts(texts)
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
    """Return the texts of all groups, one after another, with ids such as "forget-17": the group, then the text's own.

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
