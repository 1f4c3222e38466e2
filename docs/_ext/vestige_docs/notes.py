"""What the docstring of a method or measure says, part by part."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vestige.registry import Entry
from vestige_docs.sections import meanings, paragraphs, sections

MARKS = {"when": "**When to use.**", "fails": "**When it fails.**", "cost": "**Cost.**"}
GREEK = "alpha|beta|gamma|delta|epsilon|eta|theta|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|Phi"
LETTER = re.compile(
    rf"(?<![\w.'])(?:(?P<greek>{GREEK})(?:_(?P<below>[A-Za-z0-9]+))?(?:\^(?P<above>[A-Za-z0-9]))?|"
    r"(?P<latin>[A-Za-z])(?=[_^])(?:_(?P<below2>[A-Za-z0-9]+))?(?:\^(?P<above2>[A-Za-z0-9]))?)(?![\w(])"
)


@dataclass(frozen=True)
class Notes:
    """What the docstring of an entry says.

    Attributes
    ----------
    summary : str
        Its first line.
    options : Mapping[str, str]
        What each option is, by name.
    body : str
        Markdown that stands before the notes, without the options.
    equation : str
        Markdown with the equation and what its letters are.
    when, fails, cost : str
        A paragraph each, "" where it is not there.
    references : tuple[str, ...]
        A line each.
    example : str
        Lines of a session, "" where there is none.
    """

    summary: str
    options: Mapping[str, str]
    body: str
    equation: str
    when: str
    fails: str
    cost: str
    references: tuple[str, ...]
    example: str


def notes_of(entry: Entry) -> Notes:
    """Read an entry's docstring."""
    doc = inspect.getdoc(entry.function) or ""
    parts = sections(doc)
    summary, *rest = [" ".join(block) for block in paragraphs(parts[""])]
    marked = dict.fromkeys(MARKS, "")
    equation: list[str] = []
    for block in paragraphs(parts.get("Notes", [])):
        text = " ".join(block)
        kind = next((kind for kind, mark in MARKS.items() if text.startswith(mark)), None)
        if kind is not None:
            marked[kind] = text.removeprefix(MARKS[kind]).strip()
        elif block[0].startswith(" "):
            equation.append("\n".join(["$$", *(line.strip() for line in block), "$$"]))
        elif text != ".. math::":
            equation.append(letters(text))
    references = tuple(" ".join(block) for block in paragraphs(parts.get("References", [])))
    example = "\n".join(parts.get("Examples", [])).strip()
    return Notes(
        summary,
        meanings(parts.get("Parameters", [])),
        "\n\n".join(rest),
        "\n\n".join(equation),
        **marked,
        references=references,
        example=example,
    )


def letters(text: str) -> str:
    """Return a sentence about an equation with the equation's letters as they stand in it: `theta_0`, `D_f`, `rho`."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if i % 2 else LETTER.sub(_letter, part) for i, part in enumerate(parts))


def _letter(match: re.Match[str]) -> str:
    letter = f"\\{match['greek']}" if match["greek"] else match["latin"]
    below, above = match["below"] or match["below2"], match["above"] or match["above2"]
    word = below if below is None or len(below) == 1 else rf"\mathrm{{{below}}}"
    return f"${letter}{'' if word is None else f'_{{{word}}}'}{'' if above is None else f'^{{{above}}}'}$"


def implementation(entry: Entry) -> str:
    """Return what the head of its file says of how it is implemented, without the first line."""
    module = ast.parse(Path(inspect.getfile(entry.function)).read_text(encoding="utf-8"))
    text = ast.get_docstring(module) or ""
    return "\n\n".join(" ".join(block) for block in list(paragraphs(text.splitlines()))[1:])
