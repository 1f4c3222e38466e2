"""Abbreviations say what they are: where they stand, under the pointer, and in words at the end of each page.

They are kept in `vestige.report.glossary.ABBREVIATIONS`. An author writes `AUC`, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from vestige.report.glossary import ABBREVIATIONS

WORD = re.compile(r"(?<![\w.-])(" + "|".join(sorted(ABBREVIATIONS, key=len, reverse=True)) + r")(?![\w.])")
AS_THEY_ARE = (
    nodes.literal,
    nodes.literal_block,
    nodes.raw,
    nodes.math,
    nodes.math_block,
    nodes.title,
    nodes.abbreviation,
    addnodes.desc_signature,
    addnodes.pending_xref,
    addnodes.toctree,
)
EXPLAINED = "reference/glossary"


def parts(text: str) -> Iterator[nodes.Node]:
    """Yield a text in pieces, its abbreviations with what they are."""
    for i, piece in enumerate(WORD.split(text)):
        if i % 2:
            yield nodes.abbreviation("", piece, explanation=ABBREVIATIONS[piece])
        elif piece:
            yield nodes.Text(piece)


def words(names: list[str]) -> nodes.Element:
    """Return the abbreviations of a page in words, each a link to the glossary."""
    paragraph = nodes.paragraph("", "", nodes.strong("", "Abbreviations on this page."))
    for name in names:
        link = addnodes.pending_xref(
            "",
            nodes.inline("", name),
            refdomain="std",
            reftype="term",
            reftarget=name,
            refexplicit=True,
            refwarn=True,
        )
        paragraph += [nodes.Text(" "), link, nodes.Text(f": {ABBREVIATIONS[name]}.")]
    return nodes.container("", paragraph, classes=["abbreviations"])


class Abbreviations(SphinxTransform):
    """Explain the abbreviations of a page."""

    default_priority = 700

    def apply(self, **kwargs: Any) -> None:
        name = self.env.current_document.docname
        if name == EXPLAINED:
            return
        used: set[str] = set()
        for text in list(self.document.findall(nodes.Text)):
            pieces = list(parts(str(text)))
            if any(isinstance(piece, nodes.abbreviation) for piece in pieces) and not within(text):
                used.update(piece.astext() for piece in pieces if isinstance(piece, nodes.abbreviation))
                text.parent.replace(text, pieces)
        sections = [node for node in self.document.children if isinstance(node, nodes.section)]
        if used and sections:
            link = words(sorted(used, key=str.lower))
            for node in link.findall(addnodes.pending_xref):
                node["refdoc"] = name
            sections[0] += link


def within(node: nodes.Node) -> bool:
    """Does a text stand where nothing is to be changed?"""
    parent = node.parent
    while parent is not None:
        if isinstance(parent, AS_THEY_ARE):
            return True
        parent = parent.parent
    return False


def setup(app: Sphinx) -> dict[str, bool]:
    """Read every page so."""
    app.add_transform(Abbreviations)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
