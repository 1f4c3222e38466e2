"""How docstrings are laid out: paragraphs, and arguments in columns, a name and what it is a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

NAMES = re.compile(r"\*{0,2}[A-Za-z_][\w.]*(?:, [A-Za-z_][\w.]*)*")
UNDERLINE = re.compile(r"^-{3,}$")


class Row(NamedTuple):
    """A line of a list in columns: a name, and the lines that say what it is."""

    name: str
    text: list[str]


def paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Split lines at the empty ones."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def columns(block: list[str]) -> list[Row]:
    """Return the rows of a paragraph in columns, nothing for another paragraph."""
    indent = min(len(line) - len(line.lstrip()) for line in block)
    lines = [line[indent:] for line in block]
    first = re.match(rf"({NAMES.pattern})\s{{2,}}(?=\S)", lines[0])
    if not first:
        return []
    rows: list[Row] = []
    for line in lines:
        own = re.match(rf"({NAMES.pattern})\s{{2,}}(?=\S)", line)
        start = own.end() if own else first.end()
        if NAMES.fullmatch(line[:start].rstrip()) and line[start - 1] == " ":
            rows.append(Row(line[:start].rstrip(), [line[start:]]))
        elif line.startswith("  "):
            rows[-1].text.append(line.strip())
        else:
            return []
    return rows
