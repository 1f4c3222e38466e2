"""How docstrings are laid out: paragraphs, and numpydoc's sections, some of them lists of names."""

from __future__ import annotations

import re
from collections.abc import Iterator

UNDERLINE = re.compile(r"^-{3,}$")


def paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Split lines at the empty ones."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def sections(doc: str) -> dict[str, list[str]]:
    """Return the lines of a docstring by numpydoc's sections, "" for what stands before them."""
    lines, name = doc.splitlines(), ""
    parts: dict[str, list[str]] = {"": []}
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if UNDERLINE.match(following) and line.strip():
            name = line.strip()
            parts[name] = []
        elif not (UNDERLINE.match(line) and name):
            parts[name].append(line)
    return parts


def meanings(lines: list[str]) -> dict[str, str]:
    """Return what each name of a section is, such as of `Parameters`: {"lr": "Step size."}."""
    text: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if line.startswith(" "):
            text |= {name: f"{text[name]} {line.strip()}".strip() for name in names}
        elif line.strip():
            names = line.partition(" : ")[0].split(", ")
            text |= dict.fromkeys(names, "")
    return text
