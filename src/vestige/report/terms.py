"""Terms in a report lead to where the report itself explains them, so that they can be followed offline.

A term is linked where it first stands in a section, a panel or a card. Abbreviations of the glossary that stand in the
report are explained too, without being named by its page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from vestige.report.glossary import ABBREVIATIONS, anchor, meanings

PIECES = re.compile(r"(<(svg|script|style)\b.*?</\2>|<[^>]*>)", re.DOTALL)
TAG = re.compile(r"<(/?)([a-zA-Z0-9]+)")
AS_THEY_ARE = ("a", "button", "code", "h1", "h2", "h3", "label", "nav", "noscript", "output", "summary")
"""Elements in which a link would be wrong: another link, a control, a heading."""
SILENT = re.compile(r'aria-hidden="true"|role="img"|class="samples"|data-column="|class="sentence"')
"""Attributes of elements without links: hidden ones, pictures, rows that a script writes anew, and the answer."""


class Explained(NamedTuple):
    """HTML whose terms are links.

    Attributes
    ----------
    text : str
        The HTML.
    entries : list[tuple[str, str, str]]
        Anchor, name and meaning of each term, in their order; abbreviations last.
    """

    text: str
    entries: list[tuple[str, str, str]]


def explained(html: str, terms: Sequence[str]) -> Explained:
    """Link the terms of a page, and the abbreviations that stand in it, to their entries in its glossary.

    Parameters
    ----------
    html : str
        Whole elements, with text that is escaped.
    terms : Sequence[str]
        Names of the glossary. One with commas stands for each of its parts.
    """
    names = {part.lower(): term for term in terms for part in term.split(", ")}
    words = "|".join(re.escape(part) for part in sorted(names, key=len, reverse=True))
    short = "|".join(sorted(ABBREVIATIONS, key=len, reverse=True))
    anywhere = rf"(?i:{words})(?=s?(?![\w-]))|" if words else ""
    pattern = re.compile(rf"(?<![\w&#-])(?:{anywhere}(?:{short})(?![\w.-]))")
    result: list[str] = []
    linked: set[str] = set()
    used: set[str] = set()
    inside, depth = "", 0

    def link(match: re.Match[str]) -> str:
        term = names.get(match[0].lower(), match[0])
        used.add(term)
        if term in linked:
            return match[0]
        linked.add(term)
        return f'<a class="term" href="#{anchor(term)}">{match[0]}</a>'

    at = 0
    for piece in PIECES.finditer(html):
        text = html[at : piece.start()]
        result += [text if inside else pattern.sub(link, text), piece[0]]
        at = piece.end()
        tag = TAG.match(piece[0])
        if tag is None or piece[2]:
            continue
        ends, name = tag.groups()
        if inside:
            depth += (name == inside) * (-1 if ends else 1)
            inside = inside if depth else ""
        elif not ends and (name in AS_THEY_ARE or SILENT.search(piece[0])):
            inside, depth = name, 1
        elif name in ("section", "article") or 'class="panel"' in piece[0]:
            linked.clear()
    result.append(html[at:] if inside else pattern.sub(link, html[at:]))
    every = [*terms, *sorted(used - set(terms), key=str.lower)]
    return Explained("".join(result), [(anchor(name), name, text) for name, text in meanings(every).items()])
